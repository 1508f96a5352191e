//! The hosts that share one store: what each can run, and which of them something is left to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Handler, HandlerName, Handlers, HostId, PluginStatus, Revision};

/// What a running host tells about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// The version of its program.
    pub version: String,
    /// The name of the machine it runs on.
    pub node: String,
    /// Its process there.
    pub pid: u32,
    /// When it started, in milliseconds of Unix time.
    pub started_ms: u64,
    /// The handlers it has.
    pub handlers: Vec<Handler>,
    /// The probers it has.
    pub probers: Vec<ProberKinds>,
    /// Its plugins, in order of their names.
    pub plugins: Vec<PluginStatus>,
    /// Files that could not be loaded.
    pub faults: Vec<PluginFault>,
}

/// A prober, and what it can probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProberKinds {
    /// The prober's name.
    pub name: String,
    /// Types of targets; `*` is all of them.
    pub kinds: Vec<String>,
}

impl ProberKinds {
    /// Somebody outside of the hosts, who is told of every target.
    pub fn outside(name: &str) -> Self {
        Self { name: name.to_owned(), kinds: vec!["*".to_owned()] }
    }
}

/// A plugin that could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginFault {
    /// Its file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// All running hosts, as one of them sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    hosts: BTreeMap<HostId, Presence>,
    leader: Option<(HostId, Revision)>,
}

impl Peers {
    /// A host came, or told something new.
    pub fn put(&mut self, host: HostId, presence: Presence) {
        self.hosts.insert(host, presence);
    }

    /// A host went.
    pub fn remove(&mut self, host: &HostId) {
        self.hosts.remove(host);
    }

    /// Who leads, and since when.
    pub fn set_leader(&mut self, leader: Option<(HostId, Revision)>) {
        self.leader = leader;
    }

    /// Who leads, and the revision at which its term began.
    pub fn leader(&self) -> Option<&(HostId, Revision)> {
        self.leader.as_ref()
    }

    /// The revision at which this host's term began, while it leads.
    pub fn term_of(&self, host: &HostId) -> Option<Revision> {
        self.leader.as_ref().filter(|(leader, _)| leader == host).map(|(_, term)| *term)
    }

    /// The hosts and what they tell.
    pub fn iter(&self) -> impl Iterator<Item = (&HostId, &Presence)> {
        self.hosts.iter()
    }

    /// Whether some host can run this handler.
    pub fn have(&self, handler: &HandlerName) -> bool {
        self.hosts.values().any(|host| host.handlers.iter().any(|known| known.name == *handler))
    }

    /// All handlers that some host can run. Where hosts describe one differently, `own` counts,
    /// then the host with the least id.
    ///
    /// # Errors
    /// The names of handlers that wait for one another in a circle.
    pub fn handlers(&self, own: &Handlers) -> Result<Handlers, Vec<HandlerName>> {
        let mut all: Vec<Handler> = own.iter().cloned().collect();
        let mut known: BTreeSet<HandlerName> = all.iter().map(|h| h.name.clone()).collect();
        for handler in self.hosts.values().flat_map(|host| &host.handlers) {
            if known.insert(handler.name.clone()) {
                all.push(handler.clone());
            }
        }
        Handlers::in_order(all)
    }

    /// How many hosts that `can` come before `me` for `subject`: the first one is to take it, the
    /// others only if it does not. All hosts that see the same peers agree, and each comes first
    /// for about as many subjects as any other.
    pub fn rank(&self, me: &HostId, subject: &str, can: impl Fn(&Presence) -> bool) -> usize {
        let mine = (weight(me.as_str(), subject), me);
        let others = self.hosts.iter().filter(|(host, about)| *host != me && can(about));
        others.filter(|(host, _)| (weight(host.as_str(), subject), *host) > mine).count()
    }
}

impl Presence {
    /// Whether it can run this handler.
    pub fn has_handler(&self, name: &HandlerName) -> bool {
        self.handlers.iter().any(|handler| handler.name == *name)
    }

    /// Whether it can probe targets of this type.
    pub fn can_probe(&self, kind: &str) -> bool {
        self.probers
            .iter()
            .any(|prober| prober.kinds.iter().any(|known| known == kind || known == "*"))
    }
}

/// A number that is anything for two names, but the same on hosts of different builds: FNV-1a with a
/// mixing step.
pub fn weight(name: &str, subject: &str) -> u64 {
    let bytes = name.bytes().chain([0]).chain(subject.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;
    use crate::domain::UpdateStyle;

    fn host(handlers: &[(&str, UpdateStyle)]) -> Presence {
        let handlers = handlers.iter().map(|(name, update)| Handler {
            name: (*name).into(),
            after: BTreeSet::new(),
            update: *update,
        });
        Presence { handlers: handlers.collect(), ..Presence::default() }
    }

    fn peers(hosts: &[&str]) -> Peers {
        let mut peers = Peers::default();
        for name in hosts {
            peers.put((*name).into(), host(&[("heat_worker", UpdateStyle::Modify)]));
        }
        peers
    }

    #[test]
    fn each_subject_comes_first_to_one_host_and_about_as_many_to_each() {
        let names = ["a", "b", "c"];
        let peers = peers(&names);
        let mut firsts = [0; 3];
        for job in 0..3_000 {
            let subject = format!("create:heat_worker:port:{job}:1");
            let ranks = names.map(|name| peers.rank(&name.into(), &subject, |_| true));
            let mut sorted = ranks;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2], "all agree on {subject}");
            firsts[ranks.iter().position(|rank| *rank == 0).unwrap_or_default()] += 1;
        }
        assert!(firsts.iter().all(|count| (800..1_200).contains(count)), "{firsts:?}");
    }

    #[test]
    fn only_hosts_that_can_come_before_another() {
        let mut peers = peers(&["a", "b"]);
        peers.put("c".into(), host(&[("other", UpdateStyle::Modify)]));
        for job in 0..50 {
            let rank =
                peers.rank(&"c".into(), &job.to_string(), |p| p.has_handler(&"other".into()));
            assert_eq!(rank, 0);
        }
    }

    #[test]
    fn handlers_of_all_hosts_are_known_and_the_own_description_counts() {
        let mut peers = Peers::default();
        peers.put("b".into(), host(&[("x", UpdateStyle::Recreate), ("y", UpdateStyle::Modify)]));
        peers.put("c".into(), host(&[("y", UpdateStyle::Recreate)]));
        let own = host(&[("x", UpdateStyle::Modify)]).handlers;
        let own = Handlers::in_order(own).unwrap_or_default();
        let all = peers.handlers(&own).unwrap_or_default();
        let all: Vec<_> = all.iter().map(|h| (h.name.as_str(), h.update)).collect();
        assert_eq!(all, [("x", UpdateStyle::Modify), ("y", UpdateStyle::Modify)]);
    }

    #[test]
    fn somebody_outside_is_told_of_every_type() {
        let probers = vec![ProberKinds::outside("kafka")];
        let told = Presence { probers, ..Presence::default() };
        assert!(told.can_probe("switch") && !Presence::default().can_probe("switch"));
    }

    #[test]
    fn only_the_leader_has_a_term() {
        let mut peers = peers(&["a", "b"]);
        assert_eq!(peers.term_of(&"a".into()), None);
        peers.set_leader(Some(("a".into(), Revision(7))));
        assert_eq!(peers.term_of(&"a".into()), Some(Revision(7)));
        assert_eq!(peers.term_of(&"b".into()), None);
    }
}
