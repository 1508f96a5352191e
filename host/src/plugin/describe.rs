//! A compiled component → a worker or a prober, by what it exports and says of itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use wasmtime::component::Component;

use super::bindings::watcher::WatcherPre;
use super::bindings::worker::WorkerPre;
use super::call::{Plugin, Worker, run};
use super::convert::{self, Described};
use super::import::{self, Guest};
use super::load::Found;
use super::probe::Prober;
use crate::domain::Fault;

/// The version of the contract this host speaks.
const VERSION: &str = "0.1.0";
const PACKAGE: &str = "stokehold:worker/";

enum Kind {
    Worker,
    Prober,
}

/// Which world it is for, and whether this host has all it imports. The linker would say so too, but not what to do.
fn check_world(component: &Component, plugin: &Plugin) -> Result<Kind, String> {
    let engine = plugin.engine.wasmtime();
    let kind = component.component_type();
    let exports: Vec<_> = kind.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let imports: BTreeSet<_> = kind.imports(engine).map(|(name, _)| name.to_owned()).collect();
    for name in exports.iter().chain(&imports) {
        let version = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'));
        if let Some((_, version)) = version
            && !version.starts_with("0.1.")
        {
            return Err(format!("speaks stokehold:worker@{version}, this host speaks {VERSION}"));
        }
    }
    let has = |interface: &str| {
        exports.iter().any(|name| {
            name.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix(interface)).is_some()
        })
    };
    let kind = match (has("handler@"), has("prober@")) {
        (true, false) => Kind::Worker,
        (false, true) => Kind::Prober,
        (true, true) => return Err("is a handler and a prober: make two plugins of it".to_owned()),
        (false, false) => {
            return Err(format!(
                "exports neither {PACKAGE}handler@{VERSION} nor {PACKAGE}prober@{VERSION}, only \
                 {exports:?}: build it for the world `worker` or `watcher`"
            ));
        }
    };
    // The import that does the work is named first, not the types it needs.
    let ungranted = |what: &str| {
        let mut found = imports.iter().filter(|name| name.starts_with(what));
        let first = found.clone().next();
        found.find(|name| !name.contains("/types@")).or(first)
    };
    let stem = &*plugin.name;
    let plain = |name: &String| name.split('@').next().unwrap_or_default().to_owned();
    if let Some(name) = ungranted("wasi:http/").filter(|_| !plugin.grants.has_http()) {
        return Err(format!(
            "imports {}, which it was not granted: set `http = [\"host:port\"]` under \
             [plugins.{stem}] in stokehold.toml, or --grant-http {stem}=HOST:PORT",
            plain(name)
        ));
    }
    Ok(kind)
}

/// What a component says of itself, and what it is.
pub(super) async fn describe_either(
    plugin: &Arc<Plugin>,
    component: &Component,
) -> Result<(Described, Found), String> {
    match check_world(component, plugin)? {
        Kind::Worker => describe_worker(plugin, component).await,
        Kind::Prober => describe_prober(plugin, component).await,
    }
}

async fn describe_worker(
    plugin: &Arc<Plugin>,
    component: &Component,
) -> Result<(Described, Found), String> {
    let pre = import::for_workers(plugin).and_then(|linker| linker.instantiate_pre(component));
    let pre = pre.and_then(WorkerPre::new).map_err(|why| unusable(&why))?;
    let said = describe(plugin, async |store| {
        let worker = pre.instantiate_async(&mut *store).await?;
        worker.stokehold_worker_handler().call_describe(&mut *store).await
    })
    .await?;
    let (described, handler) = convert::described(said);
    let plugin = Arc::clone(plugin);
    Ok((described, Found::Worker(Worker { handler, plugin, pre })))
}

async fn describe_prober(
    plugin: &Arc<Plugin>,
    component: &Component,
) -> Result<(Described, Found), String> {
    let pre = import::for_watchers(plugin).and_then(|linker| linker.instantiate_pre(component));
    let pre = pre.and_then(WatcherPre::new).map_err(|why| unusable(&why))?;
    let said = describe(plugin, async |store| {
        let watcher = pre.instantiate_async(&mut *store).await?;
        watcher.stokehold_worker_prober().call_describe(&mut *store).await
    })
    .await?;
    let (described, kinds) = convert::probing(said);
    let plugin = Arc::clone(plugin);
    Ok((described, Found::Prober(Prober { kinds, plugin, pre })))
}

async fn describe<T>(
    plugin: &Arc<Plugin>,
    call: impl AsyncFnOnce(&mut wasmtime::Store<Guest>) -> wasmtime::Result<T>,
) -> Result<T, String> {
    let ms_max = plugin.bounds.describe_ms_max;
    let (said, _) = run(plugin, Guest::described(plugin), ms_max, call).await;
    said.map_err(|fault| match fault {
        Fault::Deadline { call_ms_max } => {
            format!("does not describe itself within {call_ms_max} ms (describe_ms_max)")
        }
        fault => format!("does not describe itself: {fault}"),
    })
}

fn unusable(why: &wasmtime::Error) -> String {
    format!("does not fit this host: {why:#}")
}
