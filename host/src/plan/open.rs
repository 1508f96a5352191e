//! The open jobs, without their large bodies, and the ways to find them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;

use crate::domain::{HandlerName, JobId, Posted, ResourceRef, Version};

/// What planning needs to know of an open job.
#[derive(Debug)]
pub(super) struct OpenJob {
    pub(super) id: JobId,
    pub(super) handler: HandlerName,
    pub(super) target: ResourceRef,
    pub(super) version: Version,
    pub(super) is_first: bool,
    pub(super) is_last: bool,
    pub(super) attempts: u32,
    refers_to: Vec<ResourceRef>,
    dependency: BTreeSet<JobId>,
}

/// All jobs that are posted and not finished.
#[derive(Debug, Default)]
pub(super) struct OpenJobs {
    by_id: HashMap<JobId, OpenJob>,
    by_target: Index<ResourceRef, JobId>,
    by_referred: Index<ResourceRef, JobId>,
    by_dependency: Index<JobId, JobId>,
    begun: HashSet<JobId>,
}

impl OpenJobs {
    /// Posted, or posted again with another count of attempts.
    pub(super) fn put(&mut self, posted: Posted) {
        let Posted { job, attempts } = posted;
        self.remove(&job.id);
        let refers_to: Vec<_> = job.refers_to().into_iter().cloned().collect();
        self.by_target.add(&job.target, &job.id);
        for of in &refers_to {
            self.by_referred.add(of, &job.id);
        }
        for earlier in &job.dependency {
            self.by_dependency.add(earlier, &job.id);
        }
        let open = OpenJob {
            id: job.id.clone(),
            handler: job.handler,
            target: job.target,
            version: job.version,
            is_first: job.is_first,
            is_last: job.is_last,
            attempts,
            refers_to,
            dependency: job.dependency,
        };
        self.by_id.insert(job.id, open);
    }

    /// Finished or dropped; names the resource whose last job this was.
    pub(super) fn remove(&mut self, id: &JobId) -> Option<ResourceRef> {
        let job = self.by_id.remove(id)?;
        self.by_target.take(&job.target, id);
        for of in &job.refers_to {
            self.by_referred.take(of, id);
        }
        for earlier in &job.dependency {
            self.by_dependency.take(earlier, id);
        }
        let was_last = self.of(&job.target).next().is_none();
        was_last.then_some(job.target)
    }

    /// Whether the job's handler has been called and wants to be called again.
    pub(super) fn mark_begun(&mut self, id: JobId, begun: bool) {
        if begun {
            self.begun.insert(id);
        } else {
            self.begun.remove(&id);
        }
    }

    pub(super) fn has_begun(&self, id: &JobId) -> bool {
        self.begun.contains(id)
    }

    /// Those that work on this resource.
    pub(super) fn of(&self, target: &ResourceRef) -> impl Iterator<Item = &OpenJob> {
        self.all(self.by_target.get(target))
    }

    /// Those whose params refer to this resource.
    pub(super) fn referring_to(&self, of: &ResourceRef) -> impl Iterator<Item = &OpenJob> {
        self.all(self.by_referred.get(of))
    }

    /// Those that wait for this job.
    pub(super) fn waiting_for(&self, job: &JobId) -> impl Iterator<Item = &JobId> {
        self.by_dependency.get(job)
    }

    fn all<'a>(
        &'a self,
        ids: impl Iterator<Item = &'a JobId>,
    ) -> impl Iterator<Item = &'a OpenJob> {
        ids.filter_map(|id| self.by_id.get(id))
    }
}

/// Which values belong to a key.
#[derive(Debug)]
pub(super) struct Index<K, V>(HashMap<K, BTreeSet<V>>);

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash, V: Clone + Ord> Index<K, V> {
    pub(super) fn add(&mut self, key: &K, value: &V) {
        if let Some(values) = self.0.get_mut(key) {
            values.insert(value.clone());
        } else {
            self.0.insert(key.clone(), BTreeSet::from([value.clone()]));
        }
    }

    pub(super) fn take(&mut self, key: &K, value: &V) {
        if let Some(values) = self.0.get_mut(key) {
            values.remove(value);
            if values.is_empty() {
                self.0.remove(key);
            }
        }
    }

    pub(super) fn get(&self, key: &K) -> impl Iterator<Item = &V> {
        self.0.get(key).into_iter().flatten()
    }
}
