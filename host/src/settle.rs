//! Thought 3: what is written when a job is claimed, put right, or came back from its handler.
//!
//! Everything is data: guarded transactions. Most outcomes are one; a long cascade of failures is several, each
//! true alone, dependants first and the cause last.

mod again;
mod cascade;
mod claim;
mod report;

pub use claim::{claim, release, reported_before};
pub use report::{announced, is_taken_down};

use std::collections::BTreeSet;

use crate::domain::{
    Content, Effect, Entry, Failure, Fault, Fields, Guard, Job, JobId, OnFailure, Posted,
    Registration, Report, ResourceRef, Revision, State, Step, Transaction, Verdict, Version,
};
use crate::queue::{Queue, SLEEP_MS_MAX, Wrong, nobody_has};
use again::{again, retry};

/// Why a job is tried again that was found without anybody working on it.
const HOST_LOST: &str = "the host that ran it was lost";
/// The shortest pause a pending job gets: below it, a store commit per call would be all that happens.
const PENDING_MS_MIN: u64 = 10;

/// The bounds that decide between another try and a failure.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A job fails with this many failed tries.
    pub attempts_max: u32,
    /// The pause after the first failed try; it doubles with each further one.
    pub backoff_ms_min: u64,
    /// The longest pause.
    pub backoff_ms_max: u64,
    /// How many operations one transaction may have, guards included.
    pub operations_max: usize,
}

impl Limits {
    /// The pause after so many failed tries.
    fn pause_ms(&self, attempts: u32) -> u64 {
        let doubled = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
        self.backoff_ms_min.saturating_mul(doubled).min(self.backoff_ms_max)
    }
}

/// A call that came back.
#[derive(Clone, Debug)]
pub struct Closing {
    /// The job.
    pub job: JobId,
    /// When this host's claim came into being.
    pub claim: Revision,
    /// What the handler said, or why it said nothing.
    pub outcome: Result<Verdict, Fault>,
    /// What it reported.
    pub report: Report,
    /// What the workflow had reported before.
    pub fields: Fields,
    /// What was registered for the resource before.
    pub registration: Option<Registration>,
    /// Milliseconds of Unix time.
    pub now_ms: u64,
}

impl Closing {
    /// A job of which nobody knows what came.
    fn lost(job: JobId, fields: Fields, now_ms: u64) -> Self {
        Self {
            job,
            claim: Revision::default(),
            outcome: Err(Fault::Host(HOST_LOST.to_owned())),
            report: Report::default(),
            fields,
            registration: None,
            now_ms,
        }
    }
}

/// What is to be written, and how it is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// To be committed in this order; the first conflict ends it.
    pub transactions: Vec<Transaction>,
    /// For the log.
    pub about: About,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// It is finished.
    Completed,
    /// It goes on later.
    Suspended {
        /// Milliseconds of Unix time.
        wake_ms: u64,
    },
    /// It will be tried again.
    Retry {
        /// How many tries failed so far.
        attempts: u32,
        /// Milliseconds of Unix time.
        wake_ms: u64,
        /// What went wrong.
        trouble: String,
    },
    /// It failed, but its workflow goes on.
    Ignored {
        /// What went wrong.
        trouble: String,
    },
    /// It failed for good.
    Failed {
        /// What went wrong.
        trouble: String,
        /// What was cancelled with it.
        cancelled: Vec<JobId>,
    },
}

/// What puts a job right that lies wrong.
pub fn repair(
    queue: &Queue,
    id: &JobId,
    wrong: Wrong,
    now_ms: u64,
    limits: &Limits,
) -> Vec<Transaction> {
    let Some(open) = queue.get(id) else { return Vec::new() };
    let mark = |revision: Option<Revision>, entry: Entry| match revision {
        Some(revision) => Guard::Unchanged(entry, revision),
        None => Guard::Absent(entry),
    };
    let mut guards = vec![
        mark(open.waiting, Entry::Waiting(id.clone())),
        mark(open.ready, Entry::Ready(id.clone())),
        Guard::Absent(Entry::Working(id.clone())),
    ];
    let Some(posted) = &open.posted else {
        guards = vec![Guard::Absent(Entry::Job(id.clone()))];
        let marks = [Entry::Waiting, Entry::Ready, Entry::Step, Entry::Working];
        let effects = marks.map(|entry| Effect::Remove(entry(id.clone()))).to_vec();
        return vec![Transaction { guards, effects }];
    };
    guards.push(Guard::Unchanged(Entry::Job(id.clone()), open.posted_at));
    if wrong == Wrong::NobodyHasHandler {
        let trouble = nobody_has(&posted.job.handler);
        let step = Step { trouble, ..step_of(open.step.as_ref()) };
        let effects = vec![Effect::Put(Entry::Step(id.clone()), Content::Step(step))];
        return vec![Transaction { guards, effects }];
    }
    if wrong == Wrong::WaitsForNothing {
        let effects = vec![Effect::Remove(Entry::Waiting(id.clone())), ready(&posted.job)];
        return vec![Transaction { guards, effects }];
    }
    if posted.job.dependency.iter().any(|dependency| queue.is_open(dependency)) {
        let handler = Content::Handler(posted.job.handler.clone());
        let effects = vec![Effect::Put(Entry::Waiting(id.clone()), handler)];
        return vec![Transaction { guards, effects }];
    }
    let attempts = posted.attempts.saturating_add(1);
    if attempts < limits.attempts_max {
        let wake_ms = now_ms.saturating_add(limits.pause_ms(attempts));
        return vec![again(posted, open.step.as_ref(), guards, (attempts, wake_ms), HOST_LOST)];
    }
    let trouble = format!("{HOST_LOST} ({attempts} tries failed, attempts_max)");
    let lost = Closing::lost(id.clone(), reported_before(queue, id), now_ms);
    if posted.job.on_failure == OnFailure::Ignore {
        return vec![complete(queue, &posted.job, guards, &lost, limits)];
    }
    cascade::fail(queue, &posted.job, guards, Vec::new(), &lost.fields, &trouble, limits).0
}

/// Removes the job states of ended workflows.
pub fn sweep(job_states: &[(ResourceRef, Revision)]) -> Transaction {
    let entries = || job_states.iter().map(|(of, at)| (Entry::JobState(of.clone()), *at));
    Transaction {
        guards: entries().map(|(entry, at)| Guard::Unchanged(entry, at)).collect(),
        effects: entries().map(|(entry, _)| Effect::Remove(entry)).collect(),
    }
}

/// What becomes of a job after its call.
pub fn settle(queue: &Queue, closing: &Closing, limits: &Limits) -> Option<Settled> {
    let open = queue.get(&closing.job)?;
    let posted = open.posted.as_ref()?;
    let guards = vec![
        Guard::Created(Entry::Working(closing.job.clone()), closing.claim),
        Guard::Unchanged(Entry::Job(closing.job.clone()), open.posted_at),
    ];
    let trouble = match &closing.outcome {
        Ok(Verdict::Completed) => {
            let transaction = complete(queue, &posted.job, guards, closing, limits);
            return Some(Settled { transactions: vec![transaction], about: About::Completed });
        }
        Ok(Verdict::Pending { after_ms, checkpoint }) => {
            let pause = (*after_ms).clamp(PENDING_MS_MIN, SLEEP_MS_MAX);
            let wake_ms = closing.now_ms.saturating_add(pause);
            let step = Step {
                checkpoint: Some(checkpoint.clone()),
                wake_ms,
                trouble: String::new(),
                ..step_of(open.step.as_ref())
            };
            let transaction = suspend(posted, guards, closing, step);
            let about = About::Suspended { wake_ms };
            return Some(Settled { transactions: vec![transaction], about });
        }
        Ok(Verdict::Failed(Failure::Fatal(why))) => why.clone(),
        Ok(Verdict::Failed(Failure::Retry(why))) => {
            match retry(posted, open.step.as_ref(), guards.clone(), closing, why, limits) {
                Ok(settled) => return Some(settled),
                Err(trouble) => trouble,
            }
        }
        Err(fault) => {
            let why = fault.to_string();
            match retry(posted, open.step.as_ref(), guards.clone(), closing, &why, limits) {
                Ok(settled) => return Some(settled),
                Err(trouble) => trouble,
            }
        }
    };
    if posted.job.on_failure == OnFailure::Ignore {
        let transaction = complete(queue, &posted.job, guards, closing, limits);
        return Some(Settled {
            transactions: vec![transaction],
            about: About::Ignored { trouble },
        });
    }
    let fields = report::merged(&closing.fields, &closing.report);
    let effects = report::effects(&posted.job, closing);
    let (transactions, cancelled) =
        cascade::fail(queue, &posted.job, guards, effects, &fields, &trouble, limits);
    Some(Settled { transactions, about: About::Failed { trouble, cancelled } })
}

fn suspend(posted: &Posted, guards: Vec<Guard>, closing: &Closing, step: Step) -> Transaction {
    let id = posted.job.id.clone();
    let mut effects = vec![
        Effect::Put(Entry::Step(id.clone()), Content::Step(step)),
        Effect::Remove(Entry::Working(id.clone())),
        ready(&posted.job),
    ];
    if posted.attempts > 0 {
        // It made progress: earlier trouble counts no more.
        let fresh = Posted { job: posted.job.clone(), attempts: 0 };
        effects.push(Effect::Put(Entry::Job(id), Content::Job(fresh)));
    }
    effects.extend(report::effects(&posted.job, closing));
    if !closing.report.fields.is_empty() {
        effects.push(report::job_state(&posted.job, closing));
    }
    Transaction { guards, effects }
}

fn complete(
    queue: &Queue,
    job: &Job,
    guards: Vec<Guard>,
    closing: &Closing,
    limits: &Limits,
) -> Transaction {
    let mut effects = vec![
        Effect::Remove(Entry::Job(job.id.clone())),
        Effect::Remove(Entry::Working(job.id.clone())),
        Effect::Remove(Entry::Step(job.id.clone())),
    ];
    effects.extend(report::effects(job, closing));
    let mut end = None;
    if job.is_last {
        let of = job.target.clone();
        let word = format!("{}_COMPLETED", job.action.state_word());
        let fields = report::merged(&closing.fields, &closing.report);
        effects.push(if fields.is_empty() {
            Effect::Remove(Entry::JobState(of))
        } else {
            // It shows what the last job reported, too; it is swept once the workflow has ended.
            Effect::Put(Entry::JobState(of), Content::JobState(fields.clone()))
        });
        end = Some((word, fields));
    } else if !closing.report.fields.is_empty() {
        effects.push(report::job_state(job, closing));
    }
    let mut transaction = Transaction { guards, effects };
    if let Some((word, fields)) = end {
        answer(queue, job, &word, String::new(), fields, &mut transaction);
    }
    let gone = BTreeSet::from([&job.id]);
    let room = cascade::room(&transaction, limits);
    for id in cascade::released(queue, &gone, &BTreeSet::new()).into_iter().take(room) {
        cascade::promote(queue, id, &mut transaction.guards, &mut transaction.effects);
    }
    transaction
}

/// Tells how a workflow ended, unless a newer version's end was told already: that one may have
/// fallen with another workflow while this one was still at work.
fn answer(
    queue: &Queue,
    job: &Job,
    word: &str,
    error: String,
    fields: Fields,
    transaction: &mut Transaction,
) {
    let entry = Entry::State(job.target.clone());
    let mut state = State::new(job.version, word);
    let word = std::mem::replace(&mut state.fields, fields);
    state.fields.extend(word);
    state.error = error;
    transaction.guards.push(match queue.told(&job.target) {
        Some((told, _)) if told > job.version => return,
        Some((_, at)) => Guard::Unchanged(entry.clone(), at),
        None => Guard::Absent(entry.clone()),
    });
    transaction.effects.push(Effect::Put(entry, Content::State(state)));
}

fn ready(job: &Job) -> Effect {
    Effect::Put(Entry::Ready(job.id.clone()), Content::Handler(job.handler.clone()))
}

/// A job whose step was lost goes on from the start with no template; its handler says so.
fn step_of(step: Option<&Step>) -> Step {
    step.cloned().unwrap_or_else(|| Step {
        template: "".into(),
        checkpoint: None,
        wake_ms: 0,
        trouble: String::new(),
    })
}

#[cfg(test)]
mod tests;
