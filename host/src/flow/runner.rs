//! Ready jobs are claimed, handed to their handlers, and settled.

mod call;
mod deliver;
mod ending;
mod outcome;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::{mpsc, watch};
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tracing::{debug, error, info, warn};

use self::call::{Call, Tools};
use super::Pace;
use super::clock;
use super::mirror::{self, Update};
use super::roster::Roster;
use super::scribe::Scribe;
use crate::domain::{
    Content, Entry, Fact, HandlerName, HostId, JobId, Peers, Revision, TemplateId,
};
use crate::kafka::Kafka;
use crate::queue::{Queue, Turns};
use crate::settle::{self, Closing, Limits};
use crate::store::LeaseId;
use crate::wire::key;

const PREFIXES: &[&str] =
    &[key::JOBS, key::STEPS, key::PLAN, key::JOB_STATE, key::STATE, key::TEMPLATES];
/// Jobs that are put right at the same time.
const REPAIRS_MAX: usize = 64;
/// Job states of ended workflows are removed together, this often.
const SWEEP_MS: u64 = 1000;
/// The pause before something is tried again when the store could not be reached.
const PAUSE: Duration = Duration::from_millis(500);

/// Something under way for a job that the mirror has not shown yet.
#[derive(Debug)]
enum Busy {
    /// Claimed and called.
    Calling,
    /// Its outcome is being committed.
    Settling,
    /// Its outcome was overtaken: decide anew when the mirror has reached the revision.
    Overtaken(Revision, Box<Closing>),
    /// Done with; left alone until the mirror has reached the revision.
    Until(Revision),
}

/// What a task came back with.
#[derive(Debug)]
enum Came {
    /// The handler answered, or could not.
    Answered(Box<Closing>),
    /// Committed, or overtaken with nothing left to do, at this revision.
    Done(Revision),
    /// The version that was called has gone for its fault: the claim, made at this revision, is given back.
    GivenBack(Revision),
    /// An outcome met a conflict at this revision.
    Overtaken(Revision, Box<Closing>),
    /// The store was out of reach; what is given is to be tried again.
    OutOfReach(Option<Box<Closing>>),
    /// The lease ended under it: the job is somebody else's.
    Lost,
}

/// The loop that runs jobs.
pub(super) struct Runner {
    tools: Tools,
    roster: Arc<Roster>,
    host: HostId,
    lease: watch::Receiver<Option<LeaseId>>,
    /// The lease that claims are made under.
    held: Option<LeaseId>,
    peers: watch::Receiver<Peers>,
    limits: Limits,
    pace: Pace,
    queue: Queue,
    /// The text of each template, or why it cannot be read.
    templates: BTreeMap<TemplateId, Result<String, String>>,
    /// Whether this host leads: one is enough to put right what lies wrong.
    leads: bool,
    /// When job states may be removed again.
    sweep_ms: u64,
    reached: Revision,
    busy: BTreeMap<JobId, (HandlerName, Busy)>,
    tasks: JoinSet<(JobId, Came)>,
    /// Which job a call's task works on, should it break or have to be stopped.
    calls: BTreeMap<task::Id, (JobId, AbortHandle)>,
}

impl Runner {
    pub(super) fn new(
        (scribe, outlet): (Scribe, Option<Arc<Kafka>>),
        host: HostId,
        roster: Arc<Roster>,
        (lease, peers): (watch::Receiver<Option<LeaseId>>, watch::Receiver<Peers>),
        limits: Limits,
        pace: Pace,
    ) -> Self {
        let held = *lease.borrow();
        Self {
            tools: Tools::new(scribe, outlet),
            roster,
            queue: Queue::new(host.clone()),
            host,
            held,
            lease,
            peers,
            limits,
            pace,
            templates: BTreeMap::new(),
            leads: false,
            sweep_ms: 0,
            reached: Revision::default(),
            busy: BTreeMap::new(),
            tasks: JoinSet::new(),
            calls: BTreeMap::new(),
        }
    }

    /// Runs jobs until stopped, then lets running calls end or gives their claims back.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) -> Result<()> {
        let scribe = &self.tools.scribe;
        let mut updates =
            mirror::start(Arc::clone(&scribe.store), Arc::clone(&scribe.schemas), PREFIXES);
        let mut changes = self.roster.changes();
        let mut wake_ms = None;
        loop {
            tokio::select! {
                update = updates.recv() => {
                    let Some(update) = update else { anyhow::bail!("the runner's mirror ended") };
                    self.observe(update, &mut updates);
                }
                Some(came) = self.tasks.join_next_with_id() => self.take(came),
                Ok(()) = self.lease.changed() => self.mind_the_lease(),
                Ok(()) = self.peers.changed() => {
                    let peers = self.peers.borrow_and_update().clone();
                    self.leads = peers.term_of(&self.host).is_some();
                    self.roster.meters().leads(self.leads);
                    self.queue.know_peers(peers);
                }
                Ok(()) = changes.changed() => {}
                () = clock::sleep_until(wake_ms) => {}
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
            wake_ms = self.decide();
        }
        self.wind_up(updates).await;
        Ok(())
    }

    fn observe(&mut self, first: Update, updates: &mut mpsc::Receiver<Update>) {
        let mut next = Some(first);
        while let Some(update) = next {
            self.reached = update.revision;
            for fact in &update.facts {
                self.learn_template(fact);
            }
            self.queue.learn(update.facts, clock::now_ms());
            next = updates.try_recv().ok();
        }
        let reached = self.reached;
        let due: Vec<JobId> = self
            .busy
            .iter()
            .filter(|(_, (_, busy))| match busy {
                Busy::Until(at) | Busy::Overtaken(at, _) => *at <= reached,
                Busy::Calling | Busy::Settling => false,
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            if let Some((handler, Busy::Overtaken(_, closing))) = self.busy.remove(&id) {
                self.settle(id, handler, closing);
            }
        }
    }

    fn learn_template(&mut self, fact: &Fact) {
        let Entry::Template(id) = &fact.entry else { return };
        let text = match &fact.content {
            Some(Content::Template(template)) => Ok(template.text.clone()),
            Some(Content::Unreadable(why)) => Err(why.clone()),
            _ => {
                self.templates.remove(id);
                return;
            }
        };
        self.templates.insert(id.clone(), text);
    }

    /// Without the lease that they hang on, the claims are no longer this host's: it stops working
    /// on them.
    fn mind_the_lease(&mut self) {
        let present = *self.lease.borrow_and_update();
        if std::mem::replace(&mut self.held, present) == present || self.calls.is_empty() {
            return;
        }
        warn!(calls = self.calls.len(), "calls are stopped: the host lost its lease");
        for (_, call) in self.calls.values() {
            call.abort();
        }
    }

    /// Starts what may be started; answers when to look again.
    fn decide(&mut self) -> Option<u64> {
        let now_ms = clock::now_ms();
        let (places, well_ms) = self.roster.places(self.pace.handler_slots, now_ms);
        let mut slots: BTreeMap<HandlerName, usize> =
            places.keys().map(|name| (name.clone(), self.pace.handler_slots)).collect();
        for (handler, busy) in self.busy.values() {
            if let (Busy::Calling | Busy::Settling | Busy::Overtaken(..), Some(free)) =
                (busy, slots.get_mut(handler))
            {
                *free = free.saturating_sub(1);
            }
        }
        for (free, most) in slots.values_mut().zip(places.values()) {
            *free = (*free).min(*most);
        }
        let busy = &self.busy;
        let Turns { claims, repairs, sweeps, mut wake_ms } =
            self.queue.turns(now_ms, &slots, |id| busy.contains_key(id));
        wake_ms = wake_ms.into_iter().chain(well_ms).min();
        self.release_strays();
        if let Some(lease) = self.held {
            for id in claims {
                self.start(id, lease);
            }
        }
        if self.leads {
            if self.sweep(&sweeps, now_ms) {
                wake_ms = Some(wake_ms.map_or(self.sweep_ms, |wake| wake.min(self.sweep_ms)));
            }
            let under_way =
                self.busy.values().filter(|(handler, _)| handler.as_str().is_empty()).count();
            // One that was just claimed may wait for a handler that this host has not told of yet.
            let repairs = repairs.into_iter().filter(|(id, _)| !self.busy.contains_key(id));
            let repairs: Vec<_> = repairs.take(REPAIRS_MAX.saturating_sub(under_way)).collect();
            for (id, wrong) in repairs {
                self.repair(id, wrong, now_ms);
            }
        }
        self.roster.meters().jobs(self.queue.ready(), self.calls.len());
        wake_ms
    }

    fn start(&mut self, id: JobId, lease: LeaseId) {
        if self.busy.contains_key(&id) {
            return;
        }
        let Some(open) = self.queue.get(&id) else { return };
        let Some(posted) = open.posted.clone() else { return };
        let Some(claim) = settle::claim(&self.queue, &id, &self.host) else { return };
        let Some(shift) = self.roster.call(&posted.job.handler, &id) else { return };
        let handler = posted.job.handler.clone();
        let template = match &open.step {
            Some(step) => match self.templates.get(&step.template) {
                Some(Ok(text)) => Ok(text.clone()),
                Some(Err(why)) => {
                    Err(format!("template `{}` cannot be read: {why}", step.template))
                }
                None => Err(format!("template `{}` is not in /config any more", step.template)),
            },
            None => Err("the job's own record is gone, and with it which template it has".into()),
        };
        let call = Call {
            fields: settle::reported_before(&self.queue, &id),
            step: open.step.clone(),
            shift: Some(shift),
            posted,
            claim,
            template,
        };
        let tools = self.tools.clone();
        debug!(job = %id, "claiming");
        self.busy.insert(id.clone(), (handler, Busy::Calling));
        let working = id.clone();
        let task = self.tasks.spawn(async move { (id, tools.work(call, lease).await) });
        self.calls.insert(task.id(), (working, task));
    }

    fn take(&mut self, came: Result<(task::Id, (JobId, Came)), JoinError>) {
        let (id, came) = match came {
            Ok((task, came)) => {
                self.calls.remove(&task);
                came
            }
            Err(broken) => return self.take_broken(&broken),
        };
        let Some((handler, _)) = self.busy.remove(&id) else { return };
        match came {
            Came::Answered(closing) | Came::OutOfReach(Some(closing)) => {
                self.settle(id, handler, closing);
            }
            Came::Done(at) | Came::Overtaken(at, _) if at <= self.reached => {
                if let Came::Overtaken(_, closing) = came {
                    self.settle(id, handler, closing);
                }
            }
            Came::Done(at) => {
                self.busy.insert(id, (handler, Busy::Until(at)));
            }
            Came::Overtaken(at, closing) => {
                self.busy.insert(id, (handler, Busy::Overtaken(at, closing)));
            }
            Came::GivenBack(claim) => self.give_back(id, claim),
            Came::OutOfReach(None) => {}
            Came::Lost => warn!(job = %id, "claim was lost; its outcome is not written"),
        }
    }

    /// A call's task broke, which is a fault of ours: the job is tried again like after any other fault.
    fn take_broken(&mut self, broken: &JoinError) {
        let Some((id, _)) = self.calls.remove(&broken.id()) else { return };
        let Some((handler, _)) = self.busy.remove(&id) else { return };
        if broken.is_cancelled() {
            info!(job = %id, "was stopped");
            return;
        }
        error!(job = %id, "its task broke: {broken}");
        let working = self.queue.get(&id).and_then(|open| open.working.clone());
        // Without a claim that the mirror has shown, it is found as a stray later.
        let Some((_, claim)) = working.filter(|(host, _)| *host == self.host) else { return };
        let closing = call::broken(id.clone(), claim);
        self.settle(id, handler, Box::new(closing));
    }
}
