//! What the etcd store promises beyond the contract: its answers' sizes, its watches, and what it
//! makes of members that are dead, halted, or strict about who comes.

mod access;
mod crash;
mod faults;
mod watching;

use std::sync::Arc;
use stokehold_tests::random::Random;

use stokehold::store::Store;
use stokehold::store::etcd::{Address, Etcd, EtcdOptions};
use stokehold_tests::etcd::Cluster;

use super::place::{Folder, Place, Served, put, write};

/// How a cluster is reached.
fn options(cluster: &Cluster) -> EtcdOptions {
    EtcdOptions::new(cluster.address().parse().unwrap())
}

async fn open(options: EtcdOptions) -> Arc<dyn Store> {
    Arc::new(Etcd::open(options).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_stores_answer_the_same() {
    if !Served::can_be() {
        return;
    }
    let seed = Random::seed();
    println!("seed {seed}");
    let (folder, served) = (Folder::new().await, Served::new().await);
    super::model::agree([folder.open().await, served.open().await], seed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_as_small_as_its_entries_need() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let store = open(options(&cluster)).await;
    for n in 0..9 {
        write(&*store, [put(format!("/large/{n}"), vec![n; 1 << 20])]).await;
    }
    write(&*store, (0..100).map(|n| put(format!("/small/{n:02}"), ""))).await;
    let page = store.list("/large/", None, 100).await.unwrap();
    assert!((1..4).contains(&page.entries.len()) && page.more, "{}", page.entries.len());
    // What was learnt from large entries does not stay for small ones.
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let page = store.list("/small/", after.as_deref(), 100).await.unwrap();
        pages.push(page.entries.len());
        after = page.entries.last().map(|entry| entry.key.clone());
        if !page.more {
            break;
        }
    }
    assert_eq!(pages.iter().sum::<usize>(), 100);
    assert!(pages.len() < 10 && pages.is_sorted_by(|a, b| a <= b || *b == *pages.last().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_tells_how_it_is() {
    let Some(cluster) = Cluster::start(3).unwrap() else { return };
    let store = Etcd::open(options(&cluster)).await.unwrap();
    let leader = cluster.leader().await.unwrap();
    cluster.member((leader + 1) % 3).kill();
    let all = store.status().await;
    assert_eq!(all.len(), 3);
    for (nth, member) in all.iter().enumerate() {
        assert_eq!(member.url, format!("http://{}", cluster.endpoints()[nth]));
        if nth == (leader + 1) % 3 {
            let told = member.state.as_ref().unwrap_err();
            assert!(told.contains("refused"), "{told}");
            continue;
        }
        let state = member.state.as_ref().unwrap();
        assert_eq!((state.leads, state.has_leader), (nth == leader, true));
        assert!(state.version.starts_with("3.") && state.raft_term > 0 && state.db_bytes > 0);
        assert!(state.errors.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_no_texts_are_passed_over() {
    let Some(cluster) = Cluster::start(1).unwrap() else { return };
    let store = open(options(&cluster)).await;
    let begin = write(&*store, [put("/a", "")]).await;
    let mut bare = cluster.client().await.unwrap();
    for n in 0..5 {
        bare.put([b'/', b'b', 0xff, n], "theirs", None).await.unwrap();
    }
    let end = write(&*store, [put("/c", "")]).await;
    let keys = async |limit| {
        let (mut after, mut keys) = (None::<String>, Vec::new());
        loop {
            let page = store.list("/", after.as_deref(), limit).await.unwrap();
            keys.extend(page.entries.into_iter().map(|entry| entry.key));
            after = keys.last().cloned();
            if !page.more {
                return keys;
            }
        }
    };
    for limit in [1, 2, 100] {
        assert_eq!(keys(limit).await, ["/a", "/c"], "pages of {limit}");
    }
    let mut watch = store.watch(&["/"], begin).await.unwrap();
    let events = super::place::shown(&mut *watch, end).await;
    assert_eq!(events.iter().map(|event| event.key.as_str()).collect::<Vec<_>>(), ["/c"]);
}

/// An address of these members.
fn address(endpoints: &[String]) -> Address {
    format!("etcd://{}", endpoints.join(",")).parse().unwrap()
}
