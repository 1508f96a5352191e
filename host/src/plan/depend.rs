//! Which open jobs a new workflow waits for, and what is to be planned before it so that there are
//! any.

use std::collections::BTreeSet;

use crate::domain::{Content, Effect, Job, JobId, ResourceRef};

use super::Plan;
use super::catalog::Catalog;
use super::change::Change;
use super::ground::{Before, ground};
use super::open::OpenJob;

/// The open jobs that the first job of a workflow waits for: those of its own resource; those of
/// resources that its jobs refer to, as far as they come no later in the order of handlers; and,
/// unless the resource is new, those that refer to it.
pub(super) fn dependencies(
    catalog: &Catalog,
    of: &ResourceRef,
    change: &Change<'_>,
    jobs: &[Job],
    dropped: &BTreeSet<JobId>,
) -> BTreeSet<JobId> {
    let mut found = BTreeSet::new();
    let mut add = |job: &OpenJob| {
        if !dropped.contains(&job.id) {
            found.insert(job.id.clone());
        }
    };
    catalog.jobs().of(of).for_each(&mut add);
    for job in jobs {
        let place = catalog.handlers().place(&job.handler);
        for referred in job.refers_to().into_iter().filter(|referred| *referred != of) {
            // A handler that is not loaded has no place; to wait for its job is the safe side.
            let comes_before = |open: &&OpenJob| catalog.handlers().place(&open.handler) <= place;
            catalog.jobs().of(referred).filter(comes_before).for_each(&mut add);
        }
    }
    match change {
        Change::New { .. } => {}
        Change::Update { .. } | Change::Marked { .. } | Change::Vanished { .. } => {
            catalog.jobs().referring_to(of).for_each(&mut add);
        }
    }
    found
}

/// The new resources that a plan's jobs refer to and that are not planned themselves: a workflow
/// posted before theirs would not wait for them. When many changes have piled up, the order in which
/// entries last changed is not the order in which they need each other.
pub fn first(catalog: &Catalog, of: &ResourceRef, plan: &Plan) -> BTreeSet<ResourceRef> {
    let jobs = plan.transaction.effects.iter().filter_map(|effect| match effect {
        Effect::Put(_, Content::Job(posted)) => Some(&posted.job),
        _ => None,
    });
    let referred: BTreeSet<&ResourceRef> = jobs.flat_map(Job::refers_to).collect();
    let is_new = |referred: &&ResourceRef| {
        *referred != of && !catalog.held.holds(referred) && is_new(catalog, referred)
    };
    referred.into_iter().filter(is_new).cloned().collect()
}

/// Whether a resource is to be put up and nothing was planned for it yet.
fn is_new(catalog: &Catalog, of: &ResourceRef) -> bool {
    let Some(config) = catalog.config(of) else { return false };
    let Ok(resource) = &config.read else { return false };
    !resource.marked_for_deletion
        && catalog.jobs().of(of).next().is_none()
        && ground(catalog, config, resource)
            .is_some_and(|ground| matches!(ground.before, Before::Nothing))
}
