//! The embedded store against the bare disk, and many callers against one.
//!
//! Absolute times are the disk's; the ratios tell. A commit changes a job (4 KiB), its place in the
//! queue and its step, and compares the step, as a transition does.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stokehold::store::embedded::{Embedded, Options, Role};
use stokehold::store::{Compare, Outcome, Store, Txn, Write};
use tokio::runtime::Runtime;

const JOB_BYTES: usize = 4_096;
/// A caller comes back to the same job after so many others.
const JOBS_PER_CALLER: usize = 16;

fn put(key: String, bytes: usize) -> Write {
    Write::Put { key, value: vec![b'x'; bytes], lease: None }
}

/// One transition of one job; `last` is the revision of the one before.
fn transition(job: &str, last: Option<u64>) -> Txn {
    let step = format!("/stokehold/steps/{job}");
    let compare = match last {
        None => Compare::Absent(step.clone()),
        Some(revision) => Compare::Modified(step.clone(), revision),
    };
    let all = put(format!("/jobs/all/{job}"), JOB_BYTES);
    let ready = put(format!("/jobs/ready/{job}"), "heat_worker".len());
    Txn { compares: vec![compare], writes: vec![all, ready, put(step, 60)] }
}

/// A caller that commits `times` transitions, each after the other.
async fn call(store: Arc<dyn Store>, caller: String, times: u64) {
    let mut last = [None; JOBS_PER_CALLER];
    for (n, job) in (0..times).zip((0..JOBS_PER_CALLER).cycle()) {
        let known = last.get_mut(job).unwrap();
        let outcome = store.commit(transition(&format!("{caller}/{job}"), *known)).await.unwrap();
        let Outcome::Committed(revision) = outcome else { unreachable!("transition {n}") };
        *known = Some(revision);
    }
}

fn bare_disk(criterion: &mut Criterion) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut file = File::create(dir.path().join("bare")).unwrap();
    let bytes = vec![b'x'; JOB_BYTES];
    criterion.bench_function("store/bare append and fdatasync", |bencher| {
        bencher.iter(|| {
            file.write_all(black_box(&bytes)).unwrap();
            file.sync_data().unwrap();
        });
    });
}

/// A store whose history has room: what a host sees but for bursts of minutes.
fn commits(criterion: &mut Criterion) {
    let mut options = Options::new(Role::Host);
    (options.history_revisions_max, options.history_bytes_max) = (u64::MAX / 2, u64::MAX / 2);
    measure(criterion, "store/commit", options);
}

/// A store that drops as much history as it gains, as after some seconds at full speed.
fn commits_while_trimming(criterion: &mut Criterion) {
    let mut options = Options::new(Role::Host);
    options.history_revisions_max = 5_000;
    measure(criterion, "store/commit while trimming", options);
}

fn measure(criterion: &mut Criterion, name: &str, options: Options) {
    let runtime = Runtime::new().unwrap();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store: Arc<dyn Store> = Arc::new(Embedded::open(dir.path(), options).unwrap());
    let rounds = AtomicU64::new(0);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1)).measurement_time(Duration::from_secs(5));
    for callers in [1, 64] {
        let id = BenchmarkId::new("callers", callers);
        group.bench_function(id, |bencher| {
            bencher.to_async(&runtime).iter_custom(|commits| {
                let round = rounds.fetch_add(1, Ordering::Relaxed);
                run(store.clone(), callers, round, commits)
            });
        });
    }
    group.finish();
}

/// The time that `commits` commits take when shared among the callers.
async fn run(store: Arc<dyn Store>, callers: u64, round: u64, commits: u64) -> Duration {
    let begun = Instant::now();
    let calls = (0..callers).map(|caller| {
        let times = commits / callers + u64::from(caller < commits % callers);
        tokio::spawn(call(store.clone(), format!("{round}/{caller}"), times))
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    begun.elapsed()
}

criterion_group!(benches, bare_disk, commits, commits_while_trimming);
criterion_main!(benches);
