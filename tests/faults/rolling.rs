//! Hosts are restarted one after another while work goes on, and nobody notices.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stokehold_tests::world::World;
use tokio::sync::watch;
use tokio::time::sleep;

use super::fleet::{leader, present};
use super::load::Load;
use super::strikes::Arena;
use super::{ASSEMBLE_MAX, SETTLE_MAX, TURN, outcome, recorder, setup};
use stokehold_tests::random::Random;

/// How long work goes on before the first restart and after each.
const BETWEEN: Duration = Duration::from_secs(2);
/// Running calls may take two seconds to end; giving back what has not ended is quick, on a machine that has time.
const END_MAX: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn hosts_restarted_one_after_another_fail_no_job_and_cost_no_try() -> Result<()> {
    let _turn = TURN.lock().await;
    let seed = Random::seed();
    println!("seed {seed}");
    let mut setup = setup()?;
    // A host that stands still for a moment keeps its jobs.
    setup.pace.lease_ms = 20_000;
    let Some(world) = super::world(setup).await? else { return Ok(()) };
    let logs = tempfile::tempdir()?;
    let ended = roll(&world, logs.path(), seed).await;
    if ended.is_err() {
        println!("the hosts' logs are in {}", logs.keep().display());
    }
    ended.with_context(|| format!("seed {seed} (STOKEHOLD_SEED repeats it)"))
}

async fn roll(world: &World, logs: &Path, seed: u64) -> Result<()> {
    let recorder = recorder(world)?;
    stokehold_tests::example::put_templates(world).await?;
    let mut arena = Arena::new(world, &recorder, logs, seed).await?;
    arena.assemble(ASSEMBLE_MAX).await?;
    let (stop, stopped) = watch::channel(false);
    let load = Load::new(world, &recorder, seed);
    let rolling = async {
        let rolled = restart_all(&mut arena).await;
        stop.send_replace(true);
        rolled
    };
    let load = async { tokio::time::timeout(2 * SETTLE_MAX, load.run(stopped)).await };
    let (rolled, written) = tokio::join!(rolling, load);
    rolled?;
    let settled = outcome::settled(&recorder, SETTLE_MAX).await;
    let history = outcome::judged(world, &recorder).await?;
    settled?;
    let written = written.context("what is marked stays")??;
    println!("{written} configs, {} revisions", history.len());
    for step in &history {
        for (id, _, job) in step.puts("/jobs/all/") {
            ensure!(job[2] == 0, "a restart cost {id} a try at {}", step.revision);
        }
    }
    recorder.look(|book| {
        outcome::compare_stacks(world, &book.view)?;
        outcome::compare_records(&book.view)
    })
}

async fn restart_all(arena: &mut Arena<'_>) -> Result<()> {
    sleep(BETWEEN).await;
    for nth in 0..arena.hosts.len() {
        let begun = std::time::Instant::now();
        let status = arena.hosts[nth].terminate().await?;
        ensure!(status.success(), "host {nth} ended badly: {status}");
        let took = begun.elapsed();
        println!("host {nth} ended after {} ms", took.as_millis());
        ensure!(took < END_MAX, "host {nth} takes {} ms to end", took.as_millis());
        arena.hosts[nth].start()?;
        arena.assemble(ASSEMBLE_MAX).await?;
        sleep(BETWEEN).await;
    }
    let pids: Vec<u32> = arena.hosts.iter().filter_map(super::fleet::Host::pid).collect();
    arena.recorder().look(|book| {
        ensure!(leader(&book.view).is_some(), "nobody leads");
        ensure!(pids.iter().all(|pid| present(&book.view, *pid).is_some()), "a host is missing");
        Ok(())
    })
}
