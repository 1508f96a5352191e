//! Thought 2: of all unfinished jobs, whose turn it is.
//!
//! The queue remembers what the store last showed of every job and answers which jobs a host may claim now, and
//! which ones lie wrong and must be put right: a job that waits for nothing, a job that a lost host left behind,
//! a mark without its job, a job that no running host can do.

mod open;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{
    Content, Entry, Fact, Fields, HandlerName, HostId, Job, JobId, Peers, Posted, ResourceRef,
    Revision, Version,
};
pub use open::Open;
use turn::{Order, Ready};
pub use turn::{Turns, Wrong};

/// The longest pause that a job may be given, in milliseconds.
pub const SLEEP_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// How many job states are swept at a time.
pub const SWEEPS_MAX: usize = 100;

/// All unfinished jobs, as the store last showed them.
#[derive(Debug)]
pub struct Queue {
    jobs: BTreeMap<JobId, Open>,
    /// Job → the jobs that wait for it; the job itself may be finished long since.
    dependants: BTreeMap<JobId, BTreeSet<JobId>>,
    by_target: BTreeMap<ResourceRef, BTreeSet<JobId>>,
    /// Handler → its ready jobs.
    ready: BTreeMap<HandlerName, Order>,
    me: HostId,
    peers: Peers,
    wrong: BTreeMap<JobId, Wrong>,
    /// Host → the jobs that it has claimed.
    claimed: BTreeMap<HostId, BTreeSet<JobId>>,
    plan_mark: Option<Revision>,
    /// What each resource's workflow has reported so far, and when that last changed.
    job_states: BTreeMap<ResourceRef, (Revision, Fields)>,
    /// Which version each resource's state tells of, and when that last changed.
    told: BTreeMap<ResourceRef, (Version, Revision)>,
    /// Resources whose job state outlived their last job.
    ended: BTreeSet<ResourceRef>,
}

impl Queue {
    /// The queue of the host `me`, which knows nothing yet.
    pub fn new(me: HostId) -> Self {
        Self {
            jobs: BTreeMap::new(),
            dependants: BTreeMap::new(),
            by_target: BTreeMap::new(),
            ready: BTreeMap::new(),
            me,
            peers: Peers::default(),
            wrong: BTreeMap::new(),
            claimed: BTreeMap::new(),
            plan_mark: None,
            job_states: BTreeMap::new(),
            told: BTreeMap::new(),
            ended: BTreeSet::new(),
        }
    }

    /// Takes in who else runs: jobs are shared out among the hosts that can do them.
    pub fn know_peers(&mut self, peers: Peers) {
        let before = std::mem::replace(&mut self.peers, peers);
        if before.iter().eq(self.peers.iter()) {
            return;
        }
        for (handler, order) in &mut self.ready {
            for (id, ready) in order.take() {
                let rank = rank(&self.peers, &self.me, handler, &id);
                order.put(&id, Ready { rank, ..ready });
            }
        }
        let ready: Vec<JobId> = self.ready.values().flat_map(Order::jobs).cloned().collect();
        for id in ready {
            self.judge_home(&id);
        }
    }

    /// Takes in what the store showed at `now_ms`. Facts of one transaction belong into one call:
    /// between two calls every job is judged by what is known of it.
    pub fn learn(&mut self, facts: impl IntoIterator<Item = Fact>, now_ms: u64) {
        let mut touched = BTreeSet::new();
        for fact in facts {
            if fact.entry == Entry::PlanMark {
                self.plan_mark = fact.content.is_some().then_some(fact.revision);
            } else if let Entry::JobState(of) = &fact.entry {
                let of = of.clone();
                match fact.content {
                    Some(Content::JobState(fields)) => {
                        self.job_states.insert(of.clone(), (fact.revision, fields));
                    }
                    Some(_) => {
                        self.job_states.insert(of.clone(), (fact.revision, Fields::new()));
                    }
                    None => {
                        self.job_states.remove(&of);
                    }
                }
                self.judge_resource(&of);
            } else if let Entry::State(of) = fact.entry {
                self.hear(of, fact.content.as_ref(), fact.revision);
            } else if let Some(id) = job_of(&fact.entry).cloned() {
                self.unorder(&id);
                self.apply(&id, fact);
                touched.insert(id);
            }
        }
        // Whether a dependant still waits for something may have changed with the job it waits for.
        let dependants: Vec<JobId> =
            touched.iter().flat_map(|id| self.dependants(id)).cloned().collect();
        for id in dependants {
            self.wrong.remove(&id);
            touched.insert(id);
        }
        for id in touched {
            self.judge(&id, now_ms);
        }
    }

    /// One job.
    pub fn get(&self, id: &JobId) -> Option<&Open> {
        self.jobs.get(id)
    }

    /// All jobs, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&JobId, &Open)> {
        self.jobs.iter()
    }

    /// How many jobs are ready, due or not.
    pub fn ready(&self) -> usize {
        self.ready.values().map(|order| order.jobs().len()).sum()
    }

    /// The unfinished jobs of a resource.
    pub fn of_resource(&self, of: &ResourceRef) -> impl Iterator<Item = &JobId> {
        self.by_target.get(of).into_iter().flatten()
    }

    /// The jobs that wait for this one.
    pub fn dependants(&self, id: &JobId) -> impl Iterator<Item = &JobId> {
        self.dependants.get(id).into_iter().flatten()
    }

    /// Whether the job is unfinished.
    pub fn is_open(&self, id: &JobId) -> bool {
        self.jobs.get(id).is_some_and(|open| open.posted.is_some() || open.unreadable)
    }

    /// The jobs that a host has claimed.
    pub fn claimed_by(&self, host: &HostId) -> impl Iterator<Item = &JobId> {
        self.claimed.get(host).into_iter().flatten()
    }

    /// What the running workflow of a resource has reported so far.
    pub fn job_state(&self, of: &ResourceRef) -> Fields {
        self.job_states.get(of).map(|(_, fields)| fields.clone()).unwrap_or_default()
    }

    /// Which version the state of a resource tells of, and when that last changed.
    pub fn told(&self, of: &ResourceRef) -> Option<(Version, Revision)> {
        self.told.get(of).copied()
    }

    /// When a plan or a cascade of failures was last committed.
    pub fn plan_mark(&self) -> Option<Revision> {
        self.plan_mark
    }

    /// Whose turn it is at `now_ms`, given each handler's free slots. `busy` jobs are left alone: something is
    /// under way for them that the store has not shown yet.
    pub fn turns(
        &mut self,
        now_ms: u64,
        slots: &BTreeMap<HandlerName, usize>,
        busy: impl Fn(&JobId) -> bool,
    ) -> Turns {
        let mut turns = Turns::default();
        for (handler, &free) in slots {
            let Some(order) = self.ready.get_mut(handler) else { continue };
            if free == 0 {
                continue;
            }
            turns.claims.extend(order.claims(now_ms, free, &busy));
            if let Some(wake_ms) = order.next_ms() {
                turns.wake_ms = Some(turns.wake_ms.map_or(wake_ms, |w| w.min(wake_ms)));
            }
        }
        turns.repairs = self
            .wrong
            .iter()
            .filter(|(id, _)| !busy(id))
            .map(|(id, wrong)| (id.clone(), *wrong))
            .collect();
        let sweeps = self.ended.iter().take(SWEEPS_MAX);
        turns.sweeps =
            sweeps.filter_map(|of| Some((of.clone(), self.job_states.get(of)?.0))).collect();
        turns
    }

    fn hear(&mut self, of: ResourceRef, content: Option<&Content>, at: Revision) {
        let version = match content {
            None => {
                self.told.remove(&of);
                return;
            }
            Some(Content::State(state)) => state.version,
            // Nobody can tell; whatever is written next is better.
            Some(_) => Version::default(),
        };
        self.told.insert(of, (version, at));
    }

    fn judge_resource(&mut self, of: &ResourceRef) {
        if self.job_states.contains_key(of) && !self.by_target.contains_key(of) {
            self.ended.insert(of.clone());
        } else {
            self.ended.remove(of);
        }
    }

    /// Takes a job out of the orders it stands in, before what is known of it changes.
    fn unorder(&mut self, id: &JobId) {
        self.wrong.remove(id);
        if let Some(open) = self.jobs.get(id)
            && let Some(posted) = &open.posted
            && let Some(order) = self.ready.get_mut(&posted.job.handler)
        {
            order.remove(id);
            if order.is_empty() {
                self.ready.remove(&posted.job.handler);
            }
        }
    }

    fn apply(&mut self, id: &JobId, fact: Fact) {
        let open = self.jobs.entry(id.clone()).or_default();
        let at = fact.revision;
        match fact.entry {
            Entry::Waiting(_) => open.waiting = fact.content.is_some().then_some(at),
            Entry::Ready(_) => open.ready = fact.content.is_some().then_some(at),
            Entry::Working(_) => {
                if let Some((host, _)) = &open.working {
                    remove_from(&mut self.claimed, host, id);
                }
                open.working = match fact.content {
                    Some(Content::Host(host)) => Some((host, fact.created)),
                    Some(_) => Some((HostId::new(""), fact.created)),
                    None => None,
                };
                if let Some((host, _)) = &open.working {
                    self.claimed.entry(host.clone()).or_default().insert(id.clone());
                }
            }
            Entry::Step(_) => {
                open.step = match fact.content {
                    Some(Content::Step(step)) => Some(step),
                    _ => None,
                };
            }
            Entry::Job(_) => {
                let before = open.posted.take();
                open.posted_at = at;
                open.unreadable = matches!(fact.content, Some(Content::Unreadable(_)));
                if let Some(Content::Job(posted)) = fact.content {
                    open.posted = Some(Arc::new(posted));
                }
                let now = open.posted.clone();
                self.index(id, before.as_deref(), now.as_deref());
            }
            _ => {}
        }
    }

    fn index(&mut self, id: &JobId, before: Option<&Posted>, now: Option<&Posted>) {
        if let Some(Posted { job, .. }) = before {
            for dependency in &job.dependency {
                remove_from(&mut self.dependants, dependency, id);
            }
            remove_from(&mut self.by_target, &job.target, id);
            self.judge_resource(&job.target);
        }
        if let Some(Posted { job, .. }) = now {
            for dependency in &job.dependency {
                self.dependants.entry(dependency.clone()).or_default().insert(id.clone());
            }
            self.by_target.entry(job.target.clone()).or_default().insert(id.clone());
            self.judge_resource(&job.target);
        }
    }

    /// Puts a job into the orders where it belongs now.
    fn judge(&mut self, id: &JobId, now_ms: u64) {
        let Some(open) = self.jobs.get(id) else { return };
        if open.is_gone() {
            self.jobs.remove(id);
            return;
        }
        let Some(posted) = &open.posted else {
            if !open.unreadable {
                self.wrong.insert(id.clone(), Wrong::MarksWithoutJob);
            }
            return;
        };
        if open.working.is_some() {
            return;
        }
        if let Some(at) = open.ready {
            let job = &posted.job;
            let ready = Ready {
                tenant: job.tenant().to_owned(),
                since: at,
                wake_ms: open.wake_ms(),
                rank: rank(&self.peers, &self.me, &job.handler, id),
                seen_ms: now_ms,
            };
            self.ready.entry(job.handler.clone()).or_default().put(id, ready);
            self.judge_home(id);
        } else if !self.waits(&posted.job) {
            let wrong =
                if open.waiting.is_some() { Wrong::WaitsForNothing } else { Wrong::LeftBehind };
            self.wrong.insert(id.clone(), wrong);
        } else if open.waiting.is_none() {
            self.wrong.insert(id.clone(), Wrong::LeftBehind);
        }
    }

    /// Whether a ready job must be told that nobody can do it.
    fn judge_home(&mut self, id: &JobId) {
        let Some(open) = self.jobs.get(id) else { return };
        let Some(posted) = &open.posted else { return };
        let handler = &posted.job.handler;
        let is_known = self.peers.iter().next().is_none() || self.peers.have(handler);
        let told = open.step.as_ref().is_some_and(|step| step.trouble == nobody_has(handler));
        if is_known || told || open.working.is_some() {
            if self.wrong.get(id) == Some(&Wrong::NobodyHasHandler) {
                self.wrong.remove(id);
            }
        } else {
            self.wrong.insert(id.clone(), Wrong::NobodyHasHandler);
        }
    }

    fn waits(&self, job: &Job) -> bool {
        job.dependency.iter().any(|dependency| self.is_open(dependency))
    }
}

/// What is told of a job that no running host can do.
pub fn nobody_has(handler: &HandlerName) -> String {
    format!("no running host has handler `{handler}`: a host runs it once its plugin is loaded")
}

fn rank(peers: &Peers, me: &HostId, handler: &HandlerName, id: &JobId) -> usize {
    peers.rank(me, id.as_str(), |host| host.has_handler(handler))
}

fn job_of(entry: &Entry) -> Option<&JobId> {
    match entry {
        Entry::Job(id)
        | Entry::Waiting(id)
        | Entry::Ready(id)
        | Entry::Working(id)
        | Entry::Step(id) => Some(id),
        _ => None,
    }
}

fn remove_from<K: Ord, V: Ord>(index: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(values) = index.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
