//! When a target is probed. Each has its own place within its interval, so that a burst of
//! registrations, or a host that takes over from another, does not probe in step.

use crate::domain::peers::weight;
use crate::domain::{ResourceRef, Target};

/// The shortest interval of an object, whatever its registration asks for.
const INTERVAL_MS_MIN: u64 = 100;

/// How often is probed, and what a change takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Milliseconds from one probe of a target to the next, where it asks for no other.
    pub interval_ms: u64,
    /// Milliseconds over which the first probes of new targets are spread.
    pub spread_ms_max: u64,
    /// Equal probes in a row after which a change counts.
    pub confirmations: u32,
    /// Milliseconds until a change is looked at again.
    pub confirm_ms: u64,
}

impl Pace {
    fn interval(&self, target: &Target) -> u64 {
        target.interval_ms.unwrap_or(self.interval_ms).max(INTERVAL_MS_MIN)
    }

    /// When a target that has just come is probed for the first time.
    pub(super) fn first(&self, of: &ResourceRef, target: &Target, now_ms: u64) -> u64 {
        let spread = self.spread_ms_max.min(self.interval(target));
        now_ms.saturating_add(remainder(place(of, target), spread))
    }

    /// The target's next turn: at its place within an interval, at least half of one from now.
    pub(super) fn slot(&self, of: &ResourceRef, target: &Target, now_ms: u64) -> u64 {
        let interval = self.interval(target);
        let earliest = now_ms.saturating_add(interval / 2);
        let place = remainder(place(of, target), interval);
        let into = remainder(earliest, interval);
        let wait = if into <= place { place - into } else { interval - into + place };
        earliest.saturating_add(wait)
    }

    /// Until when a status counts whose prober is gone.
    pub(super) fn patience(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.interval_ms.saturating_mul(2))
    }

    /// When a change is looked at again.
    pub(super) fn soon(&self, target: &Target, now_ms: u64) -> u64 {
        now_ms.saturating_add(self.confirm_ms.min(self.interval(target)))
    }
}

fn place(of: &ResourceRef, target: &Target) -> u64 {
    weight(&target.name, &of.to_string())
}

fn remainder(number: u64, of: u64) -> u64 {
    number.checked_rem(of).unwrap_or_default()
}
