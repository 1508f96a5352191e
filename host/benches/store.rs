//! The embedded store against the bare disk, and many callers against one.
//!
//! Absolute times are the disk's; the ratios tell. A commit changes a job (4 KB of JSON), its place
//! in the queue and its step, and compares the step, as a transition does.
//!
//! Wanted: one caller at most 3 times the bare append and fdatasync of 4 KiB, 64 callers at least
//! 10 times the commits of one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a measurement")]

mod measure;

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use measure::{Wanted, ratio, seconds};
use stokehold::store::embedded::{Embedded, Options, Role};
use stokehold::store::{Compare, Outcome, Store, Txn, Write};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A caller comes back to the same job after so many others.
const JOBS_PER_CALLER: usize = 16;
const CROWD: u64 = 64;
/// What a round of a ratio does: some 10 ms of work for either side.
const ALONE_COMMITS: u64 = 25;
const CROWD_COMMITS: u64 = 10 * CROWD;
const ROUNDS: usize = 301;

fn put(key: String, value: &[u8]) -> Write {
    Write::Put { key, value: value.to_owned(), lease: None }
}

struct Job {
    name: String,
    text: Vec<u8>,
    /// The revision of its last transition.
    last: Option<u64>,
}

impl Job {
    fn transition(&self) -> Txn {
        let name = &self.name;
        let step = format!("/stokehold/steps/{name}");
        let compare = match self.last {
            None => Compare::Absent(step.clone()),
            Some(revision) => Compare::Modified(step.clone(), revision),
        };
        let checkpoint = br#"{"template":"port","checkpoint":{"phase":"wait"},"tries":0}"#;
        Txn {
            compares: vec![compare],
            writes: vec![
                put(format!("/jobs/all/{name}"), &self.text),
                put(format!("/jobs/ready/{name}"), b"heat_worker"),
                put(step, checkpoint),
            ],
        }
    }
}

/// Someone who commits transitions, each after the other.
struct Caller {
    jobs: Vec<Job>,
    next: usize,
}

impl Caller {
    fn new(name: &str) -> Self {
        let job = |nth| {
            let name = format!("{name}/{nth}");
            Job { text: measure::job::text(&name), name, last: None }
        };
        Self { jobs: (0..JOBS_PER_CALLER).map(job).collect(), next: 0 }
    }

    async fn commit(mut self, store: Arc<dyn Store>, times: u64) -> Self {
        for _ in 0..times {
            let job = &mut self.jobs[self.next];
            let outcome = store.commit(job.transition()).await.unwrap();
            let Outcome::Committed(revision) = outcome else { unreachable!("{}", job.name) };
            job.last = Some(revision);
            self.next = (self.next + 1) % JOBS_PER_CALLER;
        }
        self
    }
}

/// Some callers of one store.
struct Callers {
    store: Arc<dyn Store>,
    callers: Vec<Caller>,
}

impl Callers {
    fn new(store: &Arc<dyn Store>, callers: u64) -> Self {
        let caller = |nth| Caller::new(&format!("{nth} of {callers}"));
        Self { store: Arc::clone(store), callers: (0..callers).map(caller).collect() }
    }

    /// The time that so many commits take when shared among the callers.
    fn commit(&mut self, runtime: &Runtime, commits: u64) -> Duration {
        runtime.block_on(async {
            let begun = Instant::now();
            let count = self.callers.len() as u64;
            let calls = self.callers.drain(..).zip(0..).map(|(caller, nth)| {
                let times = commits / count + u64::from(nth < commits % count);
                tokio::spawn(caller.commit(Arc::clone(&self.store), times))
            });
            let calls: Vec<_> = calls.collect();
            for call in calls {
                self.callers.push(call.await.unwrap());
            }
            begun.elapsed()
        })
    }

    fn seconds(&mut self, runtime: &Runtime, commits: u64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        let commits_f64 = commits as f64;
        self.commit(runtime, commits).as_secs_f64() / commits_f64
    }
}

fn dir() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn open(dir: &TempDir, options: Options) -> Arc<dyn Store> {
    Arc::new(Embedded::open(dir.path(), options).unwrap())
}

/// A store whose history has room: what a host sees but for bursts of minutes.
fn roomy() -> Options {
    let mut options = Options::new(Role::Host);
    (options.history_revisions_max, options.history_bytes_max) = (u64::MAX / 2, u64::MAX / 2);
    options
}

/// A store that drops as much history as it gains, as after some seconds at full speed.
fn trimming() -> Options {
    Options { history_revisions_max: 5_000, ..Options::new(Role::Host) }
}

/// Appends to a file, each append synced.
struct Bare {
    file: File,
    bytes: Vec<u8>,
}

impl Bare {
    fn new(dir: &TempDir) -> Self {
        Self { file: File::create(dir.path().join("bare")).unwrap(), bytes: vec![b'x'; 4_096] }
    }

    fn append(&mut self) {
        self.file.write_all(black_box(&self.bytes)).unwrap();
        self.file.sync_data().unwrap();
    }
}

fn bare_disk(criterion: &mut Criterion) {
    let dir = dir();
    let mut bare = Bare::new(&dir);
    criterion.bench_function("store/bare append and fdatasync", |bencher| {
        bencher.iter(|| bare.append());
    });
}

fn commits(criterion: &mut Criterion) {
    measure(criterion, "store/commit", roomy());
}

fn commits_while_trimming(criterion: &mut Criterion) {
    measure(criterion, "store/commit while trimming", trimming());
}

fn measure(criterion: &mut Criterion, name: &str, options: Options) {
    let runtime = Runtime::new().unwrap();
    let dir = dir();
    let store = open(&dir, options);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(5));
    for count in [1, CROWD] {
        let mut callers = Callers::new(&store, count);
        group.bench_function(BenchmarkId::new("callers", count), |bencher| {
            bencher.iter_custom(|commits| callers.commit(&runtime, commits));
        });
    }
    group.finish();
}

fn ratios(_: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for (name, options) in [("store/commit", roomy()), ("store/commit while trimming", trimming())]
    {
        let dir = dir();
        let store = open(&dir, options);
        let (mut one, mut crowd) = (Callers::new(&store, 1), Callers::new(&store, CROWD));
        ratio(
            &format!("{name}: commits of {CROWD} callers beside those of one"),
            Wanted::AtLeast(10.0),
            ROUNDS,
            || one.seconds(&runtime, ALONE_COMMITS),
            || crowd.seconds(&runtime, CROWD_COMMITS),
        );
        let mut bare = Bare::new(&dir);
        ratio(
            &format!("{name}: one caller beside the bare disk"),
            Wanted::AtMost(3.0),
            ROUNDS,
            || one.seconds(&runtime, ALONE_COMMITS),
            || seconds(25, || bare.append()),
        );
    }
}

criterion_group!(benches, bare_disk, commits, commits_while_trimming, ratios);
criterion_main!(benches);
