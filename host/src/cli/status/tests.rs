#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::domain::{
    Action, Handler, HandlerName, Job, OnFailure, PluginFault, ProberKinds, ResourceRef, Revision,
    Target, TemplateId, UpdateStyle, Version,
};

fn fact(entry: Entry, content: Content) -> Fact {
    Fact { entry, content: Some(content), created: Revision(1), revision: Revision(1) }
}

fn job(id: &str, after: &[&str], attempts: u32) -> Fact {
    let job = Job {
        id: id.into(),
        action: Action::Create,
        handler: HandlerName::new("heat_worker"),
        target: ResourceRef::new("port", "1"),
        version: Version(1),
        is_first: true,
        is_last: true,
        on_failure: OnFailure::Fail,
        dependency: after.iter().map(|id| JobId::new(*id)).collect(),
        params: Vec::new(),
        input: json!({}),
    };
    fact(Entry::Job(id.into()), Content::Job(Posted { job, attempts }))
}

fn step(id: &str, wake_ms: u64, trouble: &str) -> Fact {
    let template = TemplateId::new("port");
    let step = Step { template, checkpoint: None, wake_ms, trouble: trouble.into() };
    fact(Entry::Step(id.into()), Content::Step(step))
}

fn place(entry: fn(JobId) -> Entry, id: &str) -> Fact {
    fact(entry(id.into()), Content::Handler(HandlerName::new("heat_worker")))
}

fn host(presence: Presence) -> Fact {
    fact(Entry::Host("h1".into()), Content::Presence(presence))
}

fn with_handlers(names: &[&str]) -> Presence {
    let handlers = names.iter().map(|name| Handler {
        name: (*name).into(),
        after: BTreeSet::new(),
        update: UpdateStyle::Modify,
    });
    Presence { handlers: handlers.collect(), ..Presence::default() }
}

fn prober(name: &str, kind: &str) -> ProberKinds {
    ProberKinds { name: name.into(), kinds: vec![kind.into()] }
}

fn text(facts: &[Fact]) -> String {
    Picture::of(facts, &|host| host.pid == 0).text(10_000)
}

#[test]
fn an_empty_store_is_told_in_words() {
    assert_eq!(text(&[]), "no host is running\nno open jobs\n");
}

#[test]
fn each_job_tells_its_place_and_its_trouble_and_running_ones_come_first() {
    let facts = [
        job("a", &["c", "gone"], 0),
        place(Entry::Waiting, "a"),
        job("b", &[], 2),
        place(Entry::Ready, "b"),
        step("b", 12_340, "heat said no"),
        job("c", &[], 0),
        fact(Entry::Working("c".into()), Content::Host("h1".into())),
        step("c", 0, ""),
        job("d", &[], 0),
        place(Entry::Ready, "d"),
        step("d", 9000, ""),
    ];
    let expected = "\
no host is running
jobs            c working on h1
                d ready
                b ready in 2.3 s, 2 failed tries, last trouble: heat said no
                a waiting for c
";
    assert_eq!(text(&facts), expected);
}

#[test]
fn hosts_tell_what_they_loaded_and_what_is_broken_states_tell_what_is_held_back_or_failed() {
    let said = host(Presence {
        node: "node-1".into(),
        probers: vec![prober("contrail_prober", "virtual_network")],
        faults: vec![PluginFault { file: "broken.wasm".into(), reason: "is no component".into() }],
        ..with_handlers(&["heat_worker", "monitoring_worker"])
    });
    let state = |id: &str, word: &str, error: &str| {
        let of = ResourceRef::new("port", id);
        let state = State { error: error.into(), ..State::new(Version(2), word) };
        fact(Entry::State(of), Content::State(state))
    };
    let facts = [
        said,
        fact(Entry::Leader, Content::Host("h1".into())),
        state("1", "HELD_BACK", "network:2 is not there yet"),
        state("2", "CREATE_FAILED", "heat said no"),
        state("3", "CREATE_COMPLETED", ""),
    ];
    let expected = "\
hosts           h1 (leads) on node-1, handlers: heat_worker, monitoring_worker, \
probers: contrail_prober
plugin faults   broken.wasm: is no component
held back       port:1: network:2 is not there yet
failed          port:2 version 2 CREATE_FAILED: heat said no
no open jobs
";
    assert_eq!(text(&facts), expected);
}

#[test]
fn a_target_without_prober_is_named_and_one_with_is_not() {
    let target = |name: &str, kind: &str| {
        let (name, kind, topic) = (name.to_owned(), kind.to_owned(), String::new());
        Target { name, kind, topic, properties: json!({}), interval_ms: None }
    };
    let targets = [
        target("vmi", "virtual_network"),
        target("s", "switch"),
        target("silent", "virtual_network"),
    ];
    let targets = targets.into_iter().map(|target| (target.name.clone(), target)).collect();
    let of = ResourceRef::new("port", "1");
    let registration = Registration { targets, ..Registration::default() };
    let facts = [
        host(Presence { probers: vec![prober("p", "virtual_network")], ..Presence::default() }),
        fact(Entry::Registration(of.clone()), Content::Registration(of.clone(), registration)),
        fact(
            Entry::Monitoring(of),
            Content::Monitoring {
                version: Version(1),
                statuses: BTreeMap::from([("vmi".to_owned(), "UP".to_owned())]),
            },
        ),
    ];
    let said = text(&facts);
    assert!(said.contains("not probed      port:1 s: no prober for switch\n"), "{said}");
    assert!(said.contains("port:1 silent: its prober has told nothing yet"), "{said}");
    assert!(!said.contains("vmi"), "{said}");
}

#[test]
fn an_entry_that_cannot_be_read_is_shown_not_hidden() {
    let broken = fact(Entry::Job("x".into()), Content::Unreadable("is not JSON".into()));
    let said = text(&[broken]);
    assert!(said.contains("unreadable      job x: is not JSON"), "{said}");
}

#[test]
fn a_host_that_ended_without_a_word_is_no_running_host() {
    let facts = [
        host(Presence { pid: 1, ..with_handlers(&["heat_worker"]) }),
        job("a", &[], 0),
        fact(Entry::Working("a".into()), Content::Host("h1".into())),
    ];
    let expected = "\
no host is running (h1 ended without a word; the next one goes on with its jobs)
jobs            a left behind by h1
";
    assert_eq!(text(&facts), expected);
}

#[test]
fn a_job_between_two_looks_is_in_progress_and_one_that_nobody_can_do_says_so() {
    let begun = Step {
        template: TemplateId::new("port"),
        checkpoint: Some(json!("s")),
        wake_ms: 10_500,
        trouble: String::new(),
    };
    let facts = |handler: &str| {
        let step = fact(Entry::Step("a".into()), Content::Step(begun.clone()));
        let host = host(with_handlers(&[handler]));
        text(&[host, job("a", &[], 0), place(Entry::Ready, "a"), step])
    };
    let said = facts("heat_worker");
    assert!(said.contains("a in progress, looked at again in 0.5 s\n"), "{said}");
    let said = facts("other");
    assert!(said.contains("a ready, but no host has handler heat_worker\n"), "{said}");
}

#[test]
fn a_job_that_waits_for_many_names_three() {
    let ids = ["a", "b", "c", "d", "e"];
    let mut facts: Vec<_> = ids.iter().map(|id| job(id, &[], 0)).collect();
    facts.extend([job("z", &ids, 0), place(Entry::Waiting, "z")]);
    let said = text(&facts);
    assert!(said.contains("z waiting for a, b, c and 2 more\n"), "{said}");
}

#[test]
fn what_others_say_does_not_steer_the_terminal() {
    let broken = fact(Entry::Job("x".into()), Content::Unreadable("\u{1b}[2J\nhosts".into()));
    let said = text(&[broken]);
    assert!(said.contains("\\u{1b}[2J\\nhosts\n"), "{said}");
}
