//! One call: begun with a version, and told of when it has ended.

use std::sync::Arc;
use std::time::Instant;

use super::{Roster, prober, worker};
use crate::domain::Fault;
use crate::plugin::{Found, Prober, Worker};
use crate::rollout::Ticket;

/// One call that is to be made, or is under way.
pub(in crate::flow) struct Shift {
    pub(super) roster: Arc<Roster>,
    pub(super) name: String,
    pub(super) plugin: Arc<Found>,
    pub(super) ticket: Option<Ticket>,
    pub(super) begun: Instant,
}

/// Whose fault a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum Blame {
    /// The job counts it as a failed try.
    Job,
    /// A new version has gone for it: the job is to be called again as if nothing had been.
    Version,
}

impl Shift {
    /// The handler to be called.
    pub(in crate::flow) fn worker(&self) -> Option<&Worker> {
        worker(&self.plugin)
    }

    /// The prober to be called.
    pub(in crate::flow) fn prober(&self) -> Option<&Prober> {
        prober(&self.plugin)
    }

    /// The call is made from now on; until here it waited for its claim.
    pub(in crate::flow) fn clock_in(&mut self) {
        self.begun = Instant::now();
    }

    /// The call has ended; a fault of the host's says nothing about the plugin.
    pub(in crate::flow) fn ended(mut self, fault: Option<&Fault>) -> Blame {
        let word = fault.map(word);
        self.roster.meters.call(&self.name, self.begun.elapsed(), word);
        if matches!(fault, Some(Fault::Host(_))) {
            return Blame::Job;
        }
        match self.ticket.take() {
            Some(ticket) => self.roster.end(&self, ticket, fault),
            None => Blame::Job,
        }
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.roster.abandon(&self.name, ticket);
        }
    }
}

/// The kind of a fault, for counting.
fn word(fault: &Fault) -> &'static str {
    match fault {
        Fault::Trap(_) => "trap",
        Fault::Deadline { .. } => "deadline",
        Fault::Memory { .. } => "memory",
        Fault::Breach(_) => "breach",
        Fault::Host(_) | Fault::Undelivered(_) => "host",
    }
}
