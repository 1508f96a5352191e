//! What happened in the store, revision by revision.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;
use stokehold_tests::world::parse;

/// A value in a printed history has at most so many characters.
const SHORT_CHARS: usize = 160;
/// So many revisions before and after a wrong one are printed.
const AROUND: usize = 12;

/// A key that changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) key: String,
    /// `None` when the key went.
    pub(super) value: Option<Json>,
    /// The lease it hangs on; 0 for none.
    pub(super) lease: i64,
}

/// One revision, which is one transaction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) revision: u64,
    pub(super) changes: Vec<Change>,
}

/// A key that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) value: Json,
    pub(super) lease: i64,
    /// When the key came into being.
    pub(super) created: u64,
}

/// All that is there at a revision.
pub(super) type View = BTreeMap<String, Kept>;

impl Change {
    /// As etcd tells it; a text that is not JSON comes as a string.
    pub(super) fn new(key: &str, value: Option<&[u8]>, lease: i64) -> Self {
        Self { key: key.to_owned(), value: value.map(parse), lease }
    }
}

impl Step {
    /// What is there after it.
    pub(super) fn apply(&self, view: &mut View) {
        for Change { key, value, lease } in &self.changes {
            let Some(value) = value else {
                view.remove(key);
                continue;
            };
            let created = view.get(key).map_or(self.revision, |kept| kept.created);
            view.insert(key.clone(), Kept { value: value.clone(), lease: *lease, created });
        }
    }

    /// What it put at one key.
    pub(super) fn put(&self, key: &str) -> Option<&Json> {
        self.changes.iter().find(|change| change.key == key)?.value.as_ref()
    }

    /// What was put under a prefix: the rest of the key, and the value.
    pub(super) fn puts<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Change, &'a Json)> {
        self.changes.iter().filter_map(move |change| {
            Some((change.key.strip_prefix(prefix)?, change, change.value.as_ref()?))
        })
    }

    /// What was removed under a prefix: the rest of the key.
    pub(super) fn removals<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let gone = self.changes.iter().filter(|change| change.value.is_none());
        gone.filter_map(move |change| change.key.strip_prefix(prefix))
    }
}

/// The keys under a prefix: the rest of each, and what is there.
pub(super) fn under<'a>(
    view: &'a View,
    prefix: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Kept)> {
    let from =
        view.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
    from.map_while(move |(key, kept)| Some((key.strip_prefix(prefix)?, kept)))
}

/// The revisions around one, with shortened values, for people to read.
pub(super) fn around(history: &[Step], revision: u64) -> String {
    let place = history.partition_point(|step| step.revision < revision);
    let from = place.saturating_sub(AROUND);
    let until = history.len().min(place + AROUND);
    let mut text = String::new();
    for step in history.get(from..until).unwrap_or_default() {
        let mark = if step.revision == revision { ">" } else { " " };
        for Change { key, value, lease } in &step.changes {
            let value = match value {
                Some(value) => value.to_string().chars().take(SHORT_CHARS).collect(),
                None => "(gone)".to_owned(),
            };
            let lease = if *lease == 0 { String::new() } else { format!(" lease {lease:x}") };
            let _ = writeln!(text, "{mark} {} {key}{lease} {value}", step.revision);
        }
    }
    text
}
