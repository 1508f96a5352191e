//! A directory of files → workers and probers. Each file is on its own: a broken one is a fault with an address.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::asked::{self, Wish};
use super::bindings::watcher::WatcherPre;
use super::bindings::worker::WorkerPre;
use super::cache::{Cache, hex};
use super::call::{Plugin, Worker, run};
use super::convert::{self, Described, line};
use super::engine::Engine;
use super::grant::{Grants, PluginSettings};
use super::import::{self, Guest};
use super::loader::{Loader, Mark};
use super::probe::Prober;
use super::provenance;
use crate::domain::{Fault, HandlerName};

/// The version of the contract this host speaks.
const VERSION: &str = "0.1.0";
const PACKAGE: &str = "stokehold:worker/";
/// Bytes of a plugin; those that carry an interpreter have some 20 MB.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Bytes of a reason; the compiler's can be long.
pub(super) const REASON_BYTES_MAX: u64 = 2 << 10;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 128;

/// What a directory gave.
#[derive(Default)]
pub struct Loaded {
    /// By the handler's name.
    pub workers: BTreeMap<HandlerName, Worker>,
    /// In order of their names.
    pub probers: Vec<Prober>,
    /// What could not be used, in order of the files.
    pub faults: Vec<PluginFault>,
    /// Loads what changes later; `None` where nothing is watched.
    pub loader: Option<Loader>,
    /// The files as they were seen before they were read.
    pub marks: BTreeMap<PathBuf, Mark>,
}

/// A plugin that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFault {
    /// Which file, or the directory.
    pub file: PathBuf,
    /// What is wrong with it, and where there is a remedy, that.
    pub reason: String,
}

enum Kind {
    Worker,
    Prober,
}

/// One plugin.
pub enum Found {
    /// A handler of jobs.
    Worker(Worker),
    /// A prober.
    Prober(Prober),
}

/// Loads one file as a host does.
///
/// # Errors
/// What is wrong with it, and where there is a remedy, that.
pub async fn load_file(
    engine: &Engine,
    file: &Path,
    settings: &PluginSettings,
) -> Result<Found, String> {
    let cache = settings.cache_dir.as_deref().and_then(|dir| Cache::open(dir).ok()).map(Arc::new);
    let one = Candidate { engine, settings, file, cache: cache.as_ref() };
    let loaded = one.load().await.map(|(_, found)| found);
    loaded.map_err(|reason| line(&reason, REASON_BYTES_MAX))
}

/// Loads every `*.wasm` of a directory. Compiles what the cache does not know, which takes its time.
pub async fn load(engine: &Engine, dir: &Path, settings: &PluginSettings) -> Loaded {
    let loader = Loader::new(engine, dir, settings);
    let mut all = Loaded { loader: Some(loader.clone()), ..Loaded::default() };
    all.marks = match loader.look() {
        Ok(marks) => marks,
        Err(why) => {
            let reason = format!("cannot read plugin directory: {why}");
            all.faults.push(PluginFault { file: dir.to_owned(), reason });
            return all;
        }
    };
    for name in &settings.named() {
        let is_it = |file: &PathBuf| file.file_stem().is_some_and(|stem| stem == name.as_str());
        if !all.marks.keys().any(is_it) {
            tracing::warn!(
                "[plugins.{name}] in stokehold.toml: no {name}.wasm in {}",
                dir.display()
            );
        }
    }
    // Compiled code is read and mapped side by side; claimed in order, so that of two the first by name stays.
    let files: Vec<PathBuf> = all.marks.keys().cloned().collect();
    let each = files.iter().map(|file| loader.load(file));
    for (file, found) in files.iter().zip(futures_util::future::join_all(each).await) {
        if let Err(reason) = found.and_then(|found| all.claim(found)) {
            let reason = line(&reason, REASON_BYTES_MAX);
            all.faults.push(PluginFault { file: file.clone(), reason });
        }
    }
    // Last, so that what was just used is seen as used.
    loader.prune();
    all
}

impl Found {
    /// The plugin's name, which is its file's.
    pub fn name(&self) -> &str {
        &self.plugin().name
    }

    /// The SHA-256 of the plugin's file, in hex.
    pub fn digest(&self) -> &str {
        &self.plugin().digest
    }

    /// What it asks for, against what it is granted.
    pub fn wishes(&self) -> Vec<Wish> {
        self.plugin().wishes()
    }

    /// Whether its compiled code came from the cache.
    pub fn is_from_cache(&self) -> bool {
        self.plugin().is_from_cache.get().copied().unwrap_or_default()
    }

    pub(super) fn plugin(&self) -> &Plugin {
        match self {
            Self::Worker(worker) => &worker.plugin,
            Self::Prober(prober) => &prober.plugin,
        }
    }
}

impl Loaded {
    fn claim(&mut self, found: Found) -> Result<(), String> {
        match found {
            Found::Worker(worker) => {
                self.workers.insert(worker.handler.name.clone(), worker);
            }
            Found::Prober(prober) => {
                for other in &self.probers {
                    if let Some(kind) = prober.kinds.iter().find(|k| other.kinds.contains(k)) {
                        let other = other.name();
                        return Err(format!(
                            "knows the kind \"{kind}\", and so does {other}: one prober per kind"
                        ));
                    }
                }
                self.probers.push(prober);
            }
        }
        Ok(())
    }
}

/// One file that may be a plugin.
pub(super) struct Candidate<'a> {
    pub(super) engine: &'a Engine,
    pub(super) settings: &'a PluginSettings,
    pub(super) file: &'a Path,
    pub(super) cache: Option<&'a Arc<Cache>>,
}

impl Candidate<'_> {
    /// The plugin, and what it says of itself.
    pub(super) async fn load(&self) -> Result<(Described, Found), String> {
        let stem = self.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        check_name(stem)?;
        let (bytes, digest) = self.read().await?;
        provenance::check(&self.settings.trust, self.file, &bytes, &digest)?;
        let granted = self.settings.granted(stem)?;
        let bounds = self.settings.bounds.with(&granted.bounds);
        let recordings = self.settings.recordings_of(stem);
        let grants = Grants { recordings, ..Grants::read(&granted)? };
        let plugin = Arc::new(Plugin::new(stem, digest, self.engine, grants, bounds));
        let (component, is_from_cache) = self.compile(bytes, plugin.digest.clone()).await?;
        let _ = plugin.is_from_cache.set(is_from_cache);
        let kind = check_world(&component, &plugin)?;
        let (described, found) = match kind {
            Kind::Worker => describe_worker(&plugin, &component).await?,
            Kind::Prober => describe_prober(&plugin, &component).await?,
        };
        self.check_described(&described, &plugin)?;
        asked::keep(&described, &plugin);
        Ok((described, found))
    }

    /// Bytes and their SHA-256; on a thread that may wait for the disk.
    async fn read(&self) -> Result<(Vec<u8>, String), String> {
        let file = self.file.to_owned();
        let reading = tokio::task::spawn_blocking(move || {
            let bytes = read(&file)?;
            check_format(&bytes)?;
            let digest = hex(&Sha256::digest(&bytes));
            Ok((bytes, digest))
        });
        reading.await.map_err(|why| format!("cannot be read: {why}"))?
    }

    /// Its code, and whether that came from the cache.
    async fn compile(&self, bytes: Vec<u8>, digest: String) -> Result<(Component, bool), String> {
        let (engine, cache) = (self.engine.clone(), self.cache.cloned());
        let compiled = tokio::task::spawn_blocking(move || {
            engine.component(&bytes, &digest, cache.as_deref())
        });
        match compiled.await {
            Ok(Ok(compiled)) => Ok(compiled),
            Ok(Err(why)) => Err(format!("is not a valid component: {why:#}")),
            Err(why) => Err(format!("cannot be compiled: {why}")),
        }
    }

    /// The name must be the file's.
    fn check_described(&self, said: &Described, plugin: &Plugin) -> Result<(), String> {
        if said.name == *plugin.name {
            return Ok(());
        }
        let name = &said.name;
        check_name(name)?;
        Err(if self.file.with_file_name(format!("{name}.wasm")).exists() {
            format!("calls itself {name}, and there is {name}.wasm: one plugin per handler")
        } else {
            format!("calls itself {name}: rename the file to {name}.wasm")
        })
    }
}

/// Names stand in keys and job ids, between colons and slashes, and in the names of settings and variables.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        let name = line(name, NAME_BYTES_MAX as u64);
        return Err(format!(
            "\"{name}\" is no name of a plugin: use lower case letters, digits and \"_\", at most \
             {NAME_BYTES_MAX}"
        ));
    }
    Ok(())
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, String> {
    let about = fs::metadata(file).map_err(|why| format!("cannot be read: {why}"))?;
    if !about.is_file() {
        return Err("is not a file".to_owned());
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(format!("is longer than {FILE_BYTES_MAX} bytes"));
    }
    fs::read(file).map_err(|why| format!("cannot be read: {why}"))
}

pub(super) fn check_format(bytes: &[u8]) -> Result<(), String> {
    let why = match bytes {
        [] => "is empty",
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            "is a core module, not a component: build it for wasm32-wasip2"
        }
        [0x7f, b'E', b'L', b'F', ..] => {
            "is machine code, which is never loaded from outside: give the component itself"
        }
        [b'\0', b'a', b's', b'm', ..] if bytes.len() < 8 => "is cut short",
        _ => "is not a WebAssembly component",
    };
    Err(why.to_owned())
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
