//! A call as it can be made again: everything that the handler was told, and what the network answered.

use std::collections::BTreeMap;

use super::{Json, Posted, ResourceRef, Stack, TemplateId};

/// One HTTP request of a plugin and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// `GET`, in capitals.
    pub method: String,
    /// The whole address. In a written answer a `*` at its end stands for any rest.
    pub url: String,
    /// What was asked with it; empty in a written answer.
    pub request: Message,
    /// The answer's status, or in a word why there was none: `connection-refused`.
    pub status: Result<u16, String>,
    /// The answer.
    pub answer: Message,
    /// A written answer that is given as often as it is asked for.
    pub repeats: bool,
}

/// Headers and body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// In order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it went over the wire.
    pub body: Vec<u8>,
}

/// One call of a handler.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// The job.
    pub posted: Posted,
    /// The template chosen for the handler.
    pub template_id: TemplateId,
    /// Its text; `None` where nobody wrote it down.
    pub template: Option<String>,
    /// What the handler's last `pending` gave.
    pub checkpoint: Option<Json>,
    /// The stack records that the handler may ask for.
    pub stacks: BTreeMap<ResourceRef, Stack>,
    /// The states that the handler may ask for.
    pub states: BTreeMap<ResourceRef, Json>,
    /// What the network answers, in order; `None` where nobody wrote it down.
    pub answers: Option<Vec<Exchange>>,
    /// When it was recorded, in milliseconds of Unix time; 0 where it was not.
    pub at_ms: u64,
    /// What came of it, in words; empty where it was not recorded.
    pub outcome: String,
}
