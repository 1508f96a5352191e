//! The hallway: the loops that observe, decide and commit. They carry data between the rooms and decide nothing
//! themselves; what one loop has done the others see as a change of the store.
//!
//! `mirror` brings the store's changes in as facts; `planner` makes jobs of config changes; `runner` claims jobs
//! and calls handlers; `collector` probes what is registered; `lease` keeps this host alive in the eyes of others,
//! `presence` tells them what it is, `peers` shows the others and has one of them lead. `roster` knows the plugins in
//! service, `swap` puts others there when their files change; `recordings` keeps calls to be made again. `patience`
//! waits for what a host needs before it can begin.

mod caught;
mod clock;
mod collector;
mod lease;
mod mirror;
pub mod patience;
mod peers;
mod planner;
pub mod presence;
pub mod recordings;
mod roster;
mod runner;
pub mod schemas;
mod scribe;
mod swap;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::info;

use crate::admin::Meters;
use crate::domain::{Handlers, HostId};
use crate::kafka::Kafka;
use crate::plugin::Loaded;
use crate::rollout::Rules;
use crate::schedule;
use crate::settle::Limits;
use crate::store::{LeaseId, Store};
use roster::Roster;
use scribe::Scribe;

/// Bounds and pauses of the loops.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Jobs of one handler that run at a time on this host.
    pub handler_slots: usize,
    /// Failed tries after which a job fails.
    pub attempts_max: u32,
    /// The pause after the first failed try.
    pub backoff_ms_min: u64,
    /// The longest pause between tries.
    pub backoff_ms_max: u64,
    /// Time from one probe of a target to the next.
    pub probe_interval_ms: u64,
    /// Time over which the first probes of new targets are spread.
    pub probe_spread_ms_max: u64,
    /// Equal probes in a row after which a change of status counts.
    pub probe_confirmations: u32,
    /// Pause before a change of status is looked at again.
    pub probe_confirm_ms: u64,
    /// Probes that run at a time.
    pub probes_max: usize,
    /// How long this host may be silent before its claims vanish.
    pub lease_ms: u64,
    /// How long running calls may go on after the host was asked to end.
    pub shutdown_ms_max: u64,
    /// Pause between two looks at the directory of the plugins.
    pub look_ms: u64,
    /// How far new versions and faulty plugins are trusted.
    pub rollout: Rules,
}

/// All that a running host is made of.
pub struct House {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The resource types.
    pub schemas: Arc<crate::domain::Schemas>,
    /// The plugins that could be loaded, and those that could not.
    pub plugins: Loaded,
    /// Bounds and pauses.
    pub pace: Pace,
    /// Who is told of registrations instead of this host's probers.
    pub outlet: Option<Arc<Kafka>>,
    /// What is counted.
    pub meters: Meters,
}

/// Runs the host until `shutdown` resolves or a loop ends with an error. Running calls get `shutdown_ms_max` to
/// end; what does not is given back to the store.
pub async fn run(house: House, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
    let House { store, schemas, plugins, pace, outlet, meters } = house;
    let host = HostId::new(uuid::Uuid::new_v4().to_string());
    order(&plugins)?;
    let (stop, stopped) = watch::channel(false);
    let scribe = Scribe::new(Arc::clone(&store), Arc::clone(&schemas));
    let ttl = Duration::from_millis(pace.lease_ms);
    let (lease, keeper) = lease::Keeper::new(Arc::clone(&store), ttl);
    let watched = plugins.loader.clone().map(|loader| (loader, plugins.marks.clone()));
    let roster = Roster::new(plugins, pace.rollout, meters, outlet.is_some());
    let mut loops: JoinSet<Result<()>> = JoinSet::new();
    if let Some(watched) = watched {
        loops.spawn(swap::run(watched, Arc::clone(&roster), pace.look_ms, stopped.clone()));
    }
    let hands = (scribe, roster, lease, outlet);
    begin(&mut loops, &host, hands, pace, &stopped);
    let keeping = tokio::spawn(keeper.run(stopped.clone()));
    info!(%host, "host runs");

    tokio::pin!(shutdown);
    let mut result = tokio::select! {
        () = &mut shutdown => Ok(()),
        Some(ended) = loops.join_next() => whole(ended),
    };
    info!(%host, "host ends");
    stop.send_replace(true);
    while let Some(ended) = loops.join_next().await {
        result = result.and(whole(ended));
    }
    // The lease goes last: until here the runner gave its claims back under it.
    let kept = keeping.await.context("the lease keeper broke")?;
    result.and(kept)
}

/// What the loops work with.
type Hands = (Scribe, Arc<Roster>, watch::Receiver<Option<LeaseId>>, Option<Arc<Kafka>>);

/// Begins the loops that work on the store.
fn begin(
    loops: &mut JoinSet<Result<()>>,
    host: &HostId,
    (scribe, roster, lease, outlet): Hands,
    pace: Pace,
    stopped: &watch::Receiver<bool>,
) {
    let (told, seen) = (Arc::clone(&roster), lease.clone());
    loops.spawn(presence::run(scribe.clone(), host.clone(), told, seen, stopped.clone()));
    let (peers, campaign) = peers::Campaign::new(scribe.clone(), host.clone(), lease.clone());
    loops.spawn(campaign.run(stopped.clone()));
    let (known, seen) = (Arc::clone(&roster), peers.clone());
    loops.spawn(planner::run(scribe.clone(), host.clone(), known, seen, stopped.clone()));
    let limits = Limits {
        attempts_max: pace.attempts_max,
        backoff_ms_min: pace.backoff_ms_min,
        backoff_ms_max: pace.backoff_ms_max,
        operations_max: scribe.store.limits().operations_max,
    };
    let (called, others) = (Arc::clone(&roster), (lease.clone(), peers.clone()));
    let out = (scribe.clone(), outlet);
    let runner = runner::Runner::new(out, host.clone(), called, others, limits, pace);
    loops.spawn(runner.run(stopped.clone()));
    let probing = schedule::Pace {
        interval_ms: pace.probe_interval_ms,
        spread_ms_max: pace.probe_spread_ms_max,
        confirmations: pace.probe_confirmations,
        confirm_ms: pace.probe_confirm_ms,
    };
    let others = collector::Others { peers, lease };
    let pace = (probing, pace.probes_max);
    loops.spawn(collector::run(scribe, host.clone(), roster, others, pace, stopped.clone()));
}

/// How a loop ended; a panic is an error like others.
fn whole(ended: Result<Result<()>, JoinError>) -> Result<()> {
    ended.context("a loop of the host broke")?
}

fn order(plugins: &Loaded) -> Result<Handlers> {
    let handlers = plugins.workers.values().map(|worker| worker.handler().clone()).collect();
    Handlers::in_order(handlers).map_err(|circle| {
        let names: Vec<_> = circle.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(
            "cannot order handlers {}: each waits for another (`after`)",
            names.join(", ")
        )
    })
}
