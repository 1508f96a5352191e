//! A config entry: `{"body": …, "version": N, "marked_for_deletion": false}`, the body an object or its JSON text.

use serde::Serialize;

use super::content::bytes;
use super::document::{self, Flaw, Object};
use crate::domain::{Json, Resource, ResourceRef, Version};

/// Levels of lists and objects in a body: what is planned from it must fit into a job.
pub const BODY_DEPTH_MAX: usize = 64;

/// A config entry with its body still free.
pub(super) struct Config {
    pub(super) body: Object,
    pub(super) version: Version,
    pub(super) marked_for_deletion: bool,
}

pub(super) fn config(document: Json) -> Result<Config, Flaw> {
    let mut document = document::object(document)?;
    Ok(Config {
        version: document.need("version", version)?,
        marked_for_deletion: document
            .may("marked_for_deletion", document::flag)?
            .unwrap_or_default(),
        body: document.need("body", body)?,
    })
}

pub(super) fn version(json: Json) -> Result<Version, Flaw> {
    document::count(json).map(Version)
}

pub(super) fn read(of: &ResourceRef, document: Json) -> Result<Resource, Flaw> {
    let Config { body, version, marked_for_deletion } = config(document)?;
    Ok(Resource { of: of.clone(), body: Json::Object(body.rest()), version, marked_for_deletion })
}

fn body(json: Json) -> Result<Object, Flaw> {
    let json = match json {
        Json::String(text) => document::parse(text.as_bytes())?,
        other => other,
    };
    if !document::fits(&json, BODY_DEPTH_MAX) {
        return Err(Flaw::new(format!("is nested in more than {BODY_DEPTH_MAX} levels")));
    }
    document::object(json)
}

#[derive(Serialize)]
struct Document {
    body: String,
    version: u64,
    marked_for_deletion: bool,
}

/// The body becomes JSON text, as the API server writes it.
pub(super) fn spell(resource: &Resource) -> Result<Vec<u8>, Flaw> {
    if !resource.body.is_object() {
        return Err(Flaw::new("must be an object").inside("body"));
    }
    if !document::fits(&resource.body, BODY_DEPTH_MAX) {
        let flaw = Flaw::new(format!("is nested in more than {BODY_DEPTH_MAX} levels"));
        return Err(flaw.inside("body"));
    }
    bytes(&Document {
        body: resource.body.to_string(),
        version: resource.version.0,
        marked_for_deletion: resource.marked_for_deletion,
    })
}
