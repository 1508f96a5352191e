//! A running host: `{"version", "node", "pid", "started_ms", "handlers": [{"name", "update", "after"}],
//! "probers": [{"name", "kinds"}], "plugins": [{"name", "file", "kind", "digest", "since_ms", "from_cache", "stage",
//! "former", "paused_until_ms", "refused", "wishes": [{"asked", "standing", "line"}]}],
//! "faults": [{"file", "reason"}]}`.
//!
//! Hosts of other versions may tell more or less: only the names are needed.

use serde::Serialize;

use super::content::bytes;
use super::document::{self, Flaw};
use crate::domain::{
    Handler, HandlerName, Json, PluginFault, PluginKind, PluginStatus, PluginWish, Presence,
    ProberKinds, Stage, UpdateStyle,
};

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
        plugins: document.may("plugins", |it| document::each(it, plugin))?.unwrap_or_default(),
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

fn plugin(document: Json) -> Result<PluginStatus, Flaw> {
    let mut document = document::object(document)?;
    let kind = match document.may("kind", document::text)?.as_deref() {
        Some("prober") => PluginKind::Prober,
        None | Some(_) => PluginKind::Handler,
    };
    // A word of a newer host does not hide the plugin.
    let stage = match document.may("stage", document::text)?.as_deref() {
        Some("canary") => Stage::Canary,
        Some("on trial") => Stage::OnTrial,
        None | Some(_) => Stage::Trusted,
    };
    Ok(PluginStatus {
        name: document.need("name", document::text)?,
        file: document.may("file", document::text)?.unwrap_or_default(),
        kind,
        digest: document.may("digest", document::text)?.unwrap_or_default(),
        since_ms: document.may("since_ms", document::count)?.unwrap_or_default(),
        is_from_cache: document.may("from_cache", document::flag)?.unwrap_or_default(),
        stage,
        former: document.may("former", document::text)?,
        paused_until_ms: document.may("paused_until_ms", document::count)?,
        refused: document.may("refused", document::text)?,
        wishes: document.may("wishes", |it| document::each(it, wish))?.unwrap_or_default(),
    })
}

fn wish(document: Json) -> Result<PluginWish, Flaw> {
    let mut document = document::object(document)?;
    Ok(PluginWish {
        asked: document.need("asked", document::text)?,
        standing: document.may("standing", document::text)?.unwrap_or_default(),
        line: document.may("line", document::text)?,
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
    plugins: Vec<PluginDocument<'a>>,
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
struct PluginDocument<'a> {
    name: &'a str,
    file: &'a str,
    kind: &'a str,
    digest: &'a str,
    since_ms: u64,
    from_cache: bool,
    stage: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    former: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wishes: Vec<WishDocument<'a>>,
}

#[derive(Serialize)]
struct WishDocument<'a> {
    asked: &'a str,
    standing: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<&'a str>,
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
    let plugins = presence.plugins.iter().map(|it| PluginDocument {
        name: &it.name,
        file: &it.file,
        kind: it.kind.word(),
        digest: &it.digest,
        since_ms: it.since_ms,
        from_cache: it.is_from_cache,
        stage: it.stage.word(),
        former: it.former.as_deref(),
        paused_until_ms: it.paused_until_ms,
        refused: it.refused.as_deref(),
        wishes: it.wishes.iter().map(spell_wish).collect(),
    });
    let faults = presence.faults.iter();
    let faults = faults.map(|it| FaultDocument { file: &it.file, reason: &it.reason });
    bytes(&Document {
        version: &presence.version,
        node: &presence.node,
        pid: presence.pid,
        started_ms: presence.started_ms,
        handlers: handlers.collect(),
        probers: probers.collect(),
        plugins: plugins.collect(),
        faults: faults.collect(),
    })
}

fn spell_wish(wish: &PluginWish) -> WishDocument<'_> {
    WishDocument { asked: &wish.asked, standing: &wish.standing, line: wish.line.as_deref() }
}
