//! Hand 1: keys and bytes that outlive the process. It knows no noun of ours.
//!
//! A store has one counter, the revision: every committed transaction that changes something is one
//! step. What was committed is on disk before `commit` returns. Keys are ordered as bytes.

pub mod embedded;
pub mod etcd;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

/// One key and its value, as of the revision of the answer it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Vec<u8>,
    /// The revision at which the key came into being (again).
    pub created: u64,
    /// The revision at which it last changed.
    pub modified: u64,
    /// The lease it hangs on.
    pub lease: Option<LeaseId>,
}

/// One page of a prefix, in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What was found.
    pub entries: Vec<KeyValue>,
    /// Whether more keys follow the last one.
    pub more: bool,
    /// The store's revision when the page was read. Pages of one listing may differ in it: whoever
    /// lists and then watches does so from the revision of the *first* page and ignores events
    /// older than what it knows of a key.
    pub revision: u64,
}

/// A lease: keys that hang on it vanish when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(pub i64);

/// What must hold for a transaction to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The key is not there.
    Absent(String),
    /// The key is there.
    Present(String),
    /// The key is there and last changed at this revision.
    Modified(String, u64),
    /// The key is there and came into being at this revision.
    Created(String, u64),
}

/// One write of a transaction. A transaction names each key at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Set.
    Put {
        /// The key.
        key: String,
        /// Its new value.
        value: Vec<u8>,
        /// Let it vanish with this lease; `None` detaches it from any.
        lease: Option<LeaseId>,
    },
    /// Remove; no error if there is none.
    Delete {
        /// The key.
        key: String,
    },
}

/// All of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// All must hold.
    pub compares: Vec<Compare>,
    /// In no particular order.
    pub writes: Vec<Write>,
}

impl Txn {
    /// What it weighs in bytes: its keys and values. `Limits::bytes_max` is the bound.
    pub fn bytes(&self) -> usize {
        let compares = self.compares.iter().map(|compare| compare.key().len());
        let writes = self.writes.iter().map(|write| match write {
            Write::Put { key, value, .. } => key.len() + value.len(),
            Write::Delete { key } => key.len(),
        });
        compares.chain(writes).sum()
    }
}

impl Compare {
    /// The key it looks at.
    pub fn key(&self) -> &str {
        match self {
            Self::Absent(key)
            | Self::Present(key)
            | Self::Modified(key, _)
            | Self::Created(key, _) => key,
        }
    }
}

impl Write {
    /// The key it changes.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// How large a transaction may be. Whoever has more to write splits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most writes of a transaction, and the most compares.
    pub operations_max: usize,
    /// The most bytes of a transaction, see [`Txn::bytes`].
    pub bytes_max: usize,
}

impl Limits {
    /// What every store asks of a transaction before it looks at it; answers its weight in bytes.
    ///
    /// # Errors
    /// `Refused` if it is too large, names a key twice or has an empty key.
    pub fn admit(&self, txn: &Txn) -> Result<usize, StoreError> {
        let operations = txn.writes.len().max(txn.compares.len());
        if operations > self.operations_max {
            return Err(StoreError::Refused(format!(
                "{operations} operations are more than the {} of one transaction",
                self.operations_max
            )));
        }
        let bytes = txn.bytes();
        if bytes > self.bytes_max {
            return Err(StoreError::Refused(format!(
                "{bytes} bytes are more than the {} of one transaction",
                self.bytes_max
            )));
        }
        if txn.compares.iter().any(|compare| compare.key().is_empty()) {
            return Err(StoreError::Refused("a compare has an empty key".to_owned()));
        }
        let mut seen = BTreeSet::new();
        for key in txn.writes.iter().map(Write::key) {
            if key.is_empty() {
                return Err(StoreError::Refused("a write has an empty key".to_owned()));
            }
            if !seen.insert(key) {
                return Err(StoreError::Refused(format!("key {key} is named twice")));
            }
        }
        Ok(bytes)
    }
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk, at this revision. A transaction that changes nothing (no writes, or only
    /// deletions of what is not there) makes no revision of its own and answers with the store's.
    Committed(u64),
    /// A comparison did not hold at this revision; nothing was written.
    Conflict(u64),
}

/// One change seen by a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key.
    pub key: String,
    /// The new value, `None` when the key went.
    pub value: Option<Vec<u8>>,
    /// When the key came into being; 0 when it went.
    pub created: u64,
    /// The revision of the change.
    pub revision: u64,
}

/// The changes of one or more whole revisions, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The changes under the watched prefixes; may be empty when only the revision moved on.
    pub events: Vec<Event>,
    /// Everything up to here has been shown.
    pub revision: u64,
}

/// Errors a caller acts on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The wanted revision was compacted away: list again, then watch from the listing's revision.
    #[error("cannot watch from revision {wanted}: history begins at {oldest}")]
    Compacted {
        /// What was asked for.
        wanted: u64,
        /// The oldest revision from which a watch is possible.
        oldest: u64,
    },
    /// The store has lost what it once showed: it was restored from a copy, or another one stands in its place.
    #[error("the store is at revision {now} and had been at {seen}: it was restored or replaced")]
    Rewound {
        /// What was seen of it.
        seen: u64,
        /// Where it is now.
        now: u64,
    },
    /// The lease has ended: keys that hung on it are gone.
    #[error("lease {0:?} has ended")]
    LeaseLost(LeaseId),
    /// The transaction can never be committed as it is: too large, a key named twice, or an empty
    /// key.
    #[error("cannot commit: {0}")]
    Refused(String),
    /// The outcome is unknown or the store cannot be reached; reading back tells.
    #[error("store is out of reach")]
    Unavailable(#[source] anyhow::Error),
    /// The store cannot be opened as it is.
    #[error("cannot open store {place}: {reason}")]
    Unusable {
        /// Its folder or address.
        place: String,
        /// What is in the way, and what helps.
        reason: String,
    },
}

/// What all stores promise; `tests/store` holds every implementation to it.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// How large a transaction may be.
    fn limits(&self) -> Limits;

    /// One key.
    async fn get(&self, key: &str) -> Result<Option<KeyValue>, StoreError>;

    /// One page of the keys that begin with `prefix` and come after `after`, at most `limit` of
    /// them (at least one). A store may answer with fewer to keep its answers small; `more` tells
    /// whether to go on.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Compares and writes in one step. When this returns `Committed`, it is on disk. Putting under
    /// an ended lease is `LeaseLost` (if the compares hold), and nothing is written. Giving up
    /// waiting for the answer leaves open whether it is committed.
    async fn commit(&self, txn: Txn) -> Result<Outcome, StoreError>;

    /// Watches all keys that begin with one of `prefixes`, from the first change after revision
    /// `after` on.
    async fn watch(&self, prefixes: &[&str], after: u64) -> Result<Box<dyn Watch>, StoreError>;

    /// A new lease that ends `ttl` after the last `keep`.
    async fn grant(&self, ttl: Duration) -> Result<LeaseId, StoreError>;

    /// Keeps a lease for another `ttl`.
    async fn keep(&self, lease: LeaseId) -> Result<(), StoreError>;

    /// Ends a lease now: its keys vanish. Ending an ended lease is no error.
    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError>;
}

/// A running watch; dropping it ends it.
#[async_trait]
pub trait Watch: Send {
    /// Waits for the next changes. Whole revisions, in order, none twice, none left out. Giving up
    /// waiting (as `select!` does) loses nothing.
    ///
    /// # Errors `Compacted` when the watcher was too slow; `Unavailable` when the stream broke for
    /// good. After an error the watch is over.
    async fn next(&mut self) -> Result<Batch, StoreError>;
}
