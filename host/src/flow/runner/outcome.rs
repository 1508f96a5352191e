//! What is committed beside a call: its outcome, and what puts jobs right.

use tracing::{debug, error, info, warn};

use super::{Busy, Came, PAUSE, Runner, SWEEP_MS};
use crate::domain::{
    Failure, HandlerName, JobId, Report, ResourceRef, Revision, Transaction, Verdict,
};
use crate::flow::scribe::{Scribe, Uncommitted};
use crate::queue::{SWEEPS_MAX, Wrong};
use crate::settle::{self, About, Closing};

impl Runner {
    /// Decides what becomes of an answered call and starts to commit it.
    pub(super) fn settle(&mut self, id: JobId, handler: HandlerName, closing: Box<Closing>) {
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
        self.busy.insert(id.clone(), (handler, Busy::Settling));
        let scribe = self.tools.scribe.clone();
        self.tasks.spawn(async move {
            let came = match commit_all(&scribe, &settled.transactions).await {
                Ok(at) => {
                    // Not before: what was overtaken is decided anew, perhaps otherwise.
                    tell(&id, &settled.about);
                    Came::Done(at)
                }
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

    pub(super) fn repair(&mut self, id: JobId, wrong: Wrong, now_ms: u64) {
        let transactions = settle::repair(&self.queue, &id, wrong, now_ms, &self.limits);
        match wrong {
            Wrong::WaitsForNothing => debug!(job = %id, "waits for nothing and is ready now"),
            Wrong::LeftBehind => warn!(job = %id, "was left behind by a lost host"),
            Wrong::MarksWithoutJob => warn!(job = %id, "has marks but is no more"),
            Wrong::NobodyHasHandler => warn!(job = %id, "is ready, but no host has its handler"),
        }
        self.commit_aside(id, transactions, "put job right");
    }

    /// Removes what ended workflows left, one commit at a time.
    ///
    /// Answers whether there is something left for later.
    pub(super) fn sweep(&mut self, job_states: &[(ResourceRef, Revision)], now_ms: u64) -> bool {
        if job_states.is_empty() || self.busy.contains_key(&sweeper()) {
            return false;
        }
        let clock_was_put_back = self.sweep_ms > now_ms + SWEEP_MS;
        if job_states.len() < SWEEPS_MAX && now_ms < self.sweep_ms && !clock_was_put_back {
            return true;
        }
        self.sweep_ms = now_ms + SWEEP_MS;
        let transaction = settle::sweep(job_states);
        self.commit_aside(sweeper(), vec![transaction], "sweep job states");
        false
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

    /// Gives a claim back unused, without a failed try.
    pub(super) fn give_back(&mut self, id: JobId, claim: Revision) {
        let Some(release) = settle::release(&self.queue, &id, claim) else { return };
        info!(job = %id, "is called again: its fault was that of a version that has gone");
        self.commit_aside(id, vec![release], "give job back");
    }

    /// Gives back what this host has claimed without anybody working on it: the commit of a claim whose outcome
    /// was unknown, or a task that broke.
    pub(super) fn release_strays(&mut self) {
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
    let outcome = Ok(Verdict::Failed(Failure::Fatal(why)));
    Box::new(Closing { outcome, report: Report::default(), ..closing })
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
