//! A process that has a store open, for the tests that kill it or run beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stokehold::store::embedded::{Embedded, Options, Role};
use stokehold::store::{Compare, Outcome, Store, Txn, Write};

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let open = |dir: &str, role| -> Arc<dyn Store> {
        Arc::new(Embedded::open(Path::new(dir), Options::new(role)).unwrap())
    };
    match words.as_slice() {
        ["hammer", dir, round, tasks] => {
            let store = open(dir, Role::Host);
            let tasks = (0..tasks.parse::<usize>().unwrap())
                .map(|task| tokio::spawn(hammer(store.clone(), format!("{round}/{task}"))));
            for task in tasks.collect::<Vec<_>>() {
                task.await.unwrap();
            }
        }
        ["count", dir, key, times] => {
            let store = open(dir, Role::Guest);
            for _ in 0..times.parse::<usize>().unwrap() {
                increment(&*store, key).await;
            }
        }
        ["hold", dir] => {
            let store = open(dir, Role::Host);
            let lease = store.grant(Duration::from_hours(1)).await.unwrap();
            let write = Write::Put { key: "/held".to_owned(), value: vec![], lease: Some(lease) };
            store.commit(Txn { compares: vec![], writes: vec![write] }).await.unwrap();
            println!("held");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        other => panic!("cannot do {other:?}"),
    }
}

/// Commits one transaction after the other and says so each time it is acknowledged.
async fn hammer(store: Arc<dyn Store>, task: String) {
    for n in 0_u64.. {
        let value = format!("{n:08}").repeat(100);
        let put = |key| Write::Put { key, value: value.clone().into_bytes(), lease: None };
        let parts = (0..4).map(|part| put(format!("/t/{task}/{n:08}/{part}")));
        let writes = parts.chain([put(format!("/last/{task}"))]).collect();
        match store.commit(Txn { compares: vec![], writes }).await.unwrap() {
            // A line is written with one call, whole or not at all.
            Outcome::Committed(revision) => println!("{task} {n} {revision}"),
            Outcome::Conflict(_) => unreachable!("it compares nothing"),
        }
    }
}

async fn increment(store: &dyn Store, key: &str) {
    loop {
        let (compare, count) = match store.get(key).await.unwrap() {
            None => (Compare::Absent(key.to_owned()), 0),
            Some(entry) => {
                let count = String::from_utf8(entry.value).unwrap().parse::<u64>().unwrap();
                (Compare::Modified(key.to_owned(), entry.modified), count)
            }
        };
        let value = (count + 1).to_string().into_bytes();
        let writes = vec![Write::Put { key: key.to_owned(), value, lease: None }];
        let outcome = store.commit(Txn { compares: vec![compare], writes }).await.unwrap();
        if let Outcome::Committed(_) = outcome {
            return;
        }
    }
}
