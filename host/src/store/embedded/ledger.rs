//! What happens inside one transaction of the file: compares, writes, leases, the bounds of the
//! history.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, Transaction, TransactionBehavior, params};

use super::packing::{Packed, PackedTxn, PackedWrite};
use super::schema::ORDINAL_BITS;
use super::{Options, Role};
use crate::store::{Compare, LeaseId, Outcome, StoreError};

/// What a row of the history weighs beyond its key and value.
pub(super) const ROW_BYTES: i64 = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) revision: i64,
    /// History is whole after this revision.
    pub(super) oldest: i64,
    /// The weight of the rows after `oldest`.
    pub(super) history_bytes: i64,
}

/// Keys of which the writer remembers where their newest rows lie.
const KNOWN_MAX: usize = 100_000;

/// What the writer knows of the newest rows from one transaction of the file to the next, as long as no other
/// process has written between them.
#[derive(Default)]
pub(super) struct Known {
    newest: HashMap<Vec<u8>, Option<Newest>>,
    /// `SQLite`'s number that changes with every commit of another process.
    data_version: i64,
}

impl Known {
    /// Forgets everything, as after a transaction that was not committed.
    pub(super) fn clear(&mut self) {
        self.newest.clear();
    }

    fn set(&mut self, key: &[u8], newest: Option<Newest>) {
        if let Some(known) = self.newest.get_mut(key) {
            *known = newest;
            return;
        }
        if self.newest.len() >= KNOWN_MAX {
            self.newest.clear();
        }
        self.newest.insert(key.to_owned(), newest);
    }
}

/// A key's row in `entry`.
#[derive(Clone, Copy)]
struct Newest {
    id: i64,
    /// Where the newest row of the key lies.
    at: i64,
    /// When the key came into being.
    created: i64,
    lease: Option<i64>,
}

/// What the writer learns from a committed ledger.
pub(super) struct Closed {
    pub(super) revision: u64,
    /// When the first lease ends, in milliseconds since 1970.
    pub(super) next_end_ms: Option<i64>,
    /// Whether the history is still beyond its bounds.
    pub(super) trim_due: bool,
}

/// One transaction of the file, which carries many of the callers'.
pub(super) struct Ledger<'c> {
    pub(super) tx: Transaction<'c>,
    known: &'c mut Known,
    pub(super) options: Options,
    begun: Counters,
    pub(super) now: Counters,
    /// How many rows were written.
    pub(super) rows: usize,
}

impl<'c> Ledger<'c> {
    /// Begins; no other process writes until this ends.
    pub(super) fn begin(
        connection: &'c mut Connection,
        known: &'c mut Known,
        options: Options,
    ) -> Result<Self> {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = "PRAGMA data_version";
        let version = tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        if version != known.data_version {
            known.clear();
            known.data_version = version;
        }
        let begun = tx
            .prepare_cached("SELECT revision, oldest, history_bytes FROM counter")?
            .query_row([], |row| {
                Ok(Counters {
                    revision: row.get(0)?,
                    oldest: row.get(1)?,
                    history_bytes: row.get(2)?,
                })
            })?;
        Ok(Self { tx, known, options, begun, now: begun, rows: 0 })
    }

    /// Trims and commits. When this returns, everything is on disk.
    pub(super) fn commit(mut self) -> Result<Closed> {
        self.trim()?;
        if self.now != self.begun {
            let sql = "UPDATE counter SET revision = ?1, oldest = ?2, history_bytes = ?3";
            let Counters { revision, oldest, history_bytes } = self.now;
            self.tx.prepare_cached(sql)?.execute([revision, oldest, history_bytes])?;
        }
        let closed = Closed {
            revision: self.now.revision.cast_unsigned(),
            next_end_ms: next_end_ms(&self.tx)?,
            trim_due: self.is_trim_due(),
        };
        self.tx.commit()?;
        Ok(closed)
    }

    /// One transaction of a caller: compares first, then writes.
    pub(super) fn transact(
        &mut self,
        txn: &PackedTxn,
    ) -> Result<std::result::Result<Outcome, StoreError>> {
        for compare in &txn.compares {
            if !self.holds(compare)? {
                return Ok(Ok(Outcome::Conflict(self.now.revision.cast_unsigned())));
            }
        }
        for write in &txn.writes {
            if let PackedWrite::Put { lease: Some(lease), .. } = write
                && !self.has_lease(*lease)?
            {
                return Ok(Err(StoreError::LeaseLost(*lease)));
            }
        }
        let mut at = self.next_at();
        for write in &txn.writes {
            match write {
                PackedWrite::Put { key, value, lease } => {
                    self.put(at, key.as_bytes(), value, *lease)?;
                }
                PackedWrite::Delete { key } => {
                    if !self.delete(at, key.as_bytes())? {
                        continue;
                    }
                }
            }
            at += 1;
        }
        self.advance(at);
        Ok(Ok(Outcome::Committed(self.now.revision.cast_unsigned())))
    }

    fn holds(&mut self, compare: &Compare) -> Result<bool> {
        let newest = self.newest(compare.key().as_bytes())?;
        Ok(match compare {
            Compare::Absent(_) => newest.is_none(),
            Compare::Present(_) => newest.is_some(),
            Compare::Modified(_, revision) => {
                newest.is_some_and(|newest| revision_of(newest.at).cast_unsigned() == *revision)
            }
            Compare::Created(_, revision) => {
                newest.is_some_and(|newest| newest.created.cast_unsigned() == *revision)
            }
        })
    }

    /// Whether the row at this place is still the newest of its key.
    pub(super) fn is_newest(&self, key: &[u8], at: i64) -> Result<bool> {
        if let Some(newest) = self.known.newest.get(key) {
            return Ok(newest.is_some_and(|newest| newest.at == at));
        }
        let sql = "SELECT 1 FROM entry WHERE key = ?1 AND at = ?2";
        self.tx.prepare_cached(sql)?.exists(params![key, at])
    }

    fn newest(&mut self, key: &[u8]) -> Result<Option<Newest>> {
        if let Some(newest) = self.known.newest.get(key) {
            return Ok(*newest);
        }
        let newest = self
            .tx
            .prepare_cached("SELECT id, at, created, lease FROM entry WHERE key = ?1")?
            .query_row([key], |row| {
                Ok(Newest {
                    id: row.get(0)?,
                    at: row.get(1)?,
                    created: row.get(2)?,
                    lease: row.get(3)?,
                })
            })
            .optional()?;
        self.known.set(key, newest);
        Ok(newest)
    }

    /// The place of the first row of the next revision.
    fn next_at(&self) -> i64 {
        (self.now.revision + 1) << ORDINAL_BITS
    }

    /// Moves on if rows were written up to `at`.
    fn advance(&mut self, at: i64) {
        if at > self.next_at() {
            self.now.revision += 1;
        }
    }

    fn put(&mut self, at: i64, key: &[u8], value: &Packed, lease: Option<LeaseId>) -> Result<()> {
        let lease = lease.map(|lease| lease.0);
        let newest = match self.newest(key)? {
            Some(newest) => self.renew(newest, at, lease)?,
            None => self.insert(key, at, lease)?,
        };
        self.known.set(key, Some(newest));
        self.record(at, key, newest.created, Some(value))
    }

    fn insert(&mut self, key: &[u8], at: i64, lease: Option<i64>) -> Result<Newest> {
        let created = revision_of(at);
        let sql = "INSERT INTO entry (key, at, created, lease) VALUES (?1, ?2, ?3, ?4)";
        self.tx.prepare_cached(sql)?.execute(params![key, at, created, lease])?;
        Ok(Newest { id: self.tx.last_insert_rowid(), at, created, lease })
    }

    fn renew(&mut self, newest: Newest, at: i64, lease: Option<i64>) -> Result<Newest> {
        if lease == newest.lease {
            // The usual case does without the index of leases.
            let sql = "UPDATE entry SET at = ?2 WHERE id = ?1";
            self.tx.prepare_cached(sql)?.execute([newest.id, at])?;
        } else {
            let sql = "UPDATE entry SET at = ?2, lease = ?3 WHERE id = ?1";
            self.tx.prepare_cached(sql)?.execute(params![newest.id, at, lease])?;
        }
        self.forget(newest)?;
        Ok(Newest { at, lease, ..newest })
    }

    /// Whether there was such a key.
    fn delete(&mut self, at: i64, key: &[u8]) -> Result<bool> {
        let Some(newest) = self.newest(key)? else { return Ok(false) };
        self.tx.prepare_cached("DELETE FROM entry WHERE id = ?1")?.execute([newest.id])?;
        self.known.set(key, None);
        self.forget(newest)?;
        self.record(at, key, 0, None)?;
        Ok(true)
    }

    /// A row that history no longer needs was kept only because it was the newest of its key.
    fn forget(&mut self, newest: Newest) -> Result<()> {
        if revision_of(newest.at) <= self.now.oldest {
            self.tx.prepare_cached("DELETE FROM history WHERE at = ?1")?.execute([newest.at])?;
        }
        Ok(())
    }

    fn record(&mut self, at: i64, key: &[u8], created: i64, value: Option<&Packed>) -> Result<()> {
        let stored = value.map(|value| value.bytes.as_slice());
        let unpacked_bytes = value.and_then(|value| value.unpacked_bytes);
        self.tx
            .prepare_cached(
                "INSERT INTO history (at, key, created, stored, unpacked_bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![at, key, created, stored, unpacked_bytes])?;
        self.rows += 1;
        let bytes = key.len() + stored.map_or(0, <[u8]>::len);
        self.now.history_bytes += i64::try_from(bytes).unwrap_or(i64::MAX - ROW_BYTES) + ROW_BYTES;
        Ok(())
    }

    fn has_lease(&self, lease: LeaseId) -> Result<bool> {
        self.tx.prepare_cached("SELECT 1 FROM lease WHERE id = ?1")?.exists([lease.0])
    }

    /// A new lease.
    pub(super) fn grant(&mut self, ttl: Duration, now_ms: i64) -> Result<LeaseId> {
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let of_host = self.options.role == Role::Host;
        self.tx
            .prepare_cached("INSERT INTO lease (ttl_ms, ends_ms, of_host) VALUES (?1, ?2, ?3)")?
            .execute(params![ttl_ms, now_ms.saturating_add(ttl_ms), of_host])?;
        Ok(LeaseId(self.tx.last_insert_rowid()))
    }

    /// Whether the lease was still there to be kept.
    pub(super) fn keep(&mut self, lease: LeaseId, now_ms: i64) -> Result<bool> {
        let room = i64::MAX - now_ms;
        let sql = "UPDATE lease SET ends_ms = ?2 + min(ttl_ms, ?3) WHERE id = ?1";
        Ok(self.tx.prepare_cached(sql)?.execute([lease.0, now_ms, room])? > 0)
    }

    /// Ends a lease: its keys go, as one revision.
    pub(super) fn end(&mut self, lease: LeaseId) -> Result<()> {
        let keys: Vec<Vec<u8>> = {
            // More keys than places in a revision go in several.
            let sql = "SELECT key FROM entry WHERE lease = ?1 ORDER BY key LIMIT ?2";
            let mut statement = self.tx.prepare_cached(sql)?;
            let most = (1_i64 << ORDINAL_BITS) - 1;
            statement.query_map([lease.0, most], |row| row.get(0))?.collect::<Result<_>>()?
        };
        if keys.is_empty() {
            self.tx.prepare_cached("DELETE FROM lease WHERE id = ?1")?.execute([lease.0])?;
            return Ok(());
        }
        let mut at = self.next_at();
        for key in &keys {
            self.delete(at, key)?;
            at += 1;
        }
        self.advance(at);
        self.end(lease)
    }

    /// Ends the leases whose time is over.
    pub(super) fn expire(&mut self, now_ms: i64) -> Result<()> {
        self.end_all("SELECT id FROM lease WHERE ends_ms <= ?1 ORDER BY id", now_ms)
    }

    /// Ends the leases of former hosts.
    pub(super) fn end_hosts(&mut self) -> Result<()> {
        self.end_all("SELECT id FROM lease WHERE of_host = ?1 ORDER BY id", 1)
    }

    fn end_all(&mut self, sql: &str, value: i64) -> Result<()> {
        let ended: Vec<LeaseId> = {
            let mut statement = self.tx.prepare_cached(sql)?;
            statement.query_map([value], |row| row.get(0).map(LeaseId))?.collect::<Result<_>>()?
        };
        ended.into_iter().try_for_each(|lease| self.end(lease))
    }
}

/// When the first lease ends, in milliseconds since 1970.
pub(super) fn next_end_ms(connection: &Connection) -> Result<Option<i64>> {
    connection.prepare_cached("SELECT min(ends_ms) FROM lease")?.query_row([], |row| row.get(0))
}

/// The revision of the row at this place.
pub(super) fn revision_of(at: i64) -> i64 {
    at >> ORDINAL_BITS
}
