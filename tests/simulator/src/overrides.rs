//! Values that stacks are told to have: what a backend would have answered.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value as Json};
use std::path::Path;

/// Overrides of what stacks compute, from a JSON object. A key with `::` in it is a resource type
/// and maps attributes (or `get_resource`, the id) to values; `$reasons` maps statuses to the
/// reason of success; any other key is an output key of any stack:
///
/// ```json
/// {
///   "OS::Contrail::VirtualMachineInterface": {
///     "virtual_networks": "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb",
///     "virtual_machine_interface_allowed_address_pairs": "null"
///   },
///   "mac_address": "xx:xx:xx:xx:xx:xx",
///   "$reasons": {"UPDATE_COMPLETE": "Stack successfully updated"}
/// }
/// ```
///
/// A value may be anything; `{"$error": "text"}` makes every output that needs it fail with that
/// text.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Map<String, Json>);

/// The key of the reasons.
const REASONS: &str = "$reasons";

impl Overrides {
    /// From a JSON object of the form above.
    ///
    /// # Errors
    /// When it is no object, or when a resource type maps to something else than an object.
    pub fn new(json: Json) -> Result<Self> {
        let Json::Object(map) = json else {
            bail!("cannot take overrides: a JSON object is wanted, type or output key to value");
        };
        let map_wanted = |key: &str| key.contains("::") || key == REASONS;
        let odd = map.iter().find(|(key, value)| map_wanted(key) && !value.is_object());
        if let Some((key, _)) = odd {
            bail!("cannot take overrides of {key}: an object is wanted, attribute to value");
        }
        Ok(Self(map))
    }

    /// From a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read overrides {}", path.display()))?;
        let json = serde_json::from_str(&text)
            .with_context(|| format!("cannot parse overrides {}", path.display()))?;
        Self::new(json).with_context(|| format!("cannot use overrides {}", path.display()))
    }

    /// Whether attributes of this resource type are overridden, which also makes the type known.
    pub(crate) fn names_type(&self, kind: &str) -> bool {
        kind.contains("::") && self.0.contains_key(kind)
    }

    /// The value of an attribute of a resource type, if it is overridden.
    pub(crate) fn attribute(&self, kind: &str, name: &str) -> Option<Result<Json, String>> {
        if !kind.contains("::") {
            return None;
        }
        self.0.get(kind)?.get(name).map(value_or_error)
    }

    /// The reason that a stack shows which came to this status by success, if it is overridden.
    pub(crate) fn reason(&self, status: &str) -> Option<String> {
        self.0.get(REASONS)?.get(status).map(crate::text::shown)
    }

    /// The value of an output, if it is overridden.
    pub(crate) fn output(&self, key: &str) -> Option<Result<Json, String>> {
        if key.contains("::") || key == REASONS {
            return None;
        }
        self.0.get(key).map(value_or_error)
    }
}

fn value_or_error(value: &Json) -> Result<Json, String> {
    match value.get("$error") {
        Some(error) => Err(crate::text::shown(error)),
        None => Ok(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_with_colons_is_a_type_and_any_other_an_output() {
        let overrides = Overrides::new(json!({
            "A::B": {"x": null, "y": {"$error": "no y"}}, "mac": [1],
            "$reasons": {"UPDATE_COMPLETE": "done"}
        }))
        .unwrap();
        assert!(overrides.names_type("A::B"));
        assert_eq!(overrides.attribute("A::B", "x"), Some(Ok(json!(null))));
        assert_eq!(overrides.attribute("A::B", "y"), Some(Err("no y".into())));
        assert_eq!(overrides.attribute("A::B", "z"), None);
        assert_eq!(overrides.attribute("mac", "x"), None);
        assert_eq!(overrides.output("mac"), Some(Ok(json!([1]))));
        assert_eq!(overrides.output("A::B"), None);
        assert_eq!(overrides.output("$reasons"), None);
        assert_eq!(overrides.reason("UPDATE_COMPLETE"), Some("done".into()));
        assert_eq!(overrides.reason("CREATE_COMPLETE"), None);
    }

    #[test]
    fn overrides_of_the_wrong_shape_are_refused() {
        assert!(Overrides::new(json!([])).unwrap_err().to_string().contains("object is wanted"));
        let error = Overrides::new(json!({"A::B": "x"})).unwrap_err().to_string();
        assert_eq!(error, "cannot take overrides of A::B: an object is wanted, attribute to value");
    }
}
