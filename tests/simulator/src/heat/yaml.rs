//! A template's text, YAML or JSON, as a JSON value.

use crate::answer::Refusal;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;
use std::fmt;

/// A template as it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Read {
    /// The whole template, an object.
    pub(crate) body: Json,
    /// The names of its parameters in the order of the text, where the text tells.
    pub(crate) parameter_order: Vec<String>,
}

/// Reads the `template` of a request: an object, or a text with JSON or YAML in it.
pub(crate) fn read(template: &Json) -> Result<Read, Refusal> {
    let read = match template {
        Json::Object(_) => Read { body: template.clone(), parameter_order: Vec::new() },
        Json::String(text) => {
            if text.len() > TEXT_BYTES_MAX {
                return Err(Refusal::bad(
                    "RequestLimitExceeded",
                    format!(
                        "Request limit exceeded: Template size ({} bytes) exceeds maximum allowed \
                         size ({TEXT_BYTES_MAX} bytes).",
                        text.len()
                    ),
                ));
            }
            Read { body: parse(text)?, parameter_order: parameter_order(text) }
        }
        Json::Null => return Err(Refusal::request("No template specified")),
        _ => return Err(Refusal::malformed()),
    };
    let versioned = ["heat_template_version", "HeatTemplateFormatVersion"]
        .into_iter()
        .chain(["AWSTemplateFormatVersion"])
        .any(|key| read.body.get(key).is_some());
    // A template given as an object is not asked for its version here, but later, as Heat does.
    if !versioned && template.is_string() {
        return Err(invalid("Template format version not found."));
    }
    Ok(read)
}

/// Heat's `max_template_size`.
const TEXT_BYTES_MAX: usize = 524_288;

/// Reads any YAML or JSON text; repeated keys: the last one wins.
pub(crate) fn value(text: &str) -> Result<Json, String> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(_) if text.trim().is_empty() => Ok(Json::Null),
        Err(_) => serde_yaml_ng::from_str(text).map_err(|error| error.to_string()),
    }
}

fn parse(text: &str) -> Result<Json, Refusal> {
    match value(text) {
        Ok(Json::Null) => Ok(Json::Object(serde_json::Map::new())),
        Ok(body @ Json::Object(_)) => Ok(body),
        Ok(_) => Err(invalid("The template is not a JSON object or YAML mapping.")),
        Err(error) => Err(invalid(&format!("Error parsing template [root stack] {error}"))),
    }
}

fn invalid(why: &str) -> Refusal {
    Refusal::request(format!("Template not in valid format: {why}"))
}

/// The first missing parameter is the one that Heat names, so the order of the text counts; a
/// JSON value has lost it, hence the second look.
fn parameter_order(text: &str) -> Vec<String> {
    serde_yaml_ng::from_str::<Sections>(text).map(|sections| sections.0).unwrap_or_default()
}

struct Sections(Vec<String>);

impl<'de> Deserialize<'de> for Sections {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Sections;
            fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
                to.write_str("a template")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sections, A::Error> {
                let mut names = Vec::new();
                while let Some(section) = map.next_key::<String>()? {
                    if section == "parameters" {
                        names = map.next_value::<Keys>()?.0;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Sections(names))
            }
        }
        deserializer.deserialize_map(Look)
    }
}

struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Keys;
            fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
                to.write_str("the parameters of a template")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                    names.push(name);
                }
                Ok(Keys(names))
            }
        }
        deserializer.deserialize_map(Look)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn dates_stay_text_and_a_repeated_key_takes_its_last_value() {
        let read =
            read(&json!("heat_template_version: 2013-05-23\na: 1\na: 169.254.0.3\n")).unwrap();
        assert_eq!(read.body, json!({"heat_template_version": "2013-05-23", "a": "169.254.0.3"}));
    }

    #[test]
    fn parameters_keep_the_order_of_the_text() {
        let text = "heat_template_version: 2013-05-23\nparameters:\n  z: {type: string}\n  \
                    a: {type: json}\nresources: {}\n";
        assert_eq!(read(&json!(text)).unwrap().parameter_order, ["z", "a"]);
    }

    #[test]
    fn what_is_no_template_is_refused_in_heats_words() {
        let long = "#".repeat(TEXT_BYTES_MAX + 1);
        let table = [
            (json!("hello"), "The template is not a JSON object or YAML mapping."),
            (json!(""), "Template format version not found."),
            (json!("resources: {}"), "Template format version not found."),
            (json!("a: ["), "Error parsing template [root stack] "),
            (json!("a: 1\n--- \nb: 2"), "Error parsing template [root stack] "),
            (json!(null), "No template specified"),
            (json!(5), "malformed or otherwise incorrect"),
            (json!(long), "exceeds maximum allowed size (524288 bytes)"),
        ];
        for (template, expected) in table {
            let refusal = format!("{:?}", read(&template).unwrap_err());
            assert!(refusal.contains(expected), "{expected}: {refusal}");
        }
    }
}
