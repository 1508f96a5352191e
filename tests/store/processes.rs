//! Several processes on one folder.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stokehold::store::embedded::{Embedded, Options, Role};
use stokehold::store::{Store, StoreError};
use tokio::task::JoinSet;

use super::place::{Folder, Place, in_time, put, write};

/// A running `store-process`; killed when dropped.
pub struct Process {
    child: Child,
    /// What it says.
    pub output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it with these words.
    pub fn start(words: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_store-process"))
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Its next line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without warning.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for its end; whether it ended well.
    pub fn ended_well(&mut self) -> bool {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, or has nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Folder {
    /// Its path as a word.
    pub fn dir(&self) -> &str {
        self.path().to_str().unwrap()
    }

    fn open_guest(&self) -> Arc<dyn Store> {
        self.open_with(Options::new(Role::Guest))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_sees_what_another_process_writes() {
    let place = Folder::new().await;
    let store = place.open().await;
    let mut watch = store.watch(&["/counter"], 0).await.unwrap();
    let mut process = Process::start(&["count", place.dir(), "/counter", "20"]);
    let mut values = Vec::new();
    while values.len() < 20 {
        let events = in_time(watch.next()).await.unwrap().events;
        values.extend(events.into_iter().map(|event| event.value.unwrap()));
    }
    let expected: Vec<Vec<u8>> = (1..=20).map(|n: u32| n.to_string().into_bytes()).collect();
    assert_eq!(values, expected);
    assert!(process.ended_well());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_of_two_processes_lose_no_increment() {
    let place = Folder::new().await;
    let store = place.open().await;
    let mut process = Process::start(&["count", place.dir(), "/counter", "100"]);
    for _ in 0..100 {
        super::contract::increment(&*store, "/counter").await;
    }
    assert!(process.ended_well());
    assert_eq!(store.get("/counter").await.unwrap().unwrap().value, b"200");
    assert_eq!(super::place::revision(&*store).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_host_lets_others_write() {
    let place = Folder::new().await;
    let (host, guest) = (place.open().await, place.open_guest());
    let mut busy = JoinSet::new();
    for task in 0..32 {
        let host = host.clone();
        busy.spawn(async move {
            for n in 0.. {
                write(&*host, [put(format!("/busy/{task}/{}", n % 8), vec![0; 1_000])]).await;
            }
        });
    }
    let begun = Instant::now();
    for n in 0..20 {
        write(&*guest, [put("/guest", n.to_string())]).await;
    }
    assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", begun.elapsed());
    busy.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_host_is_refused() {
    let place = Folder::new().await;
    let mut process = Process::start(&["hold", place.dir()]);
    assert_eq!(process.line(), "held");
    let refused = Embedded::open(place.path(), Options::new(Role::Host)).err().unwrap();
    assert!(matches!(refused, StoreError::Unusable { .. }));
    assert_eq!(
        refused.to_string(),
        format!(
            "cannot open store {}: another host (process {}) runs on this folder; \
             stop it, or give this host a folder of its own",
            place.dir(),
            process.id()
        )
    );
    assert!(place.open_guest().get("/held").await.unwrap().is_some());
    assert!(process.ended_well());
    place.open().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_of_a_killed_host_end_when_the_next_one_opens() {
    let place = Folder::new().await;
    let mut process = Process::start(&["hold", place.dir()]);
    assert_eq!(process.line(), "held");
    let guest = place.open_guest();
    let of_guest = guest.grant(Duration::from_hours(1)).await.unwrap();
    process.kill();
    assert!(!process.ended_well());
    let held = guest.get("/held").await.unwrap().unwrap();
    let mut watch = guest.watch(&["/held"], held.modified).await.unwrap();

    let host = place.open().await;
    assert_eq!(host.get("/held").await.unwrap(), None);
    let batch = in_time(watch.next()).await.unwrap();
    assert_eq!((batch.events.len(), batch.events[0].value.clone()), (1, None));
    let lost = host.keep(held.lease.unwrap()).await;
    assert!(matches!(lost, Err(StoreError::LeaseLost(_))));
    host.keep(of_guest).await.unwrap();
}
