//! Config changes become jobs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, error, info, warn};

use super::mirror::{self, Update};
use super::roster::Roster;
use super::scribe::{Scribe, Uncommitted};
use crate::domain::{
    Content, Effect, Entry, Fact, Guard, Handlers, HostId, Peers, ResourceRef, Revision,
    Transaction,
};
use crate::plan::{self, About, Catalog, Plan};
use crate::wire::key::{self, name_of};

const PREFIXES: &[&str] =
    &[key::CONFIG, key::STATE, key::JOBS, key::STEPS, key::APPLIED, key::PLAN];
/// Plans that are committed at the same time.
const PLANS_MAX: usize = 32;
/// The pause before a plan is tried again when the store could not be reached.
const PAUSE: Duration = Duration::from_millis(500);

/// Plans while this host leads. While it does not, it only keeps up with the store, so that it
/// can take over at once.
struct Planner {
    scribe: Scribe,
    catalog: Catalog,
    me: HostId,
    /// The handlers of this host.
    own: Handlers,
    /// The handlers of all hosts.
    handlers: Handlers,
    /// Since when this host leads, while it does.
    term: Option<Revision>,
    /// To be looked at, first come first served, none twice.
    dirty: VecDeque<ResourceRef>,
    listed: BTreeSet<ResourceRef>,
    /// What the mirror has reached.
    reached: Revision,
    /// To be looked at again once the mirror has reached the revision.
    later: Vec<(Revision, ResourceRef)>,
    /// Put off once until what they refer to is planned.
    put_off: BTreeSet<ResourceRef>,
    /// Resources whose plans are being committed, and what the jobs of each refer to.
    under_way: BTreeMap<ResourceRef, BTreeSet<ResourceRef>>,
    /// To be looked at again when the plan of the first is committed: it may have to wait for it.
    behind: BTreeMap<ResourceRef, Vec<ResourceRef>>,
    commits: JoinSet<Came>,
}

/// A plan, and what became of its commit.
struct Came {
    of: ResourceRef,
    plan: Plan,
    /// What the mirror had reached when it was made.
    planned_at: Revision,
    outcome: Result<Revision, Uncommitted>,
}

/// Plans until stopped.
pub(super) async fn run(
    scribe: Scribe,
    me: HostId,
    roster: Arc<Roster>,
    mut peers: watch::Receiver<Peers>,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    let mut updates =
        mirror::start(Arc::clone(&scribe.store), Arc::clone(&scribe.schemas), PREFIXES);
    let mut changes = roster.changes();
    let handlers = roster.handlers();
    let catalog = Catalog::new(scribe.schemas.as_ref().clone(), handlers.clone());
    let mut planner = Planner {
        scribe,
        catalog,
        me,
        own: handlers.clone(),
        handlers,
        term: None,
        dirty: VecDeque::new(),
        listed: BTreeSet::new(),
        reached: Revision(0),
        later: Vec::new(),
        put_off: BTreeSet::new(),
        under_way: BTreeMap::new(),
        behind: BTreeMap::new(),
        commits: JoinSet::new(),
    };
    loop {
        tokio::select! {
            update = updates.recv() => {
                let Some(update) = update else { anyhow::bail!("the planner's mirror ended") };
                planner.observe(update);
            }
            Ok(()) = peers.changed() => planner.meet(&peers.borrow_and_update()),
            Ok(()) = changes.changed() => {
                planner.own = roster.handlers();
                planner.meet(&peers.borrow());
            }
            Some(came) = planner.commits.join_next() => {
                planner.take(came.context("a plan's commit broke")?);
            }
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        }
        while let Some(of) = planner.next() {
            planner.look_at(of);
            // A long list must not be worked off with what was known when it began.
            while let Ok(update) = updates.try_recv() {
                planner.observe(update);
            }
            if peers.has_changed().unwrap_or_default() {
                planner.meet(&peers.borrow_and_update());
            }
        }
    }
}

impl Planner {
    fn observe(&mut self, update: Update) {
        for fact in update.facts {
            complain(&fact);
            let dirty = self.catalog.learn(fact);
            if !update.whole {
                self.mark_all(dirty);
            }
        }
        if update.whole {
            let everything = self.catalog.everything();
            self.mark_all(everything);
        }
        self.reached = update.revision;
        let (due, later) =
            std::mem::take(&mut self.later).into_iter().partition(|(at, _)| *at <= self.reached);
        self.later = later;
        let due: Vec<_> = due;
        self.mark_all(due.into_iter().map(|(_, of)| of));
    }

    /// Takes in who else runs, and who leads.
    fn meet(&mut self, peers: &Peers) {
        match peers.handlers(&self.own) {
            Ok(handlers) if handlers == self.handlers => {}
            Ok(handlers) => {
                self.handlers = handlers.clone();
                let released = self.catalog.know_handlers(handlers);
                self.mark_all(released);
            }
            Err(circle) => {
                let names: Vec<_> = circle.iter().map(ToString::to_string).collect();
                error!("hosts describe handlers that wait for each other: {}", names.join(", "));
            }
        }
        let term = peers.term_of(&self.me);
        if term == self.term {
            return;
        }
        self.term = term;
        self.dirty.clear();
        self.listed.clear();
        self.later.clear();
        self.put_off.clear();
        if term.is_some() {
            let everything = self.catalog.everything();
            info!(resources = everything.len(), "this host leads: it plans what is missing");
            self.mark_all(everything);
        } else {
            info!("this host leads no more");
        }
    }

    fn mark(&mut self, of: ResourceRef) {
        if self.term.is_none() {
            return;
        }
        if self.listed.insert(of.clone()) {
            self.dirty.push_back(of);
        }
    }

    fn mark_next(&mut self, of: ResourceRef) {
        self.listed.insert(of.clone());
        self.dirty.push_front(of);
    }

    fn mark_all(&mut self, resources: impl IntoIterator<Item = ResourceRef>) {
        for of in resources {
            self.mark(of);
        }
    }

    /// The next one to look at, while more plans may be under way.
    fn next(&mut self) -> Option<ResourceRef> {
        if self.commits.len() >= PLANS_MAX {
            return None;
        }
        let of = self.dirty.pop_front()?;
        self.listed.remove(&of);
        Some(of)
    }

    fn look_at(&mut self, of: ResourceRef) {
        if self.term.is_none() {
            return;
        }
        if self.under_way.contains_key(&of) {
            self.behind.entry(of.clone()).or_default().push(of);
            return;
        }
        let Some(plan) = plan::plan(&mut self.catalog, &of) else {
            self.put_off.remove(&of);
            return;
        };
        if !self.puts_off(&of, &plan) {
            self.commit(of, plan);
        }
    }

    /// Commits a plan beside others, unless it and one of them may have to do with each other: the
    /// later one must see the jobs of the earlier one.
    fn commit(&mut self, of: ResourceRef, mut plan: Plan) {
        let Some(term) = self.term else { return };
        let refers_to = refers_to(&plan.transaction);
        let related = self
            .under_way
            .iter()
            .find(|(other, theirs)| refers_to.contains(*other) || theirs.contains(&of));
        if let Some((other, _)) = related {
            self.behind.entry(other.clone()).or_default().push(of);
            return;
        }
        // A leader that was deposed without knowing it commits nothing.
        plan.transaction.guards.push(Guard::Created(Entry::Leader, term));
        self.under_way.insert(of.clone(), refers_to);
        let (scribe, planned_at) = (self.scribe.clone(), self.reached);
        self.commits.spawn(async move {
            let outcome = scribe.commit(&plan.transaction, None).await;
            if let Err(Uncommitted::Unavailable(error)) = &outcome {
                warn!(resource = %of, "cannot commit plan: {error:#}; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            Came { of, plan, planned_at, outcome }
        });
    }

    fn take(&mut self, came: Came) {
        let Came { of, plan: Plan { transaction, about }, planned_at, outcome } = came;
        self.under_way.remove(&of);
        let behind = self.behind.remove(&of).unwrap_or_default();
        match outcome {
            Ok(revision) => {
                tell(&of, &about);
                // The mirror will show the same; knowing it now lets the next plan see these jobs.
                let dirty = self.catalog.learn_committed(transaction, revision);
                self.mark_all(dirty);
            }
            Err(Uncommitted::Conflict(revision)) => {
                debug!(resource = %of, %revision, "plan was overtaken and is made again");
                let at = worth_another_look(planned_at, revision);
                if at <= self.reached {
                    // There may be no further change to wait for. Those that refer to it come after it.
                    self.mark_next(of);
                } else {
                    self.later.push((at, of));
                }
            }
            Err(Uncommitted::Unavailable(_)) => self.mark_next(of),
            Err(Uncommitted::LeaseLost) => self.mark(of),
            Err(Uncommitted::Refused(error)) => self.hold_back(of, &about, &error),
        }
        self.mark_all(behind);
    }

    /// Whether a plan is not committed now because new resources it refers to come first. It is put
    /// off once, and again while one of them was overtaken; those that refer to each other in a
    /// circle would wait for ever.
    fn puts_off(&mut self, of: &ResourceRef, plan: &Plan) -> bool {
        let first = plan::first(&self.catalog, of, plan);
        if !first.is_empty() && self.put_off.insert(of.clone()) {
            debug!(resource = %of, first = first.len(), "plan comes after what it refers to");
            self.mark_next(of.clone());
            for other in first {
                self.mark_next(other);
            }
            return true;
        }
        let overtaken = self.later.iter().filter(|(_, other)| first.contains(other));
        if let Some(at) = overtaken.map(|(at, _)| *at).max() {
            self.later.push((at, of.clone()));
            return true;
        }
        self.put_off.remove(of);
        false
    }

    /// The store will never take the plan of this resource: its state says so.
    fn hold_back(&mut self, of: ResourceRef, about: &About, error: &anyhow::Error) {
        let reason = format!("its workflow cannot be posted: {error:#}");
        error!(resource = %of, "{reason}");
        if matches!(about, About::HeldBack { .. }) {
            // Not even that can be said.
            return;
        }
        if let Some(plan) = plan::hold_back(&mut self.catalog, &of, &reason) {
            self.commit(of, plan);
        }
    }
}

/// When a plan that was overtaken may come out otherwise: once what overtook it is known. Where that was known already,
/// the mirror does not show what stands in its way, and the next change is waited for.
fn worth_another_look(planned_at: Revision, overtaken_at: Revision) -> Revision {
    if planned_at < overtaken_at { overtaken_at } else { Revision(planned_at.0 + 1) }
}

/// Every resource that the jobs of a plan refer to.
fn refers_to(transaction: &Transaction) -> BTreeSet<ResourceRef> {
    let jobs = transaction.effects.iter().filter_map(|effect| match effect {
        Effect::Put(_, Content::Job(posted)) => Some(&posted.job),
        _ => None,
    });
    jobs.flat_map(|job| job.refers_to().into_iter().cloned()).collect()
}

fn complain(fact: &Fact) {
    if let Some(Content::Unreadable(reason)) = &fact.content {
        warn!("cannot read {}: {reason}", name_of(&fact.entry));
    }
}

fn tell(of: &ResourceRef, about: &About) {
    match about {
        About::Workflow { jobs } => info!(resource = %of, jobs = jobs.len(), "workflow posted"),
        About::Answered { worker_state } => info!(resource = %of, %worker_state, "answered"),
        About::HeldBack { reason } => warn!(resource = %of, "held back: {reason}"),
        About::CleanedUp => info!(resource = %of, "cleaned up after deletion"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_was_overtaken_is_made_again_when_it_may_come_out_otherwise() {
        for (planned_at, overtaken_at, at) in [(5, 6, 6), (5, 9, 9), (6, 6, 7), (7, 6, 8)] {
            let again = worth_another_look(Revision(planned_at), Revision(overtaken_at));
            assert_eq!(again, Revision(at), "planned at {planned_at}, overtaken at {overtaken_at}");
        }
    }
}
