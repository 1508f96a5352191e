use super::*;
use crate::domain::{
    Action, Handler, HostId, Job, Json, OnFailure, PluginFault, Posted, ResourceRef, Revision,
    Step, Template, UpdateStyle, Version,
};

const NOW_MS: u64 = 1_000_000_000;

fn fact(entry: Entry, content: Content) -> Fact {
    Fact { entry, content: Some(content), created: Revision(1), revision: Revision(1) }
}

fn presence(handlers: &[&str]) -> Presence {
    let handler = |name: &&str| Handler {
        name: (*name).into(),
        after: BTreeSet::new(),
        update: UpdateStyle::Modify,
    };
    Presence {
        version: "0.1.0".into(),
        node: "n1".into(),
        pid: 7,
        started_ms: NOW_MS - 5_000,
        handlers: handlers.iter().map(handler).collect(),
        ..Presence::default()
    }
}

fn host(id: &str, presence: Presence) -> Fact {
    fact(Entry::Host(id.into()), Content::Presence(presence))
}

fn leader(id: &str) -> Fact {
    fact(Entry::Leader, Content::Host(HostId::new(id)))
}

fn template(id: &str, handler: &str) -> Fact {
    let template = Template {
        id: id.into(),
        handler: handler.into(),
        text: String::new(),
        params: Ok(BTreeMap::new()),
    };
    fact(Entry::Template(id.into()), Content::Template(template))
}

fn job(id: &str, handler: &str) -> Fact {
    let job = Job {
        id: id.into(),
        action: Action::Create,
        handler: handler.into(),
        target: ResourceRef::new("port", "1"),
        version: Version(1),
        is_first: true,
        is_last: true,
        on_failure: OnFailure::Fail,
        dependency: BTreeSet::new(),
        params: Vec::new(),
        input: Json::Null,
    };
    fact(Entry::Job(id.into()), Content::Job(Posted { job, attempts: 0 }))
}

fn step(id: &str, wake_ms: u64) -> Fact {
    let step = Step { template: "port".into(), checkpoint: None, wake_ms, trouble: String::new() };
    fact(Entry::Step(id.into()), Content::Step(step))
}

/// What is not well; the dead of these tests have the process 0.
fn bad(facts: &[Fact]) -> Vec<String> {
    let standing = Standing::of(facts, &|host| host.pid != 0);
    let parts = [
        standing.hosts(),
        standing.handlers(),
        standing.faults(),
        standing.clock(NOW_MS, WAKE_FAR_MS),
        standing.unreadable(),
    ];
    let told = parts.concat().iter().map(Finding::told).collect::<Vec<_>>();
    told.into_iter().filter(|told| !told.starts_with("ok ")).collect()
}

#[test]
fn a_running_host_that_leads_and_has_all_handlers_is_well() {
    let facts = [
        host("h1", presence(&["heat_worker"])),
        leader("h1"),
        template("port", "heat_worker"),
        job("a", "heat_worker"),
        step("a", NOW_MS + 60_000),
    ];
    assert_eq!(bad(&facts), [""; 0]);
}

#[test]
fn what_is_wrong_with_hosts_is_told() {
    let dead = Presence { pid: 0, ..presence(&[]) };
    let newer = Presence { version: "0.2.0".into(), ..presence(&[]) };
    let ahead = Presence { started_ms: NOW_MS + 90_000, ..presence(&[]) };
    let fault = PluginFault { file: "x.wasm".into(), reason: "is broken".into() };
    let faulty = Presence { faults: vec![fault], ..presence(&[]) };
    let cases: Vec<(Vec<Fact>, &[&str])> = vec![
        (vec![], &["problem no host is running: nothing is done"]),
        (
            vec![host("h1", dead.clone()), leader("h1")],
            &[
                "warning host h1 (process 0) ended without a word",
                "problem no host is running: nothing is done",
            ],
        ),
        (
            vec![host("h1", presence(&[]))],
            &["problem 1 host is running, but none leads: nothing new is planned"],
        ),
        (
            vec![host("h1", dead), host("h2", presence(&[])), leader("h1")],
            &[
                "warning host h1 (process 0) ended without a word",
                "problem 1 host is running, but none leads: nothing new is planned",
            ],
        ),
        (
            vec![host("h1", presence(&[])), leader("h9")],
            &["warning 1 host is running; h9 leads, but has not told about itself"],
        ),
        (
            vec![host("h1", presence(&[])), host("h2", newer), leader("h1")],
            &["warning the hosts have different versions: 0.1.0, 0.2.0"],
        ),
        (
            vec![host("h1", ahead), leader("h1")],
            &["problem host h1 on n1 started 90 s from now, says its clock"],
        ),
        (
            vec![host("h1", faulty.clone()), host("h2", faulty), leader("h1")],
            &["problem x.wasm is not used by h1 on n1, h2 on n1: is broken"],
        ),
    ];
    for (facts, expected) in cases {
        assert_eq!(bad(&facts), expected);
    }
}

#[test]
fn a_handler_that_no_host_has_is_told_with_who_asks_for_it() {
    let mut facts = vec![host("h1", presence(&["heat_worker"])), leader("h1")];
    facts.push(template("port", "heat_worker"));
    facts.push(template("port_echo", "echo_worker"));
    facts.extend((1..=7).map(|n| job(&n.to_string(), "echo_worker")));
    let expected = "problem no host has the handler echo_worker; it is asked for by \
                    job 1, 2, 3, 4, 5 and 2 more and by template port_echo";
    assert_eq!(bad(&facts), [expected]);
}

#[test]
fn a_job_put_off_for_days_is_told() {
    let day = 24 * WAKE_FAR_MS;
    let facts = [host("h1", presence(&[])), leader("h1"), step("a", NOW_MS + day), step("b", 0)];
    assert_eq!(bad(&facts), ["warning jobs are put off for up to 24 h: a"]);
}

#[test]
fn an_entry_that_cannot_be_read_is_told() {
    let broken = fact(Entry::Template("port".into()), Content::Unreadable("is no JSON".into()));
    let facts = [host("h1", presence(&[])), leader("h1"), broken];
    assert_eq!(bad(&facts), ["warning cannot be read: template port: is no JSON"]);
}
