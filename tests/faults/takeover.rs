//! How soon others go on when a host is killed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use stokehold_tests::world::World;

use super::fleet::{claims, leader, place};
use super::history::under;
use super::recorder::Recorder;
use super::strikes::Arena;
use super::{ASSEMBLE_MAX, SETTLE_MAX, TURN, outcome, recorder, setup};

const TRIALS: usize = 3;
/// What may pass beyond the lease: etcd looks for ended leases twice a second.
const SLACK: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_mins(1);
/// How often a job is waited for that is still claimed when its host dies.
const AIMS_MAX: usize = 10;

fn network(id: &str) -> serde_json::Value {
    json!({"id": id, "tenant_id": "t1", "name": "n", "admin_state_up": true})
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_plans_within_a_lease_and_a_second_of_the_leaders_end() -> Result<()> {
    let _turn = TURN.lock().await;
    let setup = setup()?;
    let bound = Duration::from_millis(setup.pace.lease_ms) + SLACK;
    let Some(world) = super::world(setup).await? else { return Ok(()) };
    let logs = tempfile::tempdir()?;
    let recorder = recorder(&world)?;
    stokehold_tests::example::put_templates(&world).await?;
    let mut arena = Arena::new(&world, &recorder, logs.path(), 0).await?;
    let mut took = Vec::new();
    for trial in 0..TRIALS {
        arena.assemble(ASSEMBLE_MAX).await?;
        let former = recorder.look(|book| leader(&book.view)).context("nobody leads")?;
        let nth = recorder.look(|book| place(&arena.hosts, &book.view, &former));
        let nth = nth.context("the leader is none of ours")?;
        arena.hosts[nth].kill();
        let killed = Instant::now();
        let id = format!("n{trial}");
        world.config(&format!("/v2.0/networks/{id}"), &network(&id), 1, false).await?;
        recorder
            .until("another leader", WAIT_MAX, |book| {
                leader(&book.view).filter(|leader| *leader != former)
            })
            .await?;
        let led = killed.elapsed();
        recorder
            .until("the plan", WAIT_MAX, |book| {
                let mut jobs = under(&book.view, "/jobs/all/");
                jobs.find(|(_, job)| job.value[1]["resource_id"] == id).map(|_| ())
            })
            .await?;
        let planned = killed.elapsed();
        println!(
            "trial {trial}: led after {} ms, planned after {} ms",
            led.as_millis(),
            planned.as_millis()
        );
        took.push(planned);
        arena.hosts[nth].start()?;
    }
    finish(&world, &recorder).await?;
    in_time(&took, bound)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_goes_on_within_a_lease_and_a_second_of_its_hosts_end() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut setup = setup()?;
    let back_off = Duration::from_millis(setup.pace.backoff_ms_max);
    let bound = Duration::from_millis(setup.pace.lease_ms) + SLACK + back_off;
    // Every call is under way long enough to be hit.
    setup.heat.latency = Duration::from_millis(300);
    let Some(world) = super::world(setup).await? else { return Ok(()) };
    let logs = tempfile::tempdir()?;
    let recorder = recorder(&world)?;
    stokehold_tests::example::put_templates(&world).await?;
    let mut arena = Arena::new(&world, &recorder, logs.path(), 0).await?;
    let mut took = Vec::new();
    for aim in 0..AIMS_MAX {
        if took.len() == TRIALS {
            break;
        }
        arena.assemble(ASSEMBLE_MAX).await?;
        let id = format!("n{aim}");
        world.config(&format!("/v2.0/networks/{id}"), &network(&id), 1, false).await?;
        let hosts = &arena.hosts;
        let (job, former, nth) = recorder
            .until("a claim", WAIT_MAX, |book| {
                claims(&book.view).into_iter().find_map(|(job, host)| {
                    let nth = place(hosts, &book.view, &host)?;
                    Some((job, host, nth))
                })
            })
            .await?;
        arena.hosts[nth].kill();
        let killed = Instant::now();
        let held =
            |view: &_| claims(view).into_iter().any(|(it, host)| it == job && host == former);
        if !recorder.look(|book| held(&book.view)) {
            println!("aim {aim}: the job had ended when its host was killed");
            arena.hosts[nth].start()?;
            continue;
        }
        recorder
            .until("another claim", WAIT_MAX, |book| {
                let mut claims = claims(&book.view).into_iter();
                claims.find(|(it, host)| *it == job && *host != former)
            })
            .await?;
        let taken = killed.elapsed();
        println!("aim {aim}: {job} goes on after {} ms", taken.as_millis());
        took.push(taken);
        arena.hosts[nth].start()?;
    }
    ensure!(took.len() == TRIALS, "jobs ended too soon: {} of {TRIALS} were hit", took.len());
    finish(&world, &recorder).await?;
    in_time(&took, bound)
}

/// The bound is of hosts and etcd; a machine that stands still adds to it, though not each time.
fn in_time(took: &[Duration], bound: Duration) -> Result<()> {
    let best = took.iter().min().context("nothing was tried")?;
    ensure!(*best <= bound, "later than {} ms each time: {took:?}", bound.as_millis());
    Ok(())
}

async fn finish(world: &World, recorder: &Recorder) -> Result<()> {
    let settled = outcome::settled(recorder, SETTLE_MAX).await;
    outcome::judged(world, recorder).await?;
    settled?;
    recorder.look(|book| outcome::compare_stacks(world, &book.view))
}
