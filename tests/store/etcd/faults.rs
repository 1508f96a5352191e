//! Members that are dead or halted.

use std::time::{Duration, Instant};

use stokehold::store::etcd::{Etcd, EtcdOptions};
use stokehold::store::{LeaseId, Outcome, StoreError, Write};
use stokehold_tests::etcd::Cluster;

use super::super::place::{put, revision, shown, write, writes};
use super::{address, open, options};

/// What a machine that has other things to do may add to a deadline; a request without one takes for ever.
const SLACK: Duration = Duration::from_secs(20);

/// Fails unless it is `Unavailable`, within the deadline.
async fn out_of_reach<T>(request: impl Future<Output = Result<T, StoreError>>, within: Duration) {
    let since = Instant::now();
    let answer = request.await.err();
    assert!(matches!(answer, Some(StoreError::Unavailable(_))), "{answer:?}");
    let took = since.elapsed();
    assert!(took < within + SLACK, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halted_server_is_told_in_time_and_taken_up_again() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let within = Duration::from_secs(1);
    let patient = open(EtcdOptions { request_timeout: SLACK, ..options(&cluster) }).await;
    let store = open(EtcdOptions { request_timeout: within, ..options(&cluster) }).await;
    let lease = patient.grant(Duration::from_mins(10)).await.unwrap();
    let begin = write(&*patient, [put("/k", "before")]).await;
    let mut watch = store.watch(&["/k"], begin).await.unwrap();
    cluster.member(0).halt().unwrap();
    tokio::join!(
        out_of_reach(store.get("/k"), within),
        out_of_reach(store.list("/", None, 10), within),
        out_of_reach(store.commit(writes([put("/unknown", "")])), within),
        out_of_reach(store.grant(Duration::from_mins(1)), within),
        out_of_reach(store.keep(lease), within),
        out_of_reach(store.revoke(LeaseId(7)), within),
    );
    let late = EtcdOptions { request_timeout: within, ..options(&cluster) };
    out_of_reach(Etcd::open(late), within).await;
    cluster.member(0).go_on().unwrap();
    while let Err(StoreError::Unavailable(_)) = store.get("/k").await {}
    patient.keep(lease).await.unwrap();
    assert_eq!(patient.get("/k").await.unwrap().unwrap().value, b"before");
    let now = write(&*patient, [put("/k", "after")]).await;
    let events = shown(&mut *watch, now).await;
    assert_eq!(events.iter().map(|event| event.revision).collect::<Vec<_>>(), [now]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_there_and_that_is_told() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let within = Duration::from_secs(1);
    let patient =
        open(EtcdOptions { request_timeout: Duration::from_mins(2), ..options(&cluster) }).await;
    let options = EtcdOptions { request_timeout: within, ..options(&cluster) };
    let store = open(options.clone()).await;
    cluster.member(0).kill();
    out_of_reach(store.get("/k"), within).await;
    out_of_reach(store.commit(writes([put("/k", "")])), within).await;
    let Err(StoreError::Unavailable(source)) = Etcd::open(options).await else { panic!() };
    assert!(source.to_string().contains("refused"), "{source}");
    // What was certainly not done is tried again until somebody is there.
    let waiting = tokio::spawn(async move { write(&*patient, [put("/k", "late")]).await });
    cluster.member(0).start().unwrap();
    waiting.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_ends_while_its_server_is_halted() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let store = open(options(&cluster)).await;
    let ttl = Duration::from_secs(2);
    let (lease, claim, begin) = loop {
        let lease = store.grant(ttl).await.unwrap();
        let claim = Write::Put { key: "/k".to_owned(), value: Vec::new(), lease: Some(lease) };
        match store.commit(writes([claim.clone()])).await {
            Ok(Outcome::Committed(begin)) => break (lease, claim, begin),
            // It has ended before it could be used.
            Err(StoreError::LeaseLost(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    cluster.member(0).halt().unwrap();
    let since = Instant::now();
    out_of_reach(store.keep(lease), ttl / 3).await;
    tokio::time::sleep(ttl.saturating_sub(since.elapsed()) + ttl / 2).await;
    cluster.member(0).go_on().unwrap();
    let mut watch = store.watch(&["/k"], begin).await.unwrap();
    assert_eq!(shown(&mut *watch, begin + 1).await[0].value, None);
    let lost = |error| matches!(error, Some(StoreError::LeaseLost(of)) if of == lease);
    let kept = loop {
        match store.keep(lease).await {
            Err(StoreError::Unavailable(_)) => {}
            kept => break kept,
        }
    };
    assert!(lost(kept.err()));
    assert!(lost(store.commit(writes([claim])).await.err()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_and_halted_members_are_passed_over() {
    let Some(cluster) = Cluster::start(3).unwrap() else { return };
    let leader = cluster.leader().await.unwrap();
    let mut endpoints = cluster.endpoints();
    endpoints.swap(0, (leader + 1) % 3);
    let within = Duration::from_secs(15);
    let patient = EtcdOptions { request_timeout: within, ..EtcdOptions::new(address(&endpoints)) };

    // The first one hangs: reads go to others in time, and so does what comes after them.
    let halted = cluster.member((leader + 1) % 3);
    let store = open(patient.clone()).await;
    write(&*store, [put("/k", "")]).await;
    halted.halt().unwrap();
    assert!(store.get("/k").await.unwrap().is_some());
    let now = write(&*store, [put("/k", "halted")]).await;
    let mut watch = store.watch(&["/k"], now - 1).await.unwrap();
    assert_eq!(shown(&mut *watch, now).await.len(), 1);
    open(patient.clone()).await;
    halted.go_on().unwrap();

    halted.kill();
    let store = open(patient).await;
    let now = write(&*store, [put("/k", "dead")]).await;
    let mut watch = store.watch(&["/k"], now - 1).await.unwrap();
    assert_eq!(shown(&mut *watch, now).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_leaves_a_member_that_is_silent() {
    let Some(cluster) = Cluster::start(3).unwrap() else { return };
    let leader = cluster.leader().await.unwrap();
    let mut endpoints = cluster.endpoints();
    endpoints.swap(0, (leader + 1) % 3);
    let quick = EtcdOptions {
        request_timeout: Duration::from_secs(15),
        ..EtcdOptions::new(address(&endpoints))
    };
    let store = open(quick).await;
    let begin = write(&*store, [put("/k", "")]).await;
    let mut watch = store.watch(&["/k"], begin - 1).await.unwrap();
    assert_eq!(shown(&mut *watch, begin).await.len(), 1);
    cluster.member((leader + 1) % 3).halt().unwrap();
    assert!(store.get("/k").await.unwrap().is_some());
    let now = write(&*store, [put("/k", "halted")]).await;
    assert_eq!(shown(&mut *watch, now).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_loses_nothing() {
    let Some(cluster) = Cluster::start(3).unwrap() else { return };
    let store = open(options(&cluster)).await;
    let begin = revision(&*store).await;
    let mut watch = store.watch(&["/k/"], begin).await.unwrap();
    let lease = store.grant(Duration::from_mins(1)).await.unwrap();
    let (mut acknowledged, mut unknown) = (Vec::new(), 0);
    let leader = cluster.leader().await.unwrap();
    for n in 0..200 {
        if n == 50 {
            cluster.member(leader).kill();
        }
        if n == 150 {
            cluster.member(leader).start().unwrap();
        }
        let txn = writes([put(format!("/k/{n:03}"), ""), put("/last", n.to_string())]);
        match store.commit(txn).await {
            Ok(Outcome::Committed(revision)) => acknowledged.push((n, revision)),
            Err(StoreError::Unavailable(_)) => unknown += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(unknown <= 20 && acknowledged.len() + unknown == 200, "{unknown} are unknown");
    store.keep(lease).await.unwrap();
    let end = revision(&*store).await;
    let seen = shown(&mut *watch, end).await;
    assert!(seen.is_sorted_by(|a, b| a.revision < b.revision), "each is shown once, in order");
    for (n, revision) in acknowledged {
        let key = format!("/k/{n:03}");
        assert!(seen.iter().any(|event| event.key == key && event.revision == revision), "{key}");
        assert_eq!(store.get(&key).await.unwrap().unwrap().modified, revision);
    }
}
