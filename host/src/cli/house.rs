//! From settings to everything that a running host is made of.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tracing::{error, info, warn};

use super::{entries, grants, place};
use crate::admin::Meters;
use crate::domain::Schemas;
use crate::flow::patience::until_answered;
use crate::flow::schemas::{self, Source};
use crate::flow::{House, Pace};
use crate::kafka::Kafka;
use crate::plugin::{self, Engine, EngineSettings, Loaded};
use crate::rollout::Rules;
use crate::settings::{MonitorOut, SchemaSource, Settings, StorePlace};
use crate::store::embedded::Role;
use crate::store::{Store, StoreError};

/// Opens the store, gets the schemas, loads the plugins.
pub(super) async fn build(settings: &Settings, meters: Meters) -> Result<House> {
    // Whoever mistyped a name should not find a new store.
    in_place(settings)?;
    let store = until_answered(
        |error| may_come(settings, error),
        async || place::open(settings, Role::Host).await,
    );
    let store = store.await?;
    let schemas = schemas(settings, store.as_ref()).await?;
    if schemas.iter().next().is_none() {
        warn!("there are no schemas, so no type is known and nothing will be done");
    }
    let plugins = load(settings).await?;
    let (pace, outlet) = (pace(settings), outlet(settings));
    Ok(House { store, schemas, plugins, pace, outlet, meters })
}

/// The schemas of the source, left in the store; without a source those that an earlier host left there.
async fn schemas(settings: &Settings, store: &dyn Store) -> Result<Arc<Schemas>> {
    if let Some(source) = source(settings) {
        let (schemas, text) = schemas::get(&source).await.with_context(|| told_by(&source))?;
        let publish = async || schemas::publish(store, &text).await;
        until_answered(|error| may_come(settings, error), publish).await?;
        return Ok(schemas);
    }
    let published = async || schemas::published(store).await;
    match until_answered(|error| may_come(settings, error), published).await? {
        Some(schemas) => Ok(schemas),
        None => bail!(
            "no schemas are known: name a file or the address of Gohan with --schemas, \
             STOKEHOLD_SCHEMAS or `schemas` in stokehold.toml"
        ),
    }
}

/// Whether the store may be there later: other machines come and go.
fn may_come(settings: &Settings, error: &anyhow::Error) -> bool {
    let is_away = |cause: &StoreError| matches!(cause, StoreError::Unavailable(_));
    matches!(settings.store, StorePlace::Etcd(_))
        && error.chain().filter_map(|cause| cause.downcast_ref()).any(is_away)
}

/// Checks what needs no store.
fn in_place(settings: &Settings) -> Result<()> {
    let dir = &settings.handlers;
    if !dir.is_dir() {
        bail!("there is no folder {} with plugins; --handlers names another", dir.display());
    }
    if let Some(SchemaSource::File(path)) = &settings.schemas {
        entries::schema_file(path)?;
    }
    Ok(())
}

fn told_by(source: &Source) -> String {
    match source {
        Source::File(path) => format!("cannot use the schemas of {}", path.display()),
        Source::Url { url, .. } => format!("cannot use the schemas of {url}"),
    }
}

fn source(settings: &Settings) -> Option<Source> {
    Some(match settings.schemas.as_ref()? {
        SchemaSource::File(path) => Source::File(path.clone()),
        SchemaSource::Url(url) => {
            let token = settings.gohan_token.as_ref();
            let token = token.map(|token| token.reveal().to_owned()).unwrap_or_default();
            Source::Url { url: url.clone(), token }
        }
    })
}

/// The plugins of the settings, without a word about them.
pub(super) async fn plugins(settings: &Settings) -> Result<Loaded> {
    let engine = EngineSettings { instances_max: settings.instances_max, ..Default::default() };
    let engine = Engine::new(&engine).context("cannot start the sandbox")?;
    Ok(plugin::load(&engine, &settings.handlers, &grants::loading(settings)).await)
}

async fn load(settings: &Settings) -> Result<Loaded> {
    let loaded = plugins(settings).await?;
    for worker in loaded.workers.values() {
        info!(handler = worker.name(), "handler is loaded");
    }
    for prober in &loaded.probers {
        info!(prober = prober.name(), kinds = prober.kinds().join(", "), "prober is loaded");
    }
    for fault in &loaded.faults {
        error!(file = %fault.file.display(), "plugin is not used: {}", fault.reason);
    }
    if loaded.workers.is_empty() {
        warn!("no handler is loaded from {}: no job can run", settings.handlers.display());
    }
    Ok(loaded)
}

fn outlet(settings: &Settings) -> Option<Arc<Kafka>> {
    let MonitorOut(brokers) = settings.monitor_out.clone()?;
    let timeout = Duration::from_millis(settings.kafka_timeout_ms);
    Some(Arc::new(Kafka::new(brokers, timeout, settings.kafka_topics.clone())))
}

fn pace(settings: &Settings) -> Pace {
    Pace {
        handler_slots: settings.handler_slots,
        attempts_max: settings.attempts_max,
        backoff_ms_min: settings.backoff_ms_min,
        backoff_ms_max: settings.backoff_ms_max,
        probe_interval_ms: settings.probe_interval_ms,
        probe_spread_ms_max: settings.probe_spread_ms_max,
        probe_confirmations: settings.probe_confirmations,
        probe_confirm_ms: settings.probe_confirm_ms,
        probes_max: settings.probes_max,
        lease_ms: settings.lease_ms,
        shutdown_ms_max: settings.shutdown_ms_max,
        look_ms: settings.look_ms,
        rollout: Rules {
            canary_percent: settings.canary_percent,
            canary_calls_min: settings.canary_calls_min,
            rollback_calls: settings.rollback_calls,
            breaker_faults_max: settings.breaker_faults_max,
            breaker_ms_min: settings.breaker_ms_min,
            breaker_ms_max: settings.breaker_ms_max,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use super::*;
    use crate::settings::Flags;

    #[tokio::test]
    async fn a_mistyped_folder_or_file_makes_no_store() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().display().to_string();
        let store = dir.path().join("store");
        let refused = async |handlers: String, schemas: String| {
            let values = [("store", store.display().to_string()), ("handlers", handlers)];
            let values = values.into_iter().chain([("schemas", schemas)]);
            let values = values.map(|(name, value)| (name.to_owned(), value)).collect();
            let flags = Flags { values, ..Flags::default() };
            let settings = Settings::from_sources(&flags, &BTreeMap::default(), None).unwrap();
            let said = format!("{:#}", build(&settings, Meters::new()).await.err().unwrap());
            assert!(!store.exists(), "{said}");
            said
        };
        let said = refused(format!("{there}/none"), String::new()).await;
        assert!(said.starts_with("there is no folder "), "{said}");
        let said = refused(there.clone(), format!("{there}/none.json")).await;
        assert!(said.starts_with("cannot read schemas from "), "{said}");
    }
}
