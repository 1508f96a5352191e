//! What is written when a job is claimed, and when a claim is given back.

use super::ready;
use crate::domain::{
    Content, Effect, Entry, Fields, Guard, HostId, JobId, Posted, Revision, Transaction,
};
use crate::queue::{Open, Queue};

/// Whether a claim begins its workflow: what an earlier one reported is forgotten then.
fn begins(open: &Open) -> bool {
    let has_checkpoint = open.step.as_ref().is_some_and(|step| step.checkpoint.is_some());
    let is_first = |posted: &Posted| posted.job.is_first && posted.attempts == 0;
    open.posted.as_deref().is_some_and(is_first) && !has_checkpoint
}

/// What the workflow of a job has reported when the job is claimed.
pub fn reported_before(queue: &Queue, id: &JobId) -> Fields {
    match queue.get(id) {
        Some(open) if !begins(open) => {
            open.posted.as_ref().map(|posted| queue.job_state(&posted.job.target))
        }
        _ => None,
    }
    .unwrap_or_default()
}

/// The claim of a ready job for a host; `None` when it is not ready.
pub fn claim(queue: &Queue, id: &JobId, host: &HostId) -> Option<Transaction> {
    let open = queue.get(id)?;
    let posted = open.posted.as_ref()?;
    let ready = open.ready?;
    let mut effects = vec![
        Effect::Remove(Entry::Ready(id.clone())),
        Effect::PutLeased(Entry::Working(id.clone()), Content::Host(host.clone())),
    ];
    if begins(open) {
        let of = posted.job.target.clone();
        effects.push(Effect::Put(Entry::JobState(of), Content::JobState(Fields::new())));
    }
    let guards = vec![
        Guard::Unchanged(Entry::Ready(id.clone()), ready),
        Guard::Absent(Entry::Working(id.clone())),
        Guard::Unchanged(Entry::Job(id.clone()), open.posted_at),
    ];
    Some(Transaction { guards, effects })
}

/// The claim given back unused, as at the end of a host.
pub fn release(queue: &Queue, id: &JobId, claim: Revision) -> Option<Transaction> {
    let posted = queue.get(id)?.posted.as_ref()?;
    Some(Transaction {
        guards: vec![
            Guard::Created(Entry::Working(id.clone()), claim),
            Guard::Present(Entry::Job(id.clone())),
        ],
        effects: vec![Effect::Remove(Entry::Working(id.clone())), ready(&posted.job)],
    })
}
