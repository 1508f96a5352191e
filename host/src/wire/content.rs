//! What an entry holds: for each family the noun in whose shape it is spelled.

use serde::Serialize;
use serde_json::Value;

use super::document::{self, Flaw};
use super::{Unspellable, key};
use super::{applied, job, presence, registration, resource, stack, state, step, template};
use crate::domain::{Content, Entry, Schemas};

/// What this value means under this key. Never fails: what makes no sense is `Content::Unreadable`
/// and says where and what was expected.
pub fn read(schemas: &Schemas, entry: &Entry, value: &[u8]) -> Content {
    let content = match entry {
        Entry::Unknown(key) => Err(Flaw::new(key::why_unknown(schemas, key))),
        Entry::Waiting(_) | Entry::Ready(_) => {
            bare(value).map(|name| Content::Handler(name.into()))
        }
        Entry::Working(_) | Entry::Leader => bare(value).map(|name| Content::Host(name.into())),
        _ => document::parse(value).and_then(|document| noun(entry, document)),
    };
    content.unwrap_or_else(|flaw| Content::Unreadable(flaw.to_string()))
}

fn noun(entry: &Entry, document: Value) -> Result<Content, Flaw> {
    Ok(match entry {
        Entry::Config(of) => Content::Resource(resource::read(of, document)?),
        Entry::Template(id) => Content::Template(template::read(id, document)?),
        Entry::State(_) => Content::State(state::read(document)?),
        Entry::Monitoring(_) => {
            let (version, statuses) = state::read_monitoring(document)?;
            Content::Monitoring { version, statuses }
        }
        Entry::Job(id) => Content::Job(job::read(id, document)?),
        Entry::Step(_) => Content::Step(step::read(document)?),
        Entry::Stack(of) => Content::Stack(of.clone(), stack::read(of, document)?),
        Entry::JobState(_) => Content::JobState(state::read_reports(document)?),
        Entry::Applied(_) => Content::Applied(applied::read(document)?),
        Entry::Registration(of) => Content::Registration(of.clone(), registration::read(document)?),
        Entry::Host(_) => Content::Presence(presence::read(document)?),
        Entry::PlanMark => Content::Free(document),
        Entry::Waiting(_)
        | Entry::Ready(_)
        | Entry::Working(_)
        | Entry::Leader
        | Entry::Unknown(_) => {
            return Err(Flaw::new("is no document"));
        }
    })
}

/// The value that means this content under the entry's key.
///
/// # Errors
/// The entry has no key; the content is not of the entry's family or of another resource; a free
/// value is nested too deeply to be read again. Templates are never spelled: only the API server
/// writes them.
pub fn spell(schemas: &Schemas, entry: &Entry, content: &Content) -> Result<Vec<u8>, Unspellable> {
    key::spell(schemas, entry)?;
    value(entry, content)
}

/// `spell` for an entry that is known to have a key.
pub(super) fn value(entry: &Entry, content: &Content) -> Result<Vec<u8>, Unspellable> {
    let spelled = match (entry, content) {
        (Entry::Config(of), Content::Resource(it)) if it.of == *of => resource::spell(it),
        (Entry::State(_), Content::State(it)) => state::spell(it),
        (Entry::Monitoring(_), Content::Monitoring { version, statuses }) => {
            state::spell_monitoring(*version, statuses)
        }
        (Entry::Job(id), Content::Job(it)) if it.job.id == *id => job::spell(it),
        (Entry::Waiting(_) | Entry::Ready(_), Content::Handler(name)) => spell_bare(name.as_str()),
        (Entry::Working(_) | Entry::Leader, Content::Host(name)) => spell_bare(name.as_str()),
        (Entry::Step(_), Content::Step(it)) => step::spell(it),
        (Entry::Stack(of), Content::Stack(whose, it)) if whose == of => stack::spell(of, it),
        (Entry::JobState(_), Content::JobState(fields)) => state::spell_reports(fields),
        (Entry::Applied(_), Content::Applied(it)) => applied::spell(it),
        (Entry::Registration(of), Content::Registration(whose, it)) if whose == of => {
            registration::spell(it)
        }
        (Entry::Host(_), Content::Presence(it)) => presence::spell(it),
        (Entry::PlanMark, Content::Free(json)) => {
            document::check_depth(json, 0).and_then(|()| bytes(json))
        }
        (_, Content::Template(_)) => {
            Err(Flaw::new("is a template, which only the API server writes"))
        }
        _ => Err(Flaw::new(format!("does not belong here: it is {}", noun_of(content)))),
    };
    spelled.map_err(|flaw| Unspellable { what: key::name_of(entry), why: flaw.to_string() })
}

/// The JSON text of a document.
pub(super) fn bytes(document: &impl Serialize) -> Result<Vec<u8>, Flaw> {
    serde_json::to_vec(document).map_err(|error| Flaw::new(format!("is no JSON: {error}")))
}

/// A name that stands for itself, without quotes.
fn bare(value: &[u8]) -> Result<&str, Flaw> {
    match std::str::from_utf8(value) {
        Ok("") => Err(Flaw::new("is empty: a name was expected")),
        Ok(name) => Ok(name),
        Err(_) => Err(Flaw::new("is not UTF-8: a name was expected")),
    }
}

fn spell_bare(name: &str) -> Result<Vec<u8>, Flaw> {
    bare(name.as_bytes()).map(|name| name.as_bytes().to_vec())
}

fn noun_of(content: &Content) -> &'static str {
    match content {
        Content::Resource(_) => "a resource",
        Content::Template(_) => "a template",
        Content::State(_) => "a state",
        Content::Monitoring { .. } => "a live status",
        Content::Job(_) => "a job",
        Content::Handler(_) => "a handler's name",
        Content::Host(_) => "a host's name",
        Content::Step(_) => "a step",
        Content::Stack(..) => "a stack",
        Content::JobState(_) => "a job state",
        Content::Applied(_) => "what was last planned",
        Content::Registration(..) => "a registration",
        Content::Presence(_) => "what a host tells of itself",
        Content::Free(_) => "a free value",
        Content::Unreadable(_) => "an unreadable value",
    }
}
