//! What is registered for monitoring: targets, and the names under which others know the resource.

use std::collections::BTreeMap;

use serde::Serialize;

use super::content::bytes;
use super::document::{self, Flaw};
use super::resource::version;
use crate::domain::{Alias, Json, Registration, ResourceRef, Target};

pub(super) fn read(document: Json) -> Result<Registration, Flaw> {
    let mut document = document::object(document)?;
    Ok(Registration {
        version: document.need("version", version)?,
        tenant_id: document.may("tenant_id", document::text)?.unwrap_or_default(),
        targets: document.may("targets", read_targets)?.unwrap_or_default(),
        aliases: document
            .may("db_mappings", |json| document::each(json, read_alias))?
            .unwrap_or_default(),
    })
}

fn read_targets(json: Json) -> Result<BTreeMap<String, Target>, Flaw> {
    let mut targets = BTreeMap::new();
    document::each(json, |json| {
        let target = read_target(json)?;
        match targets.insert(target.name.clone(), target) {
            None => Ok(()),
            Some(_) => Err(Flaw::new("is the name of an earlier target too").inside("name")),
        }
    })?;
    Ok(targets)
}

fn read_target(document: Json) -> Result<Target, Flaw> {
    let mut document = document::object(document)?;
    Ok(Target {
        name: document.need("name", document::text)?,
        kind: document.need("type", document::text)?,
        topic: document.may("topic", document::text)?.unwrap_or_default(),
        properties: document.need("properties", document::free)?,
        interval_ms: document.may("interval_ms", document::count)?,
    })
}

fn read_alias(document: Json) -> Result<Alias, Flaw> {
    let mut document = document::object(document)?;
    Ok(Alias {
        mapped_id: document.need("mapped_id", document::text)?,
        relation: document.need("relation", document::text)?,
        of: ResourceRef::new(
            document.need("resource_type", document::text)?,
            document.need("resource_id", document::text)?,
        ),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    version: u64,
    tenant_id: &'a str,
    targets: Vec<TargetDocument<'a>>,
    db_mappings: Vec<AliasDocument<'a>>,
}

#[derive(Serialize)]
struct TargetDocument<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    topic: &'a str,
    properties: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_ms: Option<u64>,
}

#[derive(Serialize)]
struct AliasDocument<'a> {
    mapped_id: &'a str,
    relation: &'a str,
    resource_type: &'a str,
    resource_id: &'a str,
}

pub(super) fn spell(registration: &Registration) -> Result<Vec<u8>, Flaw> {
    let mut targets = Vec::with_capacity(registration.targets.len());
    for (name, target) in &registration.targets {
        if *name != target.name {
            return Err(Flaw::new("must be the name it is kept by")
                .at(targets.len())
                .inside("targets"));
        }
        document::check_depth(&target.properties, 3)
            .map_err(|flaw| flaw.inside("properties").at(targets.len()).inside("targets"))?;
        targets.push(TargetDocument {
            name,
            kind: &target.kind,
            topic: &target.topic,
            properties: &target.properties,
            interval_ms: target.interval_ms,
        });
    }
    let db_mappings = registration.aliases.iter().map(|alias| AliasDocument {
        mapped_id: &alias.mapped_id,
        relation: &alias.relation,
        resource_type: alias.of.kind.as_str(),
        resource_id: alias.of.id.as_str(),
    });
    bytes(&Document {
        version: registration.version.0,
        tenant_id: &registration.tenant_id,
        targets,
        db_mappings: db_mappings.collect(),
    })
}
