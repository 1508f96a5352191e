//! One job, as the store last showed it.

use std::sync::Arc;

use crate::domain::{HostId, Posted, Revision, Step};

/// What is known of one job.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// Its body; `None` when only marks are left of it.
    pub posted: Option<Arc<Posted>>,
    /// When the body last changed.
    pub posted_at: Revision,
    /// Since when it waits.
    pub waiting: Option<Revision>,
    /// Since when it may be claimed.
    pub ready: Option<Revision>,
    /// Who runs it, and the revision at which the claim came into being.
    pub working: Option<(HostId, Revision)>,
    /// Its small, changing side.
    pub step: Option<Step>,
    /// Its body is there but cannot be read.
    pub unreadable: bool,
}

impl Open {
    pub(super) fn is_gone(&self) -> bool {
        self.posted.is_none()
            && !self.unreadable
            && self.waiting.is_none()
            && self.ready.is_none()
            && self.working.is_none()
            && self.step.is_none()
    }

    pub(super) fn wake_ms(&self) -> u64 {
        self.step.as_ref().map_or(0, |step| step.wake_ms)
    }
}
