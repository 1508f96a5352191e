//! Laws of leases.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stokehold::store::{Compare, LeaseId, Outcome, StoreError, Txn, Write};

use crate::store::place::{Place, delete, put, revision, shown, write, writes};

/// Long enough not to end within a test.
const LONG: Duration = Duration::from_hours(1);

fn leased(key: &str, value: &str, lease: LeaseId) -> Write {
    Write::Put { key: key.to_owned(), value: value.as_bytes().to_vec(), lease: Some(lease) }
}

fn is_lost<T>(answer: &Result<T, StoreError>, lease: LeaseId) -> bool {
    matches!(answer, Err(StoreError::LeaseLost(lost)) if *lost == lease)
}

pub async fn revoking_takes_all_keys_in_one_revision(place: &impl Place) {
    let store = place.open().await;
    let lease = store.grant(LONG).await.unwrap();
    write(&*store, [leased("/1", "", lease), leased("/2", "", lease), put("/3", "")]).await;
    let begin = write(&*store, [leased("/4", "", lease)]).await;
    assert_eq!(store.get("/1").await.unwrap().unwrap().lease, Some(lease));
    assert_eq!(store.get("/3").await.unwrap().unwrap().lease, None);

    let mut watch = store.watch(&["/"], begin).await.unwrap();
    store.revoke(lease).await.unwrap();
    let page = store.list("/", None, 10).await.unwrap();
    assert_eq!(page.entries.iter().map(|entry| &entry.key).collect::<Vec<_>>(), ["/3"]);
    assert_eq!(page.revision, begin + 1);
    let events = shown(&mut *watch, begin + 1).await;
    assert!(events.iter().all(|event| event.value.is_none() && event.revision == begin + 1));
    let keys: BTreeSet<&str> = events.iter().map(|event| event.key.as_str()).collect();
    assert_eq!(keys, BTreeSet::from(["/1", "/2", "/4"]));
    assert_eq!(events.len(), 3);
}

pub async fn a_lease_ends_by_itself(place: &impl Place) {
    let store = place.open().await;
    let (lease, begin) = loop {
        let lease = store.grant(Duration::from_secs(1)).await.unwrap();
        let both = writes([leased("/1", "", lease), leased("/2", "", lease)]);
        match store.commit(both).await {
            Ok(Outcome::Committed(begin)) => break (lease, begin),
            // It has ended before it could be used.
            lost => assert!(is_lost(&lost, lease), "{lost:?}"),
        }
    };
    let mut watch = store.watch(&["/"], begin).await.unwrap();
    let events = shown(&mut *watch, begin + 1).await;
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.value.is_none() && event.revision == begin + 1));
    assert_eq!(store.get("/1").await.unwrap(), None);
    assert!(is_lost(&store.keep(lease).await, lease));
}

pub async fn a_kept_lease_lives(place: &impl Place) {
    let store = place.open().await;
    let begun = Instant::now();
    let lease = store.grant(Duration::from_secs(6)).await.unwrap();
    let last = write(&*store, [leased("/k", "", lease)]).await;
    // Longer than the lease lives without being kept.
    while begun.elapsed() < Duration::from_secs(8) {
        store.keep(lease).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(store.get("/k").await.unwrap().is_some());
    assert_eq!(revision(&*store).await, last, "keeping makes no revision");
}

pub async fn a_lost_lease_changes_nothing(place: &impl Place) {
    let store = place.open().await;
    let lease = store.grant(LONG).await.unwrap();
    store.revoke(lease).await.unwrap();
    let last = write(&*store, [put("/k", "1")]).await;
    let txn = writes([put("/k", "2"), put("/other", ""), leased("/leased", "", lease)]);
    assert!(is_lost(&store.commit(txn).await, lease));
    assert!(is_lost(&store.keep(lease).await, lease));
    store.revoke(lease).await.unwrap();
    let page = store.list("", None, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.revision), (1, last));
    assert_eq!(page.entries[0].value, b"1");
}

pub async fn a_lease_that_never_was_is_lost(place: &impl Place) {
    let store = place.open().await;
    let lease = LeaseId(0x1234_5678);
    assert!(is_lost(&store.keep(lease).await, lease));
    assert!(is_lost(&store.commit(writes([leased("/k", "", lease)])).await, lease));
    store.revoke(lease).await.unwrap();
    assert_eq!(store.get("/k").await.unwrap(), None);
}

pub async fn a_conflict_comes_before_a_lost_lease(place: &impl Place) {
    let store = place.open().await;
    let last = revision(&*store).await;
    let txn = Txn {
        compares: vec![Compare::Present("/none".to_owned())],
        writes: vec![leased("/k", "", LeaseId(0x1234_5678))],
    };
    assert_eq!(store.commit(txn).await.unwrap(), Outcome::Conflict(last));
}

pub async fn a_put_without_lease_detaches(place: &impl Place) {
    let store = place.open().await;
    let lease = store.grant(LONG).await.unwrap();
    write(&*store, [leased("/k", "1", lease), leased("/gone", "", lease)]).await;
    write(&*store, [put("/k", "2")]).await;
    assert_eq!(store.get("/k").await.unwrap().unwrap().lease, None);
    store.revoke(lease).await.unwrap();
    assert_eq!(store.get("/k").await.unwrap().unwrap().value, b"2");
    assert_eq!(store.get("/gone").await.unwrap(), None);
}

pub async fn a_put_under_another_lease_moves(place: &impl Place) {
    let store = place.open().await;
    let one = store.grant(LONG).await.unwrap();
    let other = store.grant(LONG).await.unwrap();
    assert_ne!(one, other);
    write(&*store, [leased("/k", "1", one)]).await;
    write(&*store, [leased("/k", "2", other)]).await;
    store.revoke(one).await.unwrap();
    assert_eq!(store.get("/k").await.unwrap().unwrap().lease, Some(other));
    store.revoke(other).await.unwrap();
    assert_eq!(store.get("/k").await.unwrap(), None);
}

pub async fn a_new_key_does_not_inherit_a_lease(place: &impl Place) {
    let store = place.open().await;
    let lease = store.grant(LONG).await.unwrap();
    write(&*store, [leased("/k", "1", lease)]).await;
    write(&*store, [delete("/k")]).await;
    let last = write(&*store, [put("/k", "2")]).await;
    store.revoke(lease).await.unwrap();
    let entry = store.get("/k").await.unwrap().unwrap();
    assert_eq!((entry.lease, entry.modified), (None, last));
    assert_eq!(revision(&*store).await, last, "a lease without keys ends without a revision");
}
