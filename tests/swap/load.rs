//! `heat_worker` is swapped again and again under load, and no job notices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value as Json, json};
use stokehold::store::embedded::Role;
use stokehold::store::{Store, Txn, Write};
use stokehold_tests::etcd::Cluster;
use stokehold_tests::paths;
use stokehold_tests::world::{Setup, World, parse};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::folder::Folder;
use super::schemas;

const SWAPS: usize = 20;
/// Pause between two new resources: 50 jobs a second.
const EACH: Duration = Duration::from_millis(20);
/// A field that `heat_worker` reports with each answer of its own, by the name that stands in its data. Another
/// name of the same length makes another version of it, which is told from the others by what it reports.
const FIELD: &[u8] = b"heat_outputs";
/// How long the test waits for a new version before it gives up.
const PATIENCE: Duration = Duration::from_mins(5);
/// How soon the middle one of those versions is seen whose compiled code is kept, by a host that keeps up.
const KEPT_MAX: Duration = Duration::from_secs(2);
/// The same of those that are compiled first, by a debug build that shares two processors with the load and with other
/// tests: five seconds when it has them for itself, and twelve beside other compilers. The two seconds that are aimed
/// at are those of a release build, see ARCHITECTURE.md.
const ANEW_MAX: Duration = Duration::from_mins(1);
/// The least part of the load that is really put on the host. It is all of it as a rule; each commit waits for the one
/// before it, and takes long while compilers have the processors.
const LOAD_MIN: f64 = 0.05;
/// The part of the load from which on the host keeps up with it: jobs do not wait for others.
const LOAD_KEPT: f64 = 0.9;

const TEMPLATE: &str = "\
heat_template_version: 2013-05-23
resources:
  it: {type: OS::Heat::None}
";

fn field(version: usize) -> String {
    format!("heat_out{version:04}")
}

/// `heat_worker` with another name of the field.
fn version(original: &[u8], version: usize) -> Result<Vec<u8>> {
    let places: Vec<usize> = original
        .windows(FIELD.len())
        .enumerate()
        .filter_map(|(at, bytes)| (bytes == FIELD).then_some(at))
        .collect();
    let [at] = places.as_slice() else { bail!("the field's name stands at {places:?}") };
    let mut bytes = original.to_vec();
    bytes[*at..*at + FIELD.len()].copy_from_slice(field(version).as_bytes());
    Ok(bytes)
}

fn setup(folder: &Folder) -> Result<Setup> {
    let mut setup = Setup::new(schemas("heat_worker")?)?;
    setup.handlers = folder.path();
    setup.pace.handler_slots = 32;
    setup.patience = Duration::from_mins(10);
    Ok(setup)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_notices_twenty_swaps_under_load() -> Result<()> {
    let folder = Folder::new()?;
    let world = World::without_host(setup(&folder)?, Role::Host)?;
    swap_under_load(world, &folder).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_job_notices_twenty_swaps_under_load_on_etcd() -> Result<()> {
    let Some(etcd) = Cluster::start(1)? else { return Ok(()) };
    let folder = Folder::new()?;
    let world = World::on_etcd(setup(&folder)?, etcd).await?;
    swap_under_load(world, &folder).await
}

async fn swap_under_load(mut world: World, folder: &Folder) -> Result<()> {
    let original = std::fs::read(paths::handlers()?.join("heat_worker.wasm"))?;
    for nth in (1..=SWAPS).filter(|nth| is_kept(*nth)) {
        folder.put("heat_worker", &version(&original, nth)?)?;
        let faults = world.plugins().await?.faults;
        ensure!(faults.is_empty(), "{faults:?}");
    }
    folder.put("heat_worker", &version(&original, 0)?)?;
    let template = json!({
        "id": "thing", "handler": "heat_worker", "template_file": TEMPLATE,
        "parameter_mappings": {},
    });
    world.config("/v2.0/heat_templates/thing", &template, 1, false).await?;
    world.start_host().await?;
    let (shows, mut seen) = watch::channel(BTreeMap::<String, Instant>::new());
    let watching = tokio::spawn(watch_fields(Arc::clone(&world.store), shows));
    let (stop, stopped) = watch::channel(false);
    let making = tokio::spawn(make(Arc::clone(&world.store), stopped));
    until_seen(&mut seen, 0).await?;
    let (mut kept, mut anew) = (Vec::new(), Vec::new());
    for nth in 1..=SWAPS {
        let bytes = version(&original, nth)?;
        folder.put("heat_worker", &bytes)?;
        let renamed = Instant::now();
        let delay = until_seen(&mut seen, nth).await?.saturating_duration_since(renamed);
        if is_kept(nth) { kept.push(delay) } else { anew.push(delay) }
    }
    stop.send_replace(true);
    let (made, took) = making.await??;
    world.idle().await?;
    watching.abort();
    println!("{made} jobs in {took:?}; a new version was seen after {kept:?}, and {anew:?}");
    judge(&world, made).await?;
    world.stop_host().await?;
    let part = f64::from(made) * EACH.as_secs_f64() / took.as_secs_f64();
    ensure!(part >= LOAD_MIN, "{made} jobs in {took:?} are {part:.2} of the load");
    let kept_max = if part >= LOAD_KEPT { KEPT_MAX } else { ANEW_MAX };
    for (what, delays, most) in [("kept", kept, kept_max), ("compiled anew", anew, ANEW_MAX)] {
        let middle = middle(delays);
        ensure!(middle <= most, "half of those {what} were seen after {middle:?} or later");
    }
    Ok(())
}

/// Whether the compiled code of this version is there before it is swapped in: of every other one.
fn is_kept(version: usize) -> bool {
    version.is_multiple_of(2)
}

fn middle(mut delays: Vec<Duration>) -> Duration {
    delays.sort_unstable();
    delays[delays.len() / 2]
}

/// Puts resources until stopped; answers how many, and in what time.
async fn make(store: Arc<dyn Store>, stopped: watch::Receiver<bool>) -> Result<(u32, Duration)> {
    let begun = Instant::now();
    let mut ticks = interval(EACH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut made = 0;
    while !*stopped.borrow() {
        ticks.tick().await;
        let body = json!({"id": format!("n{made}"), "tenant_id": "t1"}).to_string();
        let value = json!({"body": body, "version": 1, "marked_for_deletion": false});
        let key = format!("/config/v2.0/things/n{made}");
        let put = Write::Put { key, value: serde_json::to_vec(&value)?, lease: None };
        store.commit(Txn { compares: Vec::new(), writes: vec![put] }).await?;
        made += 1;
    }
    Ok((made, begun.elapsed()))
}

/// Tells when each version's field was seen first.
async fn watch_fields(
    store: Arc<dyn Store>,
    shows: watch::Sender<BTreeMap<String, Instant>>,
) -> Result<()> {
    let mut watch = store.watch(&["/state/"], 0).await?;
    loop {
        for event in watch.next().await?.events {
            let Some(value) = &event.value else { continue };
            for field in fields(&parse(value)) {
                let now = Instant::now();
                shows.send_if_modified(|seen| {
                    let is_new = !seen.contains_key(&field);
                    seen.entry(field).or_insert(now);
                    is_new
                });
            }
        }
    }
}

async fn until_seen(
    seen: &mut watch::Receiver<BTreeMap<String, Instant>>,
    version: usize,
) -> Result<Instant> {
    let name = field(version);
    let waiting = seen.wait_for(|seen| seen.contains_key(&name));
    let seen = timeout(PATIENCE, waiting).await;
    let seen = seen.with_context(|| format!("version {version} was not seen"))??;
    Ok(seen[&name])
}

fn fields(state: &Json) -> Vec<String> {
    let fields = state["state"].as_object();
    let names = fields.into_iter().flat_map(|fields| fields.keys());
    names.filter(|name| name.starts_with("heat_out")).cloned().collect()
}

/// Every job completed, at its first try, with exactly one version's field.
async fn judge(world: &World, made: u32) -> Result<()> {
    let states = world.all("/state/v2.0/things/").await?;
    ensure!(states.len() == made as usize, "{} of {made} have a state", states.len());
    let mut versions = BTreeSet::new();
    for (key, state) in states {
        ensure!(state["state"]["worker_state"] == "CREATE_COMPLETED", "{key}: {state}");
        let fields = fields(&state);
        ensure!(fields.len() == 1, "{key}: {state}");
        versions.extend(fields);
    }
    let mut jobs = BTreeSet::new();
    for event in world.history().await? {
        let (true, Some(value)) = (event.key.starts_with("/jobs/all/"), &event.value) else {
            continue;
        };
        let tries = &parse(value)[2];
        ensure!(*tries == 0, "{} has failed {tries} times", event.key);
        jobs.insert(event.key);
    }
    ensure!(jobs.len() == made as usize, "{} of {made} have a job", jobs.len());
    ensure!(versions == (0..=SWAPS).map(field).collect(), "{versions:?}");
    let text = world.meters.text();
    let faults: Vec<_> =
        text.lines().filter(|line| line.starts_with("stokehold_faults_total")).collect();
    ensure!(faults.is_empty(), "{faults:?}");
    let loads = format!("stokehold_plugin_loads_total{{plugin=\"heat_worker\"}} {}", SWAPS + 1);
    ensure!(text.lines().any(|line| line == loads), "no {loads} in {text}");
    Ok(())
}
