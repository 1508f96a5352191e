//! Which open jobs a new workflow waits for.

use std::collections::BTreeSet;

use crate::domain::{Job, JobId, ResourceRef};

use super::catalog::Catalog;
use super::change::Change;
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
