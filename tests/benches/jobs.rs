//! Jobs of one host on etcd against a bare loop of the same transactions on the same etcd.
//!
//! Each resource is a workflow of one job whose handler answers at once, in a sandbox as ever. The
//! bare loop commits what the host committed for one such resource, again and again, with as many
//! in flight as the host has slots; it watches nothing and calls nobody.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use serde_json::{Value as Json, json};
use stokehold::store::{Compare, Event, Outcome, Store, Txn, Write};
use stokehold_tests::etcd::Cluster;
use stokehold_tests::guests;
use stokehold_tests::world::{Setup, World};
use tokio::runtime::Runtime;

const SLOTS: [usize; 2] = [8, 64];
/// Jobs of one measurement.
const JOBS: u64 = 500;
/// Configs that are written at once.
const CONFIGS: usize = 100;
/// What stands for a resource's id in what was recorded.
const SAMPLE: &str = "sample";

fn jobs(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let Some(etcd) = Cluster::start(1).unwrap() else { return };
    let mut etcd = Some(etcd);
    let rounds = AtomicU64::new(0);
    let mut group = criterion.benchmark_group("jobs");
    group.throughput(Throughput::Elements(JOBS)).sample_size(10);
    group.sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(5));
    let folder = tempfile::tempdir().unwrap();
    let mut world = runtime.block_on(world(etcd.take().unwrap(), folder.path())).unwrap();
    let sample = Arc::new(runtime.block_on(sample(&mut world)).unwrap());
    println!("transactions of a workflow of one job: {}, sweeps not counted", sample.len());
    let bare = runtime.block_on(world.etcd().unwrap().store()).unwrap();
    for slots in SLOTS {
        group.bench_function(BenchmarkId::new("bare loop", slots), |bencher| {
            bencher.iter_custom(|times| {
                let round = rounds.fetch_add(1, Ordering::Relaxed);
                runtime.block_on(loops(&bare, &sample, slots, round, times * JOBS))
            });
        });
        world.setup_mut().pace.handler_slots = slots;
        runtime.block_on(world.start_host()).unwrap();
        let mut spent = (0, 0);
        group.bench_function(BenchmarkId::new("host", slots), |bencher| {
            bencher.iter_custom(|times| {
                let round = rounds.fetch_add(1, Ordering::Relaxed);
                let (took, transactions) =
                    runtime.block_on(host(&world, round, times * JOBS)).unwrap();
                spent = (spent.0 + transactions, spent.1 + times * JOBS);
                took
            });
        });
        #[allow(clippy::cast_precision_loss)]
        if spent.1 > 0 {
            let each = spent.0 as f64 / spent.1 as f64;
            println!("transactions a job, sweeps and all: {each:.3} ({} jobs)", spent.1);
        }
        runtime.block_on(world.stop_host()).unwrap();
    }
    group.finish();
}

/// A world on etcd with one type, whose only handler is the echo worker.
async fn world(etcd: Cluster, folder: &std::path::Path) -> anyhow::Result<World> {
    let handlers = folder.join("handlers");
    fs::create_dir(&handlers)?;
    fs::copy(guests::build("echo_worker"), handlers.join("echo_worker.wasm"))?;
    let schemas = json!({"schemas": [{
        "id": "thing",
        "plural": "things",
        "prefix": "/v2.0/things",
        "metadata": {"templates": {"echo_worker": "Cecho"}},
        "schema": {"properties": {"id": {"type": "string"}}},
    }]});
    let mut setup = Setup::new(serde_json::to_vec(&schemas)?)?;
    setup.handlers = handlers;
    setup.pace.lease_ms = 10_000;
    let world = World::on_etcd(setup, etcd).await?;
    let template = json!({
        "id": "echo", "handler": "echo_worker", "template_file": "", "parameter_mappings": {},
    });
    world.config("/v2.0/heat_templates/echo", &template, 1, false).await?;
    Ok(world)
}

/// What the host commits for one resource, transaction by transaction.
async fn sample(world: &mut World) -> anyhow::Result<Vec<Vec<Event>>> {
    world.start_host().await?;
    let key = format!("/v2.0/things/{SAMPLE}");
    world.config(&key, &body(SAMPLE), 1, false).await?;
    world.state(&key, 1).await?;
    world.idle().await?;
    world.stop_host().await?;
    let mut transactions = BTreeMap::<u64, Vec<Event>>::new();
    for event in world.history().await? {
        transactions.entry(event.revision).or_default().push(event);
    }
    let of_it = |events: &Vec<Event>| {
        let about = |event: &Event| event.key.contains(SAMPLE);
        let sweep = events.iter().all(|event| event.key.starts_with("/esi-worker/"));
        let config = events.iter().any(|event| event.key.starts_with("/config/"));
        events.iter().any(about) && !sweep && !config
    };
    Ok(transactions.into_values().filter(of_it).collect())
}

fn body(id: &str) -> Json {
    json!({"id": id, "tenant_id": "t1", "name": id, "filler": "x".repeat(1_000)})
}

async fn loops(
    store: &Arc<dyn Store>,
    sample: &Arc<Vec<Vec<Event>>>,
    width: usize,
    round: u64,
    times: u64,
) -> Duration {
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let workers = (0..width).map(|_| {
        let (store, sample, next) = (Arc::clone(store), Arc::clone(sample), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= times {
                    return;
                }
                follow(&*store, &sample, &format!("b{round}x{n}")).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    begun.elapsed()
}

/// The transactions of the sample for another id; each compares what it changes.
async fn follow(store: &dyn Store, sample: &[Vec<Event>], id: &str) {
    let mut known = BTreeMap::<&str, u64>::new();
    for events in sample {
        let mut txn = Txn::default();
        for event in events {
            let key = format!("/bare{}", event.key.replace(SAMPLE, id));
            txn.compares.push(match known.get(event.key.as_str()) {
                Some(revision) => Compare::Modified(key.clone(), *revision),
                None => Compare::Absent(key.clone()),
            });
            txn.writes.push(match &event.value {
                Some(value) => {
                    let value = String::from_utf8_lossy(value).replace(SAMPLE, id);
                    Write::Put { key, value: value.into_bytes(), lease: None }
                }
                None => Write::Delete { key },
            });
        }
        let Outcome::Committed(revision) = store.commit(txn).await.unwrap() else {
            unreachable!("nobody else writes {id}")
        };
        for event in events {
            match event.value {
                Some(_) => known.insert(&event.key, revision),
                None => known.remove(event.key.as_str()),
            };
        }
    }
}

/// Has the host do so many jobs; tells how long it took and in how many transactions.
async fn host(world: &World, round: u64, times: u64) -> anyhow::Result<(Duration, u64)> {
    let ids: Vec<String> = (0..times).map(|n| format!("r{round}x{n}")).collect();
    let from = world.store.list("/config/", None, 1).await?.revision;
    let mut watch =
        world.store.watch(&["/state/", "/jobs/", "/esi-worker/job_state/"], from).await?;
    let mut open: BTreeSet<String> =
        ids.iter().map(|id| format!("/state/v2.0/things/{id}")).collect();
    let begun = Instant::now();
    let mut configs = 0;
    for ids in ids.chunks(CONFIGS) {
        let writes = ids.iter().map(|id| {
            let config = json!({"body": body(id), "version": 1, "marked_for_deletion": false});
            let key = format!("/config/v2.0/things/{id}");
            Write::Put { key, value: config.to_string().into_bytes(), lease: None }
        });
        world.store.commit(Txn { compares: Vec::new(), writes: writes.collect() }).await?;
        configs += 1;
    }
    let mut left = BTreeSet::new();
    let mut took = None;
    let mut reached = from;
    // Then what is left is swept, and counted, too.
    while took.is_none() || !left.is_empty() {
        let batch = watch.next().await?;
        reached = batch.revision;
        for event in batch.events {
            open.remove(&event.key);
            if !event.key.starts_with("/state/") {
                match event.value {
                    Some(_) => left.insert(event.key),
                    None => left.remove(&event.key),
                };
            }
        }
        if open.is_empty() && took.is_none() {
            took = Some(begun.elapsed());
        }
    }
    Ok((took.unwrap_or_default(), reached - from - configs))
}

criterion_group!(benches, jobs);
criterion_main!(benches);
