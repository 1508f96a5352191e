//! Thought 1: a changed resource → what is to be committed.
//!
//! The catalog remembers what the store last showed and names the resources to look at. `plan`
//! looks at what is wanted of a resource and at what is there: the ground says what the new version
//! starts from, the choice which template each handler gets, the table of changes which jobs that
//! yields, the mappings their params, the dependencies what they wait for. The outcome is one
//! guarded transaction; when a guard fails, the catalog was behind, and planning again once it has
//! caught up is all there is to do.

mod catalog;
mod held;
mod open;

mod ground;
mod supersede;

mod choose;
mod pattern;
mod relation;
mod resolve;

mod change;
mod depend;
mod post;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Applied, Base, Entry, HandlerName, JobId, Json, Param, Resource};
use crate::domain::{ResourceRef, State, Transaction, Version};

pub use catalog::Catalog;
pub use depend::first;

use catalog::Config;
use change::{Change, Sides, Task};
use choose::{choose, loaded};
use ground::{Before, Ground, ground};
use held::{Held, Want};
use pattern::Patterns;
use post::{WORKFLOW_BYTES_MAX, Workflow};
use resolve::{Links, Params, Subject};
use supersede::Dropped;

/// The `worker_state` of a resource that cannot be planned now.
pub const HELD_BACK: &str = "HELD_BACK";
/// The `worker_state` of a resource that no handler has to do with.
pub const READ_COMPLETE: &str = "READ_COMPLETE";
/// The `worker_state` of a resource of which nothing is left to take down.
pub const DELETE_COMPLETED: &str = "DELETE_COMPLETED";

/// What is to be committed for one resource.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// All of it. A conflict means that the catalog was behind.
    pub transaction: Transaction,
    /// What it comes to, for those who look.
    pub about: About,
}

/// What a plan comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum About {
    /// Jobs are posted.
    Workflow {
        /// In working order.
        jobs: Vec<JobId>,
    },
    /// Nothing is to be done, and the state says so.
    Answered {
        /// What it says.
        worker_state: String,
    },
    /// It cannot be planned now; the state says why.
    HeldBack {
        /// Why.
        reason: String,
    },
    /// The resource is gone, and so is what was kept of it.
    CleanedUp,
}

/// Plans one resource; `None` where nothing is to be done, or nothing yet.
pub fn plan(catalog: &mut Catalog, of: &ResourceRef) -> Option<Plan> {
    let mut patterns = std::mem::take(&mut catalog.patterns);
    let outcome = look(catalog, &mut patterns, of);
    catalog.patterns = patterns;
    match outcome {
        Ok(plan) => {
            catalog.held.release(of);
            plan
        }
        Err(held) => {
            let plan = post::hold_back(catalog, of, &held.reason);
            catalog.held.hold(of, held);
            plan
        }
    }
}

/// Holds a resource back whose plan the store will never take; `None` if its state says so already.
pub fn hold_back(catalog: &mut Catalog, of: &ResourceRef, reason: &str) -> Option<Plan> {
    let plan = post::hold_back(catalog, of, reason);
    catalog.held.hold(of, Held { reason: reason.to_owned(), wants: BTreeSet::new() });
    plan
}

fn look(
    catalog: &Catalog,
    patterns: &mut Patterns,
    of: &ResourceRef,
) -> Result<Option<Plan>, Held> {
    match catalog.config(of) {
        Some(config) => match &config.read {
            Ok(resource) => wanted(catalog, patterns, config, resource),
            Err(complaint) => Err(Held { reason: complaint.clone(), wants: BTreeSet::new() }),
        },
        None => gone(catalog, patterns, of),
    }
}

/// The config is there: what is put up shall become what it says.
fn wanted(
    catalog: &Catalog,
    patterns: &mut Patterns,
    config: &Config,
    resource: &Resource,
) -> Result<Option<Plan>, Held> {
    let Resource { of, body, version, marked_for_deletion } = resource;
    let Some(Ground { before, dropped, clear }) = ground(catalog, config, resource) else {
        return Ok(None);
    };
    let templates = match &before {
        // What was put up is taken down by those who did it.
        Before::Known(base) if *marked_for_deletion => base.templates.clone(),
        _ => choose(catalog, patterns, Subject { of, body, version: *version })?,
    };
    let new = Base { version: *version, body: body.clone(), templates };
    let (known, old) = match before {
        Before::Nothing => (None, marked_for_deletion.then(|| new.clone())),
        Before::Unknown(version) => (None, Some(Base { version, ..new.clone() })),
        Before::Known(base) => (Some(base.clone()), Some(base)),
    };
    let change = match &old {
        None => Change::New { new: &new },
        Some(old) if *marked_for_deletion => Change::Marked { old, new: &new },
        Some(old) => Change::Update { old, new: &new },
    };
    if let Some(old) = &old {
        loaded(catalog, &old.templates)?;
    }
    let work = work(catalog, patterns, of, &change)?;
    let mut applied = Applied { now: new.clone(), deleted: *marked_for_deletion, before: known };
    if work.is_empty() {
        if catalog.jobs().of(of).any(|job| !dropped.jobs.contains(&job.id)) {
            return Ok(None);
        }
        applied.before = None;
        let says = if applied.deleted { DELETE_COMPLETED } else { READ_COMPLETE };
        return Ok(Some(post::answer(catalog, applied, of, says, &dropped, clear)));
    }
    let version = *version;
    let dropped = &dropped;
    let change = &change;
    posted(catalog, Workflow { of, version, input: body, change, work, applied, dropped, clear })
}

/// The config is gone: what is put up is taken down, then all traces are removed.
fn gone(
    catalog: &Catalog,
    patterns: &mut Patterns,
    of: &ResourceRef,
) -> Result<Option<Plan>, Held> {
    let has_jobs = catalog.jobs().of(of).next().is_some();
    let traces = [Entry::State(of.clone()), Entry::Applied(of.clone())];
    if traces.iter().all(|entry| catalog.revision(entry).is_none()) {
        return Ok(None);
    }
    let applied = catalog.applied(of).filter(|a| !a.deleted && !a.now.templates.is_empty());
    let Some(Applied { now: old, .. }) = applied else {
        if catalog.state(of).is_some_and(State::failed) && catalog.applied(of).is_some() {
            // Something still stands that could not be taken down: these are the only traces of it.
            return Ok(None);
        }
        return Ok((!has_jobs).then(|| post::clean_up(catalog, of)));
    };
    loaded(catalog, &old.templates)?;
    let change = &Change::Vanished { old };
    let work = work(catalog, patterns, of, change)?;
    let applied = Applied { now: old.clone(), deleted: true, before: Some(old.clone()) };
    let (version, input, dropped, clear) =
        (old.version, &old.body, &Dropped::default(), Vec::new());
    posted(catalog, Workflow { of, version, input, change, work, applied, dropped, clear })
}

fn posted(catalog: &Catalog, workflow: Workflow<'_>) -> Result<Option<Plan>, Held> {
    let bytes = post::bytes(&workflow.work, workflow.input, &workflow.applied);
    if bytes > WORKFLOW_BYTES_MAX {
        let reason = format!(
            "the workflow of {} takes some {bytes} bytes, and {WORKFLOW_BYTES_MAX} can be posted \
             at once",
            workflow.of
        );
        let templates = workflow.applied.now.templates.into_values();
        return Err(Held { reason, wants: templates.map(Want::Template).collect() });
    }
    Ok(Some(post::workflow(catalog, workflow)))
}

/// The jobs of a change and the params of each.
fn work(
    catalog: &Catalog,
    patterns: &mut Patterns,
    of: &ResourceRef,
    change: &Change<'_>,
) -> Result<Vec<(Task, Vec<Param>)>, Held> {
    let mut resolved = BTreeMap::<HandlerName, Sides>::new();
    let mut work = Vec::new();
    for task in change::tasks(catalog.handlers(), change) {
        if !resolved.contains_key(&task.handler) {
            let sides = sides(catalog, patterns, of, change, &task.handler)?;
            resolved.insert(task.handler.clone(), sides);
        }
        let params = resolved.get(&task.handler).map(|s| change::params(task.action, change, s));
        work.push((task, params.unwrap_or_default()));
    }
    Ok(work)
}

/// What a handler's templates make of both versions.
fn sides(
    catalog: &Catalog,
    patterns: &mut Patterns,
    of: &ResourceRef,
    change: &Change<'_>,
    handler: &HandlerName,
) -> Result<Sides, Held> {
    let mut side = |base: &Base, links| match base.templates.get(handler) {
        None => Ok(Params::new()),
        Some(template) => {
            let (body, version): (&Json, Version) = (&base.body, base.version);
            resolve::params(catalog, patterns, Subject { of, body, version }, template, links)
        }
    };
    Ok(match change {
        Change::New { new } => Sides { new: side(new, Links::Needed)?, old: Params::new() },
        Change::Update { old, new } => {
            Sides { new: side(new, Links::Needed)?, old: side(old, Links::Optional)? }
        }
        Change::Marked { old, new } => {
            Sides { new: side(new, Links::Optional)?, old: side(old, Links::Optional)? }
        }
        Change::Vanished { old } => {
            Sides { new: side(old, Links::Optional)?, old: side(old, Links::Optional)? }
        }
    })
}
