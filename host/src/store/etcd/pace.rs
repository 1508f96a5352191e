//! Sizes and pauses, decided without a connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Entries asked for at first.
const PAGE_ENTRIES: usize = 500;
/// An answer that was too large is asked for again with so much less.
const SHRINK: usize = 4;

/// How many entries a page may have so that its answer stays small. etcd bounds no answer itself:
/// what came out too large is asked for in smaller pages, for as long as they stay full.
#[derive(Debug)]
pub(super) struct Pages(AtomicUsize);

impl Pages {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(PAGE_ENTRIES))
    }

    /// The entries to ask for when a caller wants up to `wanted`; at least one.
    pub(super) fn entries(&self, wanted: usize) -> usize {
        wanted.clamp(1, self.0.load(Ordering::Relaxed).max(1))
    }

    /// A page of so many was too large. Answers how many to ask for now.
    pub(super) fn too_large(&self, entries: usize) -> usize {
        let fewer = (entries / SHRINK).max(1);
        self.0.fetch_min(fewer, Ordering::Relaxed);
        fewer
    }

    /// A page of so many came.
    pub(super) fn came(&self, entries: usize) {
        let grown = entries.saturating_mul(2).min(PAGE_ENTRIES);
        self.0.fetch_max(grown, Ordering::Relaxed);
    }
}

/// Pauses between tries, longer from one to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next pause.
    pub(super) fn take(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }
}

/// How long one try of a read waits when there is somebody else to ask: a member that hangs shall
/// not use up the time of all.
pub(super) fn share(remaining: Duration, total: Duration, members: usize) -> Duration {
    let parts = u32::try_from(members.clamp(1, 3)).unwrap_or(1);
    remaining.min(total / parts)
}

/// How long a lease's keeper waits for its answer: long before the lease ends, so that there is
/// time for another try.
pub(super) fn keep_within(ttl: Option<Duration>, request_timeout: Duration) -> Duration {
    ttl.map_or(request_timeout, |ttl| request_timeout.min(ttl / 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_shrink_until_they_fit_and_grow_again() {
        let pages = Pages::new();
        assert_eq!(pages.entries(10), 10);
        assert_eq!(pages.entries(0), 1);
        assert_eq!(pages.entries(usize::MAX), 500);
        let mut asked = pages.entries(1_000);
        for expected in [125, 31, 7, 1, 1] {
            asked = pages.too_large(asked);
            assert_eq!(asked, expected);
            assert_eq!(pages.entries(1_000), expected);
        }
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 500, 500] {
            pages.came(asked);
            asked = pages.entries(1_000);
            assert_eq!(asked, expected);
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let ms = Duration::from_millis;
        let mut pauses = Pauses::new(ms(20), ms(100));
        let taken: Vec<Duration> = (0..5).map(|_| pauses.take()).collect();
        assert_eq!(taken, [ms(20), ms(40), ms(80), ms(100), ms(100)]);
    }

    #[test]
    fn a_try_leaves_time_for_another() {
        let s = Duration::from_secs;
        assert_eq!(share(s(6), s(6), 1), s(6));
        assert_eq!(share(s(6), s(6), 2), s(3));
        assert_eq!(share(s(6), s(6), 5), s(2));
        assert_eq!(share(s(1), s(6), 5), s(1));
        assert_eq!(keep_within(Some(s(9)), s(5)), s(3));
        assert_eq!(keep_within(Some(s(60)), s(5)), s(5));
        assert_eq!(keep_within(None, s(5)), s(5));
    }
}
