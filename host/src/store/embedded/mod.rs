//! The embedded store: one file in a folder, durable, shared by the processes of one machine.
//!
//! `folder` and `schema` open it; `packing` makes values small, `writer` gathers what is to be
//! written and commits it through the `ledger`, `trim` and `checkpoint` tidy up behind it; `reader`
//! and `watch` read from snapshots.
//! Several processes may have the same folder open, one of them as its host.

mod checkpoint;
mod folder;
mod ledger;
mod packing;
mod reader;
mod schema;
mod trim;
mod watch;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot};

use self::checkpoint::Checkpoints;
use self::folder::{Folder, HostPlace};
use self::ledger::{Known, Ledger};
use self::packing::PackedTxn;
use self::reader::Readers;
use self::watch::{EmbeddedWatch, Watching};
use self::writer::{Ask, Pace, Queued, Slot, Writer};
use super::{KeyValue, LeaseId, Limits, Outcome, Page, Store, StoreError, Txn, Watch};

/// The largest transaction of the embedded store.
pub const LIMITS: Limits = Limits { operations_max: 10_000, bytes_max: 64 << 20 };
/// Larger transactions are packed on a thread that may block.
const PACKED_IN_PLACE_BYTES_MAX: usize = 256 << 10;
/// What may wait to be written; callers beyond it wait for room.
const QUEUE_KIB: u32 = 128 << 10;
/// What one caller takes of it at least: at most 8,192 wait.
const REQUEST_KIB_MIN: u32 = 16;

/// What a process is to the folder it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that runs handlers. A folder has at most one; leases of former hosts end when it
    /// opens.
    Host,
    /// Any other, beside a running host or without one.
    Guest,
}

/// How a folder is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What this process is.
    pub role: Role,
    /// Revisions that a watch may begin at or lag behind; older ones are dropped. Only the host
    /// drops.
    pub history_revisions_max: u64,
    /// The same bound in bytes, as values lie in the file; the nearer one counts.
    pub history_bytes_max: u64,
    /// The largest the file may become, in bytes; commits beyond it are `Unavailable`.
    pub file_bytes_max: u64,
}

impl Options {
    /// The defaults: 100,000 revisions or 256 MiB of history, a file of 64 GiB.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            history_revisions_max: 100_000,
            history_bytes_max: 256 << 20,
            file_bytes_max: 64 << 30,
        }
    }
}

/// A folder that is open. Dropping it commits what is queued, then closes.
pub struct Embedded {
    queue: Option<Sender<Queued>>,
    room: Arc<Semaphore>,
    readers: Arc<Readers>,
    latest: tokio::sync::watch::Receiver<u64>,
    watchers: Arc<AtomicUsize>,
    writer: Option<JoinHandle<()>>,
    /// Held as long as this is open; given back last.
    _host: Option<HostPlace>,
}

impl Embedded {
    /// Opens the folder, makes it if it is not there. This waits for the disk.
    ///
    /// # Errors
    /// `Unusable`, with a text that says what helps.
    pub fn open(dir: &Path, options: Options) -> Result<Self, StoreError> {
        let folder = Folder::prepare(dir)?;
        let host = match options.role {
            Role::Host => Some(folder.lock_host()?),
            Role::Guest => None,
        };
        let turn = folder.turn()?;
        let mut connection = {
            let _held = turn.take().map_err(|error| folder.unusable(error.to_string()))?;
            schema::open_writer(&folder, options)?
        };
        let mut known = Known::default();
        let mut begin = || {
            let mut ledger = Ledger::begin(&mut connection, &mut known, options)?;
            if options.role == Role::Host {
                ledger.end_hosts()?;
            }
            ledger.commit()
        };
        let closed = begin().map_err(|error| folder.unusable(schema::explain(&error)))?;
        let checkpoints = schema::open_checkpoints(&folder)
            .map_err(|error| folder.unusable(schema::explain(&error)))?;
        let checkpoints =
            Checkpoints::start(checkpoints).map_err(|error| folder.unusable(error.to_string()))?;
        let (latest, newest) = tokio::sync::watch::channel(closed.revision);
        let watchers = Arc::<AtomicUsize>::default();
        let (queue, receiver) = mpsc::channel();
        let writer = Writer {
            connection,
            turn,
            queue: receiver,
            latest,
            watchers: watchers.clone(),
            options,
            pace: Pace::after(&closed),
            checkpoints,
            known,
        };
        let thread = std::thread::Builder::new().name("store writer".to_owned());
        let thread = thread.spawn(move || writer.run());
        Ok(Self {
            queue: Some(queue),
            room: Arc::new(Semaphore::new(QUEUE_KIB as usize)),
            readers: Arc::new(Readers::new(folder.clone())),
            latest: newest,
            watchers,
            writer: Some(thread.map_err(|error| folder.unusable(error.to_string()))?),
            _host: host,
        })
    }

    /// Queues an ask and waits for its answer.
    async fn ask<T>(
        &self,
        bytes: usize,
        ask: impl FnOnce(Slot<T>) -> Ask,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Unavailable(anyhow!("the store was closed"));
        let kib = u32::try_from(bytes >> 10).unwrap_or(QUEUE_KIB) + 1;
        let kib = kib.clamp(REQUEST_KIB_MIN, QUEUE_KIB);
        let room = self.room.clone().acquire_many_owned(kib).await.map_err(|_| closed())?;
        let (slot, answer): (_, oneshot::Receiver<_>) = Slot::new();
        let queued = Queued { ask: ask(slot), bytes, _room: Some(room) };
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(queued).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // Without senders the writer finishes what is queued and ends.
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // Its panic was reported where it happened; there is nothing left to do about it here.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Store for Embedded {
    fn limits(&self) -> Limits {
        LIMITS
    }

    async fn get(&self, key: &str) -> Result<Option<KeyValue>, StoreError> {
        let key = key.to_owned();
        self.readers.read(move |snapshot| reader::get(snapshot, &key)).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let list = move |snapshot: &_| reader::list(snapshot, &prefix, after.as_deref(), limit);
        self.readers.read(list).await
    }

    async fn commit(&self, txn: Txn) -> Result<Outcome, StoreError> {
        let bytes = LIMITS.admit(&txn)?;
        let txn = if bytes > PACKED_IN_PLACE_BYTES_MAX {
            let packed = tokio::task::spawn_blocking(|| PackedTxn::from(txn)).await;
            packed.map_err(|error| StoreError::Unavailable(error.into()))?
        } else {
            PackedTxn::from(txn)
        };
        self.ask(bytes, |slot| Ask::Commit(txn, slot)).await
    }

    async fn watch(&self, prefixes: &[&str], after: u64) -> Result<Box<dyn Watch>, StoreError> {
        let watching = Watching::new(self.watchers.clone());
        if let Some(queue) = &self.queue {
            // Other processes may have committed since the writer last looked. If it is gone,
            // `next` tells.
            let _ = queue.send(Queued { ask: Ask::Look, bytes: 0, _room: None });
        }
        Ok(Box::new(EmbeddedWatch {
            readers: self.readers.clone(),
            prefixes: prefixes.iter().map(|&prefix| prefix.to_owned()).collect(),
            shown: after,
            latest: self.latest.clone(),
            _watching: watching,
        }))
    }

    async fn grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.ask(0, |slot| Ask::Grant(ttl, slot)).await
    }

    async fn keep(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.ask(0, |slot| Ask::Keep(lease, slot)).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.ask(0, |slot| Ask::Revoke(lease, slot)).await
    }
}
