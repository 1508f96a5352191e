//! The one clock of the loops.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds of Unix time.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Sleeps until a moment of Unix time; for ever without one. Returns at once for a moment past.
pub(super) async fn sleep_until(moment_ms: Option<u64>) {
    match moment_ms {
        Some(moment) => {
            let pause = moment.saturating_sub(now_ms());
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        None => std::future::pending().await,
    }
}
