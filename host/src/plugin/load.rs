//! A directory of files → workers and probers. Each file is on its own: a broken one is a fault with an address.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::asked::{self, Wish};
use super::cache::{Cache, hex};
use super::call::{Plugin, Worker};
use super::convert::{Described, line};
use super::describe::describe_either;
use super::engine::Engine;
use super::grant::{Grants, PluginSettings};
use super::loader::{Loader, Mark};
use super::probe::Prober;
use super::provenance;
use crate::domain::HandlerName;

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
            let name = line(name, NAME_BYTES_MAX as u64);
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

    pub(super) fn component(&self) -> &Component {
        match self {
            Self::Worker(worker) => worker.pre.instance_pre().component(),
            Self::Prober(prober) => prober.pre.instance_pre().component(),
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
        let (_, signers) = provenance::check(&self.settings.trust, self.file, &bytes, &digest)?;
        let plugin = self.plugin(stem, digest)?;
        let _ = plugin.signers.set(signers);
        let (component, is_from_cache) = self.compile(bytes, plugin.digest.clone()).await?;
        let _ = plugin.is_from_cache.set(is_from_cache);
        let (described, found) = describe_either(&plugin, &component).await?;
        self.check_described(&described, &plugin)?;
        asked::keep(&described, &plugin);
        Ok((described, found))
    }

    /// A version that was loaded before, with what its plugin is granted now, if it is trusted still.
    pub(super) async fn granted_anew(&self, found: &Found) -> Result<Found, String> {
        let old = found.plugin();
        let signers = old.signers.get().cloned().unwrap_or_default();
        provenance::check_again(&self.settings.trust, self.file, &old.digest, &signers)?;
        let plugin = self.plugin(&old.name, old.digest.clone())?;
        let _ = plugin.signers.set(signers);
        let _ = plugin.is_from_cache.set(found.is_from_cache());
        let (described, found) = describe_either(&plugin, found.component()).await?;
        asked::keep(&described, &plugin);
        Ok(found)
    }

    /// One with the grants and bounds of this moment.
    fn plugin(&self, stem: &str, digest: String) -> Result<Arc<Plugin>, String> {
        let granted = self.settings.granted(stem)?;
        let bounds = self.settings.bounds.with(&granted.bounds);
        let recordings = self.settings.recordings_of(stem);
        let grants = Grants { recordings, ..Grants::read(&granted)? };
        Ok(Arc::new(Plugin::new(stem, digest, self.engine, grants, bounds)))
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
