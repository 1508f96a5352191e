//! Ready jobs are claimed, handed to their handlers, and settled.

mod call;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::{mpsc, watch};
use tokio::task::{self, JoinError, JoinSet};
use tracing::{debug, error, info, warn};

use self::call::{Call, Tools};
use super::Pace;
use super::clock;
use super::mirror::{self, Update};
use super::scribe::{Scribe, Uncommitted};
use crate::domain::{HandlerName, HostId, JobId, ResourceRef, Revision, Transaction};
use crate::plugin::Worker;
use crate::queue::{Queue, Turns, Wrong};
use crate::settle::{self, About, Closing, Limits};
use crate::store::LeaseId;
use crate::wire::key;

const PREFIXES: &[&str] = &[key::JOBS, key::STEPS, key::PLAN, key::JOB_STATE];
/// How long the mirror is waited for at the end.
const SHOWN_MS_MAX: u64 = 100;
/// Jobs that are put right at the same time.
const REPAIRS_MAX: usize = 64;
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
    workers: BTreeMap<HandlerName, Arc<Worker>>,
    host: HostId,
    lease: watch::Receiver<LeaseId>,
    limits: Limits,
    pace: Pace,
    queue: Queue,
    reached: Revision,
    busy: BTreeMap<JobId, (HandlerName, Busy)>,
    tasks: JoinSet<(JobId, Came)>,
    /// Which job a call's task works on, should it break.
    calls: BTreeMap<task::Id, JobId>,
}

impl Runner {
    pub(super) fn new(
        scribe: Scribe,
        host: HostId,
        workers: BTreeMap<HandlerName, Worker>,
        lease: watch::Receiver<LeaseId>,
        limits: Limits,
        pace: Pace,
    ) -> Self {
        let workers = workers.into_iter().map(|(name, worker)| (name, Arc::new(worker))).collect();
        Self {
            tools: Tools::new(scribe),
            workers,
            host,
            lease,
            limits,
            pace,
            queue: Queue::default(),
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
        let mut wake_ms = None;
        loop {
            tokio::select! {
                update = updates.recv() => {
                    let Some(update) = update else { anyhow::bail!("the runner's mirror ended") };
                    self.observe(update, &mut updates);
                }
                Some(came) = self.tasks.join_next_with_id() => self.take(came),
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
            self.queue.learn(update.facts);
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

    /// Starts what may be started; answers when to look again.
    fn decide(&mut self) -> Option<u64> {
        let now_ms = clock::now_ms();
        let mut slots: BTreeMap<HandlerName, usize> =
            self.workers.keys().map(|name| (name.clone(), self.pace.handler_slots)).collect();
        for (handler, busy) in self.busy.values() {
            if let (Busy::Calling | Busy::Settling | Busy::Overtaken(..), Some(free)) =
                (busy, slots.get_mut(handler))
            {
                *free = free.saturating_sub(1);
            }
        }
        let busy = &self.busy;
        let Turns { claims, repairs, sweeps, wake_ms } =
            self.queue.turns(now_ms, &slots, |id| busy.contains_key(id));
        self.sweep(&sweeps);
        let under_way =
            self.busy.values().filter(|(handler, _)| handler.as_str().is_empty()).count();
        for (id, wrong) in repairs.into_iter().take(REPAIRS_MAX.saturating_sub(under_way)) {
            self.repair(id, wrong, now_ms);
        }
        self.release_strays();
        for id in claims {
            self.start(id);
        }
        wake_ms
    }

    /// Gives back what this host has claimed without anybody working on it: the commit of a claim whose outcome
    /// was unknown, or a task that broke.
    fn release_strays(&mut self) {
        let strays: Vec<JobId> = self
            .queue
            .claimed_by(&self.host)
            .filter(|id| !self.busy.contains_key(*id))
            .cloned()
            .collect();
        for id in strays {
            let claim = self.queue.get(&id).and_then(|open| Some(open.working.as_ref()?.1));
            let release = claim.and_then(|claim| settle::release(&self.queue, &id, claim));
            if let Some(release) = release {
                warn!(job = %id, "was claimed but is not worked on; given back");
                self.commit_aside(id, vec![release], "give job back");
            }
        }
    }

    fn start(&mut self, id: JobId) {
        let Some(open) = self.queue.get(&id) else { return };
        let Some(posted) = open.posted.clone() else { return };
        let Some(worker) = self.workers.get(&posted.job.handler) else { return };
        let Some(claim) = settle::claim(&self.queue, &id, &self.host) else { return };
        let handler = posted.job.handler.clone();
        let call = Call { posted, step: open.step.clone(), claim, worker: Arc::clone(worker) };
        let (tools, lease) = (self.tools.clone(), *self.lease.borrow());
        debug!(job = %id, "claiming");
        self.busy.insert(id.clone(), (handler, Busy::Calling));
        let working = id.clone();
        let task = self.tasks.spawn(async move { (id, tools.work(call, lease).await) });
        self.calls.insert(task.id(), working);
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
            Came::OutOfReach(None) => {}
            Came::Lost => warn!(job = %id, "claim was lost; its outcome is not written"),
        }
    }

    /// A call's task broke, which is a fault of ours: the job is tried again like after any other fault.
    fn take_broken(&mut self, broken: &JoinError) {
        error!("a task broke: {broken}");
        let Some(id) = self.calls.remove(&broken.id()) else { return };
        let Some((handler, _)) = self.busy.remove(&id) else { return };
        let working = self.queue.get(&id).and_then(|open| open.working.clone());
        // Without a claim that the mirror has shown, it is found as a stray later.
        let Some((_, claim)) = working.filter(|(host, _)| *host == self.host) else { return };
        let closing = call::broken(id.clone(), claim);
        self.settle(id, handler, Box::new(closing));
    }

    /// Decides what becomes of an answered call and starts to commit it.
    fn settle(&mut self, id: JobId, handler: HandlerName, closing: Box<Closing>) {
        let ours = self.queue.get(&id).is_some_and(|open| match &open.working {
            Some((host, claim)) => *host == self.host && *claim == closing.claim,
            // The mirror may not have shown the claim yet.
            None => self.reached < closing.claim,
        });
        if !ours {
            warn!(job = %id, "claim was lost; its outcome is not written");
            return;
        }
        let Some(settled) = settle::settle(&self.queue, &closing, &self.limits) else { return };
        tell(&id, &settled.about);
        self.busy.insert(id.clone(), (handler, Busy::Settling));
        let scribe = self.tools.scribe.clone();
        self.tasks.spawn(async move {
            let came = match commit_all(&scribe, &settled.transactions).await {
                Ok(at) => Came::Done(at),
                Err(Uncommitted::Conflict(at)) => Came::Overtaken(at, closing),
                Err(Uncommitted::LeaseLost) => Came::Lost,
                Err(Uncommitted::Refused(error)) => {
                    error!(job = %id, "cannot commit outcome: {error:#}");
                    Came::OutOfReach(Some(refused(*closing, &error)))
                }
                Err(Uncommitted::Unavailable(error)) => {
                    warn!(job = %id, "cannot commit outcome: {error:#}; trying again");
                    tokio::time::sleep(PAUSE).await;
                    Came::OutOfReach(Some(closing))
                }
            };
            (id, came)
        });
    }

    fn repair(&mut self, id: JobId, wrong: Wrong, now_ms: u64) {
        let transactions = settle::repair(&self.queue, &id, wrong, now_ms, &self.limits);
        match wrong {
            Wrong::WaitsForNothing => debug!(job = %id, "waits for nothing and is ready now"),
            Wrong::LeftBehind => warn!(job = %id, "was left behind by a lost host"),
            Wrong::MarksWithoutJob => warn!(job = %id, "has marks but is no more"),
        }
        self.commit_aside(id, transactions, "put job right");
    }

    /// Removes what ended workflows left, one commit at a time.
    fn sweep(&mut self, job_states: &[(ResourceRef, Revision)]) {
        if job_states.is_empty() || self.busy.contains_key(&sweeper()) {
            return;
        }
        let transaction = settle::sweep(job_states);
        self.commit_aside(sweeper(), vec![transaction], "sweep job states");
    }

    /// Commits what no call depends on; a conflict means that the mirror will show something newer.
    fn commit_aside(&mut self, id: JobId, transactions: Vec<Transaction>, what: &'static str) {
        self.busy.insert(id.clone(), (HandlerName::new(""), Busy::Settling));
        let scribe = self.tools.scribe.clone();
        self.tasks.spawn(async move {
            let came = match commit_all(&scribe, &transactions).await {
                Ok(at) | Err(Uncommitted::Conflict(at)) => Came::Done(at),
                Err(other) => {
                    warn!(job = %id, "cannot {what}: {other}; trying again");
                    tokio::time::sleep(PAUSE).await;
                    Came::OutOfReach(None)
                }
            };
            (id, came)
        });
    }

    /// Lets running calls end; claims of those that do not are given back.
    async fn wind_up(&mut self, mut updates: mpsc::Receiver<Update>) {
        let last = clock::now_ms().saturating_add(self.pace.shutdown_ms_max);
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(update) = updates.recv() => self.observe(update, &mut updates),
                Some(came) = self.tasks.join_next_with_id() => self.take(came),
                () = clock::sleep_until(Some(last)) => break,
            }
        }
        self.tasks.shutdown().await;
        // A claim that was committed last may not have been shown yet.
        let shown = Duration::from_millis(SHOWN_MS_MAX);
        while let Ok(Some(update)) = tokio::time::timeout(shown, updates.recv()).await {
            self.observe(update, &mut updates);
        }
        let unfinished: Vec<JobId> = self.busy.keys().cloned().collect();
        for id in unfinished {
            let working = self.queue.get(&id).and_then(|open| open.working.clone());
            let Some((_, claim)) = working.filter(|(host, _)| *host == self.host) else { continue };
            let Some(release) = settle::release(&self.queue, &id, claim) else { continue };
            match self.tools.scribe.commit(&release, None).await {
                Ok(_) => info!(job = %id, "was not done within shutdown_ms_max; given back"),
                Err(error) => warn!(job = %id, "cannot give job back: {error}"),
            }
        }
    }
}

/// What stands for the sweeper among the busy jobs; no job is called so.
fn sweeper() -> JobId {
    JobId::new("")
}

/// Commits in order; the first that is not committed ends it.
async fn commit_all(
    scribe: &Scribe,
    transactions: &[Transaction],
) -> Result<Revision, Uncommitted> {
    let mut at = Revision::default();
    for transaction in transactions {
        at = scribe.commit(transaction, None).await?;
    }
    Ok(at)
}

/// An outcome that the store will never take, for example for its size, becomes a failure that says so.
fn refused(closing: Closing, error: &anyhow::Error) -> Box<Closing> {
    let why = format!("its outcome cannot be stored: {error:#}");
    let outcome = Ok(crate::domain::Verdict::Failed(crate::domain::Failure::Fatal(why)));
    Box::new(Closing { outcome, report: crate::domain::Report::default(), ..closing })
}

fn tell(id: &JobId, about: &About) {
    match about {
        About::Completed => info!(job = %id, "completed"),
        About::Suspended { wake_ms } => debug!(job = %id, wake_ms, "suspended"),
        About::Retry { attempts, trouble, .. } => {
            warn!(job = %id, attempts, "will be tried again: {trouble}");
        }
        About::Ignored { trouble } => warn!(job = %id, "failed, its workflow goes on: {trouble}"),
        About::Failed { trouble, cancelled } => {
            error!(job = %id, cancelled = cancelled.len(), "failed: {trouble}");
        }
    }
}
