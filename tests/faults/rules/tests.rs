//! Every law has a history that breaks it; the good history breaks none.

use serde_json::{Value as Json, json};

use super::check;
use crate::history::{Change, Step};

const LEASE: i64 = 7;
const CONFIG: &str = "/config/v2.0/ports/p";
const STATE: &str = "/state/v2.0/ports/p";
const APPLIED: &str = "/stokehold/applied/v2.0/ports/p";
const JOB: &str = "/jobs/all/j1";
const READY: &str = "/jobs/ready/j1";
const WORKING: &str = "/jobs/working/j1";
const HOST: &str = "/stokehold/hosts/a";
const LEADER: &str = "/stokehold/leader";

type Changes = Vec<Change>;

fn put(key: &str, value: Json) -> Change {
    Change { key: key.to_owned(), value: Some(value), lease: 0 }
}

fn leased(key: &str, value: Json) -> Change {
    Change { lease: LEASE, ..put(key, value) }
}

fn gone(key: &str) -> Change {
    Change { key: key.to_owned(), value: None, lease: 0 }
}

fn config(version: u64) -> Change {
    put(CONFIG, json!({"version": version, "body": "{}"}))
}

fn state(version: u64, word: &str) -> Change {
    put(STATE, json!({"version": version, "error": "", "state": {"worker_state": word}}))
}

fn applied(version: u64) -> Change {
    put(APPLIED, json!({"version": version}))
}

fn job(key: &str, version: u64, dependency: &[&str]) -> Change {
    let job = json!({
        "resource_type": "port", "resource_id": "p", "version": version, "is_last": true,
        "dependency": dependency,
    });
    put(key, json!(["heat_worker", job, 0]))
}

fn began() -> Vec<Changes> {
    vec![
        vec![leased(HOST, json!({"pid": 1}))],
        vec![leased(LEADER, json!("a"))],
        vec![config(1)],
        vec![job(JOB, 1, &[]), put(READY, json!("heat_worker")), applied(1)],
    ]
}

fn claim() -> Changes {
    vec![gone(READY), leased(WORKING, json!("a"))]
}

fn end(version: u64) -> Changes {
    vec![gone(JOB), gone(WORKING), state(version, "CREATE_COMPLETED")]
}

fn suspend() -> Changes {
    vec![gone(WORKING), put(READY, json!("heat_worker"))]
}

/// A job that sleeps once, a newer version that supersedes an older one, a deletion, and the end of
/// a lease.
fn good() -> Vec<Changes> {
    let mut history = began();
    history.extend([claim(), suspend(), claim(), end(1)]);
    history.extend([
        vec![config(2)],
        vec![job("/jobs/all/j2", 2, &[]), put("/jobs/ready/j2", json!("h")), applied(2)],
        vec![config(3)],
        vec![
            gone("/jobs/all/j2"),
            gone("/jobs/ready/j2"),
            job("/jobs/all/j3", 3, &[]),
            put("/jobs/ready/j3", json!("h")),
            applied(3),
        ],
        vec![gone("/jobs/ready/j3"), leased("/jobs/working/j3", json!("a"))],
        vec![gone("/jobs/working/j3"), gone(HOST), gone(LEADER)],
        vec![put("/stokehold/hosts/b", json!({"pid": 2}))],
    ]);
    let other = |key: &str, value: Json| Change { lease: LEASE + 1, ..put(key, value) };
    *history.last_mut().unwrap() = vec![other("/stokehold/hosts/b", json!({"pid": 2}))];
    history.extend([
        vec![other(LEADER, json!("b"))],
        vec![job("/jobs/all/j3", 3, &[]), put("/jobs/ready/j3", json!("h"))],
        vec![gone("/jobs/ready/j3"), other("/jobs/working/j3", json!("b"))],
        vec![gone("/jobs/all/j3"), gone("/jobs/working/j3"), state(3, "DELETE_COMPLETED")],
        vec![gone(CONFIG)],
        vec![gone(STATE), gone(APPLIED)],
        // Another life begins anew.
        vec![config(1)],
        vec![state(1, "READ_COMPLETE"), applied(1)],
    ]);
    history
}

fn steps(history: Vec<Changes>) -> Vec<Step> {
    let numbered = history.into_iter().zip(2..);
    numbered.map(|(changes, revision)| Step { revision, changes }).collect()
}

/// The laws that a history breaks.
fn broken(history: Vec<Changes>) -> Vec<&'static str> {
    check(&steps(history)).into_iter().map(|broken| broken.law).collect()
}

fn after(mut history: Vec<Changes>, more: impl IntoIterator<Item = Changes>) -> Vec<Changes> {
    history.extend(more);
    history
}

#[test]
fn a_good_history_breaks_no_law() {
    assert_eq!(broken(good()), Vec::<&str>::new());
}

#[test]
fn every_law_is_broken_by_a_history_that_breaks_it() {
    let once = "a version is answered once in a life, and none that was not asked for";
    let answered = "in the end each resource is answered for, or is gone without a trace";
    let forward = "the version of a state never goes down within a life";
    let by_job = "an answer comes with the end of its workflow's last, claimed job, or with a plan";
    let one_end = "a job ends once, in the transaction that ends its claim, and never comes again";
    let depends = "no job is claimed before all it depends on has ended";
    let nothing = "in the end no job, mark, claim, step or job state is left";
    let taken = "a claim and the leadership are taken only when nobody has them";
    let lease =
        "claims and the leadership hang on the lease of a host that is there, and end with it";
    let plans = "plans are committed only while somebody leads";
    let done = || after(began(), [claim(), end(1)]);
    let unclaimed = vec![gone(JOB), gone(READY), state(1, "CREATE_COMPLETED")];
    let waits = job("/jobs/all/j2", 1, &["j1"]);
    let early = vec![gone("/jobs/ready/j2"), leased("/jobs/working/j2", json!("a"))];
    let foreign = vec![gone(READY), leased(WORKING, json!("b"))];
    let free = vec![gone(READY), put(WORKING, json!("a"))];
    let stranger = vec![gone(READY), Change { lease: 99, ..put(WORKING, json!("c")) }];
    let cases: Vec<(&str, &str, Vec<Changes>)> = vec![
        ("answered twice", once, after(done(), [vec![state(1, "CREATE_COMPLETED"), applied(1)]])),
        ("never asked for", once, after(done(), [vec![state(2, "READ_COMPLETE"), applied(2)]])),
        (
            "no state",
            answered,
            after(good(), [vec![put("/config/v2.0/ports/q", json!({"version": 1}))]]),
        ),
        ("an old state", answered, after(done(), [vec![config(2)]])),
        ("held back", answered, after(done(), [vec![config(2)], vec![state(2, "HELD_BACK")]])),
        ("a trace", answered, after(done(), [vec![gone(CONFIG)], vec![gone(STATE)]])),
        (
            "a stack record",
            answered,
            after(good(), [vec![put("/esi-worker/heat_stacks/v2.0/ports/q", json!({}))]]),
        ),
        (
            "back",
            forward,
            after(
                done(),
                [vec![config(2)], vec![state(2, "HELD_BACK")], vec![state(1, "HELD_BACK")]],
            ),
        ),
        ("by nobody", by_job, after(began(), [claim(), vec![state(1, "CREATE_COMPLETED")]])),
        ("unclaimed", by_job, after(began(), [unclaimed.clone()])),
        ("unclaimed", one_end, after(began(), [unclaimed])),
        ("for another version", by_job, after(began(), [vec![config(2)], claim(), end(2)])),
        ("again", one_end, after(done(), [vec![job(JOB, 1, &[])]])),
        ("a claim outlives its job", one_end, after(began(), [claim(), vec![gone(JOB)]])),
        ("too early", depends, after(began(), [vec![waits.clone()], early])),
        ("no job", depends, after(done(), [claim()])),
        ("a job is left", nothing, began()),
        ("a step is left", nothing, after(done(), [vec![put("/stokehold/steps/j1", json!({}))]])),
        (
            "a job state is left",
            nothing,
            after(done(), [vec![put("/esi-worker/job_state/v2.0/ports/p", json!({}))]]),
        ),
        ("a stolen claim", taken, after(began(), [claim(), claim()])),
        ("a stolen throne", taken, after(done(), [vec![leased(LEADER, json!("a"))]])),
        ("another's lease", lease, after(began(), [foreign])),
        ("no lease", lease, after(began(), [free])),
        ("a stranger", lease, after(began(), [stranger])),
        ("after the end", lease, after(began(), [vec![gone(HOST), gone(LEADER)], claim()])),
        ("left behind", lease, after(began(), [claim(), vec![gone(HOST), gone(LEADER)]])),
        ("nobody leads", plans, after(vec![vec![config(1)]], [vec![job(JOB, 1, &[])]])),
        (
            "an answer of nobody",
            plans,
            vec![vec![config(1)], vec![state(1, "READ_COMPLETE"), applied(1)]],
        ),
    ];
    for (name, law, history) in cases {
        let broken = broken(history);
        assert!(broken.contains(&law), "{name}: `{law}` was kept; broken: {broken:?}");
    }
}
