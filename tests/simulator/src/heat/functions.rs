//! The functions of a template: what they refer to, and what they give.

use super::catalogue::Kind;
use super::parameters::Parameter;
use super::version::Version;
use crate::overrides::Overrides;
use crate::text;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// A resource as functions see it.
pub(crate) struct Seen<'a> {
    /// Its type.
    pub(crate) kind: &'a Kind,
    /// Its id; none while it does not exist.
    pub(crate) id: Option<&'a str>,
    /// Its properties; none while it does not exist.
    pub(crate) properties: Option<&'a Map<String, Json>>,
}

/// All that a function may look at.
pub(crate) struct Scope<'a> {
    pub(crate) version: Version,
    pub(crate) parameters: &'a BTreeMap<String, Parameter>,
    pub(crate) pseudo: BTreeMap<&'static str, &'a str>,
    pub(crate) resources: BTreeMap<&'a str, Seen<'a>>,
    pub(crate) overrides: &'a Overrides,
    pub(crate) files: &'a Map<String, Json>,
}

/// What a function refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// `get_param` of this name.
    Parameter(&'a str),
    /// `get_resource` of this name.
    Resource(&'a str),
    /// `get_attr` of a resource; without an attribute all of them.
    Attribute(&'a str, Option<&'a str>),
}

/// A finding of [`references`]: the path from the value walked (`[1].str_replace.params.a`), and
/// the reference or why the function cannot be called like this.
pub(crate) type Found<'a> = (String, Result<Reference<'a>, String>);

/// The one function call that a map is, if it is one in this version.
fn call(map: &Map<String, Json>, version: Version) -> Option<(&str, &Json)> {
    let mut entries = map.iter();
    match (entries.next(), entries.next()) {
        (Some((name, arguments)), None) if version.has_function(name) => {
            Some((name.as_str(), arguments))
        }
        _ => None,
    }
}

/// All references in a value, and all calls that cannot work.
pub(crate) fn references(value: &Json, version: Version) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    walk(value, version, "", &mut found);
    found
}

fn walk<'a>(value: &'a Json, version: Version, path: &str, found: &mut Vec<Found<'a>>) {
    match value {
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, version, &format!("{path}[{index}]"), found);
            }
        }
        Json::Object(map) => match call(map, version) {
            Some((name, arguments)) => {
                match refers(name, arguments, version) {
                    Ok(Some(reference)) => found.push((path.to_owned(), Ok(reference))),
                    Ok(None) => {}
                    Err(why) => found.push((format!("{path}.{name}"), Err(why))),
                }
                walk(arguments, version, &format!("{path}.{name}"), found);
            }
            None => {
                for (key, item) in map {
                    walk(item, version, &format!("{path}.{key}"), found);
                }
            }
        },
        _ => {}
    }
}

fn refers<'a>(
    name: &str,
    arguments: &'a Json,
    version: Version,
) -> Result<Option<Reference<'a>>, String> {
    match name {
        "get_param" => Ok(match arguments {
            Json::Array(path) => path.first().and_then(Json::as_str),
            other => other.as_str(),
        }
        .map(Reference::Parameter)),
        "get_resource" => Ok(arguments.as_str().map(Reference::Resource)),
        "get_attr" => attribute_reference(arguments, version).map(Some),
        "str_replace" => {
            let Json::Object(map) = arguments else {
                return Err("Arguments to \"str_replace\" must be a map".into());
            };
            if map.contains_key("params") && map.contains_key("template") {
                return Ok(None);
            }
            Err("'\"str_replace\" syntax should be str_replace:\\n              template: This \
                 is var1 template var2\\n              params:\\n                var1: a\\n     \
                            var2: string'"
                .into())
        }
        "list_join" => match arguments {
            Json::Array(items) if items.len() == 2 => Ok(None),
            Json::Array(items) if items.len() > 2 && version.joins_many() => Ok(None),
            _ => Err("Incorrect arguments to \"list_join\" should be: \"list_join\" : \
                      [ \" \", [ \"str1\", \"str2\"]]"
                .into()),
        },
        "get_file" | "str_split" | "map_merge" => Ok(None),
        other => Err(if version.has_removed(other) {
            format!(
                "The template version is invalid: The function {other} is not supported in this \
                 version of HOT."
            )
        } else {
            format!(
                "the simulator does not compute the function {other}; it knows get_attr, \
                 get_file, get_param, get_resource, list_join, map_merge, str_replace, str_split"
            )
        }),
    }
}

fn attribute_reference(arguments: &Json, version: Version) -> Result<Reference<'_>, String> {
    let Json::Array(items) = arguments else {
        return Err("Argument to \"get_attr\" must be a list".into());
    };
    let mut names = items.iter().map(Json::as_str);
    match (names.next().flatten(), names.next()) {
        (Some(resource), Some(Some(attribute))) => {
            Ok(Reference::Attribute(resource, Some(attribute)))
        }
        (Some(resource), None) if version.gets_all_attributes() => {
            Ok(Reference::Attribute(resource, None))
        }
        _ => Err("Arguments to \"get_attr\" must be of the form [resource_name, attribute, \
                  (path), ...]"
            .into()),
    }
}

impl Scope<'_> {
    /// The value with every function called; the error is Heat's `output_error`.
    pub(crate) fn resolve(&self, value: &Json) -> Result<Json, String> {
        match value {
            Json::Array(items) => items
                .iter()
                .map(|item| self.resolve(item))
                .collect::<Result<_, _>>()
                .map(Json::Array),
            Json::Object(map) => match call(map, self.version) {
                Some((name, arguments)) => self.call(name, &self.resolve(arguments)?),
                None => map
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), self.resolve(item)?)))
                    .collect::<Result<_, _>>()
                    .map(Json::Object),
            },
            plain => Ok(plain.clone()),
        }
    }

    fn call(&self, name: &str, arguments: &Json) -> Result<Json, String> {
        match name {
            "get_param" => self.parameter(arguments),
            "get_resource" => self.id(&text::shown(arguments)).map(Json::from),
            "get_attr" => self.attribute(arguments),
            "str_replace" => self.replaced(arguments).map(Json::from),
            "list_join" => self.joined(arguments).map(Json::from),
            "get_file" => {
                let key = text::shown(arguments);
                self.files.get(&key).cloned().ok_or_else(|| {
                    format!("No content found in the \"files\" section for get_file path: {key}")
                })
            }
            "str_split" => split(arguments),
            "map_merge" => merge(arguments),
            other => Err(format!("the simulator does not compute the function {other}")),
        }
    }

    fn parameter(&self, arguments: &Json) -> Result<Json, String> {
        let (name, path) = match arguments {
            Json::Array(items) => (items.first().cloned().unwrap_or_default(), items.get(1..)),
            other => (other.clone(), None),
        };
        let name = text::shown(&name);
        let value = self.parameters.get(&name).map(|parameter| parameter.value.clone());
        let value = value
            .or_else(|| self.pseudo.get(name.as_str()).map(|text| Json::from(*text)))
            .ok_or_else(|| format!("The Parameter ({name}) was not provided."))?;
        Ok(down(&value, path.unwrap_or_default()).unwrap_or_else(|| Json::from("")))
    }

    /// While a resource does not exist its reference is its name, which no one should use.
    fn id(&self, resource: &str) -> Result<String, String> {
        let seen = self.resources.get(resource).ok_or_else(|| unknown(resource))?;
        Ok(seen.id.unwrap_or(resource).to_owned())
    }

    fn attribute(&self, arguments: &Json) -> Result<Json, String> {
        let items = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
        let resource = items.first().map(text::shown).unwrap_or_default();
        let seen = self.resources.get(resource.as_str()).ok_or_else(|| unknown(&resource))?;
        let (Some(id), Some(properties)) = (seen.id, seen.properties) else {
            return Ok(Json::Null);
        };
        let one = |name: &str| seen.kind.attribute(name, &resource, id, properties, self.overrides);
        let Some(name) = items.get(1) else {
            return seen
                .kind
                .attributes()
                .map(|name| Ok((name.to_owned(), one(name)?)))
                .collect::<Result<_, _>>()
                .map(Json::Object);
        };
        let value = one(&text::shown(name))?;
        Ok(down(&value, items.get(2..).unwrap_or_default()).unwrap_or_default())
    }

    fn replaced(&self, arguments: &Json) -> Result<String, String> {
        let Some(Json::String(template)) = arguments.get("template") else {
            return Err("\"str_replace\" template must be a string".into());
        };
        let Some(Json::Object(params)) = arguments.get("params") else {
            return Err("\"str_replace\" params must be a map".into());
        };
        let mut pairs = Vec::new();
        for (key, value) in params {
            let value = match value {
                Json::Null => String::new(),
                Json::Array(_) | Json::Object(_) if self.version.replaces_json() => {
                    text::dumped(value)
                }
                Json::Array(_) | Json::Object(_) => {
                    return Err(format!(
                        "\"str_replace\" params must be strings or numbers, param {key} is not \
                         valid"
                    ));
                }
                plain => text::shown(plain),
            };
            pairs.push((key.as_str(), value));
        }
        // Longer keys first, and what was put in is not looked at again.
        pairs.sort_by_key(|(key, _)| (std::cmp::Reverse(key.len()), *key));
        Ok(substitute(template, &pairs))
    }

    fn joined(&self, arguments: &Json) -> Result<String, String> {
        let items = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(Json::String(delimiter)) = items.first() else {
            return Err("\"list_join\" delimiter must be a string".into());
        };
        let mut parts = Vec::new();
        for list in items.get(1..).unwrap_or_default() {
            match list {
                Json::Null => {}
                Json::Array(items) => {
                    for item in items {
                        parts.push(self.part(item)?);
                    }
                }
                _ => return Err("\"list_join\" must operate on a list".into()),
            }
        }
        Ok(parts.join(delimiter))
    }

    fn part(&self, item: &Json) -> Result<String, String> {
        match item {
            Json::Null => Ok(String::new()),
            Json::String(text) => Ok(text.clone()),
            Json::Array(_) | Json::Object(_) if self.version.joins_many() => Ok(text::dumped(item)),
            other => Err(format!(
                "Items to join must be {} not {}",
                if self.version.joins_many() { "string, map or list" } else { "strings" },
                text::shown(other)
            )),
        }
    }
}

fn unknown(resource: &str) -> String {
    format!("The specified reference \"{resource}\" (in unknown) is incorrect.")
}

fn substitute(text: &str, pairs: &[(&str, String)]) -> String {
    let Some(((key, value), rest)) = pairs.split_first() else { return text.to_owned() };
    if key.is_empty() {
        return substitute(text, rest);
    }
    text.split(key).map(|part| substitute(part, rest)).collect::<Vec<_>>().join(value)
}

/// The value at the end of a path, if the path leads anywhere.
fn down(value: &Json, path: &[Json]) -> Option<Json> {
    path.iter().try_fold(value.clone(), |value, step| match &value {
        Json::Object(map) => map.get(&text::shown(step)).cloned(),
        Json::Array(items) => {
            let index = text::shown(step).parse::<i64>().ok()?;
            let from_end = items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
            let index = if index < 0 { from_end } else { usize::try_from(index).ok() };
            items.get(index?).cloned()
        }
        _ => None,
    })
}

fn split(arguments: &Json) -> Result<Json, String> {
    let (Some(Json::String(delimiter)), Some(text)) = (arguments.get(0), arguments.get(1)) else {
        return Err("Incorrect arguments to \"str_split\"".into());
    };
    let Some(text) = text.as_str() else { return Ok(Json::Null) };
    let parts: Vec<&str> = text.split(delimiter.as_str()).collect();
    match arguments.get(2) {
        None => Ok(Json::from(parts)),
        Some(index) => {
            let part = index.as_u64().and_then(|index| parts.get(usize::try_from(index).ok()?));
            part.map(|part| Json::from(*part)).ok_or_else(|| {
                "Incorrect index to \"str_split\" should be between 0 and the last part".into()
            })
        }
    }
}

fn merge(arguments: &Json) -> Result<Json, String> {
    let mut merged = Map::new();
    for map in arguments.as_array().into_iter().flatten() {
        match map {
            Json::Object(map) => merged.extend(map.clone()),
            Json::Null => {}
            _ => return Err("Incorrect arguments: Items to merge must be maps.".into()),
        }
    }
    Ok(Json::Object(merged))
}

#[cfg(test)]
#[path = "functions_tests.rs"]
mod tests;
