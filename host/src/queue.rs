//! Thought 2: of all unfinished jobs, whose turn it is.
//!
//! The queue remembers what the store last showed of every job and answers which jobs a host may claim now, and
//! which ones lie wrong and must be put right: a job that waits for nothing, a job that a lost host left behind,
//! a mark without its job.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{
    Content, Entry, Fact, HandlerName, HostId, Job, JobId, Posted, ResourceRef, Revision, Step,
};

/// The longest pause that a job may be given, in milliseconds.
pub const SLEEP_MS_MAX: u64 = 60 * 60 * 1000;
/// How many job states are swept at a time.
const SWEEPS_MAX: usize = 50;

/// What is known of one job.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// Its body; `None` when only marks are left of it.
    pub posted: Option<Arc<Posted>>,
    /// When the body last changed.
    pub posted_at: Revision,
    /// Since when it waits.
    pub waiting: Option<Revision>,
    /// Since when it may be claimed.
    pub ready: Option<Revision>,
    /// Who runs it, and the revision at which the claim came into being.
    pub working: Option<(HostId, Revision)>,
    /// Its small, changing side.
    pub step: Option<Step>,
    /// Its body is there but cannot be read.
    pub unreadable: bool,
}

impl Open {
    fn is_gone(&self) -> bool {
        self.posted.is_none()
            && !self.unreadable
            && self.waiting.is_none()
            && self.ready.is_none()
            && self.working.is_none()
            && self.step.is_none()
    }

    fn wake_ms(&self) -> u64 {
        self.step.as_ref().map_or(0, |step| step.wake_ms)
    }
}

/// What lies wrong with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It waits, but nothing that it waits for is unfinished.
    WaitsForNothing,
    /// It neither waits nor is ready nor runs: the host that ran it is lost.
    LeftBehind,
    /// Marks of a job that is no more.
    MarksWithoutJob,
}

/// What may be done now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// To be claimed, at most as many of a handler as it has free slots.
    pub claims: Vec<JobId>,
    /// To be put right.
    pub repairs: Vec<(JobId, Wrong)>,
    /// Resources whose workflow has ended and whose job state may go, and when that last changed.
    pub sweeps: Vec<(ResourceRef, Revision)>,
    /// When the next sleeping job wakes, in milliseconds of Unix time, if a free slot waits for it.
    pub wake_ms: Option<u64>,
}

/// All unfinished jobs, as the store last showed them.
#[derive(Debug, Default)]
pub struct Queue {
    jobs: BTreeMap<JobId, Open>,
    /// Job → the jobs that wait for it; the job itself may be finished long since.
    dependants: BTreeMap<JobId, BTreeSet<JobId>>,
    by_target: BTreeMap<ResourceRef, BTreeSet<JobId>>,
    /// Handler → its ready jobs in the order of their turn.
    ready: BTreeMap<HandlerName, BTreeSet<(u64, Revision, JobId)>>,
    wrong: BTreeMap<JobId, Wrong>,
    /// Host → the jobs that it has claimed.
    claimed: BTreeMap<HostId, BTreeSet<JobId>>,
    plan_mark: Option<Revision>,
    /// When each resource's job state last changed.
    job_states: BTreeMap<ResourceRef, Revision>,
    /// Resources whose job state outlived their last job.
    ended: BTreeSet<ResourceRef>,
}

impl Queue {
    /// Takes in what the store showed. Facts of one transaction belong into one call: between two calls every job
    /// is judged by what is known of it.
    pub fn learn(&mut self, facts: impl IntoIterator<Item = Fact>) {
        let mut touched = BTreeSet::new();
        for fact in facts {
            if fact.entry == Entry::PlanMark {
                self.plan_mark = fact.content.is_some().then_some(fact.revision);
            } else if let Entry::JobState(of) = &fact.entry {
                match fact.content {
                    Some(_) => self.job_states.insert(of.clone(), fact.revision),
                    None => self.job_states.remove(of),
                };
                self.judge_resource(of);
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
            self.judge(&id);
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

    /// When a plan was last committed.
    pub fn plan_mark(&self) -> Option<Revision> {
        self.plan_mark
    }

    /// Whose turn it is at `now_ms`, given each handler's free slots. `busy` jobs are left alone: something is
    /// under way for them that the store has not shown yet.
    pub fn turns(
        &self,
        now_ms: u64,
        slots: &BTreeMap<HandlerName, usize>,
        busy: impl Fn(&JobId) -> bool,
    ) -> Turns {
        let mut turns = Turns::default();
        for (handler, &free) in slots {
            let Some(order) = self.ready.get(handler) else { continue };
            let at = |wake_ms: u64| (wake_ms, Revision::default(), JobId::new(""));
            let asleep = now_ms.saturating_add(1);
            // Nobody sleeps longer than that: such a time was told by a clock that has been put back since.
            let beyond = asleep.saturating_add(SLEEP_MS_MAX);
            // Who has slept comes before who is new, or those that are under way would never get on.
            let due = order
                .range(at(1)..at(asleep))
                .chain(order.range(at(beyond)..))
                .chain(order.range(..at(1)))
                .map(|(_, _, id)| id)
                .filter(|id| !busy(id));
            turns.claims.extend(due.take(free).cloned());
            let next = order.range(at(asleep)..at(beyond)).find(|(_, _, id)| !busy(id));
            if let Some((wake_ms, _, _)) = next {
                turns.wake_ms = Some(turns.wake_ms.map_or(*wake_ms, |w| w.min(*wake_ms)));
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
            sweeps.filter_map(|of| Some((of.clone(), *self.job_states.get(of)?))).collect();
        turns
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
            && let (Some(posted), Some(at)) = (&open.posted, open.ready)
            && let Some(order) = self.ready.get_mut(&posted.job.handler)
        {
            order.remove(&(open.wake_ms(), at, id.clone()));
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
    fn judge(&mut self, id: &JobId) {
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
            let key = (open.wake_ms(), at, id.clone());
            self.ready.entry(posted.job.handler.clone()).or_default().insert(key);
        } else if !self.waits(&posted.job) {
            let wrong =
                if open.waiting.is_some() { Wrong::WaitsForNothing } else { Wrong::LeftBehind };
            self.wrong.insert(id.clone(), wrong);
        } else if open.waiting.is_none() {
            self.wrong.insert(id.clone(), Wrong::LeftBehind);
        }
    }

    fn waits(&self, job: &Job) -> bool {
        job.dependency.iter().any(|dependency| self.is_open(dependency))
    }
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
