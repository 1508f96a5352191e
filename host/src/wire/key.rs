//! The keys of the store: which entry lies where.
//!
//! An entry about a resource has the key `family` + `prefix of its schema` + `/` + `id`; all others
//! end in a name of their own.

use std::borrow::Cow;

use super::Unspellable;
use crate::domain::{Entry, Kind, ResourceRef, Schemas};

/// What the API server wants: resources and, among them, templates.
pub const CONFIG: &str = "/config/";
/// Templates; they lie among the configs.
pub const TEMPLATES: &str = "/config/v2.0/heat_templates/";
/// What the API server reads.
pub const STATE: &str = "/state/";
/// The live status of registered things.
pub const MONITORING: &str = "/monitoring/";
/// Everything about jobs but their steps.
pub const JOBS: &str = "/jobs/";
/// Unfinished jobs.
pub const ALL: &str = "/jobs/all/";
/// Jobs that wait for others.
pub const WAITING: &str = "/jobs/waiting/";
/// Jobs that may be claimed.
pub const READY: &str = "/jobs/ready/";
/// Claims.
pub const WORKING: &str = "/jobs/working/";
/// The small, changing side of jobs.
pub const STEPS: &str = "/stokehold/steps/";
/// Stack records.
pub const STACKS: &str = "/esi-worker/heat_stacks/";
/// What running workflows have reported so far.
pub const JOB_STATE: &str = "/esi-worker/job_state/";
/// What was last planned.
pub const APPLIED: &str = "/stokehold/applied/";
/// What is registered for monitoring.
pub const MONITORED: &str = "/stokehold/monitored/";
/// The one key that changes with every plan.
pub const PLAN: &str = "/stokehold/plan";
/// Running hosts.
pub const HOSTS: &str = "/stokehold/hosts/";
/// Our own, the whole key: the host that plans.
pub const LEADER: &str = "/stokehold/leader";
/// Our own, the whole key: Gohan's schemas as text, for those who have only the store.
pub const SCHEMAS: &str = "/stokehold/schemas";

type OfName = fn(&str) -> Entry;
type OfResource = fn(ResourceRef) -> Entry;

/// Families whose keys end in a name; templates come before the configs they lie among.
const NAMED: [(&str, OfName); 7] = [
    (ALL, |name| Entry::Job(name.into())),
    (READY, |name| Entry::Ready(name.into())),
    (WAITING, |name| Entry::Waiting(name.into())),
    (WORKING, |name| Entry::Working(name.into())),
    (STEPS, |name| Entry::Step(name.into())),
    (HOSTS, |name| Entry::Host(name.into())),
    (TEMPLATES, |name| Entry::Template(name.into())),
];

/// Families whose keys end in the prefix and the id of a resource.
const OF_RESOURCES: [(&str, OfResource); 7] = [
    (CONFIG, Entry::Config),
    (STATE, Entry::State),
    (MONITORING, Entry::Monitoring),
    (STACKS, Entry::Stack),
    (JOB_STATE, Entry::JobState),
    (APPLIED, Entry::Applied),
    (MONITORED, Entry::Registration),
];

/// The key of an entry. An unknown entry is its own key.
///
/// # Errors
/// The kind has no schema, or the id is empty or contains a slash: the key would be another's.
pub fn spell(schemas: &Schemas, entry: &Entry) -> Result<String, Unspellable> {
    let key = match entry {
        Entry::Config(of) => of_resource(schemas, CONFIG, of),
        Entry::State(of) => of_resource(schemas, STATE, of),
        Entry::Monitoring(of) => of_resource(schemas, MONITORING, of),
        Entry::Stack(of) => of_resource(schemas, STACKS, of),
        Entry::JobState(of) => of_resource(schemas, JOB_STATE, of),
        Entry::Applied(of) => of_resource(schemas, APPLIED, of),
        Entry::Registration(of) => of_resource(schemas, MONITORED, of),
        Entry::Template(id) => named(TEMPLATES, id.as_str()),
        Entry::Job(id) => named(ALL, id.as_str()),
        Entry::Waiting(id) => named(WAITING, id.as_str()),
        Entry::Ready(id) => named(READY, id.as_str()),
        Entry::Working(id) => named(WORKING, id.as_str()),
        Entry::Step(id) => named(STEPS, id.as_str()),
        Entry::Host(id) => named(HOSTS, id.as_str()),
        Entry::Leader => Ok(LEADER.to_owned()),
        Entry::PlanMark => Ok(PLAN.to_owned()),
        Entry::Unknown(key) => Ok(key.clone()),
    };
    key.map_err(|why| Unspellable { what: name_of(entry), why })
}

/// The entry of a key; `Entry::Unknown` when no rule explains it. Repeated slashes count as one.
pub fn parse(schemas: &Schemas, key: &str) -> Entry {
    let known = explain(schemas, &single_slashes(key));
    known.unwrap_or_else(|| Entry::Unknown(key.to_owned()))
}

/// What all keys of this kind in a family (`CONFIG`, `STATE`, …) begin with, up to the final slash.
///
/// # Errors
/// The kind has no schema.
pub fn prefix_of(schemas: &Schemas, family: &str, kind: &Kind) -> Result<String, Unspellable> {
    let family = family.trim_end_matches('/');
    match schemas.get(kind) {
        Some(schema) => Ok(format!("{family}{}/", schema.prefix)),
        None => Err(Unspellable { what: format!("keys of {kind}"), why: no_schema(kind) }),
    }
}

/// The entry by family and name, for messages: `state port:1`.
pub fn name_of(entry: &Entry) -> String {
    match entry {
        Entry::Config(of) => format!("config {of}"),
        Entry::State(of) => format!("state {of}"),
        Entry::Monitoring(of) => format!("monitoring {of}"),
        Entry::Stack(of) => format!("stack {of}"),
        Entry::JobState(of) => format!("job state {of}"),
        Entry::Applied(of) => format!("applied {of}"),
        Entry::Registration(of) => format!("registration {of}"),
        Entry::Template(id) => format!("template {id}"),
        Entry::Job(id) => format!("job {id}"),
        Entry::Waiting(id) => format!("waiting {id}"),
        Entry::Ready(id) => format!("ready {id}"),
        Entry::Working(id) => format!("working {id}"),
        Entry::Step(id) => format!("step {id}"),
        Entry::Host(id) => format!("host {id}"),
        Entry::Leader => "leader".to_owned(),
        Entry::PlanMark => "plan mark".to_owned(),
        Entry::Unknown(key) => format!("key {key}"),
    }
}

/// Why `parse` found no entry for this key: a verb phrase.
pub(super) fn why_unknown(schemas: &Schemas, key: &str) -> String {
    let key = single_slashes(key);
    let family = OF_RESOURCES.iter().find(|(family, _)| key.starts_with(family));
    let prefix = family.and_then(|(family, _)| split(&key, family));
    match prefix {
        Some((prefix, _)) if schemas.kind_at(prefix).is_none() => {
            format!("lies under the prefix {prefix}, which none of the schemas has")
        }
        _ => "lies under a key that no rule explains".to_owned(),
    }
}

fn of_resource(schemas: &Schemas, family: &str, of: &ResourceRef) -> Result<String, String> {
    let schema = schemas.get(&of.kind).ok_or_else(|| no_schema(&of.kind))?;
    let prefix = format!("{}{}/", family.trim_end_matches('/'), schema.prefix);
    if prefix == TEMPLATES {
        return Err("its place is that of a template, not of a config".to_owned());
    }
    named(&prefix, of.id.as_str())
}

fn named(prefix: &str, name: &str) -> Result<String, String> {
    match segment(name) {
        Some(name) => Ok(format!("{prefix}{name}")),
        None => Err("its name must be one segment of a key: not empty, no slash".to_owned()),
    }
}

fn no_schema(kind: &Kind) -> String {
    format!("no schema describes the kind {kind}")
}

fn segment(name: &str) -> Option<&str> {
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

fn explain(schemas: &Schemas, key: &str) -> Option<Entry> {
    match key {
        PLAN => return Some(Entry::PlanMark),
        LEADER => return Some(Entry::Leader),
        _ => {}
    }
    for (family, entry) in NAMED {
        if let Some(name) = key.strip_prefix(family) {
            return segment(name).map(entry);
        }
    }
    let (family, entry) = OF_RESOURCES.iter().find(|(family, _)| key.starts_with(family))?;
    let (prefix, id) = split(key, family)?;
    let kind = schemas.kind_at(prefix)?;
    Some(entry(ResourceRef { kind: kind.clone(), id: segment(id)?.into() }))
}

/// The schema's prefix, with its leading slash, and the id.
fn split<'a>(key: &'a str, family: &str) -> Option<(&'a str, &'a str)> {
    key.strip_prefix(family.trim_end_matches('/'))?.rsplit_once('/')
}

fn single_slashes(key: &str) -> Cow<'_, str> {
    if !key.contains("//") {
        return Cow::Borrowed(key);
    }
    let mut single = String::with_capacity(key.len());
    for letter in key.chars() {
        if letter != '/' || !single.ends_with('/') {
            single.push(letter);
        }
    }
    Cow::Owned(single)
}
