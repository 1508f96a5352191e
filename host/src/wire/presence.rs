//! A running host: `{"version", "node", "pid", "started_ms", "handlers": [{"name", "update", "after"}],
//! "probers": [{"name", "kinds"}], "faults": [{"file", "reason"}]}`.
//!
//! Hosts of other versions may tell more or less: only the names are needed.

use serde::Serialize;

use super::content::bytes;
use super::document::{self, Flaw};
use crate::domain::{Handler, HandlerName, Json, PluginFault, Presence, ProberKinds, UpdateStyle};

const MODIFY: &str = "modify";
const RECREATE: &str = "recreate";

pub(super) fn read(document: Json) -> Result<Presence, Flaw> {
    let mut document = document::object(document)?;
    let pid = document.may("pid", document::count)?.unwrap_or_default();
    Ok(Presence {
        version: document.may("version", document::text)?.unwrap_or_default(),
        node: document.may("node", document::text)?.unwrap_or_default(),
        pid: u32::try_from(pid).map_err(|_| Flaw::new("is no process").inside("pid"))?,
        started_ms: document.may("started_ms", document::count)?.unwrap_or_default(),
        handlers: document.may("handlers", |it| document::each(it, handler))?.unwrap_or_default(),
        probers: document.may("probers", |it| document::each(it, prober))?.unwrap_or_default(),
        faults: document.may("faults", |it| document::each(it, fault))?.unwrap_or_default(),
    })
}

fn handler(document: Json) -> Result<Handler, Flaw> {
    let mut document = document::object(document)?;
    let name = document.need("name", document::text)?;
    let update = match document.may("update", document::text)?.as_deref() {
        None | Some(MODIFY) => UpdateStyle::Modify,
        Some(RECREATE) => UpdateStyle::Recreate,
        Some(_) => {
            let what = format!("must be {MODIFY} or {RECREATE}");
            return Err(Flaw::new(what).inside("update"));
        }
    };
    let after: Vec<String> =
        document.may("after", |it| document::each(it, document::text))?.unwrap_or_default();
    let after = after.into_iter().map(|name| name.as_str().into()).collect();
    Ok(Handler { name: name.as_str().into(), after, update })
}

fn prober(document: Json) -> Result<ProberKinds, Flaw> {
    let mut document = document::object(document)?;
    Ok(ProberKinds {
        name: document.need("name", document::text)?,
        kinds: document.may("kinds", |it| document::each(it, document::text))?.unwrap_or_default(),
    })
}

fn fault(document: Json) -> Result<PluginFault, Flaw> {
    let mut document = document::object(document)?;
    Ok(PluginFault {
        file: document.need("file", document::text)?,
        reason: document.may("reason", document::text)?.unwrap_or_default(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'a str,
    node: &'a str,
    pid: u32,
    started_ms: u64,
    handlers: Vec<HandlerDocument<'a>>,
    probers: Vec<ProberDocument<'a>>,
    faults: Vec<FaultDocument<'a>>,
}

#[derive(Serialize)]
struct HandlerDocument<'a> {
    name: &'a str,
    update: &'a str,
    after: Vec<&'a str>,
}

#[derive(Serialize)]
struct ProberDocument<'a> {
    name: &'a str,
    kinds: &'a [String],
}

#[derive(Serialize)]
struct FaultDocument<'a> {
    file: &'a str,
    reason: &'a str,
}

pub(super) fn spell(presence: &Presence) -> Result<Vec<u8>, Flaw> {
    let handlers = presence.handlers.iter().map(|handler| HandlerDocument {
        name: handler.name.as_str(),
        update: match handler.update {
            UpdateStyle::Modify => MODIFY,
            UpdateStyle::Recreate => RECREATE,
        },
        after: handler.after.iter().map(HandlerName::as_str).collect(),
    });
    let probers = presence.probers.iter();
    let probers = probers.map(|it| ProberDocument { name: &it.name, kinds: &it.kinds });
    let faults = presence.faults.iter();
    let faults = faults.map(|it| FaultDocument { file: &it.file, reason: &it.reason });
    bytes(&Document {
        version: &presence.version,
        node: &presence.node,
        pid: presence.pid,
        started_ms: presence.started_ms,
        handlers: handlers.collect(),
        probers: probers.collect(),
        faults: faults.collect(),
    })
}
