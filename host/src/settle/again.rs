//! Another try.

use super::{About, Closing, Limits, Settled, ready, step_of};
use crate::domain::{Content, Effect, Entry, Fault, Guard, Posted, Step, Transaction};

/// A receiver that is away for long is asked as seldom as after so many failed tries.
const UNDELIVERED_PAUSE: u32 = 4;

/// Another try with its pause, or the trouble when there were enough. What the handler cannot help
/// is no failed try, however often: nothing that was registered is left untold because a receiver
/// was away for long.
pub(super) fn retry(
    posted: &Posted,
    step: Option<&Step>,
    guards: Vec<Guard>,
    closing: &Closing,
    why: &str,
    limits: &Limits,
) -> Result<Settled, String> {
    let (attempts, pause_ms) = if matches!(closing.outcome, Err(Fault::Undelivered(_))) {
        (posted.attempts, limits.pause_ms(UNDELIVERED_PAUSE))
    } else {
        let attempts = posted.attempts.saturating_add(1);
        if attempts >= limits.attempts_max {
            return Err(format!("{why} ({attempts} tries failed, attempts_max)"));
        }
        (attempts, limits.pause_ms(attempts))
    };
    let wake_ms = closing.now_ms.saturating_add(pause_ms);
    // What a try reported that will be repeated is not told: the next one says it anew.
    let mut transaction = again(posted, step, guards, (attempts, wake_ms), why);
    transaction.effects.push(Effect::Remove(Entry::Working(posted.job.id.clone())));
    let about = About::Retry { attempts, wake_ms, trouble: why.to_owned() };
    Ok(Settled { transactions: vec![transaction], about })
}

/// A job made ready once more, with so many failed tries and not before then.
pub(super) fn again(
    posted: &Posted,
    step: Option<&Step>,
    guards: Vec<Guard>,
    (attempts, wake_ms): (u32, u64),
    trouble: &str,
) -> Transaction {
    let id = posted.job.id.clone();
    let step = Step { wake_ms, trouble: trouble.to_owned(), ..step_of(step) };
    let mut effects =
        vec![Effect::Put(Entry::Step(id.clone()), Content::Step(step)), ready(&posted.job)];
    if attempts != posted.attempts {
        let counted = Posted { job: posted.job.clone(), attempts };
        effects.push(Effect::Put(Entry::Job(id), Content::Job(counted)));
    }
    Transaction { guards, effects }
}
