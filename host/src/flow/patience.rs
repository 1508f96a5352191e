//! What a host needs before it can begin is asked for until it is there.

use std::iter;
use std::time::Duration;

use anyhow::{Error, Result};
use tracing::warn;

/// The first pause between two questions; it doubles from one to the next.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause between two questions.
const PAUSE_MAX: Duration = Duration::from_secs(16);

/// Asks until there is an answer, without end, after pauses of 1, 2, 4, 8, 16, 16… seconds. Every failure is told.
///
/// # Errors
/// The failure of which `is_passing` says that another question does not help.
pub async fn until_answered<T>(
    is_passing: impl Fn(&Error) -> bool,
    ask: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    asked_after(pauses(), is_passing, ask).await
}

fn pauses() -> impl Iterator<Item = Duration> {
    iter::successors(Some(PAUSE_MIN), |pause| Some((*pause * 2).min(PAUSE_MAX)))
}

async fn asked_after<T>(
    pauses: impl Iterator<Item = Duration>,
    is_passing: impl Fn(&Error) -> bool,
    mut ask: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    for pause in pauses {
        match ask().await {
            Err(error) if is_passing(&error) => {
                warn!("{error:#}; asking again in {} s", pause.as_secs());
            }
            ended => return ended,
        }
        tokio::time::sleep(pause).await;
    }
    ask().await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_never_end() {
        let seconds: Vec<_> = pauses().map(|pause| pause.as_secs()).take(7).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 16, 16]);
    }

    #[tokio::test]
    async fn what_passes_is_asked_again_and_what_stays_is_told_at_once() {
        for (last, expected) in [(Ok("here"), "here"), (Err("never"), "never")] {
            let mut asked = 0;
            let answer = asked_after(
                iter::repeat(Duration::ZERO),
                |error| error.to_string() == "not yet",
                async || {
                    asked += 1;
                    if asked < 4 { Err(anyhow!("not yet")) } else { last.map_err(|it| anyhow!(it)) }
                },
            );
            let answer = answer.await;
            assert_eq!(
                answer.as_ref().map_or_else(ToString::to_string, |it| (*it).to_owned()),
                expected
            );
            assert_eq!((asked, answer.is_ok()), (4, last.is_ok()));
        }
    }
}
