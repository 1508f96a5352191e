//! Another try.

use super::{About, Closing, Limits, Settled, ready, step_of};
use crate::domain::{Content, Effect, Entry, Guard, Posted, Step, Transaction};

/// A receiver that is away for long is asked as seldom as after so many failed tries.
const UNDELIVERED_PAUSE: u32 = 4;

/// Another try with its pause, or the trouble when there were enough.
pub(super) fn retry(
    posted: &Posted,
    step: Option<&Step>,
    guards: Vec<Guard>,
    closing: &Closing,
    why: &str,
    limits: &Limits,
) -> Result<Settled, String> {
    let attempts = posted.attempts.saturating_add(1);
    if attempts >= limits.attempts_max {
        return Err(format!("{why} ({attempts} tries failed, attempts_max)"));
    }
    let wake_ms = closing.now_ms.saturating_add(limits.pause_ms(attempts));
    // What a try reported that will be repeated is not told: the next one says it anew.
    let mut transaction = again(posted, step, guards, wake_ms, why);
    transaction.effects.push(Effect::Remove(Entry::Working(posted.job.id.clone())));
    let about = About::Retry { attempts, wake_ms, trouble: why.to_owned() };
    Ok(Settled { transactions: vec![transaction], about })
}

/// Another try for what the handler cannot help, however often: nothing that was registered is left
/// untold because a receiver was away for long.
pub(super) fn hold(
    posted: &Posted,
    step: Option<&Step>,
    guards: Vec<Guard>,
    closing: &Closing,
    why: &str,
    limits: &Limits,
) -> Settled {
    let wake_ms = closing.now_ms.saturating_add(limits.pause_ms(UNDELIVERED_PAUSE));
    let mut transaction = once_more(posted, step, guards, wake_ms, why);
    transaction.effects.push(Effect::Remove(Entry::Working(posted.job.id.clone())));
    let about = About::Retry { attempts: posted.attempts, wake_ms, trouble: why.to_owned() };
    Settled { transactions: vec![transaction], about }
}

/// A job made ready once more, with one more failed try.
pub(super) fn again(
    posted: &Posted,
    step: Option<&Step>,
    guards: Vec<Guard>,
    wake_ms: u64,
    trouble: &str,
) -> Transaction {
    let id = posted.job.id.clone();
    let counted = Posted { job: posted.job.clone(), attempts: posted.attempts.saturating_add(1) };
    let mut transaction = once_more(posted, step, guards, wake_ms, trouble);
    transaction.effects.push(Effect::Put(Entry::Job(id), Content::Job(counted)));
    transaction
}

/// A job made ready once more.
fn once_more(
    posted: &Posted,
    step: Option<&Step>,
    guards: Vec<Guard>,
    wake_ms: u64,
    trouble: &str,
) -> Transaction {
    let step = Step { wake_ms, trouble: trouble.to_owned(), ..step_of(step) };
    let step = Effect::Put(Entry::Step(posted.job.id.clone()), Content::Step(step));
    Transaction { guards, effects: vec![step, ready(&posted.job)] }
}
