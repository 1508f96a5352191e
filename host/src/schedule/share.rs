//! Which host probes what.

use std::collections::{BTreeMap, BTreeSet};

use super::steady::Steady;
use super::{Object, Schedule};
use crate::domain::{Peers, Presence, Registration, ResourceRef};

impl Schedule {
    /// Takes in who else is there, and whether this host's own lease is alive: without one it probes
    /// nothing, the others do.
    pub fn meet(&mut self, peers: Peers, leased: bool, now_ms: u64) {
        if self.peers == peers && self.leased == leased {
            return;
        }
        self.peers = peers;
        self.leased = leased;
        self.share_all(now_ms);
    }

    /// Takes in what this host can probe from now on.
    pub fn offer(&mut self, kinds: BTreeSet<String>, now_ms: u64) {
        if self.kinds != kinds {
            self.kinds = kinds;
            for watched in self.watched.values_mut() {
                watched.is_mine = false;
                watched.objects.clear();
            }
            self.due.clear();
            self.share_all(now_ms);
        }
    }

    /// How many resources this host probes.
    pub fn mine(&self) -> usize {
        self.watched.values().filter(|watched| watched.is_mine).count()
    }

    fn share_all(&mut self, now_ms: u64) {
        let all: Vec<_> = self.watched.keys().cloned().collect();
        for of in all {
            self.share(&of, now_ms);
        }
    }

    /// Begins to probe a resource that has come to this host, or leaves it to another one.
    pub(super) fn share(&mut self, of: &ResourceRef, now_ms: u64) {
        let Some(watched) = self.watched.get(of) else { return };
        let is_mine = self.comes_first(of, &watched.registration);
        let Some(watched) = self.watched.get_mut(of) else { return };
        if is_mine == std::mem::replace(&mut watched.is_mine, is_mine) {
            return;
        }
        let before = std::mem::take(&mut watched.objects);
        if is_mine {
            let targets = watched.registration.targets.values();
            for target in targets.filter(|target| self.kinds.contains(&target.kind)) {
                let due_ms = self.pace.first(of, target, now_ms);
                let object = Object { due_ms: Some(due_ms), ..Object::default() };
                watched.objects.insert(target.name.clone(), object);
            }
        }
        let now: BTreeMap<_, _> =
            watched.objects.iter().map(|(name, object)| (name.clone(), object.due_ms)).collect();
        self.unschedule(of, before);
        let due = now.into_iter().filter_map(|(name, due_ms)| Some((due_ms?, of.clone(), name)));
        self.due.extend(due);
        self.find_orphans(of, now_ms);
    }

    /// Gives what `/monitoring` shows of objects without a prober its time: one may be on its way.
    pub(super) fn find_orphans(&mut self, of: &ResourceRef, now_ms: u64) {
        let Some(watched) = self.watched.get_mut(of).filter(|watched| watched.is_mine) else {
            return;
        };
        let version = watched.registration.version;
        let Some(shown) = self.shown.get(of).filter(|shown| shown.version == version) else {
            return;
        };
        let due_ms = self.pace.patience(now_ms);
        let targets = watched.registration.targets.values();
        for target in targets.filter(|target| !self.kinds.contains(&target.kind)) {
            let Some(status) = shown.statuses.get(&target.name) else { continue };
            if !watched.objects.contains_key(&target.name) {
                let steady = Steady::known(status.clone());
                let object = Object { steady, due_ms: Some(due_ms), ..Object::default() };
                watched.objects.insert(target.name.clone(), object);
                self.due.insert((due_ms, of.clone(), target.name.clone()));
            }
        }
    }

    /// Whether this host is the one to probe a resource: of those that can probe all that anybody
    /// can, or else some of it.
    fn comes_first(&self, of: &ResourceRef, registration: &Registration) -> bool {
        // A host that does not see itself among the others does not see the others either.
        let is_known = self.peers.iter().any(|(host, _)| *host == self.me);
        if !self.leased || !is_known {
            return false;
        }
        let subject = of.to_string();
        let kinds: BTreeSet<&str> =
            registration.targets.values().map(|target| target.kind.as_str()).collect();
        let probed: Vec<&str> = kinds.into_iter().filter(|kind| self.somebody_can(kind)).collect();
        let all = |host: &Presence| probed.iter().all(|kind| host.can_probe(kind));
        let some = |host: &Presence| probed.iter().any(|kind| host.can_probe(kind));
        if probed.iter().all(|kind| self.kinds.contains(*kind)) {
            self.peers.rank(&self.me, &subject, all) == 0
        } else if self.peers.iter().any(|(_, host)| all(host)) {
            false
        } else {
            probed.iter().any(|kind| self.kinds.contains(*kind))
                && self.peers.rank(&self.me, &subject, some) == 0
        }
    }

    /// Whether this host or another one has a prober for this type.
    pub(super) fn somebody_can(&self, kind: &str) -> bool {
        self.kinds.contains(kind) || self.peers.iter().any(|(_, host)| host.can_probe(kind))
    }
}
