//! Laws of `commit`.

use std::collections::BTreeSet;

use stokehold::store::{Compare, Outcome, Store, StoreError, Txn};
use tokio::task::JoinSet;

use crate::store::place::{Place, delete, put, revision, write, writes};

pub async fn created_stays_and_modified_moves(place: &impl Place) {
    let store = place.open().await;
    let first = write(&*store, [put("/k", "1")]).await;
    let second = write(&*store, [put("/k", "2")]).await;
    let entry = store.get("/k").await.unwrap().unwrap();
    assert_eq!((entry.created, entry.modified), (first, second));

    write(&*store, [delete("/k")]).await;
    assert_eq!(store.get("/k").await.unwrap(), None);
    let again = write(&*store, [put("/k", "2")]).await;
    let entry = store.get("/k").await.unwrap().unwrap();
    assert_eq!((entry.created, entry.modified), (again, again));
}

pub async fn each_compare_holds_or_conflicts(place: &impl Place) {
    let store = place.open().await;
    let created = write(&*store, [put("/there", "1"), put("/gone", "")]).await;
    let modified = write(&*store, [put("/there", "2"), delete("/gone")]).await;
    let (there, gone, never) = ("/there".to_owned(), "/gone".to_owned(), "/never".to_owned());
    let cases = [
        (Compare::Absent(never.clone()), true),
        (Compare::Absent(gone.clone()), true),
        (Compare::Absent(there.clone()), false),
        (Compare::Present(there.clone()), true),
        (Compare::Present(gone.clone()), false),
        (Compare::Present(never.clone()), false),
        (Compare::Modified(there.clone(), modified), true),
        (Compare::Modified(there.clone(), created), false),
        (Compare::Modified(there.clone(), modified + 1), false),
        (Compare::Modified(gone.clone(), modified), false),
        (Compare::Modified(gone.clone(), created), false),
        (Compare::Modified(never.clone(), 0), false),
        (Compare::Created(there.clone(), created), true),
        (Compare::Created(there, modified), false),
        (Compare::Created(gone, created), false),
        (Compare::Created(never, 0), false),
    ];
    for (n, (compare, holds)) in cases.into_iter().enumerate() {
        let before = revision(&*store).await;
        let key = format!("/written/{n}");
        let txn = Txn { compares: vec![compare.clone()], writes: vec![put(&key, "")] };
        let expected =
            if holds { Outcome::Committed(before + 1) } else { Outcome::Conflict(before) };
        assert_eq!(store.commit(txn).await.unwrap(), expected, "{compare:?}");
        assert_eq!(store.get(&key).await.unwrap().is_some(), holds, "{compare:?}");
    }
}

pub async fn a_conflict_writes_nothing(place: &impl Place) {
    let store = place.open().await;
    let last = write(&*store, [put("/a", "1"), put("/b", "1")]).await;
    let before = store.list("", None, 10).await.unwrap();
    // One compare of three does not hold, wherever it stands.
    for position in 0..3 {
        let mut compares =
            vec![Compare::Present("/a".to_owned()), Compare::Absent("/c".to_owned())];
        compares.insert(position, Compare::Modified("/b".to_owned(), last + 1));
        let writes = vec![put("/a", "2"), delete("/b"), put("/c", "2")];
        let outcome = store.commit(Txn { compares, writes }).await.unwrap();
        assert_eq!(outcome, Outcome::Conflict(last));
    }
    assert_eq!(store.list("", None, 10).await.unwrap(), before);
}

pub async fn compares_see_what_was_before_the_writes(place: &impl Place) {
    let store = place.open().await;
    let create =
        || Txn { compares: vec![Compare::Absent("/k".to_owned())], writes: vec![put("/k", "")] };
    let first = revision(&*store).await + 1;
    assert_eq!(store.commit(create()).await.unwrap(), Outcome::Committed(first));
    assert_eq!(store.commit(create()).await.unwrap(), Outcome::Conflict(first));
}

fn is_refused(answer: &Result<Outcome, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Refused(_)))
}

pub async fn a_key_named_twice_is_refused(place: &impl Place) {
    let store = place.open().await;
    let before = revision(&*store).await;
    let cases = [
        [put("/k", "1"), put("/k", "2")],
        [put("/k", "1"), delete("/k")],
        [delete("/k"), delete("/k")],
    ];
    for [first, second] in cases {
        let answer = store.commit(writes([first, put("/other", ""), second])).await;
        let error = answer.unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)));
        assert_eq!(error.to_string(), "cannot commit: key /k is named twice");
    }
    assert_eq!(revision(&*store).await, before);
    assert_eq!(store.get("/other").await.unwrap(), None);
}

pub async fn an_empty_key_is_refused(place: &impl Place) {
    let store = place.open().await;
    assert!(is_refused(&store.commit(writes([put("", "")])).await));
    let compares = vec![Compare::Absent(String::new())];
    assert!(is_refused(&store.commit(Txn { compares, writes: vec![put("/k", "")] }).await));
    assert_eq!(store.get("/k").await.unwrap(), None);
}

pub async fn a_transaction_up_to_the_limits_is_taken(place: &impl Place) {
    let store = place.open().await;
    let most = store.limits().operations_max;
    let last = write(&*store, (0..most).map(|n| put(format!("/{n:06}"), ""))).await;
    let end = store.list("", Some(&format!("/{:06}", most - 2)), 10).await.unwrap();
    assert_eq!((end.entries.len(), end.entries[0].modified, end.more), (1, last, false));

    let value = vec![7; store.limits().bytes_max - "/large".len()];
    write(&*store, [put("/large", &value)]).await;
    assert!(store.get("/large").await.unwrap().unwrap().value == value);
}

pub async fn a_transaction_beyond_the_limits_is_refused(place: &impl Place) {
    let store = place.open().await;
    let before = revision(&*store).await;
    let too_many = store.limits().operations_max + 1;
    assert!(is_refused(
        &store.commit(writes((0..too_many).map(|n| put(format!("/{n}"), "")))).await
    ));
    let compares = (0..too_many).map(|n| Compare::Absent(format!("/{n}"))).collect();
    assert!(is_refused(&store.commit(Txn { compares, writes: vec![put("/k", "")] }).await));
    let value = vec![7; store.limits().bytes_max];
    assert!(is_refused(&store.commit(writes([put("/k", value)])).await));
    assert_eq!(revision(&*store).await, before);
}

pub async fn every_transaction_is_one_revision(place: &impl Place) {
    let store = place.open().await;
    let mut last = revision(&*store).await;
    for size in [1, 2, 50, 1] {
        let next = write(&*store, (0..size).map(|n| put(format!("/{n}"), ""))).await;
        assert_eq!(next, last + 1);
        last = next;
        let page = store.list("/", None, 100).await.unwrap();
        assert_eq!(page.revision, last);
        assert_eq!(page.entries.iter().filter(|entry| entry.modified == last).count(), size);
    }
}

pub async fn what_changes_nothing_makes_no_revision(place: &impl Place) {
    let store = place.open().await;
    let last = write(&*store, [put("/k", "1")]).await;
    for idle in [vec![], vec![delete("/none")], vec![delete("/none"), delete("/nor this")]] {
        assert_eq!(write(&*store, idle).await, last);
    }
    assert_eq!(write(&*store, [delete("/none"), put("/k", "1")]).await, last + 1);
}

pub async fn concurrent_commits_have_revisions_of_their_own(place: &impl Place) {
    let store = place.open().await;
    let begin = revision(&*store).await;
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut mine = Vec::new();
            for n in 0..10 {
                let key = format!("/{task}/{n}");
                let revision = write(&*store, [put(&key, ""), put("/shared", &key)]).await;
                let seen = store.get(&key).await.unwrap().unwrap();
                assert_eq!(seen.modified, revision);
                mine.push(revision);
            }
            assert!(mine.is_sorted());
            mine
        });
    }
    let all: BTreeSet<u64> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), (begin + 1..=begin + 640).collect::<Vec<_>>());
}

pub async fn concurrent_counters_lose_no_increment(place: &impl Place) {
    let store = place.open().await;
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let store = store.clone();
        tasks.spawn(async move {
            for _ in 0..5 {
                increment(&*store, &format!("/counter/{}", task % 4)).await;
            }
        });
    }
    tasks.join_all().await;
    for n in 0..4 {
        let counter = store.get(&format!("/counter/{n}")).await.unwrap().unwrap();
        assert_eq!(counter.value, b"80");
    }
}

/// Reads and writes back until nobody came between.
pub async fn increment(store: &dyn Store, key: &str) {
    loop {
        let (compare, count) = match store.get(key).await.unwrap() {
            None => (Compare::Absent(key.to_owned()), 0),
            Some(entry) => {
                let count = std::str::from_utf8(&entry.value).unwrap().parse::<u64>().unwrap();
                (Compare::Modified(key.to_owned(), entry.modified), count)
            }
        };
        let writes = vec![put(key, (count + 1).to_string())];
        let txn = Txn { compares: vec![compare], writes };
        if let Outcome::Committed(_) = store.commit(txn).await.unwrap() {
            return;
        }
    }
}
