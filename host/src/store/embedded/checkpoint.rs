//! Checkpoints: what the write-ahead log has grown by is carried over into the file.
//!
//! The writer does so itself only when the log has reached its bound; a thread beside it has by
//! then carried over most, so that a commit seldom waits for it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;

/// The log grows by about so much between two checkpoints.
const STEP_BYTES: usize = 8 << 20;
/// What a request adds to the log beyond its own bytes, roughly: pages of the tables' trees.
const REQUEST_BYTES: usize = 8 << 10;

/// Counts what is written and starts the checkpoints. Dropping it waits for the last one.
pub(super) struct Checkpoints {
    grown_bytes: usize,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread with a connection of its own.
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread = Builder::new().name("store checkpoints".to_owned());
        let thread = thread.spawn(move || run(&connection, &woken))?;
        Ok(Self { grown_bytes: 0, wake: Some(wake), thread: Some(thread) })
    }

    /// Counts a commit of so many requests that weigh so much.
    pub(super) fn count(&mut self, requests: usize, bytes: usize) {
        self.grown_bytes += bytes + requests * REQUEST_BYTES;
        if self.grown_bytes >= STEP_BYTES
            && let Some(wake) = &self.wake
        {
            self.grown_bytes = 0;
            // If it is full, a checkpoint is due already.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened; the file does not need the checkpoint.
            let _ = thread.join();
        }
    }
}

fn run(connection: &Connection, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        // Passive: it takes what no reader or writer is in the way of.
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        if let Err(error) = connection.query_row(sql, [], |_| Ok(())) {
            tracing::warn!("cannot checkpoint store.db: {error}");
        }
    }
}
