//! What came of a call.

use std::fmt;

use super::{Fields, Json, MonitorCall, Stack};

/// What a handler says comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Done.
    Completed,
    /// Call again.
    Pending {
        /// Milliseconds until then.
        after_ms: u64,
        /// To be given back.
        checkpoint: Json,
    },
    /// Not done.
    Failed(Failure),
}

/// Why it is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another try may help.
    Retry(String),
    /// Final for this version.
    Fatal(String),
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The guest stopped itself: panic, unreachable, a bad access.
    Trap(String),
    /// The call took longer than it may.
    Deadline {
        /// What it may take.
        call_ms_max: u64,
    },
    /// The guest asked for more memory than it may have.
    Memory {
        /// What it may have.
        memory_bytes_max: u64,
    },
    /// It answered something that the contract does not allow.
    Breach(String),
    /// The host could not make the call: no instance to be had, store out of reach.
    Host(String),
    /// What it registered could not be told to those who watch.
    Undelivered(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trap(why) => write!(f, "handler trapped: {why}"),
            Self::Deadline { call_ms_max } => {
                write!(f, "handler exceeded its deadline of {call_ms_max} ms (call_ms_max)")
            }
            Self::Memory { memory_bytes_max } => {
                write!(
                    f,
                    "handler exceeded its memory of {memory_bytes_max} bytes (memory_bytes_max)"
                )
            }
            Self::Breach(what) => write!(f, "handler broke its contract: {what}"),
            Self::Host(why) => write!(f, "host could not make the call: {why}"),
            Self::Undelivered(why) => f.write_str(why),
        }
    }
}

/// What a handler reported in one call, to be committed with what comes of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The stack record, if it set one.
    pub stack: Option<Stack>,
    /// Fields of the state.
    pub fields: Fields,
    /// Calls to the monitor, in order.
    pub monitor: Vec<MonitorCall>,
}
