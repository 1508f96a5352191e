//! Many targets on one host and on several.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use stokehold::store::embedded::Role;
use stokehold::store::{Txn, Write};
use stokehold_tests::etcd::Cluster;
use stokehold_tests::paths;
use stokehold_tests::world::{Setup, World};

use crate::sandbox::component::Wat;

/// Ports to be watched; each with one target.
const PORTS: usize = 3_000;
/// How long they may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// From one probe of a target to the next.
const INTERVAL: Duration = Duration::from_secs(2);
/// Writes of one transaction.
const WRITES: usize = 100;

/// A setup whose only plugin is a prober that finds every switch up, without delay.
fn setup(folder: &Path) -> Result<Setup> {
    let prober = Wat { name: "quick", world: "watcher", ..Wat::default() }.prober("switch");
    std::fs::write(folder.join("quick.wasm"), prober)?;
    let schemas = std::fs::read(paths::root().join("examples/network/schemas.json"))?;
    let mut setup = Setup { handlers: folder.to_owned(), ..Setup::new(schemas)? };
    setup.pace.probe_interval_ms = u64::try_from(INTERVAL.as_millis())?;
    setup.pace.probe_spread_ms_max = 1_000;
    Ok(setup)
}

fn put(key: String, value: &serde_json::Value) -> Write {
    Write::Put { key, value: value.to_string().into_bytes(), lease: None }
}

/// Registers a switch of each port, as jobs would have.
async fn register(world: &World) -> Result<()> {
    let ids: Vec<usize> = (0..PORTS).collect();
    for ids in ids.chunks(WRITES / 3) {
        let writes = ids.iter().flat_map(|id| {
            let target = json!({"name": "it", "type": "switch", "topic": "", "properties": {}});
            let unprobed = json!({"name": "session", "type": "bgp_session", "properties": {}});
            let registration = json!({"version": 1, "targets": [target, unprobed]});
            let state = json!({"version": 1, "error": "", "state": {"worker_state": "x"}});
            let body = json!({"id": format!("p{id}"), "tenant_id": "t"}).to_string();
            let config = json!({"body": body, "version": 1});
            [
                // Without a config it would be cleaned up.
                put(format!("/config/v2.0/ports/p{id}"), &config),
                put(format!("/stokehold/monitored/v2.0/ports/p{id}"), &registration),
                put(format!("/state/v2.0/ports/p{id}"), &state),
            ]
        });
        let txn = Txn { compares: Vec::new(), writes: writes.collect() };
        world.store.commit(txn).await?;
    }
    Ok(())
}

/// Waits until so many ports have a status.
async fn told(world: &World, ports: usize) -> Result<()> {
    let mut watch = world.store.watch(&["/monitoring/"], 0).await?;
    let waiting = async {
        let mut keys = BTreeSet::new();
        while keys.len() < ports {
            keys.extend(watch.next().await?.events.into_iter().map(|event| event.key));
        }
        Ok(())
    };
    let told = tokio::time::timeout(PATIENCE, waiting).await;
    told.with_context(|| format!("waited in vain for a status of {ports} ports"))?
}

/// Waits until all ports have a status, then checks that each was written so often.
async fn all_told(world: &World, times: usize) -> Result<()> {
    told(world, PORTS).await?;
    let statuses = world.all("/monitoring/").await?;
    let wanted = json!({"it": "UP", "version": 1});
    ensure!(
        statuses.values().all(|status| *status == wanted),
        "a target without prober is not told"
    );
    let mut written: BTreeMap<String, usize> = BTreeMap::new();
    for event in world.history().await? {
        if event.key.starts_with("/monitoring/") {
            *written.entry(event.key).or_default() += 1;
        }
    }
    let wrong: Vec<_> = written.iter().filter(|(_, count)| **count != times).take(3).collect();
    ensure!(wrong.is_empty(), "not written {times} times: {wrong:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_targets_are_probed_by_one_host_and_each_status_is_written_once() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let mut world = World::without_host(setup(folder.path())?, Role::Host)?;
    register(&world).await?;
    world.start_host().await?;
    all_told(&world, 1).await?;
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_come_and_go_share_the_targets_and_write_no_status_twice() -> Result<()> {
    let Some(etcd) = Cluster::start(1)? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let mut world = World::on_etcd(setup(folder.path())?, etcd).await?;
    world.start_host().await?;
    world.start_host().await?;
    register(&world).await?;
    // One goes while both are at it, and another one comes.
    told(&world, PORTS / 10).await?;
    world.stop_one_host().await?;
    world.start_host().await?;
    all_told(&world, 1).await?;
    each_is_probed_once_in_an_interval(&world).await?;
    world.stop_host().await
}

/// That no two hosts probe the same. Two writes would not show it: the second one finds nothing to add.
async fn each_is_probed_once_in_an_interval(world: &World) -> Result<()> {
    let begun = Instant::now();
    let before = probes(world)?;
    tokio::time::sleep(INTERVAL * 3).await;
    let made = probes(world)? - before;
    // Each has its place within an interval: one more of them may have begun.
    let intervals = begun.elapsed().as_millis().div_ceil(INTERVAL.as_millis()) + 1;
    let most = PORTS * usize::try_from(intervals)?;
    ensure!(made > 0 && made <= most, "{made} probes of {PORTS} targets in {intervals} intervals");
    Ok(())
}

/// How often the prober was called, on all hosts together.
fn probes(world: &World) -> Result<usize> {
    let text = world.meters.text();
    let line =
        text.lines().find_map(|line| line.strip_prefix("stokehold_calls_total{plugin=\"quick\"} "));
    Ok(line.with_context(|| text.clone())?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_probe_any_more_is_shown_as_up_no_more() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut setup = setup(folder.path())?;
    setup.pace.probe_interval_ms = 200;
    let mut world = World::start(setup).await?;
    let target = json!({"name": "it", "type": "switch", "topic": "", "properties": {}});
    super::register(&world, &[target]).await?;
    let up = json!({"it": "UP", "version": 4});
    super::shown(&world, up.clone()).await?;
    let (prober, aside) = (folder.path().join("quick.wasm"), folder.path().join("quick.aside"));
    std::fs::rename(&prober, &aside)?;
    let gone = async || Ok(world.get(super::STATUSES).await?.is_none().then_some(()));
    world.until("no status", gone).await?;
    std::fs::rename(&aside, &prober)?;
    super::shown(&world, up).await?;
    world.stop_host().await
}
