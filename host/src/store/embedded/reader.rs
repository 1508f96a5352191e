//! Readers: a few connections of their own, so that nobody who reads waits for who writes.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row};
use tokio::sync::Semaphore;

use super::folder::Folder;
use super::ledger::revision_of;
use super::packing::unpacked;
use super::schema::{explain, open_reader};
use crate::store::{KeyValue, LeaseId, Page, StoreError};

/// How many read at the same time; others wait.
const READERS_MAX: usize = 4;
/// A page that weighs this is complete, whatever was asked for.
pub(super) const PAGE_BYTES_MAX: usize = 4 << 20;

/// The connections for reading.
pub(super) struct Readers {
    folder: Folder,
    idle: Arc<Mutex<Vec<Connection>>>,
    room: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(folder: Folder) -> Self {
        let room = Arc::new(Semaphore::new(READERS_MAX));
        Self { folder, idle: Arc::default(), room }
    }

    /// Reads in one snapshot, on a thread that may block.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, StoreError> {
        let room = self.room.clone().acquire_owned().await;
        let room = room.map_err(|error| StoreError::Unavailable(error.into()))?;
        let (folder, idle) = (self.folder.clone(), self.idle.clone());
        let task = tokio::task::spawn_blocking(move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = taken.map_or_else(|| open_reader(&folder), Ok)?;
            let answer = connection.transaction().and_then(|snapshot| read(&snapshot));
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(room);
            answer
        });
        match task.await {
            Ok(answer) => answer.map_err(|error| anyhow!(explain(&error))),
            Err(error) => Err(error.into()),
        }
        .context("cannot read store.db")
        .map_err(StoreError::Unavailable)
    }
}

/// The store's revision in this snapshot, and the oldest revision to watch from.
pub(super) fn bounds(snapshot: &Connection) -> Result<(u64, u64)> {
    let mut statement = snapshot.prepare_cached("SELECT revision, oldest FROM counter")?;
    statement.query_row([], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()))
    })
}

/// One key.
pub(super) fn get(snapshot: &Connection, key: &str) -> Result<Option<KeyValue>> {
    let sql = "SELECT entry.key, stored, unpacked_bytes, entry.created, entry.at, lease
               FROM entry CROSS JOIN history ON history.at = entry.at WHERE entry.key = ?1";
    snapshot.prepare_cached(sql)?.query_row([key.as_bytes()], key_value).optional()
}

/// One page.
pub(super) fn list(
    snapshot: &Connection,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page> {
    let (revision, _) = bounds(snapshot)?;
    let mut page = Page { entries: Vec::new(), more: false, revision };
    let sql = "SELECT entry.key, stored, unpacked_bytes, entry.created, entry.at, lease
               FROM entry CROSS JOIN history ON history.at = entry.at
               WHERE entry.key >= ?1 AND entry.key < ?2 ORDER BY entry.key";
    let mut statement = snapshot.prepare_cached(sql)?;
    // The next key after `after` in the order of bytes is the same with a zero byte.
    let next = after.map(|after| [after.as_bytes(), b"\0"].concat()).unwrap_or_default();
    let begin = next.max(prefix.as_bytes().to_vec());
    let mut rows = statement.query([begin, end_of(prefix)])?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if page.entries.len() >= limit.max(1) || bytes >= PAGE_BYTES_MAX {
            page.more = true;
            break;
        }
        let entry = key_value(row)?;
        bytes += entry.key.len() + entry.value.len();
        page.entries.push(entry);
    }
    Ok(page)
}

/// The first key that is beyond all that begin with `prefix`. A byte of 0xff occurs in no text.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    match end.last_mut() {
        Some(last) => *last += 1,
        None => end.push(0xff),
    }
    end
}

fn key_value(row: &Row<'_>) -> Result<KeyValue> {
    Ok(KeyValue {
        key: text(row, 0)?,
        value: unpacked(row, 1)?.unwrap_or_default(),
        created: row.get::<_, i64>(3)?.cast_unsigned(),
        modified: revision_of(row.get(4)?).cast_unsigned(),
        lease: row.get::<_, Option<i64>>(5)?.map(LeaseId),
    })
}

/// A key.
pub(super) fn text(row: &Row<'_>, column: usize) -> Result<String> {
    String::from_utf8(row.get(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
    })
}
