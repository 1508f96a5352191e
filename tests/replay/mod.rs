//! The recorded scenario replayed through the whole host, and compared with what the original wrote.

pub(crate) mod compare;
mod kafka;
pub(crate) mod recording;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use heat_simulator::Options as HeatOptions;
use serde_json::Value as Json;
use stokehold_tests::etcd::Cluster;
use stokehold_tests::paths;
use stokehold_tests::world::{Setup, World, parse};

use self::compare::{Family, Tally, without_suffix};
use self::recording::{Line, Recording};

/// How long the host may take to ask something of Heat.
const PATIENCE: Duration = Duration::from_mins(2);

const STATES: Family = Family { what: "states", prefix: "/state/", meaning: compare::state };
const STACKS: Family =
    Family { what: "stacks", prefix: "/esi-worker/heat_stacks/", meaning: compare::stack };
const JOB_STATES: Family =
    Family { what: "job_states", prefix: "/esi-worker/job_state/", meaning: compare::fields };

/// What the host did, in the order in which it did it.
struct Done {
    jobs: Vec<Json>,
    /// Key → its values, one after the other, repetitions left out; `None` is a removal.
    writes: BTreeMap<String, Vec<Option<Json>>>,
}

/// A line for whoever asked for it with the name of a file: what a test that passes prints is not shown.
fn tell(line: &str) -> Result<()> {
    let Some(file) = std::env::var_os("REPLAY_TALLY") else { return Ok(()) };
    // In one piece: other replays write, too.
    let told = OpenOptions::new().append(true).create(true).open(&file);
    told.and_then(|mut told| told.write_all(format!("{line}\n").as_bytes()))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// The recording, if it is at hand, and a world to replay it in.
fn given() -> Result<Option<(Recording, Setup)>> {
    let Some(folder) = paths::shared("recordings/common_function_gateway", "recordings") else {
        tell("not run: no recordings")?;
        return Ok(None);
    };
    let recording = Recording::read(&folder)?;
    let mut setup = Setup::new(recording.schemas.clone())?;
    setup.heat = HeatOptions { manual: true, ..HeatOptions::default() };
    Ok(Some((recording, setup)))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_scenario_comes_out_as_the_original_did_it() -> Result<()> {
    let Some((recording, setup)) = given()? else { return Ok(()) };
    replay(&recording, World::start(setup).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_etcd_it_comes_out_the_same_with_one_host() -> Result<()> {
    on_etcd(1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_etcd_it_comes_out_the_same_with_three_hosts() -> Result<()> {
    on_etcd(3).await
}

async fn on_etcd(hosts: usize) -> Result<()> {
    let Some((recording, setup)) = given()? else { return Ok(()) };
    let Some(etcd) = Cluster::start(1)? else { return Ok(()) };
    let mut world = World::on_etcd(setup, etcd).await?;
    for _ in 0..hosts {
        world.start_host().await?;
    }
    replay(&recording, world).await
}

async fn replay(recording: &Recording, mut world: World) -> Result<()> {
    for line in &recording.timeline {
        follow(&world, line).await?;
    }
    world.idle().await?;
    let done = done(&world).await?;
    let requests = world.heat.requests();
    once_each(&world).await?;
    world.stop_host().await?;
    let left = world.all("/jobs/").await?;
    ensure!(left.is_empty(), "left over: {left:?}");

    let mut tally = Tally::default();
    compare::jobs(&mut tally, recording, &done.jobs);
    compare::requests(&mut tally, recording, &requests)?;
    compare::writes(&mut tally, &STATES, &recording.states, &done.writes);
    compare::writes(&mut tally, &STACKS, &recording.stacks, &done.writes);
    compare::writes(&mut tally, &JOB_STATES, &recording.job_states, &done.writes);
    // The values are the devices': those that the original asked are not here.
    let monitored = recording.monitoring.keys();
    compare::no_others(&mut tally, "monitoring", "/monitoring/", monitored, &done.writes);
    compare::families(&mut tally, &done.writes);
    compare::registrations(&mut tally, recording, &done.writes, &world.schemas);
    compare::statuses(&mut tally, recording, &done.writes);
    compare::mappings(&mut tally, recording, &done.writes);
    println!("{tally}");
    ensure!(tally.holds(), "the replay differs from the recording:\n{tally}");
    tell(tally.to_string().lines().collect::<Vec<_>>().join(", ").as_str())
}

/// No job is run to completion twice: each is there once, and goes once.
async fn once_each(world: &World) -> Result<()> {
    let mut ends = BTreeMap::<String, usize>::new();
    for event in world.history().await? {
        if event.key.starts_with("/jobs/all/") && event.value.is_none() {
            *ends.entry(event.key).or_default() += 1;
        }
    }
    let twice: Vec<_> = ends.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(twice.is_empty(), "ended more than once: {twice:?}");
    Ok(())
}

/// Does what the recording's line did from outside, or waits for the host to have done it.
async fn follow(world: &World, line: &Line) -> Result<()> {
    match line {
        Line::Config { key, value: Some(value) } => {
            world.put(key, value).await?;
        }
        Line::Config { key, value: None } => {
            world.remove(key).await?;
        }
        Line::Job { id } => {
            let id = without_suffix(id);
            let what = format!("job {id}");
            world
                .until(&what, async || {
                    let posted = posted(world).await?;
                    Ok(posted.contains(&id).then_some(()))
                })
                .await?;
        }
        Line::Stack { key, value } => {
            let name = value["stack_id"].as_str().unwrap_or_default();
            world.heat.wait_in_progress(name, PATIENCE).await?;
            let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
            let outputs = value["output"].as_array().cloned().unwrap_or_default();
            world.heat.finish_with(name, &text("stack_status"), &text("status_reason"), outputs)?;
            let status = text("stack_status");
            world
                .until(&format!("{key} {status}"), async || {
                    let record = world.get(key).await?;
                    Ok(record.filter(|record| record["stack_status"] == *status).map(|_| ()))
                })
                .await?;
        }
        Line::State { key, version } => {
            let resource = key.strip_prefix("/state").unwrap_or(key);
            world.state(resource, *version).await?;
        }
    }
    Ok(())
}

/// The ids of all jobs ever posted, without their suffixes.
async fn posted(world: &World) -> Result<BTreeSet<String>> {
    let history = world.history().await?;
    let ids = history.iter().filter_map(|event| event.key.strip_prefix("/jobs/all/"));
    Ok(ids.map(without_suffix).collect())
}

async fn done(world: &World) -> Result<Done> {
    let mut done = Done { jobs: Vec::new(), writes: BTreeMap::new() };
    let mut seen = BTreeSet::new();
    for event in world.history().await? {
        if event.key.starts_with("/jobs/all/") {
            if let Some(value) = event.value
                && seen.insert(event.key)
            {
                done.jobs.push(parse(&value));
            }
            continue;
        }
        let value = event.value.map(|value| parse(&value));
        let values = done.writes.entry(event.key).or_default();
        if values.last() != Some(&value) {
            values.push(value);
        }
    }
    Ok(done)
}
