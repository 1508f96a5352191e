//! Thought 4: what is registered → what to probe now, and what to tell.
//!
//! Each registered resource belongs to one of the hosts that can probe it: the one it comes to first
//! among those whose lease is alive. What the others see of it, this host's statuses included, they
//! see in the store, so a host that takes over goes on from there.

mod pace;
mod share;
mod steady;
mod tell;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Content, Entry, Fact, HostId, Peers, Registration, ResourceRef, Revision, Target, Version,
};

pub use pace::Pace;
pub use tell::Tell;

use steady::Steady;

/// What is registered, as one host sees it, and what it has to do about it.
pub struct Schedule {
    me: HostId,
    /// The types of target that this host can probe.
    kinds: BTreeSet<String>,
    pace: Pace,
    peers: Peers,
    /// This host's lease is alive.
    leased: bool,
    /// Everything in the store up to here is known.
    reached: Revision,
    watched: BTreeMap<ResourceRef, Watched>,
    shown: BTreeMap<ResourceRef, Shown>,
    states: BTreeMap<ResourceRef, Version>,
    /// When to probe what.
    due: BTreeSet<(u64, ResourceRef, String)>,
    /// Resources of which there may be something to tell.
    news: BTreeSet<ResourceRef>,
}

/// One resource with something registered.
struct Watched {
    registration: Registration,
    at: Revision,
    /// This host probes it.
    is_mine: bool,
    /// By name, those that this host can probe, and those with a status that it cannot.
    objects: BTreeMap<String, Object>,
    /// Its statuses are being written.
    telling: bool,
    /// Nothing is written before the store was seen up to here.
    not_before: Revision,
}

/// So many probes in a row may tell nothing before the last status counts no more: what nobody can
/// see any longer is not up for ever.
const SILENCES_MAX: u32 = 5;

#[derive(Default)]
struct Object {
    steady: Steady,
    /// When it is to be probed next; `None` while that is under way.
    due_ms: Option<u64>,
    /// It was probed, or need not be because the store shows how it is.
    begun: bool,
    /// So many of its last probes told nothing.
    silences: u32,
}

/// What `/monitoring` shows of a resource.
struct Shown {
    version: Version,
    statuses: BTreeMap<String, String>,
    at: Revision,
}

/// One probe to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The resource it is about.
    pub of: ResourceRef,
    /// The registration it was made for.
    pub at: Revision,
    /// What to look at.
    pub target: Target,
}

/// What a host is to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Probe this.
    Probe(Box<Probe>),
    /// Nothing before this moment of Unix time, in milliseconds.
    At(u64),
    /// Nothing until something changes.
    Nothing,
}

impl Schedule {
    /// Nothing is registered yet, and nothing known of any host.
    pub fn new(me: HostId, kinds: BTreeSet<String>, pace: Pace) -> Self {
        Self {
            me,
            kinds,
            pace,
            peers: Peers::default(),
            leased: false,
            reached: Revision::default(),
            watched: BTreeMap::new(),
            shown: BTreeMap::new(),
            states: BTreeMap::new(),
            due: BTreeSet::new(),
            news: BTreeSet::new(),
        }
    }

    /// Takes in a change of a registration, of what `/monitoring` shows, or of a state.
    pub fn learn(&mut self, fact: Fact, now_ms: u64) {
        let Fact { entry, content, revision, .. } = fact;
        match (entry, content) {
            (Entry::Registration(of), Some(Content::Registration(_, registration))) => {
                self.watch(&of, registration, revision, now_ms);
            }
            (Entry::Registration(of), None | Some(Content::Unreadable(_))) => self.forget(&of),
            (Entry::Monitoring(of), Some(Content::Monitoring { version, statuses })) => {
                if self.shown.get(&of).is_none_or(|shown| shown.at < revision) {
                    self.shown.insert(of.clone(), Shown { version, statuses, at: revision });
                    self.find_orphans(&of, now_ms);
                }
                self.news.insert(of);
            }
            (Entry::Monitoring(of), Some(Content::Unreadable(_))) => {
                // Nothing that could be right: written anew as soon as there is something to write.
                let (version, statuses) = (Version(0), BTreeMap::new());
                self.shown.insert(of.clone(), Shown { version, statuses, at: revision });
                self.news.insert(of);
            }
            (Entry::Monitoring(of), None) => {
                if self.shown.get(&of).is_some_and(|shown| shown.at < revision) {
                    self.shown.remove(&of);
                }
                self.news.insert(of);
            }
            (Entry::State(of), Some(Content::State(state))) => {
                self.states.insert(of.clone(), state.version);
                self.news.insert(of);
            }
            (Entry::State(of), None) => {
                self.states.remove(&of);
            }
            _ => {}
        }
    }

    /// Everything up to this revision has been learned.
    pub fn reach(&mut self, revision: Revision) {
        self.reached = self.reached.max(revision);
    }

    /// Registered objects of a resource that no known host has a prober for: name and type.
    pub fn unprobed(&self, of: &ResourceRef) -> Vec<(&str, &str)> {
        let targets = self.watched.get(of).map(|watched| watched.registration.targets.values());
        let nobody = |target: &&Target| !self.somebody_can(&target.kind);
        let of_interest = targets.into_iter().flatten().filter(nobody);
        of_interest.map(|target| (target.name.as_str(), target.kind.as_str())).collect()
    }

    fn watch(&mut self, of: &ResourceRef, registration: Registration, at: Revision, now_ms: u64) {
        if self.watched.get(of).is_some_and(|watched| watched.at == at) {
            // The mirror has listed again.
            return;
        }
        self.forget(of);
        let watched = Watched {
            registration,
            at,
            is_mine: false,
            objects: BTreeMap::new(),
            telling: false,
            not_before: Revision::default(),
        };
        self.watched.insert(of.clone(), watched);
        self.share(of, now_ms);
    }

    fn forget(&mut self, of: &ResourceRef) {
        if let Some(watched) = self.watched.remove(of) {
            self.unschedule(of, watched.objects);
        }
    }

    fn unschedule(&mut self, of: &ResourceRef, objects: BTreeMap<String, Object>) {
        for (name, object) in objects {
            if let Some(due_ms) = object.due_ms {
                self.due.remove(&(due_ms, of.clone(), name));
            }
        }
    }

    /// The next probe whose time has come, or when that will be. What is answered is taken to be
    /// under way until [`Schedule::take`] has its outcome.
    pub fn next(&mut self, now_ms: u64) -> Next {
        loop {
            match self.due.first() {
                Some((due_ms, ..)) if *due_ms <= now_ms => {}
                Some((due_ms, ..)) => return Next::At(*due_ms),
                None => return Next::Nothing,
            }
            let Some((_, of, name)) = self.due.pop_first() else { return Next::Nothing };
            if let Some(probe) = self.begin(of, &name, now_ms) {
                return Next::Probe(Box::new(probe));
            }
        }
    }

    fn begin(&mut self, of: ResourceRef, name: &str, now_ms: u64) -> Option<Probe> {
        let watched = self.watched.get_mut(&of)?;
        let target = watched.registration.targets.get(name)?.clone();
        let object = watched.objects.get_mut(name)?;
        object.due_ms = None;
        if !self.kinds.contains(&target.kind) {
            // Nobody has come to probe it: what was last seen of it counts no more.
            *object = Object { silences: SILENCES_MAX, ..Object::default() };
            self.news.insert(of);
            return None;
        }
        if !std::mem::replace(&mut object.begun, true) {
            let shown = self.shown.get(&of).filter(|s| s.version == watched.registration.version);
            if let Some(status) = shown.and_then(|shown| shown.statuses.get(name)) {
                // Another host, or an earlier life, has probed it: it waits for its turn.
                object.steady = Steady::known(status.clone());
                let due_ms = self.pace.slot(&of, &target, now_ms);
                object.due_ms = Some(due_ms);
                self.due.insert((due_ms, of, name.to_owned()));
                return None;
            }
        }
        Some(Probe { of, at: watched.at, target })
    }

    /// Takes in how a probe ended; answers whether the target has just begun to tell nothing.
    pub fn take(&mut self, probe: &Probe, outcome: Result<String, ()>, now_ms: u64) -> bool {
        let Probe { of, at, target } = probe;
        let Some(watched) = self.watched.get_mut(of).filter(|w| w.at == *at) else { return false };
        let Some(object) = watched.objects.get_mut(&target.name) else { return false };
        if object.due_ms.is_some() {
            // It has left this host and come back while the probe ran.
            return false;
        }
        if let Ok(status) = outcome {
            object.silences = 0;
            object.steady.take(status, self.pace.confirmations);
        } else {
            object.silences = object.silences.saturating_add(1);
            if object.silences >= SILENCES_MAX {
                object.steady = Steady::default();
            }
        }
        let fell_silent = object.silences == 1;
        let due_ms = if object.steady.is_doubtful() && object.silences == 0 {
            self.pace.soon(target, now_ms)
        } else {
            self.pace.slot(of, target, now_ms)
        };
        object.due_ms = Some(due_ms);
        self.due.insert((due_ms, of.clone(), target.name.clone()));
        self.news.insert(of.clone());
        fell_silent
    }
}
