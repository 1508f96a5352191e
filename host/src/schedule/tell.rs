//! What is written about a resource, and when.

use std::collections::BTreeMap;

use super::{Object, Schedule, Shown, Watched};
use crate::domain::{Content, Effect, Entry, Guard, ResourceRef, Revision, Transaction, Version};

/// Statuses to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Tell {
    /// Of which resource.
    pub of: ResourceRef,
    /// The registration's version.
    pub version: Version,
    /// Object → status.
    pub statuses: BTreeMap<String, String>,
    /// What writes them.
    pub transaction: Transaction,
}

impl Schedule {
    /// What is to be written now; each is taken to be under way until [`Schedule::told`].
    ///
    /// Statuses are written when every object that this host can probe was probed, when they differ
    /// from what is shown, and when the state of the same version is there: the API server takes
    /// them for that version only. Where no status counts any more, what is shown is removed.
    pub fn tell(&mut self) -> Vec<Tell> {
        let mut tells = Vec::new();
        for of in std::mem::take(&mut self.news) {
            let Some(watched) = self.watched.get(&of).filter(|watched| watched.is_mine) else {
                continue;
            };
            if watched.telling {
                // Looked at again when that is written.
                continue;
            }
            if self.reached < watched.not_before {
                self.news.insert(of);
                continue;
            }
            let Some(tell) = self.news_of(&of, watched) else { continue };
            if let Some(watched) = self.watched.get_mut(&of) {
                watched.telling = true;
                tells.push(tell);
            }
        }
        tells
    }

    fn news_of(&self, of: &ResourceRef, watched: &Watched) -> Option<Tell> {
        let version = watched.registration.version;
        let probed = |object: &Object| object.steady.status().is_some() || object.silences > 0;
        if !watched.objects.values().all(probed) {
            return None;
        }
        let shown = self.shown.get(of);
        let objects = watched.objects.iter();
        let told =
            objects.filter_map(|(name, object)| Some((name.clone(), object.steady.status()?)));
        let statuses: BTreeMap<String, String> =
            told.map(|(name, status)| (name, status.clone())).collect();
        let is_new = match shown {
            None => !statuses.is_empty(),
            Some(shown) if statuses.is_empty() => !shown.statuses.is_empty(),
            Some(shown) => shown.version != version || shown.statuses != statuses,
        };
        let is_stated = self.states.get(of).is_some_and(|state| *state >= version);
        if !is_new || !is_stated {
            return None;
        }
        let monitoring = Entry::Monitoring(of.clone());
        let transaction = Transaction {
            guards: vec![
                Guard::Unchanged(Entry::Registration(of.clone()), watched.at),
                // Two hosts that both take it for theirs do not write the same twice.
                match shown {
                    Some(shown) => Guard::Unchanged(monitoring.clone(), shown.at),
                    None => Guard::Absent(monitoring.clone()),
                },
                // Whoever has lost the lease tells nothing.
                Guard::Present(Entry::Host(self.me.clone())),
            ],
            effects: vec![if statuses.is_empty() {
                Effect::Remove(monitoring)
            } else {
                Effect::Put(monitoring, Content::Monitoring { version, statuses: statuses.clone() })
            }],
        };
        Some(Tell { of: of.clone(), version, statuses, transaction })
    }

    /// Takes in how the writing went: at which revision, or at which one it was overtaken. Neither
    /// where the store could not be reached.
    pub fn told(&mut self, tell: Tell, outcome: Result<Revision, Option<Revision>>) {
        let Tell { of, version, statuses, .. } = tell;
        // What the store has shown meanwhile may be newer.
        if let Ok(at) = outcome
            && self.reached < at
        {
            if statuses.is_empty() {
                self.shown.remove(&of);
            } else {
                self.shown.insert(of.clone(), Shown { version, statuses, at });
            }
        }
        if let Some(watched) = self.watched.get_mut(&of) {
            watched.telling = false;
            if let Err(Some(overtaken)) = outcome {
                watched.not_before = overtaken;
            }
            self.news.insert(of);
        }
    }
}
