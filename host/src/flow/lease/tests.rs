#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::store::{KeyValue, Limits, Outcome, Page, Txn, Watch};

/// A store that knows leases only, and keeps them as it was told to.
struct Leases {
    granted: AtomicI64,
    /// What a keep is answered with.
    kept: watch::Sender<Kept>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Yes,
    Lost,
    OutOfReach,
    /// And none is granted, either.
    NoneYet,
    /// No answer until this changes.
    Silence,
}

#[async_trait]
impl Store for Leases {
    fn limits(&self) -> Limits {
        Limits { operations_max: 1, bytes_max: 1 }
    }

    async fn get(&self, _: &str) -> Result<Option<KeyValue>, StoreError> {
        Ok(None)
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<Page, StoreError> {
        Ok(Page { entries: Vec::new(), more: false, revision: 0 })
    }

    async fn commit(&self, _: Txn) -> Result<Outcome, StoreError> {
        Ok(Outcome::Conflict(0))
    }

    async fn watch(&self, _: &[&str], _: u64) -> Result<Box<dyn Watch>, StoreError> {
        Err(StoreError::Refused("nothing to see".to_owned()))
    }

    async fn grant(&self, _: Duration) -> Result<LeaseId, StoreError> {
        if *self.kept.borrow() == Kept::NoneYet {
            return Err(StoreError::Unavailable(anyhow::anyhow!("not there yet")));
        }
        Ok(LeaseId(self.granted.fetch_add(1, Ordering::Relaxed) + 1))
    }

    async fn keep(&self, lease: LeaseId) -> Result<(), StoreError> {
        let mut kept = self.kept.subscribe();
        let answer = *kept.wait_for(|kept| *kept != Kept::Silence).await.unwrap();
        match answer {
            Kept::Lost if lease.0 == self.granted.load(Ordering::Relaxed) => {
                // The next one is a good one.
                self.kept.send_replace(Kept::Yes);
                Err(StoreError::LeaseLost(lease))
            }
            Kept::Yes | Kept::Lost | Kept::Silence => Ok(()),
            Kept::OutOfReach | Kept::NoneYet => {
                Err(StoreError::Unavailable(anyhow::anyhow!("cut off")))
            }
        }
    }

    async fn revoke(&self, _: LeaseId) -> Result<(), StoreError> {
        Ok(())
    }
}

const TTL: Duration = Duration::from_millis(1_500);

/// A store, what is shown of the lease, since when, and what stops the keeper.
type Started = (Arc<Leases>, watch::Receiver<Option<LeaseId>>, Instant, watch::Sender<bool>);

async fn start(kept: Kept) -> Started {
    let store = Arc::new(Leases { granted: AtomicI64::new(0), kept: watch::Sender::new(kept) });
    let begun = Instant::now();
    let (mut lease, keeper) = Keeper::new(Arc::clone(&store) as Arc<dyn Store>, TTL);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(keeper.run(stopped));
    if kept != Kept::NoneYet {
        assert_eq!(*lease.wait_for(Option::is_some).await.unwrap(), Some(LeaseId(1)));
    }
    (store, lease, begun, stop)
}

#[tokio::test]
async fn a_lease_that_is_not_confirmed_is_given_up_before_the_store_may_end_it() {
    for kept in [Kept::Silence, Kept::OutOfReach] {
        let mut took = Vec::new();
        // A machine may stand still at the wrong moment, but not at each.
        while took.len() < 5 && took.iter().all(|took| *took >= TTL) {
            let (_store, mut lease, begun, _stop) = start(kept).await;
            lease.wait_for(Option::is_none).await.unwrap();
            took.push(begun.elapsed());
        }
        assert!(took.iter().any(|took| *took < TTL), "{took:?}");
    }
}

#[tokio::test]
async fn a_lease_that_the_store_still_has_is_taken_up_again() {
    let (store, mut lease, _, _stop) = start(Kept::Silence).await;
    lease.wait_for(Option::is_none).await.unwrap();
    store.kept.send_replace(Kept::Yes);
    let again = *lease.wait_for(Option::is_some).await.unwrap();
    assert_eq!(again, Some(LeaseId(1)));
}

#[tokio::test]
async fn a_lost_lease_is_shown_as_lost_and_followed_by_a_new_one() {
    let (_store, mut lease, _, _stop) = start(Kept::Lost).await;
    let next = *lease.wait_for(|lease| *lease != Some(LeaseId(1))).await.unwrap();
    assert!(next.is_none() || next == Some(LeaseId(2)));
    let next = *lease.wait_for(Option::is_some).await.unwrap();
    assert_eq!(next, Some(LeaseId(2)));
}

#[tokio::test]
async fn a_store_that_is_out_of_reach_at_the_start_is_asked_again() {
    let (store, mut lease, _, _stop) = start(Kept::NoneYet).await;
    assert_eq!(*lease.borrow(), None);
    store.kept.send_replace(Kept::Yes);
    let first = *lease.wait_for(Option::is_some).await.unwrap();
    assert_eq!(first, Some(LeaseId(1)));
}
