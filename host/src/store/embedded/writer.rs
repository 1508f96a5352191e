//! The writer: one thread that gathers what callers want written and commits it together.
//!
//! While one commit waits for the disk, the next one's transactions gather in the queue: the disk
//! is asked once for all of them. Nobody is answered before the commit they are in is on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::Options;
use super::checkpoint::Checkpoints;
use super::folder::Turn;
use super::ledger::{Closed, Known, Ledger, next_end_ms};
use super::packing::PackedTxn;
use super::schema::explain;
use crate::store::{LeaseId, Outcome, StoreError};

/// The most callers answered by one commit.
const BATCH_REQUESTS_MAX: usize = 512;
/// No more is added to a commit that weighs this.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// So many answered by one commit are a crowd, and worth a pause to gather them again.
const CROWD: usize = 8;
/// The pause. A system may make it longer (Linux by 50 µs).
const GATHER_US: u64 = 20;
/// How often commits of other processes are looked for while someone watches.
const POLL_MS: u64 = 25;
/// The same while nobody watches: for leases that others took and no longer keep.
const IDLE_MS: u64 = 1_000;
/// After a failure the writer's own work rests so long.
const REST_MS: u64 = 1_000;

/// What a caller wants.
pub(super) enum Ask {
    Commit(PackedTxn, Slot<Outcome>),
    Grant(Duration, Slot<LeaseId>),
    Keep(LeaseId, Slot<()>),
    Revoke(LeaseId, Slot<()>),
    /// Look for commits of other processes: a watch begins.
    Look,
}

/// One ask in the queue, and the room it takes there.
pub(super) struct Queued {
    pub(super) ask: Ask,
    pub(super) bytes: usize,
    pub(super) _room: Option<OwnedSemaphorePermit>,
}

/// Where the answer goes, and the answer once it is known.
pub(super) struct Slot<T> {
    caller: oneshot::Sender<Result<T, StoreError>>,
    answer: Option<Result<T, StoreError>>,
}

impl<T> Slot<T> {
    pub(super) fn new() -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (caller, answer) = oneshot::channel();
        (Self { caller, answer: None }, answer)
    }

    /// Answers; whoever no longer waits does not mind.
    fn send(self, failure: Option<&str>) {
        let answer = match (failure, self.answer) {
            (None, Some(answer)) => answer,
            (Some(failure), _) => Err(StoreError::Unavailable(anyhow!("{failure}"))),
            (None, None) => Err(StoreError::Unavailable(anyhow!("the store gave no answer"))),
        };
        let _ = self.caller.send(answer);
    }
}

impl Ask {
    fn perform(&mut self, ledger: &mut Ledger<'_>, now_ms: i64) -> rusqlite::Result<()> {
        match self {
            Self::Commit(txn, slot) => slot.answer = Some(ledger.transact(txn)?),
            Self::Grant(ttl, slot) => slot.answer = Some(Ok(ledger.grant(*ttl, now_ms)?)),
            Self::Keep(lease, slot) => {
                let kept = ledger.keep(*lease, now_ms)?;
                slot.answer = Some(if kept { Ok(()) } else { Err(StoreError::LeaseLost(*lease)) });
            }
            Self::Revoke(lease, slot) => {
                ledger.end(*lease)?;
                slot.answer = Some(Ok(()));
            }
            Self::Look => {}
        }
        Ok(())
    }

    fn send(self, failure: Option<&str>) {
        match self {
            Self::Commit(_, slot) => slot.send(failure),
            Self::Grant(_, slot) => slot.send(failure),
            Self::Keep(_, slot) | Self::Revoke(_, slot) => slot.send(failure),
            Self::Look => {}
        }
    }
}

/// The thread's state.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) turn: Turn,
    pub(super) queue: Receiver<Queued>,
    pub(super) latest: watch::Sender<u64>,
    pub(super) watchers: Arc<AtomicUsize>,
    pub(super) options: Options,
    pub(super) pace: Pace,
    pub(super) checkpoints: Checkpoints,
    pub(super) known: Known,
}

/// When the writer has work of its own.
pub(super) struct Pace {
    next_end_ms: Option<i64>,
    trim_due: bool,
    /// `SQLite`'s number that changes with every commit of another process.
    data_version: i64,
    rests_until: Option<Instant>,
    /// How many the last commit answered.
    answered: usize,
}

impl Pace {
    /// The pace of a writer that has just opened the file.
    pub(super) fn after(closed: &Closed) -> Self {
        let Closed { next_end_ms, trim_due, .. } = *closed;
        Self { next_end_ms, trim_due, data_version: 0, rests_until: None, answered: 0 }
    }
}

impl Writer {
    /// Works until all senders are gone and the queue is empty.
    pub(super) fn run(mut self) {
        loop {
            match self.queue.recv_timeout(self.patience()) {
                Ok(Queued { ask: Ask::Look, .. }) | Err(RecvTimeoutError::Timeout) => self.tidy(),
                Ok(first) => {
                    let batch = self.gather(first);
                    self.serve(batch);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// How long to wait for a caller before work of its own is due.
    fn patience(&self) -> Duration {
        let watched = self.watchers.load(Ordering::Relaxed) > 0;
        let poll = Duration::from_millis(if watched { POLL_MS } else { IDLE_MS });
        if self.rests() {
            return poll;
        }
        if self.pace.trim_due {
            return Duration::ZERO;
        }
        let to_end = self.pace.next_end_ms.map(|end| end.saturating_sub(now_ms()).max(0));
        to_end.map_or(poll, |ms| poll.min(Duration::from_millis(ms.unsigned_abs())))
    }

    fn rests(&self) -> bool {
        self.pace.rests_until.is_some_and(|until| Instant::now() < until)
    }

    fn gather(&self, first: Queued) -> Vec<Queued> {
        if self.pace.answered >= CROWD {
            // Those answered last are about to come back. Without them, every other half would go
            // without the other: twice the commits, and twice the pages.
            std::thread::sleep(Duration::from_micros(GATHER_US));
        }
        let mut bytes = first.bytes;
        let mut batch = vec![first];
        while batch.len() < BATCH_REQUESTS_MAX && bytes < BATCH_BYTES_MAX {
            let Ok(next) = self.queue.try_recv() else { break };
            bytes += next.bytes;
            batch.push(next);
        }
        batch
    }

    /// Commits a batch and answers everyone in it.
    fn serve(&mut self, mut batch: Vec<Queued>) {
        let failure = self.commit(&mut batch).err().map(|error| format!("{error:#}"));
        let bytes = batch.iter().map(|queued| queued.bytes).sum();
        self.checkpoints.count(batch.len(), bytes);
        self.pace.answered = batch.len();
        for queued in batch {
            queued.ask.send(failure.as_deref());
        }
    }

    fn commit(&mut self, batch: &mut [Queued]) -> anyhow::Result<()> {
        let done = self.try_commit(batch);
        match &done {
            Ok(closed) => {
                self.pace.next_end_ms = closed.next_end_ms;
                self.pace.trim_due = closed.trim_due;
                self.pace.rests_until = None;
                self.publish(closed.revision);
            }
            Err(_) => self.rest(),
        }
        done.map(|_| ())
    }

    fn try_commit(&mut self, batch: &mut [Queued]) -> anyhow::Result<Closed> {
        let turn = self.turn.take().context("cannot take the turn to write")?;
        let write = || -> rusqlite::Result<Closed> {
            let mut ledger = Ledger::begin(&mut self.connection, &mut self.known, self.options)?;
            drop(turn);
            let now_ms = now_ms();
            ledger.expire(now_ms)?;
            for queued in batch {
                queued.ask.perform(&mut ledger, now_ms)?;
            }
            ledger.commit()
        };
        let done = write();
        if done.is_err() {
            self.known.clear();
        }
        done.map_err(|error| anyhow!(explain(&error)).context("cannot write store.db"))
    }

    fn rest(&mut self) {
        self.pace.rests_until = Some(Instant::now() + Duration::from_millis(REST_MS));
    }

    fn publish(&self, revision: u64) {
        self.latest.send_if_modified(|latest| {
            let is_new = revision > *latest;
            *latest = revision.max(*latest);
            is_new
        });
    }

    /// The writer's own work: leases that end, history beyond its bounds, commits of other
    /// processes.
    fn tidy(&mut self) {
        if self.rests() {
            return;
        }
        let ended = self.pace.next_end_ms.is_some_and(|end| end <= now_ms());
        let done = if ended || self.pace.trim_due {
            self.commit(&mut [])
        } else {
            self.look().context("cannot read store.db")
        };
        if let Err(error) = done {
            tracing::warn!("{error:#}");
            self.rest();
        }
    }

    fn look(&mut self) -> rusqlite::Result<()> {
        let sql = "PRAGMA data_version";
        let version = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        if version != self.pace.data_version {
            self.pace.next_end_ms = next_end_ms(&self.connection)?;
            let sql = "SELECT revision FROM counter";
            let revision: i64 =
                self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            self.publish(revision.cast_unsigned());
            self.pace.data_version = version;
        }
        Ok(())
    }
}

/// The wall clock, in milliseconds since 1970: the one clock that all processes and restarts share.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
