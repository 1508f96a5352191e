//! An older workflow that has not begun gives way to a newer version.

use std::collections::BTreeSet;

use crate::domain::{Effect, Entry, Guard, JobId, ResourceRef, Version};

use super::catalog::Catalog;

/// The jobs of a workflow that nobody will miss.
#[derive(Default)]
pub(super) struct Dropped {
    pub(super) jobs: BTreeSet<JobId>,
    guards: Vec<Guard>,
}

/// The workflow of this version, if no host has begun it and no other job waits for it.
pub(super) fn droppable(catalog: &Catalog, of: &ResourceRef, version: Version) -> Option<Dropped> {
    let open = catalog.jobs();
    let workflow: Vec<_> = open.of(of).filter(|job| job.version == version).collect();
    let mut firsts = workflow.iter().filter(|job| job.is_first);
    let (Some(first), None) = (firsts.next(), firsts.next()) else { return None };
    // Every job waits for the first one, so while that is open none can be finished; a missing end
    // means that a failure is being dealt with.
    let is_whole = workflow.iter().any(|job| job.is_last);
    let has_begun =
        first.attempts > 0 || open.has_begun(&first.id) || catalog.is_working(&first.id);
    if !is_whole || has_begun {
        return None;
    }
    let jobs: BTreeSet<_> = workflow.iter().map(|job| job.id.clone()).collect();
    if jobs.iter().flat_map(|job| open.waiting_for(job)).any(|other| !jobs.contains(other)) {
        return None;
    }
    // Whoever claims the first job, or lets it come forward, changes this entry.
    let marks = [Entry::Ready(first.id.clone()), Entry::Waiting(first.id.clone())];
    let mark = marks.into_iter().find(|mark| catalog.revision(mark).is_some())?;
    Some(Dropped { jobs, guards: vec![catalog.as_seen(mark)] })
}

impl Dropped {
    /// Nothing of it has changed, and it goes.
    pub(super) fn go(&self) -> (Vec<Guard>, Vec<Effect>) {
        let entries = |job: &JobId| {
            [Entry::Job, Entry::Step, Entry::Ready, Entry::Waiting].map(|entry| entry(job.clone()))
        };
        (self.guards.clone(), self.jobs.iter().flat_map(entries).map(Effect::Remove).collect())
    }
}
