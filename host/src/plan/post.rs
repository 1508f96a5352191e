//! How a plan is written down.

use std::collections::BTreeSet;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::domain::{
    Action, Applied, Base, Content, Effect, Entry, Fields, Guard, HandlerName, Job, JobId, Json,
    Param, ParamValue, Posted, ResourceRef, Revision, State, Step, Transaction, Version,
};

use super::catalog::Catalog;
use super::change::{Change, Task};
use super::depend::dependencies;
use super::ground::{is_state_stale, traces};
use super::resolve::weight;
use super::supersede::Dropped;
use super::{About, HELD_BACK, Plan};

/// So much may one workflow take in the store, roughly: it is posted in one transaction.
pub(super) const WORKFLOW_BYTES_MAX: usize = 1_000_000;

/// Dependencies compared one by one; a store may take no more than 128 comparisons at once.
const DEPENDENCY_GUARDS_MAX: usize = 64;

/// A workflow to be posted.
pub(super) struct Workflow<'a> {
    pub(super) of: &'a ResourceRef,
    pub(super) version: Version,
    /// The body of the config that asked for it.
    pub(super) input: &'a Json,
    pub(super) change: &'a Change<'a>,
    pub(super) work: Vec<(Task, Vec<Param>)>,
    pub(super) applied: Applied,
    pub(super) dropped: &'a Dropped,
    pub(super) clear: Vec<Entry>,
}

/// The jobs, what was planned, and the conditions on which they are right.
pub(super) fn workflow(catalog: &Catalog, workflow: Workflow<'_>) -> Plan {
    let Workflow { of, version, input, change, work, applied, dropped, clear } = workflow;
    let name = format!("{of}:{version}");
    let (steps, mut jobs) = jobs(catalog, of, version, input, work);
    let external = dependencies(catalog, of, change, &jobs, &dropped.jobs);
    let mut transaction = upon(catalog, of, dropped, clear);
    // A dependency that fails meanwhile would not take this workflow with it. Of many, only that
    // nothing failed is compared: what finished meanwhile is found to hold up nobody.
    if external.len() > DEPENDENCY_GUARDS_MAX {
        transaction.guards.push(catalog.as_seen(Entry::PlanMark));
    } else {
        let present = external.iter().map(|job| Guard::Present(Entry::Job(job.clone())));
        transaction.guards.extend(present);
    }
    if !external.is_empty() {
        // A cascade of failures that has not seen these jobs must look again.
        let mark = Content::Free(json!({ "job_name": name }));
        transaction.effects.push(Effect::Put(Entry::PlanMark, mark));
    }
    let goes_on = catalog.jobs().of(of).any(|job| !dropped.jobs.contains(&job.id));
    let left = Effect::Remove(Entry::JobState(of.clone()));
    if !goes_on && !transaction.effects.contains(&left) {
        // What an earlier workflow has reported, if it is still there.
        transaction.effects.push(left);
    }
    if let Some(first) = jobs.first_mut() {
        first.dependency = external;
    }
    let ids: Vec<_> = jobs.iter().map(|job| job.id.clone()).collect();
    for (job, step) in jobs.into_iter().zip(steps) {
        let id = job.id.clone();
        let mark = if job.dependency.is_empty() { Entry::Ready } else { Entry::Waiting };
        let handler = Content::Handler(job.handler.clone());
        transaction.guards.push(Guard::Absent(Entry::Job(id.clone())));
        transaction.effects.extend([
            Effect::Put(mark(id.clone()), handler),
            Effect::Put(Entry::Step(id.clone()), Content::Step(step)),
            Effect::Put(Entry::Job(id), Content::Job(Posted { job, attempts: 0 })),
        ]);
    }
    transaction
        .effects
        .extend([Effect::Put(Entry::Applied(of.clone()), Content::Applied(applied))]);
    Plan { transaction, about: About::Workflow { jobs: ids } }
}

/// The jobs in order, each one after all before it, with what else each is given.
fn jobs(
    catalog: &Catalog,
    of: &ResourceRef,
    version: Version,
    input: &Json,
    work: Vec<(Task, Vec<Param>)>,
) -> (Vec<Step>, Vec<Job>) {
    let config = catalog.revision(&Entry::Config(of.clone()));
    let seed = config.or_else(|| catalog.revision(&Entry::Applied(of.clone())));
    let last = work.len().saturating_sub(1);
    let mut earlier = BTreeSet::new();
    let described = work.into_iter().enumerate().map(|(at, (task, params))| {
        let Task { action, handler, template, on_failure } = task;
        let id = job_id(action, &handler, of, version, seed.unwrap_or_default());
        let dependency = earlier.clone();
        earlier.insert(id.clone());
        let job = Job {
            id,
            action,
            handler,
            target: of.clone(),
            version,
            is_first: at == 0,
            is_last: at == last,
            on_failure,
            dependency,
            params,
            input: input.clone(),
        };
        (Step { template, checkpoint: None, wake_ms: 0, trouble: String::new() }, job)
    });
    described.unzip()
}

/// Nothing is to be done, and that is said at once.
pub(super) fn answer(
    catalog: &Catalog,
    applied: Applied,
    of: &ResourceRef,
    worker_state: &str,
    dropped: &Dropped,
    clear: Vec<Entry>,
) -> Plan {
    let state = State::new(applied.now.version, worker_state);
    let clear = clear.into_iter().filter(|entry| !matches!(entry, Entry::State(_)));
    let mut transaction = upon(catalog, of, dropped, clear);
    transaction.effects.extend([
        Effect::Put(Entry::State(of.clone()), Content::State(state)),
        Effect::Put(Entry::Applied(of.clone()), Content::Applied(applied)),
    ]);
    Plan { transaction, about: About::Answered { worker_state: worker_state.to_owned() } }
}

/// It cannot be planned now, and the state says why; `None` if it says so already. The version
/// stays behind, so that this does not count as done.
pub(super) fn hold_back(catalog: &Catalog, of: &ResourceRef, reason: &str) -> Option<Plan> {
    let present = catalog.state(of);
    let (version, mut fields) = match present {
        Some(state) if !is_state_stale(catalog, of) => (state.version, state.fields.clone()),
        _ => (Version(0), Fields::new()),
    };
    fields.insert(State::WORKER_STATE.to_owned(), Json::from(HELD_BACK));
    let state = State { version, error: reason.to_owned(), fields };
    if present == Some(&state) {
        return None;
    }
    let guards = [Entry::Config(of.clone()), Entry::State(of.clone())];
    let transaction = Transaction {
        guards: guards.map(|entry| catalog.as_seen(entry)).to_vec(),
        effects: vec![Effect::Put(Entry::State(of.clone()), Content::State(state))],
    };
    Some(Plan { transaction, about: About::HeldBack { reason: reason.to_owned() } })
}

/// The resource is gone, and so is everything that was kept of it.
pub(super) fn clean_up(catalog: &Catalog, of: &ResourceRef) -> Plan {
    let clear = traces(of).into_iter().chain([Entry::Applied(of.clone())]);
    let transaction = upon(catalog, of, &Dropped::default(), clear);
    Plan { transaction, about: About::CleanedUp }
}

/// What every plan rests on, and what it removes.
fn upon(
    catalog: &Catalog,
    of: &ResourceRef,
    dropped: &Dropped,
    clear: impl IntoIterator<Item = Entry>,
) -> Transaction {
    let basis = [Entry::Config, Entry::State, Entry::Applied].map(|entry| entry(of.clone()));
    let (mut guards, mut effects) = dropped.go();
    guards.extend(basis.map(|entry| catalog.as_seen(entry)));
    effects.extend(clear.into_iter().map(Effect::Remove));
    Transaction { guards, effects }
}

/// Roughly what a workflow takes in the store.
pub(super) fn bytes(work: &[(Task, Vec<Param>)], input: &Json, applied: &Applied) -> usize {
    let bases = [Some(&applied.now), applied.before.as_ref()];
    let kept: usize = bases.into_iter().flatten().map(|base: &Base| weight(&base.body)).sum();
    let params = work.iter().flat_map(|(_, params)| params);
    kept + work.len() * weight(input) + params.map(param_weight).sum::<usize>()
}

fn param_weight(param: &Param) -> usize {
    /// The names of the fields around the value, and around each resource.
    const FRAME_BYTES: usize = 50;
    let of_resource =
        |of: &ResourceRef| FRAME_BYTES + of.kind.as_str().len() + of.id.as_str().len();
    let value = match &param.value {
        ParamValue::Value(value) => weight(value),
        ParamValue::Output { key, of } => key.len() + of_resource(of),
        ParamValue::List(items) => items.iter().map(param_weight).sum(),
    };
    FRAME_BYTES + param.name.len() + value + param.resources.iter().map(of_resource).sum::<usize>()
}

/// The same for the same change, however often it is planned.
fn job_id(
    action: Action,
    handler: &HandlerName,
    of: &ResourceRef,
    version: Version,
    seed: Revision,
) -> JobId {
    const SUFFIX_CHARS: usize = 5;
    let change = format!("{of}:{version}\n{action}\n{handler}\n{seed}");
    let digest = Sha256::digest(change);
    let mut number = digest.iter().take(8).fold(0u64, |n, byte| (n << 8) | u64::from(*byte));
    let mut suffix = String::with_capacity(SUFFIX_CHARS);
    while suffix.len() < SUFFIX_CHARS {
        // A remainder by 36 always is a digit of base 36.
        let digit = u32::try_from(number % 36).ok().and_then(|digit| char::from_digit(digit, 36));
        suffix.push(digit.unwrap_or('0'));
        number /= 36;
    }
    JobId::new(format!("{action}:{handler}:{of}:{version}:{suffix}"))
}
