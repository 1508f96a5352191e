#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod sharing;
mod telling;
mod timing;

use super::*;
use crate::domain::{Fields, Presence, ProberKinds, State, Transaction};

const PACE: Pace =
    Pace { interval_ms: 60_000, spread_ms_max: 5_000, confirmations: 2, confirm_ms: 1_000 };

fn of(id: usize) -> ResourceRef {
    ResourceRef::new("switch", format!("s{id}"))
}

fn target(name: &str, kind: &str) -> Target {
    Target {
        name: name.to_owned(),
        kind: kind.to_owned(),
        topic: String::new(),
        properties: serde_json::json!({}),
        interval_ms: None,
    }
}

fn fact(entry: Entry, content: Option<Content>, revision: u64) -> Fact {
    Fact { entry, content, created: Revision(revision), revision: Revision(revision) }
}

fn registered(of: &ResourceRef, targets: &[(&str, &str)], version: u64, revision: u64) -> Fact {
    let targets = targets.iter().map(|(name, kind)| ((*name).to_owned(), target(name, kind)));
    let registration = Registration {
        version: Version(version),
        targets: targets.collect(),
        ..Registration::default()
    };
    let content = Content::Registration(of.clone(), registration);
    fact(Entry::Registration(of.clone()), Some(content), revision)
}

fn stated(of: &ResourceRef, version: u64, revision: u64) -> Fact {
    let state = State { version: Version(version), error: String::new(), fields: Fields::new() };
    fact(Entry::State(of.clone()), Some(Content::State(state)), revision)
}

fn shown(of: &ResourceRef, version: u64, statuses: &[(&str, &str)], revision: u64) -> Fact {
    let statuses = statuses.iter().map(|(name, status)| ((*name).to_owned(), (*status).to_owned()));
    let content = Content::Monitoring { version: Version(version), statuses: statuses.collect() };
    fact(Entry::Monitoring(of.clone()), Some(content), revision)
}

/// Hosts that each have one prober for the given types.
fn peers(hosts: &[(&str, &[&str])]) -> Peers {
    let mut peers = Peers::default();
    for (host, kinds) in hosts {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let probers = vec![ProberKinds { name: "prober".to_owned(), kinds }];
        peers.put((*host).into(), Presence { probers, ..Presence::default() });
    }
    peers
}

fn host(name: &str, kinds: &[&str]) -> Schedule {
    Schedule::new(name.into(), kinds.iter().map(|kind| (*kind).to_owned()).collect(), PACE)
}

/// A host that is alone, with one prober for switches.
fn alone() -> Schedule {
    let mut schedule = host("a", &["switch"]);
    schedule.meet(peers(&[("a", &["switch"])]), true, 0);
    schedule
}

/// The next probe, and when its time has come.
fn probe(schedule: &mut Schedule) -> (u64, Probe) {
    let mut now_ms = 0;
    loop {
        match schedule.next(now_ms) {
            Next::Probe(probe) => return (now_ms, *probe),
            Next::At(at) => now_ms = at,
            Next::Nothing => panic!("nothing is to be probed"),
        }
    }
}

/// Probes what comes next and has it answer so.
fn answer(schedule: &mut Schedule, status: Result<&str, ()>) -> u64 {
    let (at, probe) = probe(schedule);
    schedule.take(&probe, status.map(str::to_owned), at);
    at
}

/// The statuses that are to be written, each as `name=status`.
fn tells(schedule: &mut Schedule) -> Vec<(Tell, String)> {
    let text = |tell: &Tell| {
        let statuses = tell.statuses.iter().map(|(name, status)| format!("{name}={status}"));
        statuses.collect::<Vec<_>>().join(" ")
    };
    schedule.tell().into_iter().map(|tell| (tell.clone(), text(&tell))).collect()
}
