//! What is registered is probed, and `/monitoring` told when a status changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::caught::caught;
use super::clock;
use super::mirror::{self, Update};
use super::roster::{Roster, Shift};
use super::scribe::{Scribe, Uncommitted};
use crate::domain::{Content, Entry, Failure, HostId, Peers, Revision};
use crate::plugin::Subject;
use crate::schedule::{Next, Pace, Probe, Schedule, Tell};
use crate::store::LeaseId;
use crate::wire::key::{self, name_of};

const PREFIXES: &[&str] = &[key::MONITORED, key::MONITORING, key::STATE];
/// The pause before a status that could not be written is written again.
const PAUSE: Duration = Duration::from_millis(500);

enum Came {
    Probed { probe: Box<Probe>, status: Result<String, String> },
    Told { tell: Box<Tell>, outcome: Result<Revision, Option<Revision>> },
}

struct Collector {
    scribe: Scribe,
    roster: Arc<Roster>,
    schedule: Schedule,
    probing: usize,
    probes_max: usize,
    tasks: JoinSet<Came>,
}

/// What the collector knows of the other hosts, and of its own standing among them.
pub(super) struct Others {
    pub(super) peers: watch::Receiver<Peers>,
    pub(super) lease: watch::Receiver<Option<LeaseId>>,
}

/// Probes until stopped.
pub(super) async fn run(
    scribe: Scribe,
    me: HostId,
    roster: Arc<Roster>,
    mut others: Others,
    (pace, probes_max): (Pace, usize),
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    let mut updates =
        mirror::start(Arc::clone(&scribe.store), Arc::clone(&scribe.schemas), PREFIXES);
    let mut changes = roster.changes();
    let schedule = Schedule::new(me, roster.kinds(), pace);
    let tasks = JoinSet::new();
    let mut collector = Collector { scribe, roster, schedule, probing: 0, probes_max, tasks };
    loop {
        let wake_ms = collector.probe_what_is_due();
        collector.tell();
        tokio::select! {
            update = updates.recv() => {
                let Some(update) = update else { anyhow::bail!("the collector's mirror ended") };
                collector.observe(update);
            }
            Some(came) = collector.tasks.join_next() => match came {
                Ok(came) => collector.take(came),
                Err(broken) => anyhow::bail!("a probe or its telling was cut off: {broken}"),
            },
            Ok(()) = others.peers.changed() => collector.meet(&mut others),
            Ok(()) = others.lease.changed() => collector.meet(&mut others),
            Ok(()) = changes.changed() => {
                collector.schedule.offer(collector.roster.kinds(), clock::now_ms());
            }
            () = clock::sleep_until(wake_ms) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        }
    }
}

impl Collector {
    fn observe(&mut self, update: Update) {
        let now_ms = clock::now_ms();
        let mut registered = BTreeSet::new();
        for fact in update.facts {
            if let Some(Content::Unreadable(reason)) = &fact.content {
                warn!("cannot read {}: {reason}", name_of(&fact.entry));
            }
            if let Entry::Registration(of) = &fact.entry {
                registered.insert(of.clone());
            }
            self.schedule.learn(fact, now_ms);
        }
        self.schedule.reach(update.revision);
        for of in registered {
            for (object, kind) in self.schedule.unprobed(&of) {
                info!(resource = %of, object,
                    "is registered, but there is no prober for type `{kind}`");
            }
        }
    }

    fn meet(&mut self, others: &mut Others) {
        let leased = others.lease.borrow_and_update().is_some();
        let peers = others.peers.borrow_and_update().clone();
        self.schedule.meet(peers, leased, clock::now_ms());
    }

    /// Starts the probes whose time has come, as many as may run; answers when the next one is due.
    fn probe_what_is_due(&mut self) -> Option<u64> {
        let now_ms = clock::now_ms();
        while self.probing < self.probes_max {
            match self.schedule.next(now_ms) {
                Next::Probe(probe) => self.probe(probe),
                Next::At(at) => return Some(at),
                Next::Nothing => return None,
            }
        }
        // The end of a probe is a reason to look again.
        None
    }

    fn probe(&mut self, probe: Box<Probe>) {
        let object = format!("{} {}", probe.of, probe.target.name);
        let shift = self.roster.probe(&probe.target.kind, &object);
        self.probing += 1;
        self.tasks.spawn(async move {
            let status = match shift {
                Some(shift) => caught(ask(shift, subject(&probe))).await.and_then(|told| told),
                None => Err(format!(
                    "there is no prober for type `{}`, or it is paused",
                    probe.target.kind
                )),
            };
            Came::Probed { probe, status }
        });
    }

    fn take(&mut self, came: Came) {
        match came {
            Came::Told { tell, outcome } => self.schedule.told(*tell, outcome),
            Came::Probed { probe, status } => {
                self.probing = self.probing.saturating_sub(1);
                let (outcome, why) = match status {
                    Ok(status) => (Ok(status), String::new()),
                    Err(why) => (Err(()), why),
                };
                if self.schedule.take(&probe, outcome, clock::now_ms()) {
                    warn!(resource = %probe.of, object = %probe.target.name,
                        "probe tells nothing: {why}");
                }
            }
        }
    }

    /// Starts to write what is new.
    fn tell(&mut self) {
        for tell in self.schedule.tell() {
            debug!(resource = %tell.of, statuses = ?tell.statuses, "status changed");
            let scribe = self.scribe.clone();
            self.tasks.spawn(async move {
                let outcome = match scribe.commit(&tell.transaction, None).await {
                    Ok(at) => Ok(at),
                    // The registration has changed, another host was quicker, or the lease is lost.
                    Err(Uncommitted::Conflict(at)) => Err(Some(at)),
                    Err(other) => {
                        warn!(resource = %tell.of, "cannot write its status: {other}");
                        tokio::time::sleep(PAUSE).await;
                        Err(None)
                    }
                };
                Came::Told { tell: Box::new(tell), outcome }
            });
        }
    }
}

async fn ask(shift: Shift, subject: Subject) -> Result<String, String> {
    let Some(prober) = shift.prober() else { return Err("its plugin probes no more".to_owned()) };
    let answer = prober.probe(subject).await;
    shift.ended(answer.as_ref().err());
    match answer {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(Failure::Retry(why) | Failure::Fatal(why))) => Err(why),
        Err(fault) => Err(fault.to_string()),
    }
}

fn subject(Probe { of, target, .. }: &Probe) -> Subject {
    Subject {
        of: of.clone(),
        name: target.name.clone(),
        kind: target.kind.clone(),
        properties: target.properties.clone(),
    }
}
