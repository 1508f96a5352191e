//! Config changes become jobs.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use super::mirror::{self, Update};
use super::scribe::{Scribe, Uncommitted};
use crate::domain::{
    Content, Entry, Fact, Guard, Handlers, HostId, Peers, ResourceRef, Revision, Transaction,
};
use crate::plan::{self, About, Catalog, Plan};
use crate::wire::key::{self, name_of};

const PREFIXES: &[&str] =
    &[key::CONFIG, key::STATE, key::JOBS, key::STEPS, key::APPLIED, key::PLAN];
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
    /// To be looked at again once the mirror has reached the revision.
    later: Vec<(Revision, ResourceRef)>,
    /// Put off once until what they refer to is planned.
    put_off: BTreeSet<ResourceRef>,
}

/// Plans until stopped.
pub(super) async fn run(
    scribe: Scribe,
    me: HostId,
    handlers: Handlers,
    mut peers: watch::Receiver<Peers>,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    let mut updates =
        mirror::start(Arc::clone(&scribe.store), Arc::clone(&scribe.schemas), PREFIXES);
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
        later: Vec::new(),
        put_off: BTreeSet::new(),
    };
    loop {
        tokio::select! {
            update = updates.recv() => {
                let Some(update) = update else { anyhow::bail!("the planner's mirror ended") };
                planner.observe(update);
            }
            changed = peers.changed() => {
                changed.context("the campaign ended")?;
                planner.meet(&peers.borrow_and_update());
            }
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        }
        while let Some(of) = planner.next() {
            // A long list must not be worked off with what was known when it began.
            while let Ok(update) = updates.try_recv() {
                planner.observe(update);
            }
            if peers.has_changed().unwrap_or_default() {
                planner.meet(&peers.borrow_and_update());
            }
            tokio::select! {
                () = planner.look_at(of) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
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
        let (due, later) =
            std::mem::take(&mut self.later).into_iter().partition(|(at, _)| *at <= update.revision);
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

    fn next(&mut self) -> Option<ResourceRef> {
        let of = self.dirty.pop_front()?;
        self.listed.remove(&of);
        Some(of)
    }

    async fn look_at(&mut self, of: ResourceRef) {
        let Some(term) = self.term else { return };
        let Some(plan) = plan::plan(&mut self.catalog, &of) else {
            self.put_off.remove(&of);
            return;
        };
        if self.puts_off(&of, &plan) {
            return;
        }
        let Plan { transaction, about } = plan;
        let transaction = under(term, transaction);
        match self.scribe.commit(&transaction, None).await {
            Ok(revision) => {
                tell(&of, &about);
                // The mirror will show the same; knowing it now lets the next plan see these jobs.
                let dirty = self.catalog.learn_committed(transaction, revision);
                self.mark_all(dirty);
            }
            Err(Uncommitted::Conflict(revision)) => {
                debug!(resource = %of, %revision, "plan was overtaken and is made again");
                self.later.push((revision, of));
            }
            Err(Uncommitted::Unavailable(error)) => {
                warn!(resource = %of, "cannot commit plan: {error:#}; trying again");
                tokio::time::sleep(PAUSE).await;
                self.mark_next(of);
            }
            Err(Uncommitted::LeaseLost) => self.mark(of),
            Err(Uncommitted::Refused(error)) => self.hold_back(term, of, &error).await,
        }
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
    async fn hold_back(&mut self, term: Revision, of: ResourceRef, error: &anyhow::Error) {
        let reason = format!("its workflow cannot be posted: {error:#}");
        error!(resource = %of, "{reason}");
        let Some(plan) = plan::hold_back(&mut self.catalog, &of, &reason) else { return };
        let transaction = under(term, plan.transaction);
        match self.scribe.commit(&transaction, None).await {
            Ok(revision) => {
                self.catalog.learn_committed(transaction, revision);
            }
            Err(Uncommitted::Conflict(revision)) => self.later.push((revision, of)),
            Err(other) => error!(resource = %of, "cannot say so in its state: {other}"),
        }
    }
}

/// A leader that was deposed without knowing it commits nothing.
fn under(term: Revision, mut transaction: Transaction) -> Transaction {
    transaction.guards.push(Guard::Created(Entry::Leader, term));
    transaction
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
