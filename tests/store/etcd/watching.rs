//! Watches across restarts, compactions and silence.

use std::time::{Duration, Instant};

use stokehold::store::StoreError;
use stokehold_tests::etcd::Cluster;

use super::super::place::{in_time, put, revision, shown, write};
use super::{open, options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_moves_on_with_every_commit() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let store = open(options(&cluster)).await;
    let begin = revision(&*store).await;
    let mut watch = store.watch(&["/a/"], begin).await.unwrap();
    let mut waited = Duration::ZERO;
    for n in 0..20 {
        let now = write(&*store, [put(format!("/b/{n}"), "")]).await;
        let since = Instant::now();
        let mut reached = 0;
        while reached < now {
            let batch = in_time(watch.next()).await.unwrap();
            assert!(batch.events.is_empty());
            reached = batch.revision;
        }
        waited += since.elapsed();
    }
    // It is not its sign of life, every five seconds, that moves it on.
    assert!(waited < Duration::from_secs(50), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_outlives_restarts_of_the_server() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let store = open(options(&cluster)).await;
    let begin = revision(&*store).await;
    let mut watch = store.watch(&["/k"], begin).await.unwrap();
    let (mut expected, mut seen) = (Vec::new(), Vec::new());
    for n in 0..3 {
        let now = write(&*store, [put("/k", n.to_string()), put("/other", "")]).await;
        expected.push(now);
        if n != 1 {
            // In one of the rounds the change is still to be shown when the server goes.
            seen.extend(shown(&mut *watch, now).await.into_iter().map(|event| event.revision));
        }
        cluster.member(0).kill();
        cluster.member(0).start().unwrap();
    }
    let end = write(&*store, [put("/k", "end")]).await;
    expected.push(end);
    seen.extend(shown(&mut *watch, end).await.into_iter().map(|event| event.revision));
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_has_lost_what_it_has_shown_is_told() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let store = open(options(&cluster)).await;
    let begin = revision(&*store).await;
    let mut watch = store.watch(&["/k"], begin).await.unwrap();
    for n in 0..3 {
        let now = write(&*store, [put("/k", n.to_string())]).await;
        shown(&mut *watch, now).await;
    }
    cluster.member(0).kill();
    cluster.member(0).forget().unwrap();
    cluster.member(0).start().unwrap();
    let lost = in_time(watch.next()).await.unwrap_err();
    assert!(matches!(lost, StoreError::Rewound { seen, now } if now < seen), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_past_is_shown_in_answers_of_any_size() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let store = open(options(&cluster)).await;
    let begin = revision(&*store).await;
    let mut end = begin;
    for n in 0..12 {
        end = write(&*store, [put("/k", vec![n; 1 << 20])]).await;
    }
    let mut watch = store.watch(&["/k"], begin).await.unwrap();
    let events = shown(&mut *watch, end).await;
    assert_eq!(events.len(), 12);
    for (n, event) in (0..).zip(events) {
        assert!(event.value == Some(vec![n; 1 << 20]));
    }
}

/// What was wanted, and the oldest that can be had.
fn bounds(told: &StoreError) -> Option<(u64, u64)> {
    match told {
        StoreError::Compacted { wanted, oldest } => Some((*wanted, *oldest)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_a_compaction_overtakes_is_told_so() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let store = open(options(&cluster)).await;
    let begin = revision(&*store).await;
    let mut watch = store.watch(&["/k"], begin).await.unwrap();
    // More than all the buffers on the way hold.
    let mut end = begin;
    for n in 0..120_u8 {
        end = write(&*store, [put("/k", vec![n; 300 << 10])]).await;
    }
    for n in 0..300 {
        end = write(&*store, [put("/k", n.to_string())]).await;
    }
    let compacted = i64::try_from(end).unwrap();
    cluster.client().await.unwrap().compact(compacted, None).await.unwrap();
    let mut reached = begin;
    let told = loop {
        match in_time(watch.next()).await {
            Ok(batch) => {
                let revisions = batch.events.iter().map(|event| event.revision);
                assert!(revisions.eq(reached + 1..=batch.revision), "none is left out");
                reached = batch.revision;
            }
            Err(error) => break error,
        }
    };
    assert_eq!(bounds(&told), Some((reached, end)), "{told:?}");
    assert!(watch.next().await.is_err(), "it is over");
    let mut watch = store.watch(&["/k"], end).await.unwrap();
    let now = write(&*store, [put("/k", "now")]).await;
    assert_eq!(shown(&mut *watch, now).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_at_the_compacted_revision_is_not_left_out() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let store = open(options(&cluster)).await;
    let before = write(&*store, [put("/gone", "")]).await;
    let gone = write(&*store, [super::super::place::delete("/gone")]).await;
    write(&*store, [put("/k", "")]).await;
    let compacted = i64::try_from(gone).unwrap();
    cluster.client().await.unwrap().compact(compacted, None).await.unwrap();
    // etcd itself would begin at the deletion's revision, and show nothing of it.
    let mut watch = store.watch(&["/"], before).await.unwrap();
    let told = in_time(watch.next()).await.unwrap_err();
    assert_eq!(bounds(&told), Some((before, gone)), "{told:?}");
    let mut watch = store.watch(&["/"], gone).await.unwrap();
    assert_eq!(in_time(watch.next()).await.unwrap().revision, gone + 1);
}
