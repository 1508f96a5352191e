//! Where a store lies: what one kind of store gives to the contract.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stokehold::store::embedded::{Embedded, Options, Role};
use stokehold::store::etcd::{Etcd, EtcdOptions};
use stokehold::store::{Event, Outcome, Store, Txn, Watch, Write};
use stokehold_tests::etcd::Cluster;
use tempfile::TempDir;

/// A place for one store, empty at first, for one test alone.
#[async_trait]
pub trait Place: Send + Sync + Sized {
    /// Whether this kind of store can be had on this machine; a line says so if not.
    fn can_be() -> bool {
        true
    }
    /// A new one.
    async fn new() -> Self;
    /// Opens what is there.
    async fn open(&self) -> Arc<dyn Store>;
    /// Lets the store forget its history up to now. `store` is the only handle to it.
    async fn forget(&self, store: Arc<dyn Store>) -> Arc<dyn Store>;
}

/// The embedded store's place.
pub struct Folder(TempDir);

impl Folder {
    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Opens it with options.
    pub fn open_with(&self, options: Options) -> Arc<dyn Store> {
        Arc::new(Embedded::open(self.path(), options).unwrap())
    }
}

#[async_trait]
impl Place for Folder {
    async fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Arc<dyn Store> {
        self.open_with(Options::new(Role::Host))
    }

    async fn forget(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        assert_eq!(Arc::strong_count(&store), 1);
        drop(store);
        let options = Options { history_revisions_max: 0, ..Options::new(Role::Host) };
        // The history is trimmed with every commit, so with the one of opening too.
        drop(self.open_with(options));
        self.open().await
    }
}

/// An etcd of one member.
pub struct Served(pub Cluster);

impl Served {
    /// How it is reached.
    pub fn options(&self) -> EtcdOptions {
        EtcdOptions::new(self.0.address().parse().unwrap())
    }
}

#[async_trait]
impl Place for Served {
    fn can_be() -> bool {
        stokehold_tests::etcd::program().unwrap().is_some()
    }

    async fn new() -> Self {
        Self(Cluster::start(1).unwrap().unwrap())
    }

    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(Etcd::open(self.options()).await.unwrap())
    }

    async fn forget(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        let now = i64::try_from(revision(&*store).await).unwrap();
        self.0.client().await.unwrap().compact(now, None).await.unwrap();
        store
    }
}

/// Sets a key.
pub fn put(key: impl Into<String>, value: impl AsRef<[u8]>) -> Write {
    Write::Put { key: key.into(), value: value.as_ref().to_vec(), lease: None }
}

/// Removes a key.
pub fn delete(key: impl Into<String>) -> Write {
    Write::Delete { key: key.into() }
}

/// A transaction without compares.
pub fn writes(writes: impl IntoIterator<Item = Write>) -> Txn {
    Txn { compares: Vec::new(), writes: writes.into_iter().collect() }
}

/// Commits and answers the revision.
pub async fn commit(store: &dyn Store, txn: Txn) -> u64 {
    match store.commit(txn).await.unwrap() {
        Outcome::Committed(revision) => revision,
        Outcome::Conflict(revision) => panic!("conflict at {revision}"),
    }
}

/// Commits the writes and answers the revision.
pub async fn write(store: &dyn Store, all: impl IntoIterator<Item = Write>) -> u64 {
    commit(store, writes(all)).await
}

/// The store's revision.
pub async fn revision(store: &dyn Store) -> u64 {
    store.list("", None, 1).await.unwrap().revision
}

/// What a watch shows up to a revision that changes something it watches. A watch that hangs fails
/// the test.
pub async fn shown(watch: &mut dyn Watch, up_to: u64) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut reached = 0;
    while reached < up_to {
        let batch = in_time(watch.next()).await.unwrap();
        assert!(batch.revision > reached, "a batch moves on");
        assert!(batch.events.iter().all(|event| event.revision > reached), "none twice");
        assert!(
            batch.events.iter().all(|event| event.revision <= batch.revision),
            "whole revisions"
        );
        assert!(batch.events.is_sorted_by_key(|event| event.revision), "oldest first");
        reached = batch.revision;
        events.extend(batch.events);
    }
    events
}

/// Fails what hangs.
pub async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_mins(1), future).await.expect("an answer within a minute")
}
