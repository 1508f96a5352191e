//! The API server's schemas, as it answers them or a file holds them: `{"schemas": [...]}` or the
//! bare list.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;

use super::clauses;
use super::document::{self, Flaw, Object};
use crate::domain::{HandlerName, Json, Kind, Mapping, Schema, Schemas};

/// Handlers whose mapping has a name of its own in the metadata.
const NAMED_PATHS: [(&str, &str); 2] =
    [("template_path", "heat_worker"), ("monitoring_template_path", "monitoring_worker")];

/// All schemas that make sense, and a complaint for each that does not. A schema with a malformed
/// mapping is left out as a whole: without the mapping its resources would be taken for done.
///
/// # Errors
/// The text is no list of schemas at all.
pub fn read(text: &[u8]) -> anyhow::Result<(Schemas, Vec<String>)> {
    let list = document::parse(text).and_then(|document| match document {
        Json::Object(_) => document::object(document)?.need("schemas", document::list),
        other => document::list(other),
    });
    let mut schemas = Vec::new();
    let mut complaints = Vec::new();
    let mut taken = BTreeSet::new();
    for (index, json) in list.map_err(|flaw| not_gohans(&flaw))?.into_iter().enumerate() {
        let name = match json.get("id").and_then(Json::as_str) {
            Some(id) => format!("schema {id}"),
            None => format!("schema number {index}"),
        };
        match schema(json).and_then(|schema| unique(schema, &mut taken)) {
            Ok(schema) => schemas.push(schema),
            Err(flaw) => complaints.push(format!("cannot read {name}: {flaw}")),
        }
    }
    Ok((Schemas::new(schemas), complaints))
}

/// Whoever calls knows where the text came from, and names it.
fn not_gohans(flaw: &Flaw) -> anyhow::Error {
    anyhow!("{flaw}; it must be what Gohan answers to GET /gohan/v0.1/schemas")
}

/// Of two schemas with the same id or prefix the first one counts.
fn unique(schema: Schema, taken: &mut BTreeSet<String>) -> Result<Schema, Flaw> {
    for (field, name) in [("id", schema.kind.as_str()), ("prefix", schema.prefix.as_str())] {
        if taken.contains(name) {
            return Err(Flaw::new("is that of an earlier schema").inside(field));
        }
    }
    taken.extend([schema.kind.to_string(), schema.prefix.clone()]);
    Ok(schema)
}

fn schema(json: Json) -> Result<Schema, Flaw> {
    let mut document = document::object(json)?;
    let kind = Kind::new(document.need("id", name)?);
    let plural = document.need("plural", name)?;
    let prefix = prefix(&mut document, &plural)?;
    let mut relations = document.may("schema", relations)?.unwrap_or_default();
    if let Some(parent) = document.may("parent", document::text)?.filter(|it| !it.is_empty()) {
        relations.insert(format!("{parent}_id"), Kind::new(parent));
    }
    let templates = document.may("metadata", templates)?.unwrap_or_default();
    Ok(Schema { kind, plural, prefix, relations, templates })
}

/// The path under which the resources lie. An API server of today says so in `url`, and its
/// `prefix` lacks the plural; in older answers there is no `url`, and the prefix is whole.
fn prefix(document: &mut Object, plural: &str) -> Result<String, Flaw> {
    let url = document.may("url", document::text)?.unwrap_or_default();
    let prefix = document.may("prefix", document::text)?.unwrap_or_default();
    let (field, given) = if url.is_empty() { ("prefix", prefix) } else { ("url", url) };
    let mut segments: Vec<_> = given.split('/').filter(|segment| !segment.is_empty()).collect();
    match segments.last() {
        Some(last) if field == "prefix" && is_version(last) => segments.push(plural),
        Some(_) => {}
        None => return Err(Flaw::new("is missing or empty; expected a path").inside(field)),
    }
    Ok(format!("/{}", segments.join("/")))
}

/// `v2.0`: what a prefix ends in that lacks the plural.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|number| {
        number.starts_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

/// Relations of the properties at the top; others are not followed.
fn relations(json: Json) -> Result<BTreeMap<String, Kind>, Flaw> {
    let properties = document::object(json)?.may("properties", document::object)?;
    let mut relations = BTreeMap::new();
    for (field, json) in properties.map(Object::rest).into_iter().flatten() {
        let relation = document::object(json)
            .and_then(|mut property| property.may("relation", document::text))
            .map_err(|flaw| flaw.inside(&field).inside("properties"))?;
        if let Some(relation) = relation.filter(|it| !it.is_empty()) {
            relations.insert(field, Kind::new(relation));
        }
    }
    Ok(relations)
}

fn templates(json: Json) -> Result<BTreeMap<HandlerName, Mapping>, Flaw> {
    let mut metadata = document::object(json)?;
    let mut templates = BTreeMap::new();
    for (field, handler) in NAMED_PATHS {
        if let Some(mapping) = metadata.may(field, |json| clauses::read(&json))? {
            templates.insert(HandlerName::from(handler), mapping);
        }
    }
    let others = metadata.may("templates", document::object)?.map(Object::rest);
    for (handler, json) in others.into_iter().flatten().filter(|(_, json)| !json.is_null()) {
        let earlier = match clauses::read(&json) {
            Ok(mapping) => templates.insert(HandlerName::from(handler.as_str()), mapping),
            Err(flaw) => return Err(flaw.inside(&handler).inside("templates")),
        };
        if earlier.is_some() {
            let flaw = Flaw::new("is a second mapping for a handler that has one");
            return Err(flaw.inside(&handler).inside("templates"));
        }
    }
    Ok(templates)
}

fn name(json: Json) -> Result<String, Flaw> {
    match document::text(json)? {
        name if name.is_empty() => Err(Flaw::new("must be a name, but is empty")),
        name => Ok(name),
    }
}
