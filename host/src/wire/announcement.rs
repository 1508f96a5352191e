//! What collectors outside are told of a registration, as they know it: `{"action", "gohan_id",
//! "gohan_resource_type", "name", "tenant_id", "version", "properties"}`; and of an alias, as its row
//! in a table: `{"action", "tenant_id", "resource_type", "resource_id", "mapped_id", "relation"}`.

use serde_json::json;

use crate::domain::{Alias, Announcement, Job, Json, Schemas, Target};

/// The topic of aliases; targets name their own.
const ALIASES: &str = "resource_mappings";
const CREATE: &str = "create";
const DELETE: &str = "delete";

/// An announcement, spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Under which topic it is known.
    pub topic: String,
    /// The same for all that is said about one thing.
    pub key: String,
    /// A JSON object.
    pub value: Vec<u8>,
}

/// Spells what is announced about the resource of a job; `None` for a target that names no topic.
pub fn announcement(
    schemas: &Schemas,
    job: &Job,
    announcement: &Announcement,
) -> Option<Announced> {
    match announcement {
        Announcement::Watch(target) => of_target(schemas, job, CREATE, target),
        Announcement::Unwatch(target) => of_target(schemas, job, DELETE, target),
        Announcement::Know(alias) => Some(of_alias(job, CREATE, alias)),
        Announcement::Drop(alias) => Some(of_alias(job, DELETE, alias)),
    }
}

fn of_target(schemas: &Schemas, job: &Job, action: &str, target: &Target) -> Option<Announced> {
    if target.topic.is_empty() {
        return None;
    }
    let of = &job.target;
    let plural = schemas.get(&of.kind).map_or(of.kind.as_str(), |schema| &schema.plural);
    let document = json!({
        "action": action,
        "gohan_id": of.id.as_str(),
        "gohan_resource_type": plural,
        "name": target.name,
        "tenant_id": job.tenant(),
        "version": job.version.0,
        "properties": target.properties,
    });
    let key = format!("{}.{}", of.id, target.name);
    Some(announced(target.topic.clone(), key, &document))
}

fn of_alias(job: &Job, action: &str, alias: &Alias) -> Announced {
    let document = json!({
        "action": action,
        "tenant_id": job.tenant(),
        "resource_type": alias.of.kind.as_str(),
        "resource_id": alias.of.id.as_str(),
        "mapped_id": alias.mapped_id,
        "relation": alias.relation,
    });
    announced(ALIASES.to_owned(), alias.of.id.as_str().to_owned(), &document)
}

fn announced(topic: String, key: String, document: &Json) -> Announced {
    Announced { topic, key, value: document.to_string().into_bytes() }
}
