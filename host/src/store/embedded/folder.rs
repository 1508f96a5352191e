//! The folder: the files in it, and the two locks processes hold on it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::store::StoreError;

/// How long a process waits for others that write, before its transaction is `Unavailable`.
pub(super) const BUSY_MS: u64 = 10_000;

/// The folder of one store.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// Makes the folder (0700) and the file (0600) if they are not there.
    pub(super) fn prepare(dir: &Path) -> Result<Self, StoreError> {
        let folder = Self { dir: dir.to_owned() };
        folder.make().map_err(|error| {
            folder.unusable(format!("{error}; it must be a folder that this user may write to"))
        })?;
        Ok(folder)
    }

    fn make(&self) -> io::Result<()> {
        let new: Vec<&Path> = self.dir.ancestors().take_while(|path| !path.exists()).collect();
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        // A new folder outlives a power cut only once its parent is on disk too.
        for parent in new.iter().filter_map(|path| path.parent()) {
            let here = Path::new(".");
            File::open(if parent.as_os_str().is_empty() { here } else { parent })?.sync_all()?;
        }
        // SQLite would make the file readable to all. Only a new file is opened here: closing any
        // descriptor of a file drops the locks that this process holds on it.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.file());
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// The database.
    pub(super) fn file(&self) -> PathBuf {
        self.dir.join("store.db")
    }

    /// The error that names this folder.
    pub(super) fn unusable(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Unusable { place: self.dir.display().to_string(), reason: reason.into() }
    }

    /// Takes the host's place on this folder.
    pub(super) fn lock_host(&self) -> Result<HostPlace, StoreError> {
        let mut file = self.open_lock("host.lock")?;
        match file.try_lock() {
            Ok(()) => {
                let noted = write_pid(&mut file);
                noted.map_err(|error| self.unusable(format!("cannot write host.lock: {error}")))?;
                Ok(HostPlace(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The number is a courtesy: without it the message still says what is wrong.
                let _ = file.read_to_string(&mut pid);
                let pid = if pid.is_empty() { "unknown" } else { pid.trim() };
                Err(self.unusable(format!(
                    "another host (process {pid}) runs on this folder; \
                     stop it, or give this host a folder of its own"
                )))
            }
            Err(TryLockError::Error(error)) => {
                Err(self.unusable(format!("cannot lock host.lock: {error}")))
            }
        }
    }

    /// The lock that writers of all processes queue at.
    pub(super) fn turn(&self) -> Result<Turn, StoreError> {
        Ok(Turn(self.open_lock("writer.lock")?))
    }

    fn open_lock(&self, name: &str) -> Result<File, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options
            .open(self.dir.join(name))
            .map_err(|error| self.unusable(format!("cannot open {name}: {error}")))
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

/// The host's place on a folder; free again when this is dropped, or the process ends.
#[derive(Debug)]
pub(super) struct HostPlace(File);

impl Drop for HostPlace {
    fn drop(&mut self) {
        // Closing alone would leave it taken for as long as a child that was just forked has the file open, too.
        let _ = self.0.unlock();
    }
}

/// Whose turn it is to begin a transaction.
///
/// `SQLite` lets waiting writers poll, so a process that writes without pause would keep all others
/// out. Whoever waits to begin holds this lock meanwhile; the busy one finds it taken and waits its
/// turn.
#[derive(Debug)]
pub(super) struct Turn(File);

impl Turn {
    /// Waits for the turn, at most `BUSY_MS`.
    pub(super) fn take(&self) -> io::Result<Held<'_>> {
        let begun = Instant::now();
        loop {
            match self.0.try_lock() {
                Ok(()) => return Ok(Held(&self.0)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {
                    if begun.elapsed() > Duration::from_millis(BUSY_MS) {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }
}

/// The turn, until dropped.
pub(super) struct Held<'a>(&'a File);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // It fails only on a descriptor that is no file; closing unlocks as well.
        let _ = self.0.unlock();
    }
}
