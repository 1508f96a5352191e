//! What it costs to decide about probes: ten thousand targets, each probed and its answer taken.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use stokehold::domain::{
    Content, Entry, Fact, Peers, Presence, ProberKinds, Registration, ResourceRef, Revision,
    Target, Version,
};
use stokehold::schedule::{Next, Pace, Schedule};

const TARGETS: usize = 10_000;
const KIND: &str = "switch";

fn registered(id: usize) -> Fact {
    let of = ResourceRef::new("device", format!("d{id}"));
    let target = Target {
        name: KIND.to_owned(),
        kind: KIND.to_owned(),
        topic: String::new(),
        properties: json!({"ip": "10.0.0.1", "community_name": "inside"}),
        interval_ms: None,
    };
    let targets = BTreeMap::from([(KIND.to_owned(), target)]);
    let registration = Registration { version: Version(1), targets, ..Registration::default() };
    let content = Some(Content::Registration(of.clone(), registration));
    let revision = Revision(1);
    Fact { entry: Entry::Registration(of), content, created: revision, revision }
}

fn schedule() -> Schedule {
    let pace =
        Pace { interval_ms: 60_000, spread_ms_max: 5_000, confirmations: 2, confirm_ms: 1_000 };
    let mut schedule = Schedule::new("a".into(), [KIND.to_owned()].into(), pace);
    let mut peers = Peers::default();
    let probers = vec![ProberKinds { name: "p".to_owned(), kinds: vec![KIND.to_owned()] }];
    peers.put("a".into(), Presence { probers, ..Presence::default() });
    schedule.meet(peers, true, 0);
    (0..TARGETS).for_each(|id| schedule.learn(registered(id), 0));
    schedule
}

fn probe(criterion: &mut Criterion) {
    let mut schedule = schedule();
    let mut now_ms = 0;
    criterion.bench_function("schedule one of 10,000 probes", |bencher| {
        bencher.iter(|| {
            loop {
                match schedule.next(now_ms) {
                    Next::Probe(probe) => {
                        schedule.take(&probe, Ok("UP".to_owned()), now_ms);
                        break black_box(schedule.tell()).len();
                    }
                    Next::At(at) => now_ms = at,
                    Next::Nothing => break 0,
                }
            }
        });
    });
}

criterion_group!(benches, probe);
criterion_main!(benches);
