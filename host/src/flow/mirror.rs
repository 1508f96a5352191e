//! The store's changes as facts: first all that is there, then every change, without end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::domain::{Fact, Revision, Schemas};
use crate::store::{Batch, Store, StoreError, Watch};
use crate::wire;

/// Entries of one page.
const PAGE_ENTRIES_MAX: usize = 500;
/// Updates that wait for a busy loop; after that the watch waits.
const UPDATES_MAX: usize = 64;
/// The first pause before the store is tried again; it doubles while nothing comes.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause before the store is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Facts that belong together.
#[derive(Debug)]
pub(super) struct Update {
    /// In the order in which they came about.
    pub(super) facts: Vec<Fact>,
    /// All changes up to here are known now.
    pub(super) revision: Revision,
    /// It is all that is there, not only what changed.
    pub(super) whole: bool,
}

/// Starts to mirror the entries under `prefixes`. The first update is all that is there; it comes even when there
/// is nothing. The mirror outlives gaps: it lists again and tells what vanished meanwhile. It ends when the
/// receiver is dropped.
pub(super) fn start(
    store: Arc<dyn Store>,
    schemas: Arc<Schemas>,
    prefixes: &'static [&'static str],
) -> mpsc::Receiver<Update> {
    let (updates, receiver) = mpsc::channel(UPDATES_MAX);
    let mut mirror = Mirror { store, schemas, prefixes, known: BTreeMap::new(), followed: false };
    tokio::spawn(async move { mirror.run(updates).await });
    receiver
}

struct Mirror {
    store: Arc<dyn Store>,
    schemas: Arc<Schemas>,
    prefixes: &'static [&'static str],
    /// Key → when it last changed, to tell after a gap what vanished.
    known: BTreeMap<String, u64>,
    /// The watch has shown something since the last listing.
    followed: bool,
}

impl Mirror {
    async fn run(&mut self, updates: mpsc::Sender<Update>) {
        let mut pause = PAUSE_MIN;
        while !updates.is_closed() {
            match self.follow(&updates).await {
                Ok(()) => return,
                Err(StoreError::Compacted { wanted, oldest }) => {
                    info!(wanted, oldest, "mirror fell behind and lists again");
                }
                // What this host knows is of another history; nothing tells it what of that still holds.
                Err(error @ StoreError::Rewound { .. }) => {
                    error!(
                        "{error}: this host ends, and knows the store anew when it is started again"
                    );
                    return;
                }
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    warn!("cannot mirror the store: {error:#}; trying again");
                }
            }
            if std::mem::take(&mut self.followed) {
                pause = PAUSE_MIN;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Lists, then watches until the watch breaks; `Ok` when nobody listens any more.
    async fn follow(&mut self, updates: &mpsc::Sender<Update>) -> Result<(), StoreError> {
        let (update, from) = self.list().await?;
        let mut watch = self.store.watch(self.prefixes, from).await?;
        if updates.send(update).await.is_err() {
            return Ok(());
        }
        loop {
            let batch = tokio::select! {
                batch = next(&mut watch) => batch?,
                () = updates.closed() => return Ok(()),
            };
            let update = self.take(batch);
            self.followed = true;
            if updates.send(update).await.is_err() {
                return Ok(());
            }
        }
    }

    async fn list(&mut self) -> Result<(Update, u64), StoreError> {
        let mut facts = Vec::new();
        let mut found = BTreeMap::new();
        let mut from: Option<u64> = None;
        for prefix in self.prefixes {
            let mut after: Option<String> = None;
            loop {
                let page = self.store.list(prefix, after.as_deref(), PAGE_ENTRIES_MAX).await?;
                // Later pages may show newer entries: the watch begins at the oldest.
                from = Some(from.map_or(page.revision, |from| from.min(page.revision)));
                after = page.entries.last().map(|kv| kv.key.clone());
                for kv in page.entries {
                    facts.push(wire::fact(&self.schemas, &kv));
                    found.insert(kv.key, kv.modified);
                }
                if !page.more {
                    break;
                }
            }
        }
        let from = from.unwrap_or_default();
        for key in self.known.keys().filter(|key| !found.contains_key(*key)) {
            let entry = wire::key::parse(&self.schemas, key);
            let revision = Revision(from);
            facts.push(Fact { entry, content: None, created: revision, revision });
        }
        self.known = found;
        facts.sort_by_key(|fact| fact.revision);
        Ok((Update { facts, revision: Revision(from), whole: true }, from))
    }

    fn take(&mut self, batch: Batch) -> Update {
        let mut facts = Vec::with_capacity(batch.events.len());
        for event in batch.events {
            let known = self.known.get(&event.key).copied().unwrap_or_default();
            if event.revision <= known {
                // A page of the listing showed it already, or something newer.
                continue;
            }
            facts.push(wire::event(&self.schemas, &event));
            match event.value {
                Some(_) => self.known.insert(event.key, event.revision),
                None => self.known.remove(&event.key),
            };
        }
        Update { facts, revision: Revision(batch.revision), whole: false }
    }
}

async fn next(watch: &mut Box<dyn Watch>) -> Result<Batch, StoreError> {
    watch.next().await
}
