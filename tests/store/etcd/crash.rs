//! What a killed etcd leaves: every acknowledged transaction whole, no other in part.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stokehold_tests::random::Random;

use stokehold::store::{Compare, Outcome, Store, StoreError, Txn, Write};
use stokehold_tests::etcd::{Cluster, Setup};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::crash::{
    Acknowledged, history_makes_the_listing, list_all, transactions_are_whole,
};
use super::super::place::{put, revision};
use super::{open, options};

const ROUNDS: usize = 4;
const MEMBERS: usize = 3;
/// Versions 3.5.0 to 3.5.2, of which the package of `cargo xtask etcd` is one, may note an entry of
/// their log as applied before it is, and skip it after a crash. They cannot where nothing is noted:
/// then all of the log is applied again. (A compaction would note it all the same.)
const APPLY_ALL_AGAIN: [&str; 2] =
    ["--backend-batch-interval=1h", "--backend-batch-limit=1000000000"];
const TASKS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_etcd_leaves_whole_transactions() {
    // Alone, a member before 3.5.5 and 3.4.21 acknowledges what it is still writing down.
    let setup = Setup { members: MEMBERS, tls: false, args: &APPLY_ALL_AGAIN };
    let Some(cluster) = Cluster::with(setup).unwrap() else { return };
    let seed = Random::seed();
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let store = open(options(&cluster)).await;
    let base = revision(&*store).await;
    let mut acknowledged = Acknowledged::new();
    for round in 0..ROUNDS {
        let (stop, stopped) = watch::channel(false);
        let count = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let hammer = Hammer { store: store.clone(), count: count.clone(), round, task };
            tasks.spawn(hammer.run(stopped.clone()));
        }
        let kill_after = 1 + random.below(100);
        while count.load(Ordering::Relaxed) < kill_after {
            tokio::task::yield_now().await;
        }
        (0..MEMBERS).for_each(|nth| cluster.member(nth).kill());
        cluster.start_all().unwrap();
        stop.send(true).unwrap();
        acknowledged.extend(tasks.join_all().await.into_iter().flatten());
        let entries = list_all(&*store).await;
        transactions_are_whole(&entries, &acknowledged);
        history_makes_the_listing(&store, &entries, base).await;
    }
    assert!(acknowledged.len() >= ROUNDS);
}

struct Hammer {
    store: Arc<dyn Store>,
    count: Arc<AtomicUsize>,
    round: usize,
    task: usize,
}

impl Hammer {
    /// Commits one transaction after the other until stopped; what was acknowledged.
    async fn run(self, stopped: watch::Receiver<bool>) -> Acknowledged {
        let Self { store, count, round, task } = self;
        let mut acknowledged = Acknowledged::new();
        for n in 0_u64.. {
            let done = commit(&*store, round, task, n).await;
            acknowledged.insert((round, task, n), done);
            count.fetch_add(1, Ordering::Relaxed);
            if *stopped.borrow() {
                break;
            }
        }
        acknowledged
    }
}

/// Commits, and where the outcome is unknown reads back what became of it.
async fn commit(store: &dyn Store, round: usize, task: usize, n: u64) -> u64 {
    let value = format!("{n:08}").repeat(100);
    let part = |part: usize| format!("/t/{round}/{task}/{n:08}/{part}");
    let last = format!("/last/{round}/{task}");
    let keys = (0..4).map(part).chain([last]);
    let writes: Vec<Write> = keys.map(|key| put(key, &value)).collect();
    let compares = vec![Compare::Absent(part(0))];
    loop {
        match store.commit(Txn { compares: compares.clone(), writes: writes.clone() }).await {
            Ok(Outcome::Committed(revision)) => return revision,
            Ok(Outcome::Conflict(_)) => {
                if let Ok(found) = store.get(&part(0)).await {
                    return found.unwrap().modified;
                }
            }
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}
