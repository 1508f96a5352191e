//! Random operations, and a simple model that knows what each must answer.
//!
//! Revisions are counted from the store's first one, leases in the order they were granted: so the
//! same script has the same answers in every store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use stokehold_tests::random::Random;

use stokehold::store::{Compare, Event, LeaseId, Outcome, Page, Store, StoreError, Txn, Write};

use super::place::{Place, revision, shown};

const STEPS: usize = 400;
const KEYS: [&str; 9] = ["/a", "/a/", "/a/1", "/a/2", "/b/1", "/b/1\0", "/b/ÿ", "/c", "/c/1"];
const PREFIXES: [&str; 7] = ["", "/", "/a", "/a/", "/b/1", "/b/ÿ", "/none"];

/// The key, its new value or `None` to remove it, and the lease it shall hang on.
type Change = (String, Option<Vec<u8>>, Option<usize>);

/// Revision, key, value and when the key came into being.
type Shown = (u64, String, Option<Vec<u8>>, u64);

/// One thing done to the store. Leases are named by their place in the order of grants.
#[derive(Clone, Debug)]
enum Step {
    Commit { compares: Vec<Compare>, writes: Vec<Change> },
    Get(String),
    List { prefix: String, after: Option<String>, limit: usize },
    Grant,
    Keep(usize),
    Revoke(usize),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Committed(u64),
    Conflict(u64),
    LeaseLost,
    Refused,
    Entry(Option<Known>),
    Page { entries: Vec<Known>, more: bool, revision: u64 },
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    key: String,
    value: Vec<u8>,
    created: u64,
    modified: u64,
    lease: Option<usize>,
}

/// What a store is, in few words.
#[derive(Default)]
struct Model {
    revision: u64,
    entries: BTreeMap<String, Known>,
    /// Whether each lease lives.
    leases: Vec<bool>,
    /// All that changed.
    history: Vec<Shown>,
}

impl Model {
    fn apply(&mut self, step: &Step) -> Seen {
        match step {
            Step::Commit { compares, writes } => self.commit(compares, writes),
            Step::Get(key) => Seen::Entry(self.entries.get(key).cloned()),
            Step::List { prefix, after, limit } => {
                let after = after.as_deref().unwrap_or_default();
                let found =
                    |known: &&Known| known.key.starts_with(prefix) && known.key.as_str() > after;
                let found: Vec<Known> = self.entries.values().filter(found).cloned().collect();
                let (more, revision) = (found.len() > *limit, self.revision);
                Seen::Page { entries: found.into_iter().take(*limit).collect(), more, revision }
            }
            Step::Grant => {
                self.leases.push(true);
                Seen::Done
            }
            Step::Keep(lease) if self.leases[*lease] => Seen::Done,
            Step::Keep(_) => Seen::LeaseLost,
            Step::Revoke(lease) => self.revoke(*lease),
        }
    }

    fn commit(&mut self, compares: &[Compare], writes: &[Change]) -> Seen {
        let mut keys: Vec<&String> = writes.iter().map(|(key, ..)| key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Seen::Refused;
        }
        let holds = |compare: &Compare| match (compare, self.entries.get(compare.key())) {
            (Compare::Absent(_), known) => known.is_none(),
            (Compare::Present(_), known) => known.is_some(),
            (Compare::Modified(_, revision), known) => {
                known.is_some_and(|k| k.modified == *revision)
            }
            (Compare::Created(_, revision), known) => known.is_some_and(|k| k.created == *revision),
        };
        if !compares.iter().all(holds) {
            return Seen::Conflict(self.revision);
        }
        if writes.iter().any(|(_, _, lease)| lease.is_some_and(|lease| !self.leases[lease])) {
            return Seen::LeaseLost;
        }
        let changes = |(key, value, _): &&(String, Option<Vec<u8>>, _)| {
            value.is_some() || self.entries.contains_key(key)
        };
        let writes: Vec<_> = writes.iter().filter(changes).cloned().collect();
        self.revision += u64::from(!writes.is_empty());
        for (key, value, lease) in writes {
            self.write(key, value, lease);
        }
        Seen::Committed(self.revision)
    }

    fn write(&mut self, key: String, value: Option<Vec<u8>>, lease: Option<usize>) {
        let modified = self.revision;
        let created = self.entries.get(&key).map_or(modified, |known| known.created);
        let shown = if value.is_some() { created } else { 0 };
        self.history.push((modified, key.clone(), value.clone(), shown));
        match value {
            None => drop(self.entries.remove(&key)),
            Some(value) => {
                let known = Known { key: key.clone(), value, created, modified, lease };
                self.entries.insert(key, known);
            }
        }
    }

    fn revoke(&mut self, lease: usize) -> Seen {
        self.leases[lease] = false;
        let of_lease = |known: &&Known| known.lease == Some(lease);
        let keys: Vec<_> = self.entries.values().filter(of_lease).map(|k| k.key.clone()).collect();
        self.revision += u64::from(!keys.is_empty());
        for key in keys {
            self.write(key, None, None);
        }
        Seen::Done
    }

    /// A step that makes sense now, or nearly.
    fn next(&self, random: &mut Random) -> Step {
        let key = |random: &mut Random| (*random.pick(&KEYS)).to_owned();
        match random.below(20) {
            0 => Step::Grant,
            1 if !self.leases.is_empty() => Step::Revoke(random.below(self.leases.len())),
            2 if !self.leases.is_empty() => Step::Keep(random.below(self.leases.len())),
            4 | 5 => Step::Get(key(random)),
            6..=8 => Step::List {
                prefix: (*random.pick(&PREFIXES)).to_owned(),
                after: (random.below(2) == 0).then(|| key(random)),
                limit: 1 + random.below(6),
            },
            _ => {
                let compares = (0..random.below(3)).map(|_| self.compare(random)).collect();
                let writes = (0..=random.below(4)).map(|_| self.write_of(random)).collect();
                Step::Commit { compares, writes }
            }
        }
    }

    fn compare(&self, random: &mut Random) -> Compare {
        let key = (*random.pick(&KEYS)).to_owned();
        let known = self.entries.get(&key);
        // Mostly what holds, so that something gets written.
        let off = u64::from(random.below(5) == 0);
        match (random.below(3), known) {
            (0, Some(_)) if off == 0 => Compare::Present(key),
            (1, Some(known)) => Compare::Modified(key, known.modified + off),
            (2, Some(known)) => Compare::Created(key, known.created + off),
            (0, None) | (_, Some(_)) => Compare::Absent(key),
            (_, None) if off == 0 => Compare::Absent(key),
            (_, None) => Compare::Present(key),
        }
    }

    fn write_of(&self, random: &mut Random) -> Change {
        let key = (*random.pick(&KEYS)).to_owned();
        let size = random.below(40);
        let value =
            (random.below(4) > 0).then(|| vec![b'a' + self.revision.to_le_bytes()[0] % 26; size]);
        let leased = value.is_some() && !self.leases.is_empty() && random.below(3) == 0;
        let lease = leased.then(|| random.below(self.leases.len()));
        (key, value, lease)
    }
}

/// A store that follows a script.
struct Player {
    store: Arc<dyn Store>,
    base: u64,
    leases: Vec<LeaseId>,
}

impl Player {
    async fn play(&mut self, step: &Step) -> Seen {
        match step {
            Step::Commit { compares, writes } => {
                let txn = Txn {
                    compares: compares.iter().map(|compare| self.absolute(compare)).collect(),
                    writes: writes.iter().map(|write| self.write(write)).collect(),
                };
                match self.store.commit(txn).await {
                    Ok(Outcome::Committed(revision)) => Seen::Committed(revision - self.base),
                    Ok(Outcome::Conflict(revision)) => Seen::Conflict(revision - self.base),
                    Err(StoreError::Refused(_)) => Seen::Refused,
                    Err(StoreError::LeaseLost(_)) => Seen::LeaseLost,
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Get(key) => {
                let page = self.store.get(key).await.unwrap().map(|entry| self.known(entry));
                Seen::Entry(page)
            }
            Step::List { prefix, after, limit } => {
                let page = self.store.list(prefix, after.as_deref(), *limit).await.unwrap();
                let Page { entries, more, revision } = page;
                let entries = entries.into_iter().map(|entry| self.known(entry)).collect();
                Seen::Page { entries, more, revision: revision - self.base }
            }
            Step::Grant => {
                self.leases.push(self.store.grant(Duration::from_hours(1)).await.unwrap());
                Seen::Done
            }
            Step::Keep(lease) => match self.store.keep(self.leases[*lease]).await {
                Ok(()) => Seen::Done,
                Err(StoreError::LeaseLost(_)) => Seen::LeaseLost,
                Err(error) => panic!("{error}"),
            },
            Step::Revoke(lease) => {
                self.store.revoke(self.leases[*lease]).await.unwrap();
                Seen::Done
            }
        }
    }

    /// What a watch shows from the beginning up to this revision.
    async fn history(&self, end: u64) -> Vec<Shown> {
        let base = self.base;
        let mut watch = self.store.watch(&[""], base).await.unwrap();
        let events = shown(&mut *watch, base + end).await;
        let relative = |event: Event| {
            (event.revision - base, event.key, event.value, event.created.saturating_sub(base))
        };
        // The order within a revision is open.
        let mut history: Vec<_> = events.into_iter().map(relative).collect();
        history.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        history
    }

    fn absolute(&self, compare: &Compare) -> Compare {
        match compare.clone() {
            Compare::Modified(key, revision) => Compare::Modified(key, revision + self.base),
            Compare::Created(key, revision) => Compare::Created(key, revision + self.base),
            compare => compare,
        }
    }

    fn write(&self, write: &Change) -> Write {
        let (key, value, lease) = write.clone();
        match value {
            Some(value) => Write::Put { key, value, lease: lease.map(|lease| self.leases[lease]) },
            None => Write::Delete { key },
        }
    }

    fn known(&self, entry: stokehold::store::KeyValue) -> Known {
        let place = |lease| self.leases.iter().position(|known| *known == lease).unwrap();
        Known {
            key: entry.key,
            value: entry.value,
            created: entry.created - self.base,
            modified: entry.modified - self.base,
            lease: entry.lease.map(place),
        }
    }
}

/// The store answers a random script as the model does, and its history is the model's.
pub async fn holds(place: &impl Place, seed: u64) {
    let store = place.open().await;
    let base = revision(&*store).await;
    let mut player = Player { store, base, leases: Vec::new() };
    let (mut model, mut random) = (Model::default(), Random::new(seed));
    for n in 0..STEPS {
        let step = model.next(&mut random);
        let expected = model.apply(&step);
        let answer = player.play(&step).await;
        assert_eq!(answer, expected, "seed {seed}, step {n}: {step:?}");
    }
    let history = player.history(model.revision).await;
    model.history.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    assert_eq!(history, model.history, "seed {seed}");
}

/// Two stores answer a random script alike, and have the same history.
pub async fn agree(stores: [Arc<dyn Store>; 2], seed: u64) {
    let mut players = Vec::new();
    for store in stores {
        let base = revision(&*store).await;
        players.push(Player { store, base, leases: Vec::new() });
    }
    // The model only says which steps make sense.
    let (mut model, mut random) = (Model::default(), Random::new(seed));
    for n in 0..STEPS {
        let step = model.next(&mut random);
        model.apply(&step);
        let answers = [players[0].play(&step).await, players[1].play(&step).await];
        assert_eq!(answers[0], answers[1], "seed {seed}, step {n}: {step:?}");
    }
    let histories =
        [players[0].history(model.revision).await, players[1].history(model.revision).await];
    assert_eq!(histories[0], histories[1], "seed {seed}");
}
