//! The store's envelopes: what lists and watches show becomes facts, a transition becomes a transaction.

use super::{Unspellable, content, key};
use crate::domain::{Effect, Entry, Fact, Guard, Revision, Schemas, Transaction};
use crate::store::{Compare, Event, KeyValue, LeaseId, Txn, Write};

/// What a listed key says.
pub fn fact(schemas: &Schemas, kv: &KeyValue) -> Fact {
    let entry = key::parse(schemas, &kv.key);
    let content = Some(content::read(schemas, &entry, &kv.value));
    Fact { entry, content, created: Revision(kv.created), revision: Revision(kv.modified) }
}

/// What a watched change says.
pub fn event(schemas: &Schemas, event: &Event) -> Fact {
    let entry = key::parse(schemas, &event.key);
    let content = event.value.as_ref().map(|value| content::read(schemas, &entry, value));
    Fact { entry, content, created: Revision(event.created), revision: Revision(event.revision) }
}

/// The store's transaction for a transition; leased entries hang on `lease`.
///
/// # Errors
/// One of its entries or contents cannot be spelled, or an entry is leased and there is no lease.
pub fn transaction(
    schemas: &Schemas,
    transition: &Transaction,
    lease: Option<LeaseId>,
) -> Result<Txn, Unspellable> {
    Ok(Txn {
        compares: transition
            .guards
            .iter()
            .map(|g| compare(schemas, g))
            .collect::<Result<_, _>>()?,
        writes: transition
            .effects
            .iter()
            .map(|effect| write(schemas, effect, lease))
            .collect::<Result<_, _>>()?,
    })
}

fn compare(schemas: &Schemas, guard: &Guard) -> Result<Compare, Unspellable> {
    let key = |entry: &Entry| key::spell(schemas, entry);
    Ok(match guard {
        Guard::Absent(entry) => Compare::Absent(key(entry)?),
        Guard::Present(entry) => Compare::Present(key(entry)?),
        Guard::Unchanged(entry, revision) => Compare::Modified(key(entry)?, revision.0),
        Guard::Created(entry, revision) => Compare::Created(key(entry)?, revision.0),
    })
}

fn write(schemas: &Schemas, effect: &Effect, lease: Option<LeaseId>) -> Result<Write, Unspellable> {
    let put = |entry: &Entry, what, lease| {
        let key = key::spell(schemas, entry)?;
        Ok(Write::Put { key, value: content::value(entry, what)?, lease })
    };
    match effect {
        Effect::Put(entry, what) => put(entry, what, None),
        Effect::PutLeased(entry, what) if lease.is_some() => put(entry, what, lease),
        Effect::PutLeased(entry, _) => Err(Unspellable {
            what: key::name_of(entry),
            why: "it must vanish with a lease, and there is none".to_owned(),
        }),
        Effect::Remove(entry) => Ok(Write::Delete { key: key::spell(schemas, entry)? }),
    }
}
