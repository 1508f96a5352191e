//! The store as the commands see it: opened, listed, and one config entry changed.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::config::{Config, Next};
use super::input;
use super::place;
use super::plain::plain;
use crate::domain::{
    Content, Entry, Fact, Presence, ResourceRef, Schemas, State, TemplateId, Version,
};
use crate::flow::presence;
use crate::settings::{SchemaSource, Settings};
use crate::store::embedded::Role;
use crate::store::{Compare, KeyValue, Outcome, Store, Txn, Write};
use crate::wire::{self, key};

/// Keys asked for at once.
const PAGE: usize = 500;

/// Opens the store beside whatever host may be running on it.
pub(super) async fn open(settings: &Settings) -> Result<Arc<dyn Store>> {
    place::open(settings, Role::Guest).await
}

/// The schemas of the settings, or those a host has left in the store.
pub(super) async fn schemas(settings: &Settings, store: &dyn Store) -> Result<Schemas> {
    let (schemas, complaints) = match &settings.schemas {
        Some(SchemaSource::File(path)) => schema_file(path)?,
        // A host asks the API server and leaves the answer in the store; one who asks is enough.
        Some(SchemaSource::Url(_)) | None => {
            let left = store.get(key::SCHEMAS).await.context("cannot read the store")?;
            let none =
                || anyhow!("no schemas are known; name a file with --schemas, or start a host");
            let left = left.ok_or_else(none)?.value;
            wire::schemas::read(&left).context("cannot read schemas from the store")?
        }
    };
    for complaint in complaints {
        eprintln!("warning: {}", plain(&complaint));
    }
    if schemas.iter().next().is_none() {
        eprintln!("warning: there are no schemas, so no type is known");
    }
    Ok(schemas)
}

/// The schemas of a file, and what is wrong with single ones.
pub(super) fn schema_file(path: &Path) -> Result<(Schemas, Vec<String>)> {
    let read = || wire::schemas::read(&fs::read(path)?);
    read().with_context(|| format!("cannot read schemas from {}", path.display()))
}

/// The key of a resource's or a template's config.
pub(super) fn config_key(schemas: &Schemas, of: &ResourceRef) -> Result<String> {
    known(schemas, of)?;
    let entry = match of.kind.as_str() {
        input::TEMPLATE => Entry::Template(TemplateId::new(of.id.as_str())),
        _ => Entry::Config(of.clone()),
    };
    Ok(key::spell(schemas, &entry)?)
}

/// The key of a resource's state.
pub(super) fn state_key(schemas: &Schemas, of: &ResourceRef) -> Result<String> {
    known(schemas, of)?;
    Ok(key::spell(schemas, &Entry::State(of.clone()))?)
}

/// Types named in a message; the API server may have hundreds.
const TYPES_SHOWN_MAX: usize = 30;

fn known(schemas: &Schemas, of: &ResourceRef) -> Result<()> {
    if of.kind.as_str() == input::TEMPLATE || schemas.get(&of.kind).is_some() {
        return Ok(());
    }
    let all: Vec<_> = schemas.iter().map(|schema| schema.kind.as_str()).collect();
    let shown = all.iter().take(TYPES_SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => bail!("there is no type {}; the schemas know none", of.kind),
        n if n > TYPES_SHOWN_MAX => {
            bail!("there is no type {}; the schemas know {n}: {shown}, …", of.kind)
        }
        _ => bail!("there is no type {}; the schemas know {shown}", of.kind),
    }
}

/// The state that these bytes spell, if they do.
pub(super) fn state(of: &ResourceRef, value: &[u8]) -> Option<State> {
    match wire::read(&Schemas::default(), &Entry::State(of.clone()), value) {
        Content::State(state) => Some(state),
        _ => None,
    }
}

/// All keys that begin with `prefix`.
pub(super) async fn all(store: &dyn Store, prefix: &str) -> Result<Vec<KeyValue>> {
    let mut found: Vec<KeyValue> = Vec::new();
    loop {
        let after = found.last().map(|entry| entry.key.clone());
        let page = store.list(prefix, after.as_deref(), PAGE).await;
        let page = page.with_context(|| format!("cannot list prefix {prefix}"))?;
        found.extend(page.entries);
        if !page.more {
            return Ok(found);
        }
    }
}

/// What is to be known for the status: hosts, jobs, registrations, states.
pub(super) async fn standing(store: &dyn Store, schemas: &Schemas) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for prefix in [
        key::HOSTS,
        key::LEADER,
        key::JOBS,
        key::STEPS,
        key::MONITORED,
        key::MONITORING,
        key::STATE,
    ] {
        let found = all(store, prefix).await?;
        facts.extend(found.iter().map(|entry| wire::fact(schemas, entry)));
    }
    Ok(facts)
}

/// This machine's clock, in milliseconds of Unix time.
pub(super) fn now_ms() -> Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.context("the clock stands before 1970")?;
    Ok(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// Whether the process that this host's entry names is alive. Where that cannot be told, as on
/// another machine, it is: its entry goes when its lease ends.
pub(super) fn alive(host: &Presence) -> bool {
    let here = host.node == presence::node();
    let pid = i32::try_from(host.pid).ok().and_then(Pid::from_raw).filter(|_| here);
    pid.is_none_or(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Says so where nobody would do anything.
pub(super) async fn warn_without_host(store: &dyn Store) -> Result<()> {
    let hosts = all(store, key::HOSTS).await?;
    let runs = |entry: &KeyValue| match wire::fact(&Schemas::default(), entry).content {
        Some(Content::Presence(host)) => alive(&host),
        _ => true,
    };
    if !hosts.iter().any(runs) {
        eprintln!("no host is running; `stokehold run` starts one");
    }
    Ok(())
}

/// What became of a config entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It was there already.
    Unchanged(Version),
    /// It is there now, since this revision.
    New(Version, u64),
}

impl Written {
    pub(super) fn version(self) -> Version {
        let (Self::Unchanged(version) | Self::New(version, _)) = self;
        version
    }

    /// Nothing of an earlier revision is an answer to it: it may be of a former life of the
    /// resource.
    pub(super) fn since(self) -> u64 {
        match self {
            Self::Unchanged(_) => 0,
            Self::New(_, revision) => revision,
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged(version) => write!(f, "version {version} unchanged"),
            Self::New(version, _) => write!(f, "version {version}"),
        }
    }
}

/// Brings one config entry to what `next` makes of it; asked again when somebody else was faster.
pub(super) async fn write(
    store: &dyn Store,
    key: &str,
    next: impl Fn(Option<&Config>) -> Result<Next>,
) -> Result<Written> {
    loop {
        let present = store.get(key).await.with_context(|| format!("cannot read key {key}"))?;
        let stored = present.as_ref().map(|entry| Config::read(&entry.value)).transpose();
        let stored = stored.with_context(|| format!("cannot read what is under key {key}"))?;
        let config = match next(stored.as_ref())? {
            Next::Unchanged(version) => return Ok(Written::Unchanged(version)),
            Next::Write(config) => config,
        };
        let compare = match &present {
            None => Compare::Absent(key.to_owned()),
            Some(entry) => Compare::Modified(key.to_owned(), entry.modified),
        };
        let value = config.spell();
        let write = Write::Put { key: key.to_owned(), value, lease: None };
        let txn = Txn { compares: vec![compare], writes: vec![write] };
        match store.commit(txn).await.with_context(|| format!("cannot write key {key}"))? {
            Outcome::Committed(revision) => {
                return Ok(Written::New(config.version, revision));
            }
            Outcome::Conflict(_) => {}
        }
    }
}

/// Removes a key; tells whether it was there.
pub(super) async fn remove(store: &dyn Store, key: &str) -> Result<bool> {
    let txn = Txn {
        compares: vec![Compare::Present(key.to_owned())],
        writes: vec![Write::Delete { key: key.to_owned() }],
    };
    Ok(matches!(store.commit(txn).await?, Outcome::Committed(_)))
}

#[cfg(test)]
mod tests;
