//! What is registered is probed, and `/monitoring` told when a status changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Result;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::Pace;
use super::clock;
use super::mirror::{self, Update};
use super::roster::{Roster, Shift};
use super::scribe::{Scribe, Uncommitted};
use crate::domain::{
    Content, Effect, Entry, Fact, Failure, Fault, Guard, HostId, Peers, Presence, Registration,
    ResourceRef, Revision, Target, Transaction, Version,
};
use crate::plugin::Subject;
use crate::wire::key::{self, name_of};

const PREFIXES: &[&str] = &[key::MONITORED, key::MONITORING, key::STATE];

/// The shortest pause between two probes of an object, whatever its registration asks for.
const PAUSE_MS_MIN: u64 = 100;

/// One resource with something registered.
struct Watched {
    registration: Registration,
    at: Revision,
    /// This host probes it.
    is_mine: bool,
    /// Object → its status at the last probe that told one.
    statuses: BTreeMap<String, String>,
    /// When each object is to be probed next, unless that is under way.
    due: BTreeMap<String, u64>,
    /// Objects whose last probe told nothing, so that only changes are logged.
    silent: BTreeSet<String>,
}

/// What `/monitoring` shows.
type Shown = (Version, BTreeMap<String, String>);

enum Came {
    Probed { of: ResourceRef, at: Revision, name: String, status: Result<String, String> },
    Told { of: ResourceRef, shown: Option<Shown> },
}

/// Each object is probed by one of the hosts that can: the one it comes to first.
struct Collector {
    scribe: Scribe,
    me: HostId,
    peers: Peers,
    roster: Arc<Roster>,
    /// What this host can probe.
    kinds: BTreeSet<String>,
    pace: Pace,
    watched: BTreeMap<ResourceRef, Watched>,
    shown: BTreeMap<ResourceRef, Shown>,
    states: BTreeMap<ResourceRef, Version>,
    /// When to probe what.
    due: BTreeSet<(u64, ResourceRef, String)>,
    /// Resources whose status is being written.
    telling: BTreeSet<ResourceRef>,
    probing: usize,
    tasks: JoinSet<Came>,
}

/// Probes until stopped.
pub(super) async fn run(
    scribe: Scribe,
    me: HostId,
    roster: Arc<Roster>,
    mut peers: watch::Receiver<Peers>,
    pace: Pace,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    let mut updates =
        mirror::start(Arc::clone(&scribe.store), Arc::clone(&scribe.schemas), PREFIXES);
    let mut changes = roster.changes();
    let mut collector = Collector {
        scribe,
        me,
        peers: Peers::default(),
        kinds: roster.kinds(),
        roster,
        pace,
        watched: BTreeMap::new(),
        shown: BTreeMap::new(),
        states: BTreeMap::new(),
        due: BTreeSet::new(),
        telling: BTreeSet::new(),
        probing: 0,
        tasks: JoinSet::new(),
    };
    loop {
        let wake_ms = collector.probe_what_is_due();
        tokio::select! {
            update = updates.recv() => {
                let Some(update) = update else { anyhow::bail!("the collector's mirror ended") };
                collector.observe(update);
            }
            Some(came) = collector.tasks.join_next() => match came {
                Ok(came) => collector.take(came),
                Err(broken) => anyhow::bail!("a probe's task broke: {broken}"),
            },
            Ok(()) = peers.changed() => collector.meet(peers.borrow_and_update().clone()),
            Ok(()) = changes.changed() => collector.refit(),
            () = clock::sleep_until(wake_ms) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        }
    }
}

impl Collector {
    fn observe(&mut self, update: Update) {
        for Fact { entry, content, revision, .. } in update.facts {
            match (entry, content) {
                (Entry::Registration(of), Some(Content::Registration(_, registration))) => {
                    self.watch(&of, registration, revision);
                }
                (Entry::Registration(of), None) => {
                    self.forget(&of);
                }
                (Entry::Monitoring(of), Some(Content::Monitoring { version, statuses })) => {
                    self.shown.insert(of, (version, statuses));
                }
                (Entry::Monitoring(of), None) => {
                    self.shown.remove(&of);
                }
                (Entry::State(of), Some(Content::State(state))) => {
                    self.states.insert(of.clone(), state.version);
                    self.tell(&of);
                }
                (Entry::State(of), None) => {
                    self.states.remove(&of);
                }
                (entry, Some(Content::Unreadable(reason))) => {
                    warn!("cannot read {}: {reason}", name_of(&entry));
                }
                _ => {}
            }
        }
    }

    fn watch(&mut self, of: &ResourceRef, registration: Registration, at: Revision) {
        if self.watched.get(of).is_some_and(|watched| watched.at == at) {
            // The mirror has listed again.
            return;
        }
        self.forget(of);
        for target in registration.targets.values() {
            if !self.kinds.contains(&target.kind) {
                info!(resource = %of, object = %target.name,
                    "is registered, but there is no prober for type `{}`", target.kind);
            }
        }
        let (statuses, due, silent) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let watched = Watched { registration, at, is_mine: false, statuses, due, silent };
        self.watched.insert(of.clone(), watched);
        self.share(of);
    }

    /// Takes in who else probes.
    fn meet(&mut self, peers: Peers) {
        self.peers = peers;
        let all: Vec<_> = self.watched.keys().cloned().collect();
        for of in all {
            self.share(&of);
        }
    }

    /// Takes in what this host can probe now; where that has changed, everything is probed anew.
    fn refit(&mut self) {
        let kinds = self.roster.kinds();
        let all: Vec<_> = self.watched.keys().cloned().collect();
        let changed: BTreeSet<String> = self.kinds.symmetric_difference(&kinds).cloned().collect();
        self.kinds = kinds;
        for of in all {
            let Some(watched) = self.watched.get_mut(&of) else { continue };
            let mut targets = watched.registration.targets.values();
            if !targets.any(|target| changed.contains(&target.kind)) {
                continue;
            }
            watched.is_mine = false;
            for (name, at) in std::mem::take(&mut watched.due) {
                self.due.remove(&(at, of.clone(), name));
            }
            self.share(&of);
        }
    }

    /// Begins to probe a resource that has come to this host, or leaves it to another one.
    fn share(&mut self, of: &ResourceRef) {
        let Some(watched) = self.watched.get(of) else { return };
        let is_mine = self.comes_first(of, &watched.registration);
        let Some(watched) = self.watched.get_mut(of) else { return };
        if is_mine == std::mem::replace(&mut watched.is_mine, is_mine) {
            return;
        }
        for (name, at) in std::mem::take(&mut watched.due) {
            self.due.remove(&(at, of.clone(), name));
        }
        watched.statuses.clear();
        if is_mine {
            let now_ms = clock::now_ms();
            for target in watched.registration.targets.values() {
                if self.kinds.contains(&target.kind) {
                    self.due.insert((now_ms, of.clone(), target.name.clone()));
                    watched.due.insert(target.name.clone(), now_ms);
                }
            }
        }
    }

    /// Whether this host is the one to probe a resource: of those that can probe all that anybody
    /// can, or else some of it.
    fn comes_first(&self, of: &ResourceRef, registration: &Registration) -> bool {
        let subject = of.to_string();
        let kinds: BTreeSet<&str> =
            registration.targets.values().map(|target| target.kind.as_str()).collect();
        let can_be_probed = |kind: &&str| {
            let others = || self.peers.iter().any(|(_, host)| host.can_probe(kind));
            self.kinds.contains(*kind) || others()
        };
        let probed: Vec<&str> = kinds.into_iter().filter(can_be_probed).collect();
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

    fn forget(&mut self, of: &ResourceRef) {
        for (name, at) in self.watched.remove(of).map(|watched| watched.due).unwrap_or_default() {
            self.due.remove(&(at, of.clone(), name));
        }
    }

    /// Starts the probes whose time has come, as many as may run; answers when the next one is due.
    fn probe_what_is_due(&mut self) -> Option<u64> {
        let now_ms = clock::now_ms();
        while self.probing < self.pace.probes_max {
            match self.due.first() {
                Some((at, _, _)) if *at <= now_ms => {}
                Some((at, _, _)) => return Some(*at),
                None => return None,
            }
            if let Some((_, of, name)) = self.due.pop_first() {
                self.probe(of, name);
            }
        }
        None
    }

    fn probe(&mut self, of: ResourceRef, name: String) {
        let Some(watched) = self.watched.get_mut(&of) else { return };
        watched.due.remove(&name);
        let Some(target) = watched.registration.targets.get(&name) else { return };
        if !self.kinds.contains(&target.kind) {
            return;
        }
        let (subject, at) = (subject(&of, target), watched.at);
        let shift = self.roster.probe(&target.kind, &format!("{of} {name}"));
        let Some(shift) = shift else {
            // It is paused: its last status stays.
            self.again(&of, &name);
            return;
        };
        self.probing += 1;
        self.tasks.spawn(async move {
            let status = match probe(shift, subject).await {
                Ok(Ok(status)) => Ok(status),
                Ok(Err(Failure::Retry(why) | Failure::Fatal(why))) => Err(why),
                Err(fault) => Err(fault.to_string()),
            };
            Came::Probed { of, at, name, status }
        });
    }

    fn take(&mut self, came: Came) {
        match came {
            Came::Told { of, shown } => {
                self.telling.remove(&of);
                if let Some(shown) = shown {
                    self.shown.insert(of.clone(), shown);
                    self.tell(&of);
                }
            }
            Came::Probed { of, at, name, status } => {
                self.probing = self.probing.saturating_sub(1);
                let of_mine = |w: &&mut Watched| w.at == at && w.is_mine;
                let Some(watched) = self.watched.get_mut(&of).filter(of_mine) else { return };
                let object = name.clone();
                match status {
                    Ok(status) => {
                        watched.silent.remove(&name);
                        watched.statuses.insert(name, status);
                    }
                    Err(why) => {
                        if watched.silent.insert(name.clone()) {
                            warn!(resource = %of, object = %name, "probe tells nothing: {why}");
                        }
                    }
                }
                self.again(&of, &object);
                self.tell(&of);
            }
        }
    }

    /// Says when an object is to be probed next: one probe of it at a time, and a pause after each.
    fn again(&mut self, of: &ResourceRef, name: &str) {
        let Some(watched) = self.watched.get_mut(of) else { return };
        let Some(target) = watched.registration.targets.get(name) else { return };
        let pause = target.interval_ms.unwrap_or(self.pace.probe_interval_ms);
        if watched.due.contains_key(name) {
            // It has left this host and come back while the probe ran.
            return;
        }
        let at = clock::now_ms().saturating_add(pause.max(PAUSE_MS_MIN));
        watched.due.insert(name.to_owned(), at);
        self.due.insert((at, of.clone(), name.to_owned()));
    }

    /// Writes the statuses of a resource if they are complete, new, and its state is there: the API server takes
    /// them for that version only.
    fn tell(&mut self, of: &ResourceRef) {
        let Some(watched) = self.watched.get(of).filter(|w| w.is_mine) else { return };
        let version = watched.registration.version;
        let mut probed = watched
            .registration
            .targets
            .values()
            .filter(|target| self.kinds.contains(&target.kind))
            .peekable();
        let complete = probed.peek().is_some()
            && probed.all(|target| watched.statuses.contains_key(&target.name));
        let stated = self.states.get(of).is_some_and(|state| *state >= version);
        let new = self
            .shown
            .get(of)
            .is_none_or(|(shown, statuses)| *shown != version || *statuses != watched.statuses);
        if !complete || !stated || !new || !self.telling.insert(of.clone()) {
            return;
        }
        let statuses = watched.statuses.clone();
        debug!(resource = %of, ?statuses, "status changed");
        let content = Content::Monitoring { version, statuses: statuses.clone() };
        let transaction = Transaction {
            guards: vec![Guard::Unchanged(Entry::Registration(of.clone()), watched.at)],
            effects: vec![Effect::Put(Entry::Monitoring(of.clone()), content)],
        };
        let (scribe, of) = (self.scribe.clone(), of.clone());
        self.tasks.spawn(async move {
            let shown = match scribe.commit(&transaction, None).await {
                Ok(_) => Some((version, statuses)),
                // The registration has changed: its new probes will tell.
                Err(Uncommitted::Conflict(_)) => None,
                Err(other) => {
                    warn!(resource = %of, "cannot write its status: {other}");
                    None
                }
            };
            Came::Told { of, shown }
        });
    }
}

fn subject(of: &ResourceRef, target: &Target) -> Subject {
    Subject {
        of: of.clone(),
        name: target.name.clone(),
        kind: target.kind.clone(),
        properties: target.properties.clone(),
    }
}

async fn probe(shift: Shift, subject: Subject) -> Result<Result<String, Failure>, Fault> {
    let Some(prober) = shift.prober() else {
        return Err(Fault::Host("there is no prober for it any more".to_owned()));
    };
    let answer = prober.probe(subject).await;
    shift.ended(answer.as_ref().err());
    answer
}
