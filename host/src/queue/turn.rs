//! Whose turn it is among the ready jobs of one handler.
//!
//! Tenants take turns, so that a thousand jobs of one do not hold up the single job of another.
//! Within a tenant, who has slept comes before who is new, or those under way would never get on.
//! Jobs that belong to other hosts come last, and only when those hosts have not taken them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::SLEEP_MS_MAX;
use crate::domain::{JobId, ResourceRef, Revision};

/// A host leaves a job to each host that comes before it for so long, in milliseconds.
pub const GRACE_MS: u64 = 200;

/// What lies wrong with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It waits, but nothing that it waits for is unfinished.
    WaitsForNothing,
    /// It neither waits nor is ready nor runs: the host that ran it is lost.
    LeftBehind,
    /// Marks of a job that is no more.
    MarksWithoutJob,
    /// It is ready, but no running host has its handler, and it does not say so yet.
    NobodyHasHandler,
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

/// The ready jobs of one handler.
#[derive(Debug, Default)]
pub(super) struct Order {
    own: Lines,
    others: Lines,
    /// Not to be claimed before a moment.
    later: BTreeSet<(u64, JobId)>,
    jobs: HashMap<JobId, Standing>,
}

/// A ready job.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) tenant: String,
    /// Since when it is ready.
    pub(super) since: Revision,
    /// Asleep until then; 0 if it never slept.
    pub(super) wake_ms: u64,
    /// How many hosts come before this one.
    pub(super) rank: usize,
    /// When this host saw it become ready.
    pub(super) seen_ms: u64,
}

impl Ready {
    fn grace_ms(&self) -> u64 {
        GRACE_MS.saturating_mul(self.rank as u64)
    }

    /// When this host may claim it.
    fn may_be_claimed_ms(&self) -> u64 {
        match self.rank {
            0 => self.wake_ms,
            _ => self.wake_ms.max(self.seen_ms).saturating_add(self.grace_ms()),
        }
    }

    fn place(&self, id: &JobId) -> Place {
        let new = u8::from(self.wake_ms == 0);
        (new, self.wake_ms, self.since, id.clone())
    }
}

#[derive(Debug)]
struct Standing {
    ready: Ready,
    is_due: bool,
}

/// Slept or new, since when, and which.
type Place = (u8, u64, Revision, JobId);

impl Order {
    pub(super) fn put(&mut self, id: &JobId, ready: Ready) {
        self.remove(id);
        self.later.insert((ready.may_be_claimed_ms(), id.clone()));
        self.jobs.insert(id.clone(), Standing { ready, is_due: false });
    }

    pub(super) fn remove(&mut self, id: &JobId) {
        let Some(Standing { ready, is_due }) = self.jobs.remove(id) else { return };
        if is_due {
            self.lines(ready.rank).remove(&ready.tenant, &ready.place(id));
        } else {
            self.later.remove(&(ready.may_be_claimed_ms(), id.clone()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn jobs(&self) -> impl ExactSizeIterator<Item = &JobId> {
        self.jobs.keys()
    }

    /// Everything as it stood, to be put anew.
    pub(super) fn take(&mut self) -> Vec<(JobId, Ready)> {
        let jobs = std::mem::take(&mut self.jobs).into_iter();
        self.later.clear();
        self.own.by_tenant.clear();
        self.others.by_tenant.clear();
        jobs.map(|(id, standing)| (id, standing.ready)).collect()
    }

    /// The next jobs to be claimed at `now_ms`, at most `free`, none that is `busy`.
    pub(super) fn claims(
        &mut self,
        now_ms: u64,
        free: usize,
        busy: &impl Fn(&JobId) -> bool,
    ) -> Vec<JobId> {
        self.wake(now_ms);
        let mut claims = Vec::new();
        self.own.pick(free, busy, &mut claims);
        self.others.pick(free, busy, &mut claims);
        claims
    }

    /// When the next one may be claimed that may not yet.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.later.first().map(|(at, _)| *at)
    }

    fn wake(&mut self, now_ms: u64) {
        // Nobody sleeps longer than that: such a time was told by a clock that has been put back
        // since.
        let beyond = now_ms.saturating_add(SLEEP_MS_MAX + GRACE_MS * 100);
        loop {
            let first = self.later.first().filter(|(at, _)| *at <= now_ms);
            let due = first.or_else(|| self.later.last().filter(|(at, _)| *at > beyond));
            let Some(due) = due.cloned() else { return };
            self.later.remove(&due);
            let (_, id) = due;
            let Some(standing) = self.jobs.get_mut(&id) else { continue };
            standing.is_due = true;
            let Standing { ready, .. } = standing;
            let (rank, tenant, place) = (ready.rank, ready.tenant.clone(), ready.place(&id));
            self.lines(rank).insert(tenant, place);
        }
    }

    fn lines(&mut self, rank: usize) -> &mut Lines {
        if rank == 0 { &mut self.own } else { &mut self.others }
    }
}

/// One line for each tenant that has jobs.
#[derive(Debug, Default)]
struct Lines {
    by_tenant: BTreeMap<String, BTreeSet<Place>>,
    /// The tenant that had the last turn.
    served: String,
}

impl Lines {
    fn insert(&mut self, tenant: String, place: Place) {
        self.by_tenant.entry(tenant).or_default().insert(place);
    }

    fn remove(&mut self, tenant: &str, place: &Place) {
        if let Some(line) = self.by_tenant.get_mut(tenant) {
            line.remove(place);
            if line.is_empty() {
                self.by_tenant.remove(tenant);
            }
        }
    }

    /// Fills `claims` up to `most`: one job of each tenant, beginning after the one served last,
    /// then one more of each, and so on.
    fn pick(&mut self, most: usize, busy: &impl Fn(&JobId) -> bool, claims: &mut Vec<JobId>) {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        if claims.len() >= most || self.by_tenant.is_empty() {
            return;
        }
        let after = (Excluded(self.served.as_str()), Unbounded);
        let up_to = self.by_tenant.range::<str, _>((Unbounded, Included(self.served.as_str())));
        let lines = self.by_tenant.range::<str, _>(after).chain(up_to);
        let mut begun = Vec::new();
        let mut served = None;
        for (tenant, line) in lines {
            if claims.len() >= most {
                break;
            }
            let mut line = line.iter().map(|place| &place.3).filter(|id| !busy(id));
            if let Some(id) = line.next() {
                claims.push(id.clone());
                served = Some(tenant);
                begun.push((tenant, line));
            }
        }
        while claims.len() < most && !begun.is_empty() {
            begun.retain_mut(|(tenant, line)| {
                if claims.len() >= most {
                    return false;
                }
                let next = line.next();
                if let Some(id) = next {
                    claims.push(id.clone());
                    served = Some(tenant);
                }
                next.is_some()
            });
        }
        if let Some(served) = served.cloned() {
            self.served = served;
        }
    }
}
