//! A failure and all that falls with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Limits, Version, ready};
use crate::domain::{
    Content, Effect, Entry, Fields, Guard, Job, JobId, Json, ResourceRef, Transaction,
};
use crate::queue::Queue;

/// A guard and two writes.
const OPERATIONS_PER_PROMOTION: usize = 3;
/// A guard and a write of the plan's mark.
const MARK_OPERATIONS: usize = 2;

/// Fails a job: its workflow, and every waiting workflow that depends on it, however far. A newer version of a
/// resource, or its take-down, does not fall with the older workflow that it waits for: it goes on.
///
/// `guards` and `effects` belong to the failed job itself. Answers the transactions, the cause last, and what
/// was cancelled.
pub(super) fn fail(
    queue: &Queue,
    job: &Job,
    guards: Vec<Guard>,
    effects: Vec<Effect>,
    fields: &Fields,
    trouble: &str,
    limits: &Limits,
) -> (Vec<Transaction>, Vec<JobId>) {
    let cancelled = fallen(queue, job);
    let mut own = Transaction { guards, effects };
    for entry in [Entry::Job, Entry::Working, Entry::Step, Entry::Ready, Entry::Waiting] {
        own.effects.push(Effect::Remove(entry(job.id.clone())));
    }
    let error = format!("job {} failed: {trouble}", job.id);
    let word = format!("{}_FAILED", job.action.state_word());
    // Workflows in the order in which they were found: the farther, the later.
    let mut workflows: Vec<(&ResourceRef, Version)> = Vec::new();
    let mut members: BTreeMap<(&ResourceRef, Version), Vec<&Job>> = BTreeMap::new();
    for posted in cancelled.iter().filter_map(|id| queue.get(id)?.posted.as_ref()) {
        let key = (&posted.job.target, posted.job.version);
        if !members.contains_key(&key) {
            workflows.push(key);
        }
        members.entry(key).or_default().push(&posted.job);
    }

    // Of several versions of one resource only the newest one's failure is told.
    let mut newest = BTreeMap::from([(&job.target, job.version)]);
    for (of, version) in &workflows {
        let known = newest.entry(of).or_insert(*version);
        *known = (*known).max(*version);
    }
    let newest = |of: &ResourceRef, version: Version| newest.get(of) == Some(&version);
    if newest(&job.target, job.version) {
        own.effects.push(Effect::Remove(Entry::JobState(job.target.clone())));
        super::answer(queue, job, &word, error, fields.clone(), &mut own);
    }

    let mut gone: BTreeSet<&JobId> = BTreeSet::new();
    let mut pieces = Vec::new();
    for key in workflows.iter().rev() {
        let jobs = members.get(key).map_or(&[][..], Vec::as_slice);
        let mut piece = Transaction::default();
        cancel(queue, jobs, &mut piece);
        if *key != (&job.target, job.version) && newest(key.0, key.1) {
            answer(queue, jobs, job, trouble, &mut piece);
        }
        gone.extend(jobs.iter().map(|job| &job.id));
        pieces.push(piece);
    }
    gone.insert(&job.id);
    let kept: BTreeSet<&JobId> = gone.clone();
    for id in released(queue, &gone, &kept).into_iter().take(room(&own, limits)) {
        promote(queue, id, &mut own.guards, &mut own.effects);
    }
    let mut transactions = join(pieces, own, limits.operations_max.saturating_sub(MARK_OPERATIONS));
    for transaction in &mut transactions {
        mark(queue, job, transaction);
    }
    (transactions, cancelled)
}

/// Jobs posted meanwhile might depend on what falls here, and plans under way may be about to: the
/// former make this transaction fail, the latter fail by it. After the first of several the others
/// are decided anew.
fn mark(queue: &Queue, cause: &Job, transaction: &mut Transaction) {
    transaction.guards.push(match queue.plan_mark() {
        Some(revision) => Guard::Unchanged(Entry::PlanMark, revision),
        None => Guard::Absent(Entry::PlanMark),
    });
    let mark = Content::Free(Json::from(cause.id.as_str()));
    transaction.effects.push(Effect::Put(Entry::PlanMark, mark));
}

/// The jobs that wait for nothing once `gone` are gone; `never` are left out.
pub(super) fn released<'a>(
    queue: &'a Queue,
    gone: &BTreeSet<&JobId>,
    never: &BTreeSet<&JobId>,
) -> BTreeSet<&'a JobId> {
    let waits = |id: &JobId| {
        queue.get(id).and_then(|open| open.posted.as_ref()).is_none_or(|posted| {
            let mut open = posted.job.dependency.iter().filter(|d| !gone.contains(d));
            open.any(|dependency| queue.is_open(dependency))
        })
    };
    gone.iter()
        .flat_map(|id| queue.dependants(id))
        .filter(|id| !never.contains(id) && !waits(id))
        .collect()
}

/// How many jobs may be promoted in a transaction: what does not fit is found waiting for nothing and put right.
pub(super) fn room(transaction: &Transaction, limits: &Limits) -> usize {
    let used = transaction.guards.len() + transaction.effects.len() + MARK_OPERATIONS;
    limits.operations_max.saturating_sub(used) / OPERATIONS_PER_PROMOTION
}

/// Moves a waiting job to the ready ones.
pub(super) fn promote(
    queue: &Queue,
    id: &JobId,
    guards: &mut Vec<Guard>,
    effects: &mut Vec<Effect>,
) {
    let Some(open) = queue.get(id) else { return };
    if let (Some(posted), Some(waiting)) = (&open.posted, open.waiting) {
        guards.push(Guard::Unchanged(Entry::Waiting(id.clone()), waiting));
        effects.push(Effect::Remove(Entry::Waiting(id.clone())));
        effects.push(ready(&posted.job));
    }
}

/// All jobs that fall with this one, nearest first.
fn fallen(queue: &Queue, job: &Job) -> Vec<JobId> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([&job.id]);
    let mut next = VecDeque::from([job]);
    while let Some(cause) = next.pop_front() {
        for id in queue.dependants(&cause.id) {
            let Some(posted) = queue.get(id).and_then(|open| open.posted.as_ref()) else {
                continue;
            };
            // A later workflow of the same resource goes on, by whatever way it is reached.
            let later = |than: &Job| {
                posted.job.target == than.target
                    && (posted.job.version > than.version || posted.job.is_first)
            };
            if later(cause) || later(job) || !seen.insert(id) {
                continue;
            }
            found.push(id.clone());
            next.push_back(&posted.job);
        }
    }
    found
}

fn cancel(queue: &Queue, jobs: &[&Job], piece: &mut Transaction) {
    for job in jobs {
        let id = &job.id;
        if let Some(open) = queue.get(id) {
            piece.guards.push(match open.waiting {
                Some(waiting) => Guard::Unchanged(Entry::Waiting(id.clone()), waiting),
                None => Guard::Absent(Entry::Waiting(id.clone())),
            });
        }
        for entry in [Entry::Job, Entry::Waiting, Entry::Step] {
            piece.effects.push(Effect::Remove(entry(id.clone())));
        }
    }
}

/// The state of a workflow that was cancelled because of another one's failure.
fn answer(queue: &Queue, jobs: &[&Job], cause: &Job, trouble: &str, piece: &mut Transaction) {
    let Some(job) = jobs.iter().find(|job| job.is_last) else { return };
    let word = format!("{}_FAILED", job.action.state_word());
    let error = format!("cancelled because job {} failed: {trouble}", cause.id);
    piece.effects.push(Effect::Remove(Entry::JobState(job.target.clone())));
    super::answer(queue, job, &word, error, Fields::new(), piece);
}

/// As few transactions as the limit allows, in the given order, the failed job's own last.
fn join(pieces: Vec<Transaction>, own: Transaction, operations_max: usize) -> Vec<Transaction> {
    let size = |t: &Transaction| t.guards.len() + t.effects.len();
    let mut joined: Vec<Transaction> = Vec::new();
    for piece in pieces.into_iter().chain([own]) {
        match joined.last_mut() {
            Some(last) if size(last) + size(&piece) <= operations_max => {
                last.guards.extend(piece.guards);
                last.effects.extend(piece.effects);
            }
            _ => joined.push(piece),
        }
    }
    joined
}
