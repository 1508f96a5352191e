//! The versions of the template language.

use crate::answer::Refusal;
use serde_json::Value as Json;

/// A version, as the date from which its language counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32);

const VERSIONS: [(&str, u32); 17] = [
    ("2013-05-23", 20_130_523),
    ("2014-10-16", 20_141_016),
    ("2015-04-30", 20_150_430),
    ("2015-10-15", 20_151_015),
    ("2016-04-08", 20_160_408),
    ("2016-10-14", 20_161_014),
    ("2017-02-24", 20_170_224),
    ("2017-09-01", 20_170_901),
    ("2018-03-02", 20_180_302),
    ("2018-08-31", 20_180_831),
    ("2021-04-16", 20_210_416),
    ("newton", 20_161_014),
    ("ocata", 20_170_224),
    ("pike", 20_170_901),
    ("queens", 20_180_302),
    ("rocky", 20_180_831),
    ("wallaby", 20_210_416),
];

/// Functions of Heat and the version that brought them.
const FUNCTIONS: [(&str, u32); 25] = [
    ("get_attr", 0),
    ("get_file", 0),
    ("get_param", 0),
    ("get_resource", 0),
    ("list_join", 0),
    ("resource_facade", 0),
    ("str_replace", 0),
    ("digest", 20_150_430),
    ("repeat", 20_150_430),
    ("str_split", 20_151_015),
    ("map_merge", 20_160_408),
    ("equals", 20_161_014),
    ("if", 20_161_014),
    ("map_replace", 20_161_014),
    ("yaql", 20_161_014),
    ("filter", 20_170_224),
    ("str_replace_strict", 20_170_224),
    ("list_concat", 20_170_901),
    ("make_url", 20_170_901),
    ("contains", 20_170_901),
    ("list_concat_unique", 20_170_901),
    ("and", 20_161_014),
    ("not", 20_161_014),
    ("or", 20_161_014),
    ("str_replace_vstrict", 20_170_901),
];

/// Functions of the first version that a later one took away.
const REMOVED: [&str; 9] = [
    "Fn::Select",
    "Fn::GetAZs",
    "Fn::Join",
    "Fn::Split",
    "Fn::Replace",
    "Fn::Base64",
    "Fn::MemberListToMap",
    "Fn::ResourceFacade",
    "Ref",
];

impl Version {
    /// The version that a template names.
    pub(crate) fn of(template: &Json) -> Result<Self, Refusal> {
        let refuse = |why: String| {
            let message = format!("The template version is invalid: {why}");
            Err(Refusal::bad("InvalidTemplateVersion", message))
        };
        let named = match template.get("heat_template_version") {
            Some(Json::String(named)) => named,
            Some(_) => return refuse("Template version was not provided".into()),
            None => {
                return refuse(
                    "the simulator reads templates with heat_template_version only".into(),
                );
            }
        };
        if let Some((_, date)) = VERSIONS.iter().find(|(name, _)| name == named) {
            return Ok(Self(*date));
        }
        let known: Vec<&str> = VERSIONS.iter().map(|(name, _)| *name).collect();
        refuse(format!(
            "\"heat_template_version: {named}\". \"heat_template_version\" should be one of: {}",
            known.join(", ")
        ))
    }

    /// Whether a map with this one key is a function call.
    pub(crate) fn has_function(self, name: &str) -> bool {
        let since = FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, since)| *since);
        since.is_some_and(|since| self.0 >= since) || REMOVED.contains(&name)
    }

    /// Whether a function of the first version is gone in this one.
    pub(crate) fn has_removed(self, name: &str) -> bool {
        self.0 >= 20_141_016 && REMOVED.contains(&name)
    }

    /// Whether the language has conditions.
    pub(crate) fn has_conditions(self) -> bool {
        self.0 >= 20_161_014
    }

    /// Whether `str_replace` takes lists and maps, as JSON.
    pub(crate) fn replaces_json(self) -> bool {
        self.0 >= 20_151_015
    }

    /// Whether `list_join` takes several lists, and lists and maps in them.
    pub(crate) fn joins_many(self) -> bool {
        self.0 >= 20_151_015
    }

    /// Whether `get_attr` without an attribute gives all of them.
    pub(crate) fn gets_all_attributes(self) -> bool {
        self.0 >= 20_151_015
    }
}
