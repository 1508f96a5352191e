//! The end of a host: nothing it has claimed is left behind.

use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::Runner;
use crate::domain::JobId;
use crate::flow::clock;
use crate::flow::mirror::Update;
use crate::settle;

/// At the end the mirror is waited for until it has been silent for so long.
const SILENT: Duration = Duration::from_millis(100);
/// Where others are at work it never is: it is waited for no longer than this.
const SHOWN_MS_MAX: u64 = 500;

impl Runner {
    /// Lets running calls end; claims of those that do not are given back.
    pub(super) async fn wind_up(&mut self, mut updates: mpsc::Receiver<Update>) {
        let last = clock::now_ms().saturating_add(self.pace.shutdown_ms_max);
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(update) = updates.recv() => self.observe(update, &mut updates),
                Some(came) = self.tasks.join_next_with_id() => self.take(came),
                () = clock::sleep_until(Some(last)) => break,
            }
        }
        self.tasks.shutdown().await;
        // A claim that was committed last may not have been shown yet.
        let shown = clock::now_ms().saturating_add(SHOWN_MS_MAX);
        while let Ok(Some(update)) = tokio::time::timeout(SILENT, updates.recv()).await {
            self.observe(update, &mut updates);
            if clock::now_ms() >= shown {
                break;
            }
        }
        let unfinished: Vec<JobId> = self.busy.keys().cloned().collect();
        for id in unfinished {
            let working = self.queue.get(&id).and_then(|open| open.working.clone());
            let Some((_, claim)) = working.filter(|(host, _)| *host == self.host) else { continue };
            let Some(release) = settle::release(&self.queue, &id, claim) else { continue };
            match self.tools.scribe.commit(&release, None).await {
                Ok(_) => info!(job = %id, "was not done within shutdown_ms_max; given back"),
                Err(error) => warn!(job = %id, "cannot give job back: {error}"),
            }
        }
    }
}
