#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod again;
mod announced;
mod cascade;

use serde_json::json;

use super::*;
use crate::domain::{Action, Fact, MonitorCall, Stack, Target};

const LIMITS: Limits =
    Limits { attempts_max: 3, backoff_ms_min: 100, backoff_ms_max: 150, operations_max: 128 };

struct Spec<'a> {
    id: &'a str,
    of: (&'a str, u64),
    action: Action,
    first: bool,
    last: bool,
    waits_for: &'a [&'a str],
}

fn spec<'a>(id: &'a str, of: &'a str, waits_for: &'a [&'a str]) -> Spec<'a> {
    Spec { id, of: (of, 1), action: Action::Create, first: true, last: true, waits_for }
}

fn job(spec: &Spec) -> Job {
    Job {
        id: spec.id.into(),
        action: spec.action,
        handler: "heat_worker".into(),
        target: ResourceRef::new("port", spec.of.0),
        version: Version(spec.of.1),
        is_first: spec.first,
        is_last: spec.last,
        on_failure: OnFailure::Fail,
        dependency: spec.waits_for.iter().map(|id| (*id).into()).collect(),
        params: Vec::new(),
        input: json!({"tenant_id": "t"}),
    }
}

fn fact(at: u64, entry: Entry, content: Content) -> Fact {
    Fact { entry, content: Some(content), created: Revision(at), revision: Revision(at) }
}

/// A queue in which the first job runs (claimed at revision 5) and the others wait.
fn queue(jobs: &[Job], attempts: u32) -> Queue {
    let mut queue = Queue::new("host".into());
    for (place, job) in jobs.iter().enumerate() {
        let id = job.id.clone();
        let attempts = if place == 0 { attempts } else { 0 };
        let posted = Posted { job: job.clone(), attempts };
        let step =
            Step { template: "port".into(), checkpoint: None, wake_ms: 0, trouble: String::new() };
        let mark = if place == 0 {
            fact(5, Entry::Working(id.clone()), Content::Host("host".into()))
        } else {
            fact(2, Entry::Waiting(id.clone()), Content::Handler(job.handler.clone()))
        };
        queue.learn(
            [
                fact(2, Entry::Job(id.clone()), Content::Job(posted)),
                fact(2, Entry::Step(id), Content::Step(step)),
                mark,
            ],
            0,
        );
    }
    queue
}

fn closing(id: &str, outcome: Result<Verdict, Fault>) -> Closing {
    Closing {
        job: id.into(),
        claim: Revision(5),
        outcome,
        report: Report::default(),
        fields: Fields::new(),
        registration: None,
        now_ms: 1000,
    }
}

/// The closing of a job that failed for good.
fn failed(id: &str, why: &str) -> Closing {
    closing(id, Ok(Verdict::Failed(Failure::Fatal(why.into()))))
}

fn put<'a>(transaction: &'a Transaction, entry: &Entry) -> Option<&'a Content> {
    transaction.effects.iter().find_map(|effect| match effect {
        Effect::Put(e, content) | Effect::PutLeased(e, content) if e == entry => Some(content),
        _ => None,
    })
}

fn removes(transaction: &Transaction, entry: &Entry) -> bool {
    transaction.effects.contains(&Effect::Remove(entry.clone()))
}

fn state<'a>(transaction: &'a Transaction, of: &str) -> Option<&'a State> {
    match put(transaction, &Entry::State(ResourceRef::new("port", of)))? {
        Content::State(state) => Some(state),
        _ => None,
    }
}

fn only(settled: &Settled) -> &Transaction {
    assert_eq!(settled.transactions.len(), 1, "{settled:?}");
    &settled.transactions[0]
}

fn names_each_entry_once(transaction: &Transaction) {
    let mut seen = BTreeSet::new();
    for effect in &transaction.effects {
        let (Effect::Put(entry, _) | Effect::PutLeased(entry, _) | Effect::Remove(entry)) = effect;
        assert!(seen.insert(entry.clone()), "{entry:?} is written twice");
    }
}

#[test]
fn a_claim_takes_the_ready_mark_and_begins_the_job_state() {
    let mut queue = queue(&[job(&spec("a", "p", &[]))], 0);
    queue.learn(
        [
            Fact {
                entry: Entry::Working("a".into()),
                content: None,
                created: Revision(6),
                revision: Revision(6),
            },
            fact(6, Entry::Ready("a".into()), Content::Handler("heat_worker".into())),
        ],
        0,
    );
    let claim = claim(&queue, &"a".into(), &"host".into()).unwrap();
    assert!(claim.guards.contains(&Guard::Unchanged(Entry::Ready("a".into()), Revision(6))));
    assert!(removes(&claim, &Entry::Ready("a".into())));
    let state = put(&claim, &Entry::JobState(ResourceRef::new("port", "p")));
    assert_eq!(state, Some(&Content::JobState(Fields::new())));
}

#[test]
fn a_job_that_is_not_ready_cannot_be_claimed() {
    let queue = queue(&[job(&spec("a", "p", &[]))], 0);
    assert_eq!(claim(&queue, &"a".into(), &"host".into()), None);
}

#[test]
fn the_last_job_of_a_workflow_writes_the_state_with_all_that_was_reported() {
    let queue = queue(&[job(&spec("a", "p", &[]))], 0);
    let mut closing = closing("a", Ok(Verdict::Completed));
    closing.fields = Fields::from([("heat_outputs".into(), json!([1]))]);
    closing.report.fields = Fields::from([("state_monitoring".into(), json!({"vmi": "ACTIVE"}))]);
    let settled = settle(&queue, &closing, &LIMITS).unwrap();
    let transaction = only(&settled);
    let state = state(transaction, "p").unwrap();
    assert_eq!((state.version, state.error.as_str()), (Version(1), ""));
    assert_eq!(state.fields["worker_state"], json!("CREATE_COMPLETED"));
    assert_eq!(state.fields["heat_outputs"], json!([1]));
    assert_eq!(state.fields["state_monitoring"], json!({"vmi": "ACTIVE"}));
    let shown = put(transaction, &Entry::JobState(ResourceRef::new("port", "p")));
    let Some(Content::JobState(shown)) = shown else { panic!("no job state in {transaction:?}") };
    assert_eq!(shown.keys().collect::<Vec<_>>(), ["heat_outputs", "state_monitoring"]);
    let ours = Guard::Created(Entry::Working("a".into()), Revision(5));
    assert!(transaction.guards.contains(&ours));
}

#[test]
fn an_earlier_job_keeps_its_reports_for_the_next_and_lets_it_go() {
    let first = job(&Spec { last: false, ..spec("a", "p", &[]) });
    let queue = queue(&[first, job(&spec("b", "p", &["a"]))], 0);
    let mut closing = closing("a", Ok(Verdict::Completed));
    closing.report.fields = Fields::from([("heat_outputs".into(), json!([]))]);
    closing.report.stack = Some(Stack { stack_id: "port_p".into(), ..Stack::default() });
    let settled = settle(&queue, &closing, &LIMITS).unwrap();
    let transaction = only(&settled);
    assert_eq!(state(transaction, "p"), None);
    assert!(put(transaction, &Entry::JobState(ResourceRef::new("port", "p"))).is_some());
    assert!(put(transaction, &Entry::Stack(ResourceRef::new("port", "p"))).is_some());
    assert!(removes(transaction, &Entry::Waiting("b".into())));
    assert!(put(transaction, &Entry::Ready("b".into())).is_some());
    names_each_entry_once(transaction);
}

#[test]
fn a_dependant_with_another_unfinished_dependency_goes_on_waiting() {
    let jobs = [
        job(&spec("a", "p", &[])),
        job(&spec("other", "q", &[])),
        job(&spec("b", "r", &["a", "other"])),
    ];
    let settled = settle(&queue(&jobs, 0), &closing("a", Ok(Verdict::Completed)), &LIMITS).unwrap();
    assert_eq!(put(only(&settled), &Entry::Ready("b".into())), None);
}

#[test]
fn a_pending_job_sleeps_with_its_checkpoint_and_earlier_trouble_counts_no_more() {
    let queue = queue(&[job(&spec("a", "p", &[]))], 2);
    let verdict = Verdict::Pending { after_ms: 500, checkpoint: json!({"n": 1}) };
    let settled = settle(&queue, &closing("a", Ok(verdict)), &LIMITS).unwrap();
    let transaction = only(&settled);
    let Some(Content::Step(step)) = put(transaction, &Entry::Step("a".into())) else {
        panic!("no step in {transaction:?}")
    };
    assert_eq!((step.wake_ms, step.checkpoint.as_ref()), (1500, Some(&json!({"n": 1}))));
    assert_eq!(step.template.as_str(), "port");
    let Some(Content::Job(posted)) = put(transaction, &Entry::Job("a".into())) else {
        panic!("no job in {transaction:?}")
    };
    assert_eq!(posted.attempts, 0);
    assert!(removes(transaction, &Entry::Working("a".into())));
    names_each_entry_once(transaction);
}

#[test]
fn registrations_follow_the_calls_and_vanish_with_the_last_target() {
    let target = |name: &str| Target {
        name: name.into(),
        kind: "switch".into(),
        topic: "monitor_snmp_device".into(),
        properties: json!({}),
        interval_ms: None,
    };
    let queue = queue(&[job(&spec("a", "p", &[]))], 0);
    let of = ResourceRef::new("port", "p");
    let mut closing = closing("a", Ok(Verdict::Completed));
    closing.report.monitor = vec![
        MonitorCall::Clear,
        MonitorCall::Register(target("x")),
        MonitorCall::Register(target("y")),
    ];
    let settled = settle(&queue, &closing, &LIMITS).unwrap();
    let entry = Entry::Registration(of.clone());
    let Some(Content::Registration(_, registration)) = put(only(&settled), &entry) else {
        panic!("no registration in {settled:?}")
    };
    assert_eq!(registration.tenant_id, "t");
    assert_eq!(registration.targets.keys().collect::<Vec<_>>(), ["x", "y"]);

    closing.registration = Some(registration.clone());
    closing.report.monitor =
        vec![MonitorCall::Unregister("x".into()), MonitorCall::Unregister("y".into())];
    let settled = settle(&queue, &closing, &LIMITS).unwrap();
    assert!(removes(only(&settled), &entry));
    assert!(removes(only(&settled), &Entry::Monitoring(of)));
}

#[test]
fn a_job_left_behind_is_ready_again_and_the_loss_counts_as_a_try() {
    let lost = Fact {
        entry: Entry::Working("a".into()),
        content: None,
        created: Revision(7),
        revision: Revision(7),
    };
    for (attempts, fails) in [(0, false), (2, true)] {
        let mut queue = queue(&[job(&spec("a", "p", &[]))], attempts);
        queue.learn([lost.clone()], 0);
        let transactions = repair(&queue, &"a".into(), Wrong::LeftBehind, 1000, &LIMITS);
        let [transaction] = transactions.as_slice() else { panic!("{transactions:?}") };
        names_each_entry_once(transaction);
        assert_eq!(put(transaction, &Entry::Ready("a".into())).is_some(), !fails);
        assert_eq!(state(transaction, "p").is_some(), fails);
        assert!(transaction.guards.contains(&Guard::Absent(Entry::Working("a".into()))));
    }
}

#[test]
fn what_a_try_reports_that_is_repeated_is_not_told() {
    let queue = queue(&[job(&spec("a", "p", &[]))], 0);
    let mut closing = closing("a", Ok(Verdict::Failed(Failure::Retry("503".into()))));
    closing.report.fields = Fields::from([("orchestration_state".into(), json!("CREATE_ERROR"))]);
    let settled = settle(&queue, &closing, &LIMITS).unwrap();
    assert_eq!(put(only(&settled), &Entry::JobState(ResourceRef::new("port", "p"))), None);
    let spent = Limits { attempts_max: 1, ..LIMITS };
    let settled = settle(&queue, &closing, &spent).unwrap();
    let told = state(only(&settled), "p").unwrap();
    assert_eq!(told.fields["orchestration_state"], json!("CREATE_ERROR"));
}

#[test]
fn what_earlier_jobs_reported_is_told_though_the_host_of_the_last_one_was_lost() {
    let last = job(&Spec { first: false, ..spec("a", "p", &[]) });
    let mut queue = Queue::new("host".into());
    let fields = Fields::from([("heat_outputs".to_owned(), json!([]))]);
    let of = ResourceRef::new("port", "p");
    let posted = Posted { job: last, attempts: LIMITS.attempts_max - 1 };
    queue.learn(
        [
            fact(2, Entry::Job("a".into()), Content::Job(posted)),
            fact(3, Entry::JobState(of), Content::JobState(fields.clone())),
        ],
        0,
    );
    let transactions = repair(&queue, &"a".into(), Wrong::LeftBehind, 1000, &LIMITS);
    let told = state(&transactions[0], "p").unwrap();
    assert_eq!(told.fields["heat_outputs"], fields["heat_outputs"]);
}

#[test]
fn a_pause_is_neither_too_short_nor_too_long() {
    let queue = queue(&[job(&spec("a", "p", &[]))], 0);
    for (after_ms, wake_ms) in [(0, 1010), (u64::MAX, 1000 + SLEEP_MS_MAX)] {
        let verdict = Verdict::Pending { after_ms, checkpoint: json!(1) };
        let settled = settle(&queue, &closing("a", Ok(verdict)), &LIMITS).unwrap();
        assert_eq!(settled.about, About::Suspended { wake_ms });
    }
}

#[test]
fn a_job_that_no_host_can_do_says_so_and_keeps_where_it_stood() {
    let mut queue = Queue::new("host".into());
    let job = job(&spec("a", "p", &[]));
    let handler = job.handler.clone();
    let step = Step {
        template: "port".into(),
        checkpoint: Some(json!("half way")),
        wake_ms: 7,
        trouble: String::new(),
    };
    queue.learn(
        [
            fact(2, Entry::Job("a".into()), Content::Job(Posted { job, attempts: 1 })),
            fact(2, Entry::Step("a".into()), Content::Step(step.clone())),
            fact(3, Entry::Ready("a".into()), Content::Handler(handler.clone())),
        ],
        0,
    );
    let put_right = repair(&queue, &"a".into(), Wrong::NobodyHasHandler, 0, &LIMITS);
    let [transaction] = put_right.as_slice() else { panic!("{put_right:?}") };
    assert!(transaction.guards.contains(&Guard::Unchanged(Entry::Ready("a".into()), Revision(3))));
    let told = Step { trouble: crate::queue::nobody_has(&handler), ..step };
    assert!(told.trouble.contains("no running host has handler `heat_worker`"), "{}", told.trouble);
    assert_eq!(transaction.effects, [Effect::Put(Entry::Step("a".into()), Content::Step(told))]);
}

#[test]
fn a_workflow_that_reported_nothing_leaves_no_job_state_to_be_swept() {
    let queue = queue(&[job(&spec("a", "p", &[]))], 0);
    let settled = settle(&queue, &closing("a", Ok(Verdict::Completed)), &LIMITS).unwrap();
    assert!(removes(only(&settled), &Entry::JobState(ResourceRef::new("port", "p"))));
    let fields = Fields::from([("seen".to_owned(), json!(1))]);
    let told = Closing { fields, ..closing("a", Ok(Verdict::Completed)) };
    let settled = settle(&queue, &told, &LIMITS).unwrap();
    assert!(put(only(&settled), &Entry::JobState(ResourceRef::new("port", "p"))).is_some());
}

#[test]
fn a_newer_versions_end_that_was_told_already_stays_told() {
    let told = |version: u64| {
        let state = State::new(Version(version), "CREATE_FAILED");
        fact(9, Entry::State(ResourceRef::new("port", "p")), Content::State(state))
    };
    let settled = |version: u64, outcome: Closing| {
        let mut queue = queue(&[job(&Spec { of: ("p", 2), ..spec("a", "p", &[]) })], 0);
        queue.learn([told(version)], 0);
        settle(&queue, &outcome, &LIMITS).unwrap()
    };
    for outcome in [closing("a", Ok(Verdict::Completed)), failed("a", "no")] {
        let newer = settled(3, outcome.clone());
        assert_eq!(state(only(&newer), "p"), None);
        assert!(removes(only(&newer), &Entry::Job("a".into())));
        let older = settled(1, outcome);
        assert_eq!(state(only(&older), "p").unwrap().version, Version(2));
        let at = Guard::Unchanged(Entry::State(ResourceRef::new("port", "p")), Revision(9));
        assert!(only(&older).guards.contains(&at), "a newer one may come in between");
    }
}
