//! A cluster keeps its promises whatever befalls it: hosts and members of etcd are killed, halted,
//! restarted and cut off while work goes on, everything that happens is written down, and the
//! record is held to the laws of `rules`.
//!
//! A binary of its own, so that nothing else runs beside it: it measures time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod example;
mod fleet;
mod gate;
mod history;
mod idle;
mod load;
mod outcome;
mod recorder;
mod rolling;
mod rules;
mod strikes;
mod takeover;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use stokehold_tests::etcd::Cluster;
use stokehold_tests::paths;
use stokehold_tests::world::{Setup, World};
use tokio::sync::{Mutex, watch};
use tokio::task::block_in_place;

use self::load::Load;
use self::recorder::Recorder;
use self::strikes::Arena;
use stokehold_tests::random::Random;

/// How often something strikes, unless `STOKEHOLD_ROUNDS` says otherwise.
const ROUNDS: usize = 50;
const MEMBERS: usize = 3;
/// How long three hosts may take to be there.
const ASSEMBLE_MAX: Duration = Duration::from_mins(3);
/// How often a run is made anew: etcd 3.5.0 to 3.5.2 may lose acknowledged writes when a member is
/// killed (etcd's post-mortem "v3.5 data inconsistency"), and the members differ ever after.
const RUNS_MAX: usize = 3;
/// How long the members may take to hold the same once nobody writes.
const AGREE_MAX: Duration = Duration::from_secs(30);
/// How long all work may take once everything is well again.
const SETTLE_MAX: Duration = Duration::from_mins(3);

/// These tests measure time and start many processes: one at a time.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_its_promises_whatever_befalls_it() -> Result<()> {
    let _turn = TURN.lock().await;
    let rounds = std::env::var("STOKEHOLD_ROUNDS").ok().map(|rounds| rounds.parse());
    let rounds = rounds.transpose().context("STOKEHOLD_ROUNDS is no number")?.unwrap_or(ROUNDS);
    let mut seed = Random::seed();
    for _ in 0..RUNS_MAX {
        println!("seed {seed}, {rounds} rounds");
        let Some(world) = world(setup()?).await? else { return Ok(()) };
        let Some(error) = run(&world, seed, rounds).await?.err() else { return Ok(()) };
        // A store that breaks its own promises says nothing about those that are built on them.
        let why = match disagreement(&world).await {
            Ok(Some(why)) if loses_writes(&world).await? => why,
            Ok(Some(why)) => return Err(error.context(format!("seed {seed}, and {why}"))),
            Ok(None) => {
                return Err(error.context(format!("seed {seed} (STOKEHOLD_SEED repeats it)")));
            }
            Err(asking) => return Err(error.context(format!("seed {seed}, and {asking:#}"))),
        };
        println!("this run proves nothing, etcd lost what it had acknowledged: {why}\n{error:#}");
        seed = seed.wrapping_add(1);
    }
    bail!("etcd lost writes in each of {RUNS_MAX} runs; STOKEHOLD_ETCD may name a newer one");
}

/// One run; the outer result is of what is around it.
async fn run(world: &World, seed: u64, rounds: usize) -> Result<Result<()>> {
    let logs = tempfile::tempdir()?;
    let ended = befallen(world, logs.path(), seed, rounds).await;
    if ended.is_err() {
        println!("the hosts' logs are in {}", logs.keep().display());
    }
    Ok(ended)
}

/// How the members differ once all of them run and nobody writes.
async fn disagreement(world: &World) -> Result<Option<String>> {
    let etcd = world.etcd().context("the world is not on etcd")?;
    block_in_place(|| etcd.start_all())?;
    etcd.disagreement(AGREE_MAX).await
}

/// Whether it is an etcd that is known for it.
async fn loses_writes(world: &World) -> Result<bool> {
    let version = world.etcd().context("the world is not on etcd")?.version().await?;
    Ok(["3.5.0", "3.5.1", "3.5.2"].contains(&&*version))
}

async fn befallen(world: &World, logs: &Path, seed: u64, rounds: usize) -> Result<()> {
    let recorder = recorder(world)?;
    stokehold_tests::example::put_templates(world).await?;
    let mut arena = Arena::new(world, &recorder, logs, seed).await?;
    arena.assemble(ASSEMBLE_MAX).await?;
    let begun = Instant::now();
    let (stop, stopped) = watch::channel(false);
    let load = Load::new(world, &recorder, seed);
    let under_load = async {
        let struck = arena.rounds(rounds).await;
        println!("the rounds took {:.1} s", begun.elapsed().as_secs_f32());
        stop.send_replace(true);
        struck.and(arena.heal().await)
    };
    let load = async {
        let patience = Duration::from_secs(15 * rounds as u64) + SETTLE_MAX;
        // What stays is told by what is broken.
        Ok(tokio::time::timeout(patience, load.run(stopped)).await)
    };
    let ((), written) = tokio::try_join!(under_load, load)?;
    let healed = Instant::now();
    let settled = outcome::settled(&recorder, SETTLE_MAX).await;
    let took = healed.elapsed().as_secs_f32();
    // What is broken says more than that it takes for ever.
    let history = outcome::judged(world, &recorder).await?;
    settled?;
    println!("{} configs, {} revisions, settled after {took:.1} s", written??, history.len());
    println!("struck: {:?}", arena.struck);
    arena.covered(rounds)?;
    recorder.look(|book| {
        outcome::compare_stacks(world, &book.view)?;
        outcome::compare_records(&book.view)
    })
}

/// The network example, with jobs that are still under way when something strikes.
fn setup() -> Result<Setup> {
    let schemas = std::fs::read(paths::root().join("examples/network/schemas.json"))?;
    let mut setup = Setup::new(schemas)?;
    setup.pace.lease_ms = 2000;
    // What befalls the hosts must not fail a job.
    setup.pace.attempts_max = 1000;
    setup.heat.latency = Duration::from_millis(30);
    setup.heat.pace = heat_simulator::Pace::even(Duration::from_millis(300));
    setup.heat_config.insert("poll_ms".into(), "100".into());
    Ok(setup)
}

/// A world on three members; `None` where there is no etcd.
async fn world(setup: Setup) -> Result<Option<World>> {
    let Some(etcd) = Cluster::start(MEMBERS)? else { return Ok(None) };
    Ok(Some(World::on_etcd(setup, etcd).await?))
}

fn recorder(world: &World) -> Result<Recorder> {
    Ok(Recorder::start(world.etcd().context("the world is not on etcd")?.endpoints()))
}
