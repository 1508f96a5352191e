//! Spells transactions and commits them.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::domain::{Content, Entry, Revision, Schemas, Transaction};
use crate::store::{LeaseId, Outcome, Store, StoreError};
use crate::wire;

/// A store and the schemas by which its keys are spelled.
#[derive(Clone)]
pub(super) struct Scribe {
    /// The store.
    pub(super) store: Arc<dyn Store>,
    /// The schemas.
    pub(super) schemas: Arc<Schemas>,
}

/// Why a transaction was not committed.
#[derive(Debug)]
pub(super) enum Uncommitted {
    /// A guard did not hold at this revision: think again when the mirror has reached it.
    Conflict(Revision),
    /// The host's lease has ended.
    LeaseLost,
    /// The store is out of reach; whether it was committed is unknown.
    Unavailable(anyhow::Error),
    /// It can never be committed.
    Refused(anyhow::Error),
}

impl fmt::Display for Uncommitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(revision) => write!(f, "overtaken at revision {revision}"),
            Self::LeaseLost => f.write_str("the host's lease has ended"),
            Self::Unavailable(error) | Self::Refused(error) => write!(f, "{error:#}"),
        }
    }
}

impl Scribe {
    pub(super) fn new(store: Arc<dyn Store>, schemas: Arc<Schemas>) -> Self {
        Self { store, schemas }
    }

    /// Commits; answers the revision.
    pub(super) async fn commit(
        &self,
        transaction: &Transaction,
        lease: Option<LeaseId>,
    ) -> Result<Revision, Uncommitted> {
        let txn = wire::transaction(&self.schemas, transaction, lease)
            .map_err(|error| Uncommitted::Refused(error.into()))?;
        match self.store.commit(txn).await {
            Ok(Outcome::Committed(revision)) => Ok(Revision(revision)),
            Ok(Outcome::Conflict(revision)) => Err(Uncommitted::Conflict(Revision(revision))),
            Err(StoreError::LeaseLost(_)) => Err(Uncommitted::LeaseLost),
            Err(error @ StoreError::Refused(_)) => Err(Uncommitted::Refused(error.into())),
            Err(error) => Err(Uncommitted::Unavailable(error.into())),
        }
    }

    /// Reads one entry; `None` when there is none.
    pub(super) async fn read(&self, entry: &Entry) -> Result<Option<Content>> {
        let key = wire::key::spell(&self.schemas, entry)?;
        let found = self.store.get(&key).await.with_context(|| format!("cannot read {key}"))?;
        Ok(found.map(|kv| wire::read(&self.schemas, entry, &kv.value)))
    }
}
