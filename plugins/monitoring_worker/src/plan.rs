//! A rendered template's meaning.

use serde_json::{Map, json};
use stokehold_sdk::{Json, Mapping, Target};

use crate::kinds::{KINDS, Kind, Status, Topic};

/// The one key that is no object.
const MAPPINGS: &str = "db_mappings";

/// What is to be registered and reported.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// By name.
    pub(crate) targets: Vec<Target>,
    /// In the template's order.
    pub(crate) mappings: Vec<Mapping>,
    /// Object → its first status.
    pub(crate) statuses: Map<String, Json>,
}

impl Plan {
    /// Checks every object of a document; an empty document asks for nothing.
    pub(crate) fn of(document: Json) -> Result<Self, String> {
        let mut plan = Self::default();
        let mut objects = match document {
            Json::Null => return Ok(plan),
            Json::Object(objects) => objects,
            _ => return Err("it is no mapping of names to objects".to_owned()),
        };
        let mappings = objects.remove(MAPPINGS);
        for (name, object) in objects {
            plan.add(&name, object).map_err(|why| format!("object {name} {why}"))?;
        }
        plan.mappings = match mappings {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(items)) => items.iter().map(mapping).collect::<Result<_, _>>()?,
            Some(_) => return Err(format!("{MAPPINGS} is no list")),
        };
        Ok(plan)
    }

    fn add(&mut self, name: &str, object: Json) -> Result<(), String> {
        let Json::Object(object) = object else {
            return Err("is no mapping of properties".to_owned());
        };
        let kind = match object.get("type").and_then(Json::as_str) {
            Some(kind) => Kind::named(kind).ok_or_else(|| {
                let known: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
                format!("is of unknown type {kind}; known are {}", known.join(", "))
            })?,
            None => return Err("has no type".to_owned()),
        };
        let has = |property: &&&str| object.get(**property).is_some_and(|value| !value.is_null());
        let lacks: Vec<_> = kind.required.iter().filter(|p| !has(p)).copied().collect();
        if !lacks.is_empty() {
            return Err(format!("of type {} lacks {}", kind.name, lacks.join(", ")));
        }
        match kind.status {
            Status::Fixed(status) => {
                self.statuses.insert(name.to_owned(), json!(status));
            }
            Status::InProperty(property) => {
                let status = text(object.get(property)).unwrap_or_default();
                self.statuses.insert(name.to_owned(), json!(status));
            }
            Status::None => {}
        }
        let topic = match kind.topic {
            Topic::Named(topic) => topic.to_owned(),
            Topic::InProperty(property) => text(object.get(property))
                .ok_or_else(|| format!("has a {property} that is no text"))?,
            Topic::None => return Ok(()),
        };
        let interval_ms = interval_ms(object.get("time_between_retries"))?;
        self.targets.push(Target {
            name: name.to_owned(),
            kind: kind.name.to_owned(),
            topic,
            properties: kind.properties(object),
            interval_ms,
        });
        Ok(())
    }
}

fn mapping(item: &Json) -> Result<Mapping, String> {
    let of = |field: &str| match item.get(field) {
        None | Some(Json::Null) => Ok(None),
        given => {
            let complaint = || format!("an item of {MAPPINGS} has a {field} that is no text");
            text(given).ok_or_else(complaint).map(Some)
        }
    };
    let needed =
        |field: &str| of(field)?.ok_or_else(|| format!("an item of {MAPPINGS} lacks {field}"));
    Ok(Mapping {
        mapped_id: needed("mapped_id")?,
        relation: needed("relation")?,
        resource_type: of("resource_type")?,
        resource_id: of("resource_id")?,
    })
}

/// A text, or a number or truth value that was meant as one.
fn text(value: Option<&Json>) -> Option<String> {
    match value? {
        Json::String(text) => Some(text.clone()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
        other => Some(other.to_string()),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The bounds are checked.
fn interval_ms(seconds: Option<&Json>) -> Result<Option<u64>, String> {
    match seconds {
        None | Some(Json::Null) => Ok(None),
        Some(given) => match given.as_f64() {
            Some(seconds) if (0.0..1e12).contains(&seconds) => Ok(Some((seconds * 1000.0) as u64)),
            _ => Err(format!("has time_between_retries {given}: it wants seconds")),
        },
    }
}
