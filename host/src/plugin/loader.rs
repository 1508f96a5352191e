//! One directory of plugins while a host runs: what lies there, and one file of it loaded, as often as it changes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::asked;
use super::cache::Cache;
use super::convert::line;
use super::engine::Engine;
use super::grant::PluginSettings;
use super::load::{Candidate, Found, REASON_BYTES_MAX};
use super::trial;

/// Loads the plugins of one directory; clones are the same loader.
#[derive(Clone)]
pub struct Loader(Arc<Inner>);

struct Inner {
    engine: Engine,
    dir: PathBuf,
    settings: PluginSettings,
    cache: Option<Arc<Cache>>,
}

/// What tells that a file has changed, or the grants or the signature beside it, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    component: Stamp,
    grants: Option<Stamp>,
    signature: Option<Stamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// Moves with every write and every renaming, also where somebody sets the time of change back.
    touched: (i64, i64),
}

impl Stamp {
    fn of(about: &fs::Metadata) -> Self {
        Self {
            device: about.dev(),
            inode: about.ino(),
            bytes: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
            touched: (about.ctime(), about.ctime_nsec()),
        }
    }
}

impl Loader {
    /// A loader for a directory. Without a usable cache everything is compiled each time, which a warning says.
    pub fn new(engine: &Engine, dir: &Path, settings: &PluginSettings) -> Self {
        let cache = settings.cache_dir.as_deref().and_then(|dir| match Cache::open(dir) {
            Ok(cache) => Some(Arc::new(cache)),
            Err(why) => {
                tracing::warn!("plugins are compiled at every start: {why:#}");
                None
            }
        });
        let (engine, settings) = (engine.clone(), settings.clone());
        Self(Arc::new(Inner { engine, dir: dir.to_owned(), settings, cache }))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// What every plugin is loaded with.
    pub fn settings(&self) -> &PluginSettings {
        &self.0.settings
    }

    /// Every `*.wasm` of the directory, in order of the names, with what tells a change.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn look(&self) -> io::Result<BTreeMap<PathBuf, Mark>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.0.dir)? {
            let path = entry?.path();
            // What begins with a dot is on its way to its real name.
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            if name.starts_with(b".") || path.extension().is_none_or(|ending| ending != "wasm") {
                continue;
            }
            if let Some(mark) = self.mark(&path) {
                found.insert(path, mark);
            }
        }
        Ok(found)
    }

    /// How one file stands; `None` if there is none.
    pub fn mark(&self, file: &Path) -> Option<Mark> {
        let component = match fs::metadata(file) {
            Ok(about) => Stamp::of(&about),
            Err(why) if why.kind() == io::ErrorKind::NotFound && !file.is_symlink() => return None,
            // Whoever loads it says why.
            Err(_) => Stamp::default(),
        };
        let beside = |ending| fs::metadata(file.with_extension(ending)).ok();
        let [grants, signature] = ["toml", "wasm.minisig"].map(beside);
        let [grants, signature] = [grants, signature].map(|it| it.as_ref().map(Stamp::of));
        Some(Mark { component, grants, signature })
    }

    /// Loads one file: compiles it aside, links it, asks it to describe itself.
    ///
    /// # Errors
    /// What is wrong with it, and where there is a remedy, that.
    pub async fn load(&self, file: &Path) -> Result<Found, String> {
        let Inner { engine, settings, cache, .. } = &*self.0;
        let one = Candidate { engine, settings, file, cache: cache.as_ref() };
        let loaded = one.load().await.map(|(described, found)| {
            asked::tell(&described, found.plugin());
            found
        });
        loaded.map_err(|reason| line(&reason, REASON_BYTES_MAX))
    }

    /// Loads one file that is to take over from another one, or to begin, while the host runs: it is tried, too.
    ///
    /// # Errors
    /// Those of [`Loader::load`], and what the plugin said at its trial.
    pub async fn load_and_try(&self, file: &Path) -> Result<Found, String> {
        let found = self.load(file).await?;
        trial::attempt(&found).await?;
        Ok(found)
    }

    /// A version of a file that was loaded before, with what its plugin is granted now: what was taken back does not
    /// come back with it, and neither does a version that is trusted no more.
    ///
    /// # Errors
    /// Why it could not work so.
    pub async fn granted_anew(&self, file: &Path, version: &Found) -> Result<Found, String> {
        let Inner { engine, settings, cache, .. } = &*self.0;
        let one = Candidate { engine, settings, file, cache: cache.as_ref() };
        one.granted_anew(version).await.map_err(|reason| line(&reason, REASON_BYTES_MAX))
    }

    /// Removes compiled code that no start has asked for in a long time.
    pub fn prune(&self) {
        if let Some(cache) = &self.0.cache {
            cache.prune();
        }
    }
}
