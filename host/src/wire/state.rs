//! What is said of a resource: its state, its live status, and what its running workflow has reported so far.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::content::bytes;
use super::document::{self, Flaw};
use super::python_json;
use super::resource::version;
use crate::domain::{Fields, Json, State, Version};

/// Texts stay texts, also those that hold JSON: what another wrote is not to be changed by reading it.
pub(super) fn read(document: Json) -> Result<State, Flaw> {
    let mut document = document::object(document)?;
    Ok(State {
        version: document.need("version", version)?,
        error: document.may("error", document::text)?.unwrap_or_default(),
        fields: document.may("state", read_reports)?.unwrap_or_default(),
    })
}

pub(super) fn read_reports(document: Json) -> Result<Fields, Flaw> {
    Ok(document::object(document)?.rest().into_iter().collect())
}

pub(super) fn read_monitoring(document: Json) -> Result<(Version, BTreeMap<String, String>), Flaw> {
    let mut document = document::object(document)?;
    let version = document.need("version", version)?;
    let statuses = document.rest().into_iter().map(|(name, status)| {
        let status = document::text(status).map_err(|flaw| flaw.inside(&name))?;
        Ok((name, status))
    });
    Ok((version, statuses.collect::<Result<_, Flaw>>()?))
}

#[derive(Serialize)]
struct Document<'a> {
    version: u64,
    error: &'a str,
    state: BTreeMap<&'a str, Cow<'a, str>>,
}

pub(super) fn spell(state: &State) -> Result<Vec<u8>, Flaw> {
    let fields = state.fields.iter().map(|(name, json)| {
        let text = match json {
            Json::String(text) => Cow::Borrowed(text.as_str()),
            other => Cow::Owned(python_json(other)),
        };
        (name.as_str(), text)
    });
    bytes(&Document { version: state.version.0, error: &state.error, state: fields.collect() })
}

pub(super) fn spell_reports(fields: &Fields) -> Result<Vec<u8>, Flaw> {
    for (name, json) in fields {
        document::check_depth(json, 1).map_err(|flaw| flaw.inside(name))?;
    }
    bytes(fields)
}

#[derive(Serialize)]
struct MonitoringDocument<'a> {
    version: u64,
    #[serde(flatten)]
    statuses: &'a BTreeMap<String, String>,
}

pub(super) fn spell_monitoring(
    version: Version,
    statuses: &BTreeMap<String, String>,
) -> Result<Vec<u8>, Flaw> {
    if statuses.contains_key("version") {
        return Err(
            Flaw::new("is the name of the version, no object may be called so").inside("version")
        );
    }
    bytes(&MonitoringDocument { version: version.0, statuses })
}
