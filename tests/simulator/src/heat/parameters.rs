//! A stack's parameters: their schema in the template, the values given, and how Heat shows them.

use crate::answer::Refusal;
use crate::text;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Boolean,
    List,
    Json,
}

/// One entry of a template's `parameters`.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    kind: Kind,
    body: Map<String, Json>,
}

/// The parameters of a template by name, in the order in which Heat looks at them.
pub(crate) type Schemas = Vec<(String, Schema)>;

/// A parameter's value, as `get_param` gives it and as a stack shows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// What `get_param` gives.
    pub(crate) value: Json,
    /// What `parameters` of the stack shows.
    pub(crate) text: String,
}

/// Reads the section; `order` are the names in the order of the text.
pub(crate) fn schemas(section: Option<&Json>, order: &[String]) -> Result<Schemas, Refusal> {
    let section = match section {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Object(section)) => section,
        Some(_) => return Err(Refusal::wordless("AttributeError")),
    };
    let mut names: Vec<&String> = section.keys().collect();
    names.sort_by_key(|name| order.iter().position(|other| other == *name));
    names
        .into_iter()
        .filter_map(|name| section.get(name).map(|body| (name, body)))
        .map(|(name, body)| Ok((name.clone(), Schema::read(name, body)?)))
        .collect()
}

const KEYS: [&str; 8] =
    ["type", "label", "description", "default", "constraints", "hidden", "immutable", "tags"];

impl Schema {
    fn read(name: &str, body: &Json) -> Result<Self, Refusal> {
        let refuse = |message: String| Refusal::bad("InvalidSchemaError", message);
        let Json::Object(body) = body else {
            return Err(refuse(format!("Invalid parameter ({name}), expected a mapping")));
        };
        if let Some(key) = body.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(refuse(format!("Invalid key '{key}' for parameter ({name})")));
        }
        let kind = match body.get("type") {
            None => return Err(refuse(format!("Missing parameter type for parameter: {name}"))),
            Some(kind) => match kind.as_str() {
                Some("string") => Kind::Text,
                Some("number") => Kind::Number,
                Some("boolean") => Kind::Boolean,
                Some("comma_delimited_list") => Kind::List,
                Some("json") => Kind::Json,
                _ => return Err(refuse(format!("Invalid type ({})", text::shown(kind)))),
            },
        };
        Ok(Self { kind, body: body.clone() })
    }

    /// The parameter as `POST validate` describes it.
    pub(crate) fn described(&self, name: &str) -> Json {
        let kind = match self.kind {
            Kind::Text => "String",
            Kind::Number => "Number",
            Kind::Boolean => "Boolean",
            Kind::List => "CommaDelimitedList",
            Kind::Json => "Json",
        };
        let text = |key: &str, or: &str| {
            self.body.get(key).and_then(Json::as_str).unwrap_or(or).to_owned()
        };
        let mut described = serde_json::json!({
            "Type": kind, "Description": text("description", ""),
            "NoEcho": if self.hidden() { "true" } else { "false" }, "Label": text("label", name),
        });
        if let (Some(default), Json::Object(described)) = (self.body.get("default"), &mut described)
        {
            described.insert("Default".into(), default.clone());
        }
        described
    }

    fn hidden(&self) -> bool {
        self.body.get("hidden").is_some_and(|hidden| text::shown(hidden).to_lowercase() == "true")
    }

    /// The value for what was given (null and nothing take the default), or why it is refused.
    fn take(&self, name: &str, given: Option<&Json>) -> Result<Parameter, Refusal> {
        let given = given.filter(|value| !value.is_null());
        let raw = given.or_else(|| self.body.get("default").filter(|value| !value.is_null()));
        let Some(raw) = raw else {
            return Err(Refusal::bad(
                "UserParameterMissing",
                format!("The Parameter ({name}) was not provided."),
            ));
        };
        let invalid =
            |why: String| Refusal::invalid(format!("Parameter '{name}' is invalid: {why}"));
        let value = self.typed(raw).map_err(invalid)?;
        self.constrained(&value).map_err(invalid)?;
        let text = match (&value, self.kind) {
            _ if self.hidden() => "******".into(),
            (Json::Array(items), Kind::List) => {
                items.iter().map(text::shown).collect::<Vec<_>>().join(",")
            }
            (value, Kind::Json) => text::dumped(value),
            (value, _) => text::shown(value),
        };
        Ok(Parameter { value, text })
    }

    fn typed(&self, raw: &Json) -> Result<Json, String> {
        match self.kind {
            Kind::Text => Ok(Json::String(text::shown(raw))),
            Kind::Number => number(raw),
            Kind::Boolean => boolean(raw),
            Kind::List => list(raw),
            Kind::Json => match raw {
                Json::String(text) if text.is_empty() => Ok(raw.clone()),
                Json::String(text) => serde_json::from_str(text).map_err(|error| {
                    format!("Value must be valid JSON: {}", text::not_json(text, &error))
                }),
                other => Ok(other.clone()),
            },
        }
    }

    /// `length`, `range` and `allowed_values` are held; patterns and custom constraints, which
    /// need other services, are not looked at.
    fn constrained(&self, value: &Json) -> Result<(), String> {
        let constraints = self.body.get("constraints").and_then(Json::as_array);
        for constraint in constraints.into_iter().flatten() {
            let broken = broken_length(constraint, value)
                .or_else(|| broken_range(constraint, value))
                .or_else(|| broken_choice(constraint, value));
            if let Some(why) = broken {
                let described = constraint.get("description").and_then(Json::as_str);
                return Err(described.map_or(why, str::to_owned));
            }
        }
        Ok(())
    }
}

fn broken_length(constraint: &Json, value: &Json) -> Option<String> {
    let length = match value {
        Json::String(text) => text.chars().count(),
        Json::Array(items) => items.len(),
        Json::Object(map) => map.len(),
        _ => return None,
    };
    out_of_range(constraint.get("length")?, &length.into())
        .map(|range| format!("length ({length}) is out of range {range}"))
}

fn broken_range(constraint: &Json, value: &Json) -> Option<String> {
    out_of_range(constraint.get("range")?, value)
        .map(|range| format!("{} is out of range {range}", text::shown(value)))
}

fn out_of_range(range: &Json, value: &Json) -> Option<String> {
    let (min, max) = (range.get("min"), range.get("max"));
    let value = value.as_f64()?;
    let low = min.and_then(Json::as_f64).is_some_and(|min| value < min);
    let high = max.and_then(Json::as_f64).is_some_and(|max| value > max);
    let bound = |bound: Option<&Json>| text::shown(bound.unwrap_or(&Json::Null));
    (low || high).then(|| format!("(min: {}, max: {})", bound(min), bound(max)))
}

fn broken_choice(constraint: &Json, value: &Json) -> Option<String> {
    let allowed = constraint.get("allowed_values")?.as_array()?;
    let known = |value: &Json| allowed.iter().any(|other| text::shown(other) == text::shown(value));
    let broken = match value {
        Json::Array(items) => !items.iter().all(known),
        other => !known(other),
    };
    let choices = text::dumped(&Json::Array(allowed.clone()));
    broken.then(|| format!("\"{}\" is not an allowed value {choices}", text::shown(value)))
}

fn number(raw: &Json) -> Result<Json, String> {
    match raw {
        Json::Number(_) | Json::Bool(_) => Ok(raw.clone()),
        Json::String(text) => {
            let trimmed = text.trim();
            let whole = trimmed.parse::<i64>().ok().map(Json::from);
            let float = || trimmed.parse::<f64>().ok().map(Json::from);
            whole
                .or_else(float)
                .ok_or_else(|| format!("could not convert string to float: '{text}'"))
        }
        other => Err(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            text::type_name(other)
        )),
    }
}

fn boolean(raw: &Json) -> Result<Json, String> {
    let text = text::shown(raw);
    match text.trim().to_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Ok(Json::Bool(true)),
        "0" | "f" | "false" | "off" | "n" | "no" => Ok(Json::Bool(false)),
        _ => Err(format!(
            "Unrecognized value '{text}', acceptable values are: '0', '1', 'f', 'false', 'n', \
             'no', 'off', 'on', 't', 'true', 'y', 'yes'"
        )),
    }
}

fn list(raw: &Json) -> Result<Json, String> {
    let items: Vec<String> = match raw {
        Json::Array(items) => items.iter().map(text::shown).collect(),
        Json::String(text) if text.is_empty() => Vec::new(),
        Json::String(text) => text.split(',').map(str::to_owned).collect(),
        other => {
            return Err(format!(
                "Value must be a comma-delimited list string: '{}' object has no attribute 'split'",
                text::type_name(other)
            ));
        }
    };
    Ok(Json::from(items))
}

/// The values of all parameters of a template for those that were given.
pub(crate) fn values(
    schemas: &Schemas,
    given: &BTreeMap<String, Json>,
) -> Result<BTreeMap<String, Parameter>, Refusal> {
    if let Some(unknown) = given.keys().find(|key| !schemas.iter().any(|(name, _)| name == *key)) {
        return Err(Refusal::bad(
            "UnknownUserParameter",
            format!("The Parameter ({unknown}) was not defined in template."),
        ));
    }
    schemas
        .iter()
        .map(|(name, schema)| Ok((name.clone(), schema.take(name, given.get(name))?)))
        .collect()
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
mod tests;
