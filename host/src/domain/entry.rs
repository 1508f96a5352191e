//! What is kept, and how a transition is written: entries, facts about them, guarded transactions.

use std::collections::BTreeMap;

use super::{
    Applied, Fields, HandlerName, HostId, JobId, Presence, Registration, Resource, ResourceRef,
    Revision, Stack, State, Step, Template, TemplateId,
};
use super::{Json, Posted};

/// The name of one entry in the store; `wire` knows how it is spelled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// `/config`: a desired resource.
    Config(ResourceRef),
    /// `/config/v2.0/heat_templates`: a template.
    Template(TemplateId),
    /// `/state`: what the API server reads.
    State(ResourceRef),
    /// `/monitoring`: the live status.
    Monitoring(ResourceRef),
    /// `/jobs/all`: an unfinished job.
    Job(JobId),
    /// `/jobs/waiting`: it waits for others.
    Waiting(JobId),
    /// `/jobs/ready`: it may be claimed.
    Ready(JobId),
    /// `/jobs/working`: a host runs it.
    Working(JobId),
    /// Our own: the small, changing side of a job.
    Step(JobId),
    /// `/esi-worker/heat_stacks`: the stack record.
    Stack(ResourceRef),
    /// `/esi-worker/job_state`: what the running workflow has reported so far.
    JobState(ResourceRef),
    /// Our own: what was last planned.
    Applied(ResourceRef),
    /// Our own: what is registered for monitoring.
    Registration(ResourceRef),
    /// Our own: changes with every plan that depends on others and with every cascade of failures, so that each
    /// can tell whether it saw all that matters of the other.
    PlanMark,
    /// Our own: one running host, what it has loaded and what is wrong with it.
    Host(HostId),
    /// Our own: the host that plans.
    Leader,
    /// A key that no rule explains, for example of a type without schema.
    Unknown(String),
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Of `Config`.
    Resource(Resource),
    /// Of `Template`.
    Template(Template),
    /// Of `State`.
    State(State),
    /// Of `Monitoring`: the version and the status of each object.
    Monitoring {
        /// The registration's version.
        version: super::Version,
        /// Object → status.
        statuses: BTreeMap<String, String>,
    },
    /// Of `Job`.
    Job(Posted),
    /// Of `Waiting` and `Ready`.
    Handler(HandlerName),
    /// Of `Working` and `Leader`.
    Host(HostId),
    /// Of `Host`.
    Presence(Presence),
    /// Of `Step`.
    Step(Step),
    /// Of `Stack`.
    Stack(ResourceRef, Stack),
    /// Of `JobState`.
    JobState(Fields),
    /// Of `Applied`.
    Applied(Applied),
    /// Of `Registration`.
    Registration(ResourceRef, Registration),
    /// Of `PlanMark`: free JSON.
    Free(Json),
    /// The entry is there, but cannot be read.
    Unreadable(String),
}

/// One entry as the store last showed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Which entry.
    pub entry: Entry,
    /// What it holds; `None` once it is gone.
    pub content: Option<Content>,
    /// When it came into being; of no meaning once it is gone.
    pub created: Revision,
    /// When it last changed or went.
    pub revision: Revision,
}

/// What must still be so for a transaction to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// There is no such entry.
    Absent(Entry),
    /// The entry is there.
    Present(Entry),
    /// The entry has not changed since.
    Unchanged(Entry, Revision),
    /// The entry is the one that came into being then.
    Created(Entry, Revision),
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Set.
    Put(Entry, Content),
    /// Set, to vanish with the host's lease.
    PutLeased(Entry, Content),
    /// Remove; no error if there is none.
    Remove(Entry),
}

/// One transition: all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transaction {
    /// All must hold.
    pub guards: Vec<Guard>,
    /// In no particular order, each entry at most once.
    pub effects: Vec<Effect>,
}
