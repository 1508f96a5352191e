//! Compiled plugins kept between starts, in a private directory and authenticated.
//!
//! Loading machine code is as good as running it, so a file counts only if this very installation wrote it: its
//! directory and key belong to this user alone, and its bytes carry a MAC made with that key over its name,
//! which in turn names the component, the engine, its settings and the CPU. Everything else is compiled anew.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow, bail, ensure};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmtime::component::Component;

/// The block of SHA-256, the longest key an HMAC uses as it is.
const KEY_BYTES: usize = 64;
const MAC_BYTES: usize = 32;
/// A compiled file is never larger; one that is was not written here.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// How long code is kept that no start asks for.
const UNUSED_MAX: Duration = Duration::from_hours(30 * 24);
/// How long a file may be on its way to its real name; what is older was left by a host that died.
const DRAFT_MAX: Duration = Duration::from_hours(1);
/// Part of every name: changes with the layout of the files.
const LAYOUT: &str = "stokehold compiled plugin 1";

/// An open cache.
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
}

impl Cache {
    /// Opens the cache, and makes directory and key where they are missing.
    ///
    /// # Errors
    /// The directory cannot be used, or others than this user could write to it.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("cannot create cache {}", dir.display()))?;
        private(&fs::metadata(dir)?, 0o022).with_context(|| {
            format!("cannot trust cache {}: run chmod 700 on a directory of yours", dir.display())
        })?;
        let key = key(&dir.join("key"))?;
        Ok(Self { dir: dir.to_owned(), key })
    }

    /// The name under which this engine's code for the component with this SHA-256 is kept. The
    /// compatibility hash covers the version of wasmtime, its settings, and what the CPU can do.
    pub(crate) fn name(engine: &wasmtime::Engine, digest: &str) -> String {
        let mut sum = HashInto(Sha256::new_with_prefix(LAYOUT));
        engine.precompile_compatibility_hash().hash(&mut sum);
        sum.0.update(digest);
        hex(&sum.0.finalize())
    }

    /// The code kept under a name; `None` if there is none that can be trusted and used.
    pub(crate) fn get(&self, engine: &wasmtime::Engine, name: &str) -> Option<Component> {
        match self.read(engine, name) {
            Ok(found) => found,
            Err(why) => {
                tracing::debug!("compiled plugin {name} is ignored: {why:#}");
                None
            }
        }
    }

    fn read(&self, engine: &wasmtime::Engine, name: &str) -> anyhow::Result<Option<Component>> {
        let file = match File::open(self.path(name)) {
            Err(none) if none.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        // The time of the last use decides how long it is kept; if it cannot be set, that is all that is lost.
        let _ = file.set_modified(SystemTime::now());
        let bytes = read_private(file, FILE_BYTES_MAX)?;
        let Some((mac, code)) = bytes.split_first_chunk::<MAC_BYTES>() else {
            bail!("it is cut short");
        };
        ensure!(self.mac(name, code).verify(mac.into()).is_ok(), "it was not written by this host");
        // SAFETY: `deserialize` asks for bytes that came from `serialize` of this wasmtime, unaltered. The MAC over
        // exactly these bytes in memory says that this user's host wrote them, the name in the MAC that the
        // engine had the same version, settings and CPU.
        #[allow(unsafe_code, reason = "the one place where compiled code is taken in, see above")]
        let component = unsafe { Component::deserialize(engine, code) };
        Ok(Some(component?))
    }

    /// Keeps code under a name. A cache that cannot be written costs time at the next start, nothing else.
    pub(crate) fn put(&self, name: &str, component: &Component) {
        let written = component.serialize().map_err(anyhow::Error::from).and_then(|code| {
            let mac = self.mac(name, &code).finalize().into_bytes();
            let draft = self.dir.join(format!("{name}.{}", random_name()?));
            let done = write_new(&draft, &[&mac[..], &code[..]])
                .and_then(|()| fs::rename(&draft, self.path(name)).map_err(Into::into));
            if done.is_err() {
                let _ = fs::remove_file(&draft);
            }
            done
        });
        if let Err(why) = written {
            tracing::debug!("compiled plugin {name} is not kept: {why:#}");
        }
    }

    /// Removes code that was not used for long and drafts that nobody finished; strangers' files stay.
    pub(crate) fn prune(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let keep = match path.extension().and_then(|ending| ending.to_str()) {
                Some("cwasm") => UNUSED_MAX,
                Some(ending) if is_random_name(ending) => DRAFT_MAX,
                _ => continue,
            };
            let age = entry.metadata().ok().filter(fs::Metadata::is_file);
            let age = age.and_then(|about| about.modified().ok()?.elapsed().ok());
            if age.is_some_and(|age| age > keep) {
                let removed = fs::remove_file(&path);
                tracing::debug!("old file {} is removed: {removed:?}", path.display());
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.cwasm"))
    }

    fn mac(&self, name: &str, code: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(name.as_bytes());
        mac.update(code);
        mac
    }
}

/// The key of this installation; made if there is none, and made anew if others could have read or set it.
fn key(path: &Path) -> anyhow::Result<[u8; KEY_BYTES]> {
    for _ in 0..2 {
        match File::open(path) {
            Ok(file) => match read_private(file, KEY_BYTES as u64) {
                Ok(bytes) if bytes.len() == KEY_BYTES => {
                    let mut key = [0; KEY_BYTES];
                    key.copy_from_slice(&bytes);
                    return Ok(key);
                }
                _ => {
                    tracing::debug!("key of the compiled plugins is not private, made anew");
                    fs::remove_file(path).context("cannot remove a key that is not private")?;
                }
            },
            Err(none) if none.kind() == ErrorKind::NotFound => {}
            Err(why) => return Err(why).context("cannot read the cache's key"),
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|why| anyhow!("cannot make a key: {why}"))?;
        let draft = path.with_extension(random_name()?);
        write_new(&draft, &[&key])?;
        // A link is made only where there is none: of two hosts that start at once one makes the key.
        let linked = fs::hard_link(&draft, path);
        let _ = fs::remove_file(&draft);
        match linked {
            Ok(()) => return Ok(key),
            Err(there) if there.kind() == ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why).context("cannot keep the cache's key"),
        }
    }
    bail!("cannot keep a private key in the cache")
}

/// Reads a file that belongs to this user and that nobody else can read or write.
fn read_private(file: File, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let about = file.metadata()?;
    ensure!(about.is_file(), "it is not a file");
    private(&about, 0o077)?;
    ensure!(about.len() <= bytes_max, "it is longer than {bytes_max} bytes");
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn private(about: &fs::Metadata, denied: u32) -> anyhow::Result<()> {
    let me = rustix::process::geteuid().as_raw();
    ensure!(about.uid() == me, "it belongs to user {}, not to {me}", about.uid());
    ensure!(about.mode() & denied == 0, "its mode is {:o}", about.mode() & 0o777);
    Ok(())
}

fn write_new(path: &Path, parts: &[&[u8]]) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for part in parts {
        file.write_all(part)?;
    }
    Ok(())
}

fn random_name() -> anyhow::Result<String> {
    let number = getrandom::u64().map_err(|why| anyhow!("cannot make a name: {why}"))?;
    Ok(format!("{number:016x}"))
}

fn is_random_name(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lets what is hashable be part of a name that outlives the process, unlike the standard hasher.
struct HashInto(Sha256);

impl Hasher for HashInto {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let sum = self.0.clone().finalize();
        sum.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
    }
}
