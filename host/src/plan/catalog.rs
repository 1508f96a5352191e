//! What planning knows: the last thing seen of every entry that matters, and who waits for what.

use std::collections::{HashMap, VecDeque};

use crate::domain::{
    Applied, Content, Effect, Entry, Fact, Guard, Handlers, JobId, Resource, ResourceRef, Revision,
    Schemas, State, Template, TemplateId, Transaction,
};

use super::held::{HeldBack, Want};
use super::open::OpenJobs;
use super::pattern::Patterns;

/// So many removals are remembered, so that older news cannot undo them.
pub(super) const GONE_ENTRIES_MAX: usize = 65_536;

/// The mirror of the store that planning looks at.
#[derive(Debug)]
pub struct Catalog {
    schemas: Schemas,
    handlers: Handlers,
    configs: HashMap<ResourceRef, Config>,
    templates: HashMap<TemplateId, Result<Template, String>>,
    states: HashMap<ResourceRef, State>,
    applied: HashMap<ResourceRef, Applied>,
    jobs: OpenJobs,
    seen: Seen,
    pub(super) held: HeldBack,
    pub(super) patterns: Patterns,
}

/// One config entry.
#[derive(Debug)]
pub(super) struct Config {
    /// What it says, or why that cannot be read.
    pub(super) read: Result<Resource, String>,
    /// When the entry came into being: another moment is another life of the resource.
    pub(super) created: Revision,
}

impl Catalog {
    /// Knows nothing yet.
    pub fn new(schemas: Schemas, handlers: Handlers) -> Self {
        Self {
            schemas,
            handlers,
            configs: HashMap::new(),
            templates: HashMap::new(),
            states: HashMap::new(),
            applied: HashMap::new(),
            jobs: OpenJobs::default(),
            seen: Seen::default(),
            held: HeldBack::default(),
            patterns: Patterns::default(),
        }
    }

    /// Remembers a fact, unless something newer of its entry is known, and names the resources to
    /// look at now.
    pub fn learn(&mut self, fact: Fact) -> Vec<ResourceRef> {
        if !matters(&fact.entry) || !self.seen.is_news(&fact) {
            return Vec::new();
        }
        let Fact { entry, content, created, .. } = fact;
        match entry {
            Entry::Config(of) => {
                let released = self.held.wanting(&Want::Resource(of.clone()));
                keep(&mut self.configs, &of, content.and_then(|c| config(c, created)));
                std::iter::once(of).chain(released).collect()
            }
            Entry::Template(id) => {
                keep(&mut self.templates, &id, content.and_then(template));
                self.held.wanting(&Want::Template(id))
            }
            Entry::State(of) => {
                keep(&mut self.states, &of, content.and_then(state));
                vec![of]
            }
            Entry::Applied(of) => {
                keep(&mut self.applied, &of, content.and_then(applied));
                vec![of]
            }
            Entry::Job(id) => {
                if let Some(Content::Job(posted)) = content {
                    self.jobs.put(posted);
                    Vec::new()
                } else {
                    self.jobs.remove(&id).into_iter().collect()
                }
            }
            Entry::Step(id) => {
                let begun = matches!(content, Some(Content::Step(step))
                    if step.checkpoint.is_some() || step.wake_ms > 0);
                self.jobs.mark_begun(id, begun);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Remembers what a committed transaction wrote, as the store will show it, and names the
    /// resources to look at.
    pub fn learn_committed(
        &mut self,
        transaction: Transaction,
        revision: Revision,
    ) -> Vec<ResourceRef> {
        let mut look = Vec::new();
        for effect in transaction.effects {
            let (entry, content) = match effect {
                Effect::Put(entry, content) | Effect::PutLeased(entry, content) => {
                    (entry, Some(content))
                }
                Effect::Remove(entry) => (entry, None),
            };
            look.extend(self.learn(Fact { entry, content, created: revision, revision }));
        }
        look
    }

    /// Takes over new handlers, and names the resources that were held back for want of one of
    /// them.
    pub fn know_handlers(&mut self, handlers: Handlers) -> Vec<ResourceRef> {
        self.handlers = handlers;
        let known = self.handlers.iter().map(|handler| Want::Handler(handler.name.clone()));
        known.flat_map(|want| self.held.wanting(&want)).collect()
    }

    /// Every resource, in the order in which their configs last changed; after them those of which
    /// only traces are left.
    pub fn everything(&self) -> Vec<ResourceRef> {
        let mut all: Vec<_> = self.configs.keys().collect();
        all.sort_by_cached_key(|of| (self.revision(&Entry::Config((*of).clone())), (*of).clone()));
        let mut traces: Vec<_> = self
            .applied
            .keys()
            .chain(self.states.keys())
            .filter(|of| !self.configs.contains_key(of))
            .collect();
        traces.sort();
        traces.dedup();
        all.into_iter().chain(traces).cloned().collect()
    }

    /// The resources that cannot be planned now, each with the reason.
    pub fn held_back(&self) -> impl Iterator<Item = (&ResourceRef, &str)> {
        self.held.iter()
    }

    pub(super) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    pub(super) fn handlers(&self) -> &Handlers {
        &self.handlers
    }

    pub(super) fn config(&self, of: &ResourceRef) -> Option<&Config> {
        self.configs.get(of)
    }

    pub(super) fn template(&self, id: &TemplateId) -> Option<&Result<Template, String>> {
        self.templates.get(id)
    }

    pub(super) fn state(&self, of: &ResourceRef) -> Option<&State> {
        self.states.get(of)
    }

    pub(super) fn applied(&self, of: &ResourceRef) -> Option<&Applied> {
        self.applied.get(of)
    }

    pub(super) fn jobs(&self) -> &OpenJobs {
        &self.jobs
    }

    /// When an entry that is there last changed.
    pub(super) fn revision(&self, entry: &Entry) -> Option<Revision> {
        self.seen.revision(entry)
    }

    /// Whether a host runs this job.
    pub(super) fn is_working(&self, job: &JobId) -> bool {
        self.revision(&Entry::Working(job.clone())).is_some()
    }

    /// The entry must still be what planning saw.
    pub(super) fn as_seen(&self, entry: Entry) -> Guard {
        match self.revision(&entry) {
            Some(revision) => Guard::Unchanged(entry, revision),
            None => Guard::Absent(entry),
        }
    }
}

/// Whether planning looks at such entries at all.
fn matters(entry: &Entry) -> bool {
    match entry {
        Entry::Config(_)
        | Entry::Template(_)
        | Entry::State(_)
        | Entry::Applied(_)
        | Entry::Job(_)
        | Entry::Waiting(_)
        | Entry::Ready(_)
        | Entry::Working(_)
        | Entry::Step(_)
        | Entry::PlanMark => true,
        Entry::Monitoring(_)
        | Entry::Stack(_)
        | Entry::JobState(_)
        | Entry::Registration(_)
        | Entry::Host(_)
        | Entry::Leader
        | Entry::Unknown(_) => false,
    }
}

fn keep<K: Clone + Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, key: &K, content: Option<V>) {
    match content {
        Some(content) => map.insert(key.clone(), content),
        None => map.remove(key),
    };
}

fn config(content: Content, created: Revision) -> Option<Config> {
    let read = match content {
        Content::Resource(resource) => Ok(resource),
        Content::Unreadable(complaint) => Err(complaint),
        _ => return None,
    };
    Some(Config { read, created })
}

fn template(content: Content) -> Option<Result<Template, String>> {
    match content {
        Content::Template(template) => Some(Ok(template)),
        Content::Unreadable(complaint) => Some(Err(complaint)),
        _ => None,
    }
}

/// A state that cannot be read says nothing: the work is done again.
fn state(content: Content) -> Option<State> {
    if let Content::State(state) = content { Some(state) } else { None }
}

/// As with states; the update then takes the new body for the old one.
fn applied(content: Content) -> Option<Applied> {
    if let Content::Applied(applied) = content { Some(applied) } else { None }
}

/// When each entry was last seen to change.
#[derive(Debug, Default)]
struct Seen {
    last: HashMap<Entry, Sight>,
    gone: VecDeque<(Entry, Revision)>,
}

#[derive(Debug)]
struct Sight {
    revision: Revision,
    there: bool,
}

impl Seen {
    /// Takes note of a fact and says whether it is newer than what was known.
    fn is_news(&mut self, fact: &Fact) -> bool {
        let sight = Sight { revision: fact.revision, there: fact.content.is_some() };
        match self.last.get_mut(&fact.entry) {
            Some(last) if fact.revision <= last.revision => return false,
            Some(last) => *last = sight,
            None => {
                self.last.insert(fact.entry.clone(), sight);
            }
        }
        if fact.content.is_none() {
            self.gone.push_back((fact.entry.clone(), fact.revision));
            self.forget();
        }
        true
    }

    fn forget(&mut self) {
        while self.gone.len() > GONE_ENTRIES_MAX {
            let Some((entry, revision)) = self.gone.pop_front() else { return };
            if self.last.get(&entry).is_some_and(|s| !s.there && s.revision == revision) {
                self.last.remove(&entry);
            }
        }
    }

    fn revision(&self, entry: &Entry) -> Option<Revision> {
        self.last.get(entry).filter(|sight| sight.there).map(|sight| sight.revision)
    }
}
