//! Planning, over a world that keeps entries as a store does and checks every guard.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod changes;
mod dependencies;
mod held;
mod learning;
mod lives;
mod mappings;
mod seed;
mod superseded;

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;

use serde_json::json;

use super::{About, Catalog, Plan, catalog, plan};
use crate::domain::{
    Applied, Content, Effect, Entry, Fact, Guard, Handler, Handlers, IdField, Job, JobId, Json,
    Kind, Mapping, PathStep, Resource, ResourceRef, Revision, Schema, Schemas, State, Template,
    TemplateId, Test, Transaction, UpdateStyle, Version, Walk,
};

const HEAT: &str = "heat_worker";
const WATCH: &str = "monitoring_worker";

/// What the store holds, and the catalog that follows it.
struct World {
    catalog: Catalog,
    revision: u64,
    entries: BTreeMap<Entry, (Content, Revision)>,
}

impl World {
    fn new(schemas: Vec<Schema>) -> Self {
        Self::with_handlers(schemas, two_handlers())
    }

    fn with_handlers(schemas: Vec<Schema>, handlers: Vec<Handler>) -> Self {
        let handlers = Handlers::in_order(handlers).unwrap();
        let catalog = Catalog::new(Schemas::new(schemas), handlers);
        Self { catalog, revision: 0, entries: BTreeMap::new() }
    }

    fn put(&mut self, entry: Entry, content: Content) -> Vec<ResourceRef> {
        self.commit(Transaction { guards: Vec::new(), effects: vec![Effect::Put(entry, content)] })
    }

    fn remove(&mut self, entry: Entry) -> Vec<ResourceRef> {
        self.commit(Transaction { guards: Vec::new(), effects: vec![Effect::Remove(entry)] })
    }

    fn config(&mut self, of: &ResourceRef, version: u64, body: Json) -> Vec<ResourceRef> {
        self.write_config(of, version, body, false)
    }

    fn mark(&mut self, of: &ResourceRef, version: u64, body: Json) -> Vec<ResourceRef> {
        self.write_config(of, version, body, true)
    }

    fn write_config(
        &mut self,
        of: &ResourceRef,
        version: u64,
        body: Json,
        marked_for_deletion: bool,
    ) -> Vec<ResourceRef> {
        let version = Version(version);
        let resource = Resource { of: of.clone(), body, version, marked_for_deletion };
        self.put(Entry::Config(of.clone()), Content::Resource(resource))
    }

    fn template(
        &mut self,
        id: &str,
        handler: &str,
        params: &[(&str, Mapping)],
    ) -> Vec<ResourceRef> {
        let params = params.iter().map(|(name, m)| ((*name).to_owned(), m.clone())).collect();
        let id = TemplateId::new(id);
        let (handler, text) = (handler.into(), String::new());
        let template = Template { id: id.clone(), handler, text, params: Ok(params) };
        self.put(Entry::Template(id), Content::Template(template))
    }

    /// Commits as a store does: all guards hold, each entry is written once.
    fn commit(&mut self, transaction: Transaction) -> Vec<ResourceRef> {
        for guard in &transaction.guards {
            assert!(self.holds(guard), "{guard:?} does not hold");
        }
        self.revision += 1;
        let now = Revision(self.revision);
        let mut written = BTreeSet::new();
        let mut look = Vec::new();
        for effect in transaction.effects {
            let (entry, content) = match effect {
                Effect::Put(entry, content) | Effect::PutLeased(entry, content) => {
                    (entry, Some(content))
                }
                Effect::Remove(entry) => (entry, None),
            };
            assert!(written.insert(entry.clone()), "{entry:?} is written twice");
            let created = self.created(&entry).unwrap_or(now);
            match content.clone() {
                Some(content) => self.entries.insert(entry.clone(), (content, now)),
                None => self.entries.remove(&entry),
            };
            self.births(&entry, created);
            look.extend(self.catalog.learn(Fact { entry, content, created, revision: now }));
        }
        look
    }

    fn births(&mut self, entry: &Entry, created: Revision) {
        let birth = Entry::Unknown(format!("created {entry:?}"));
        if self.entries.contains_key(entry) {
            self.entries.insert(birth, (Content::Free(json!(created.0)), created));
        } else {
            self.entries.remove(&birth);
        }
    }

    fn created(&self, entry: &Entry) -> Option<Revision> {
        self.entries.get(&Entry::Unknown(format!("created {entry:?}"))).map(|(_, at)| *at)
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Absent(entry) => !self.entries.contains_key(entry),
            Guard::Present(entry) => self.entries.contains_key(entry),
            Guard::Unchanged(entry, at) => self.entries.get(entry).is_some_and(|(_, r)| r == at),
            Guard::Created(entry, at) => self.created(entry) == Some(*at),
        }
    }

    fn plan(&mut self, of: &ResourceRef) -> Option<Plan> {
        plan(&mut self.catalog, of)
    }

    /// Plans and commits; the jobs as `action:handler`, marked with `?` where a failure is ignored.
    fn turn(&mut self, of: &ResourceRef) -> Vec<String> {
        let plan = self.plan(of).unwrap_or_else(|| panic!("nothing to do for {of}"));
        let About::Workflow { jobs } = &plan.about else { panic!("no workflow: {:?}", plan.about) };
        let jobs = jobs.clone();
        self.commit(plan.transaction);
        jobs.iter().map(|id| shape(self.job(id))).collect()
    }

    /// Plans and commits what is no workflow.
    fn verdict(&mut self, of: &ResourceRef) -> About {
        let plan = self.plan(of).unwrap_or_else(|| panic!("nothing to do for {of}"));
        assert!(!matches!(plan.about, About::Workflow { .. }), "a workflow: {:?}", plan.about);
        self.commit(plan.transaction);
        plan.about
    }

    fn held(&mut self, of: &ResourceRef) -> String {
        match self.verdict(of) {
            About::HeldBack { reason } => reason,
            about => panic!("not held back: {about:?}"),
        }
    }

    fn job(&self, id: &JobId) -> &Job {
        match &self.entries[&Entry::Job(id.clone())].0 {
            Content::Job(posted) => &posted.job,
            other => panic!("no job: {other:?}"),
        }
    }

    /// The open jobs of a resource, in working order.
    fn jobs(&self, of: &ResourceRef) -> Vec<&Job> {
        let mut jobs: Vec<_> = self
            .entries
            .values()
            .filter_map(|(content, _)| match content {
                Content::Job(posted) if posted.job.target == *of => Some(&posted.job),
                _ => None,
            })
            .collect();
        jobs.sort_by_key(|job| (job.version, !job.is_first, job.dependency.len()));
        jobs
    }

    /// The one open job of a resource with this action and handler.
    fn find(&self, what: &str, of: &ResourceRef) -> &Job {
        let found: Vec<_> =
            self.jobs(of).into_iter().filter(|job| shape(job).starts_with(what)).collect();
        assert_eq!(found.len(), 1, "{what} of {of}");
        found[0]
    }

    /// What the first job of a resource's newest workflow waits for, ids without their suffix.
    fn waits_for(&self, of: &ResourceRef) -> BTreeSet<String> {
        let jobs = self.jobs(of);
        let first = jobs.iter().rev().find(|job| job.is_first).unwrap();
        let ready = self.entries.contains_key(&Entry::Ready(first.id.clone()));
        let waiting = self.entries.contains_key(&Entry::Waiting(first.id.clone()));
        assert_eq!((ready, waiting), (first.dependency.is_empty(), !first.dependency.is_empty()));
        first.dependency.iter().map(bare).collect()
    }

    /// A host takes the job.
    fn claim(&mut self, id: &JobId) {
        assert!(self.entries.contains_key(&Entry::Ready(id.clone())), "{id} is not ready");
        self.claim_anyway(id);
    }

    fn claim_anyway(&mut self, id: &JobId) {
        self.commit(Transaction {
            guards: Vec::new(),
            effects: vec![
                Effect::Remove(Entry::Ready(id.clone())),
                Effect::PutLeased(Entry::Working(id.clone()), Content::Host("host".into())),
            ],
        });
    }

    /// The job is done, as settling writes it; names what is to be looked at.
    fn finish(&mut self, id: &JobId) -> Vec<ResourceRef> {
        let job = self.job(id).clone();
        let entries = [Entry::Job, Entry::Step, Entry::Ready, Entry::Waiting, Entry::Working];
        let mut effects: Vec<_> = entries.map(|entry| Effect::Remove(entry(id.clone()))).to_vec();
        if job.is_last {
            let says = format!("{}_COMPLETED", job.action.state_word());
            let state = Content::State(State::new(job.version, says));
            effects.push(Effect::Put(Entry::State(job.target.clone()), state));
        }
        self.commit(Transaction { guards: Vec::new(), effects })
    }

    /// All open jobs of a resource are done, one after another.
    fn finish_all(&mut self, of: &ResourceRef) -> Vec<ResourceRef> {
        let ids: Vec<_> = self.jobs(of).iter().map(|job| job.id.clone()).collect();
        ids.iter().flat_map(|id| self.finish(id)).collect()
    }

    fn state(&self, of: &ResourceRef) -> Option<&State> {
        self.entries.get(&Entry::State(of.clone())).map(|(content, _)| match content {
            Content::State(state) => state,
            other => panic!("no state: {other:?}"),
        })
    }

    fn applied(&self, of: &ResourceRef) -> Option<&Applied> {
        self.entries.get(&Entry::Applied(of.clone())).map(|(content, _)| match content {
            Content::Applied(applied) => applied,
            other => panic!("no applied: {other:?}"),
        })
    }

    /// A state written by another hand.
    fn put_state(&mut self, of: &ResourceRef, version: u64, worker_state: &str) {
        let state = State::new(Version(version), worker_state);
        self.put(Entry::State(of.clone()), Content::State(state));
    }
}

fn shape(job: &Job) -> String {
    let ignored = if job.on_failure == crate::domain::OnFailure::Ignore { "?" } else { "" };
    format!("{}:{}{ignored}", job.action, job.handler)
}

/// A job id without its suffix.
fn bare(id: &JobId) -> String {
    id.as_str().rsplit_once(':').unwrap().0.to_owned()
}

fn of(kind: &str, id: &str) -> ResourceRef {
    ResourceRef::new(kind, id)
}

/// A world of things that choose their templates themselves: `heat` and `watch` name them. `h1 h2`
/// are of the heat worker, `w1 w2` of the monitoring worker; the params of all are `name` and
/// `friend`, the name of the thing that `friend_id` points at.
fn things() -> World {
    let templates = [(HEAT, field("heat")), (WATCH, field("watch"))];
    let mut world = World::new(vec![schema("thing", &[("friend_id", "thing")], &templates)]);
    for (id, handler) in [("h1", HEAT), ("h2", HEAT), ("w1", WATCH), ("w2", WATCH)] {
        let params = [("name", field("name")), ("friend", far("name", "friend_id?"))];
        world.template(id, handler, &params);
    }
    world
}

fn thing(id: &str) -> ResourceRef {
    of("thing", id)
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

fn handler(name: &str, after: &[&str], update: UpdateStyle) -> Handler {
    Handler { name: name.into(), after: after.iter().map(|a| (*a).into()).collect(), update }
}

fn two_handlers() -> Vec<Handler> {
    vec![handler(HEAT, &[], UpdateStyle::Modify), handler(WATCH, &[HEAT], UpdateStyle::Recreate)]
}

/// A schema with relations (`field`, `kind`) and templates (`handler`, `mapping`).
fn schema(kind: &str, relations: &[(&str, &str)], templates: &[(&str, Mapping)]) -> Schema {
    Schema {
        kind: Kind::new(kind),
        plural: format!("{kind}s"),
        prefix: format!("/v2.0/{kind}s"),
        relations: relations.iter().map(|(f, k)| ((*f).to_owned(), Kind::new(*k))).collect(),
        templates: templates.iter().map(|(h, m)| ((*h).into(), m.clone())).collect(),
    }
}

fn constant(value: impl Into<Json>) -> Mapping {
    Mapping::Constant(value.into())
}

fn field(field: &str) -> Mapping {
    Mapping::Field { field: field.to_owned(), walk: Walk::default() }
}

/// A field at the end of a walk over `id` or `id:kind` steps; a `?` at the end ignores what is
/// missing.
fn far(field: &str, path: &str) -> Mapping {
    Mapping::Field { field: field.to_owned(), walk: walk(path) }
}

fn output(key: &str, path: &str) -> Mapping {
    Mapping::Output { key: key.to_owned(), walk: walk(path) }
}

fn each(field: &str, path: &str, each: Mapping) -> Mapping {
    Mapping::For { field: field.to_owned(), walk: walk(path), each: Box::new(each) }
}

fn joined(parts: Vec<Mapping>) -> Mapping {
    Mapping::Concatenate(parts)
}

fn when(test: Test, then: Mapping, otherwise: Mapping) -> Mapping {
    Mapping::If { test, then: Box::new(then), otherwise: Box::new(otherwise) }
}

fn equal(left: Mapping, right: Mapping) -> Test {
    Test::Equal(Box::new(left), Box::new(right))
}

fn matching(subject: Mapping, pattern: &str) -> Test {
    Test::Matches { subject: Box::new(subject), pattern: Box::new(constant(pattern)) }
}

fn walk(path: &str) -> Walk {
    let (path, ignore_missing) = path.strip_suffix('?').map_or((path, false), |path| (path, true));
    let step = |step: &str| {
        let (id, kind) = step.split_once(':').map_or((step, None), |(id, k)| (id, Some(k)));
        let id = if id == "@" { IdField::Element } else { IdField::Named(id.to_owned()) };
        PathStep { id, kind: kind.map(Kind::new) }
    };
    Walk { steps: path.split_whitespace().map(step).collect(), ignore_missing }
}
