//! Watches: each reads the history from where it stands, so a slow one holds nobody up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::anyhow;
use async_trait::async_trait;
use rusqlite::{Connection, Result};
use tokio::sync::watch;

use super::ledger::revision_of;
use super::packing::unpacked;
use super::reader::{PAGE_BYTES_MAX, Readers, bounds, text};
use super::schema::ORDINAL_BITS;
use crate::store::{Batch, Event, StoreError, Watch};

/// Rows looked at for one batch; the revision in which they run out is completed.
const SCAN_ROWS_MAX: usize = 4_096;

/// Counts the watches of a store while they live.
pub(super) struct Watching(Arc<AtomicUsize>);

impl Watching {
    pub(super) fn new(watchers: Arc<AtomicUsize>) -> Self {
        watchers.fetch_add(1, Ordering::Relaxed);
        Self(watchers)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A running watch.
pub(super) struct EmbeddedWatch {
    pub(super) readers: Arc<Readers>,
    pub(super) prefixes: Arc<[String]>,
    /// Everything up to here has been shown.
    pub(super) shown: u64,
    /// The newest revision the writer knows of.
    pub(super) latest: watch::Receiver<u64>,
    pub(super) _watching: Watching,
}

#[async_trait]
impl Watch for EmbeddedWatch {
    async fn next(&mut self) -> std::result::Result<Batch, StoreError> {
        let shown = self.shown;
        if self.latest.wait_for(|latest| *latest > shown).await.is_err() {
            return Err(StoreError::Unavailable(anyhow!("the store was closed")));
        }
        let prefixes = self.prefixes.clone();
        let batch =
            self.readers.read(move |snapshot| changes(snapshot, &prefixes, shown)).await??;
        self.shown = batch.revision;
        Ok(batch)
    }
}

/// The next changes after `shown`.
fn changes(
    snapshot: &Connection,
    prefixes: &[String],
    shown: u64,
) -> Result<std::result::Result<Batch, StoreError>> {
    let (revision, oldest) = bounds(snapshot)?;
    if shown < oldest {
        return Ok(Err(StoreError::Compacted { wanted: shown, oldest }));
    }
    let mut batch = Batch { events: Vec::new(), revision };
    let sql = "SELECT at, key, created, stored, unpacked_bytes FROM history
               WHERE at >= ?1 ORDER BY at";
    let mut statement = snapshot.prepare_cached(sql)?;
    let mut rows = statement.query([(shown.cast_signed() + 1) << ORDINAL_BITS])?;
    let (mut seen, mut bytes, mut current) = (0, 0, shown);
    while let Some(row) = rows.next()? {
        let revision = revision_of(row.get(0)?).cast_unsigned();
        if revision != current {
            if seen >= SCAN_ROWS_MAX || bytes >= PAGE_BYTES_MAX {
                batch.revision = current;
                break;
            }
            current = revision;
        }
        seen += 1;
        let key = row.get_ref(1)?.as_bytes()?;
        if prefixes.iter().any(|prefix| key.starts_with(prefix.as_bytes())) {
            let value = unpacked(row, 3)?;
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            let created = row.get::<_, i64>(2)?.cast_unsigned();
            batch.events.push(Event { key: text(row, 1)?, value, created, revision });
        }
    }
    Ok(Ok(batch))
}
