#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::domain::{Action, OnFailure, Step};

fn job(id: &str, waits_for: &[&str]) -> Job {
    Job {
        id: id.into(),
        action: Action::Create,
        handler: "heat_worker".into(),
        target: ResourceRef::new("port", id),
        version: crate::domain::Version(1),
        is_first: true,
        is_last: true,
        on_failure: OnFailure::Fail,
        dependency: waits_for.iter().map(|id| (*id).into()).collect(),
        params: Vec::new(),
        input: serde_json::json!({}),
    }
}

fn put(at: u64, entry: Entry, content: Content) -> Fact {
    Fact { entry, content: Some(content), created: Revision(at), revision: Revision(at) }
}

fn gone(at: u64, entry: Entry) -> Fact {
    Fact { entry, content: None, created: Revision(at), revision: Revision(at) }
}

fn posted(at: u64, id: &str, waits_for: &[&str]) -> Fact {
    let posted = Posted { job: job(id, waits_for), attempts: 0 };
    put(at, Entry::Job(id.into()), Content::Job(posted))
}

fn ready(at: u64, id: &str) -> Fact {
    put(at, Entry::Ready(id.into()), Content::Handler("heat_worker".into()))
}

fn waiting(at: u64, id: &str) -> Fact {
    put(at, Entry::Waiting(id.into()), Content::Handler("heat_worker".into()))
}

fn working(at: u64, id: &str) -> Fact {
    put(at, Entry::Working(id.into()), Content::Host("host".into()))
}

fn asleep(at: u64, id: &str, wake_ms: u64) -> Fact {
    let template = "port".into();
    let step = Step { template, checkpoint: None, wake_ms, trouble: String::new() };
    put(at, Entry::Step(id.into()), Content::Step(step))
}

fn turns(queue: &mut Queue, now_ms: u64, free: usize) -> Turns {
    let slots = BTreeMap::from([(HandlerName::from("heat_worker"), free)]);
    queue.turns(now_ms, &slots, |_| false)
}

fn claims(queue: &mut Queue, now_ms: u64, free: usize) -> Vec<String> {
    turns(queue, now_ms, free).claims.iter().map(ToString::to_string).collect()
}

#[test]
fn ready_jobs_are_claimed_in_the_order_in_which_they_became_ready() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "b", &[]), ready(1, "b")], 0);
    queue.learn([posted(2, "a", &[]), ready(2, "a")], 0);
    queue.learn([posted(3, "c", &[]), ready(3, "c")], 0);
    assert_eq!(claims(&mut queue, 0, 2), ["b", "a"]);
    assert_eq!(claims(&mut queue, 0, 0), [""; 0]);
}

#[test]
fn a_handler_without_a_plugin_here_gets_no_turn() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "a", &[]), ready(1, "a")], 0);
    let slots = BTreeMap::from([(HandlerName::from("other"), 8)]);
    assert_eq!(queue.turns(0, &slots, |_| false), Turns::default());
}

#[test]
fn busy_jobs_are_left_alone() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "a", &[]), ready(1, "a"), posted(1, "lost", &[])], 0);
    let slots = BTreeMap::from([(HandlerName::from("heat_worker"), 8)]);
    assert_eq!(queue.turns(0, &slots, |_| true), Turns::default());
}

#[test]
fn a_sleeping_job_has_its_turn_when_it_wakes_and_says_when() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "a", &[]), asleep(1, "a", 500), ready(1, "a")], 0);
    queue.learn([posted(2, "b", &[]), asleep(2, "b", 300), ready(2, "b")], 0);
    assert_eq!(claims(&mut queue, 299, 8), [""; 0]);
    assert_eq!(turns(&mut queue, 299, 8).wake_ms, Some(300));
    assert_eq!(claims(&mut queue, 300, 8), ["b"]);
    assert_eq!(claims(&mut queue, 500, 8), ["b", "a"]);
}

#[test]
fn a_job_that_sleeps_anew_forgets_its_old_waking_time() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "a", &[]), ready(1, "a")], 0);
    queue.learn([gone(2, Entry::Ready("a".into())), working(2, "a")], 0);
    queue.learn([gone(3, Entry::Working("a".into())), asleep(3, "a", 900), ready(3, "a")], 0);
    assert_eq!(claims(&mut queue, 899, 8), [""; 0]);
    assert_eq!(claims(&mut queue, 900, 8), ["a"]);
}

#[test]
fn a_waiting_job_has_no_turn_while_one_of_its_dependencies_is_unfinished() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "a", &[]), ready(1, "a"), posted(1, "b", &["a"]), waiting(1, "b")], 0);
    assert_eq!(claims(&mut queue, 0, 8), ["a"]);
    assert_eq!(turns(&mut queue, 0, 8).repairs, []);
}

#[test]
fn a_waiting_job_whose_dependencies_are_finished_waits_for_nothing() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "a", &[]), ready(1, "a"), posted(1, "b", &["a"]), waiting(1, "b")], 0);
    queue.learn([gone(2, Entry::Job("a".into())), gone(2, Entry::Ready("a".into()))], 0);
    assert_eq!(turns(&mut queue, 0, 8).repairs, [("b".into(), Wrong::WaitsForNothing)]);
    queue.learn([gone(3, Entry::Waiting("b".into())), ready(3, "b")], 0);
    assert_eq!(turns(&mut queue, 0, 8).repairs, []);
    assert_eq!(claims(&mut queue, 0, 8), ["b"]);
}

#[test]
fn a_job_posted_after_its_dependency_finished_waits_for_nothing() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "b", &["a"]), waiting(1, "b")], 0);
    assert_eq!(turns(&mut queue, 0, 8).repairs, [("b".into(), Wrong::WaitsForNothing)]);
}

#[test]
fn a_job_whose_claim_vanished_was_left_behind() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "a", &[]), working(1, "a")], 0);
    assert_eq!(turns(&mut queue, 0, 8), Turns::default());
    queue.learn([gone(2, Entry::Working("a".into()))], 0);
    assert_eq!(turns(&mut queue, 0, 8).repairs, [("a".into(), Wrong::LeftBehind)]);
}

#[test]
fn marks_without_a_job_are_swept() {
    let mut queue = Queue::new("host".into());
    queue.learn([ready(1, "ghost")], 0);
    assert_eq!(turns(&mut queue, 0, 8).repairs, [("ghost".into(), Wrong::MarksWithoutJob)]);
    queue.learn([gone(2, Entry::Ready("ghost".into()))], 0);
    assert_eq!(turns(&mut queue, 0, 8), Turns::default());
    assert_eq!(queue.iter().count(), 0);
}

#[test]
fn an_unreadable_job_blocks_its_dependants_and_is_not_swept() {
    let mut queue = Queue::new("host".into());
    let unreadable = Content::Unreadable("not JSON".into());
    queue.learn([put(1, Entry::Job("a".into()), unreadable), ready(1, "a")], 0);
    queue.learn([posted(2, "b", &["a"]), waiting(2, "b")], 0);
    assert_eq!(turns(&mut queue, 0, 8), Turns::default());
}

#[test]
fn the_index_of_a_resource_knows_its_unfinished_jobs_only() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "a", &[]), posted(1, "b", &[])], 0);
    queue.learn([gone(2, Entry::Job("a".into()))], 0);
    let of = |id: &str| queue.of_resource(&ResourceRef::new("port", id)).count();
    assert_eq!((of("a"), of("b")), (0, 1));
}

#[test]
fn the_job_state_of_an_ended_workflow_may_go() {
    let mut queue = Queue::new("host".into());
    let of = ResourceRef::new("port", "a");
    let state = |at| put(at, Entry::JobState(of.clone()), Content::JobState(BTreeMap::new()));
    queue.learn([posted(1, "a", &[]), ready(1, "a")], 0);
    queue.learn([gone(2, Entry::Ready("a".into())), working(2, "a"), state(2)], 0);
    assert_eq!(turns(&mut queue, 0, 8).sweeps, []);
    let id = || "a".into();
    queue.learn([state(3), gone(3, Entry::Job(id())), gone(3, Entry::Working(id()))], 0);
    assert_eq!(turns(&mut queue, 0, 8).sweeps, [(of.clone(), Revision(3))]);
    queue.learn([posted(4, "a", &[])], 0);
    assert_eq!(turns(&mut queue, 0, 8).sweeps, []);
    queue.learn([gone(5, Entry::Job(id())), gone(5, Entry::JobState(of))], 0);
    assert_eq!(turns(&mut queue, 0, 8).sweeps, []);
}

#[test]
fn who_has_slept_comes_before_who_is_new() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "new", &[]), ready(1, "new")], 0);
    queue.learn([posted(2, "slept", &[]), asleep(2, "slept", 100), ready(2, "slept")], 0);
    assert_eq!(claims(&mut queue, 99, 8), ["new"]);
    assert_eq!(claims(&mut queue, 100, 1), ["slept"]);
}

#[test]
fn a_clock_that_was_put_back_lets_nobody_sleep_for_ever() {
    let mut queue = Queue::new("host".into());
    let wake_ms = 10_000 + 2 * SLEEP_MS_MAX;
    queue.learn([posted(1, "a", &[]), asleep(1, "a", wake_ms), ready(1, "a")], 0);
    assert_eq!(claims(&mut queue, 10_000, 8), ["a"]);
}

#[test]
fn a_host_knows_its_claims() {
    let mut queue = Queue::new("host".into());
    queue.learn([posted(1, "a", &[]), working(1, "a")], 0);
    let claimed = |queue: &Queue| queue.claimed_by(&"host".into()).count();
    assert_eq!(claimed(&queue), 1);
    queue.learn([gone(2, Entry::Working("a".into()))], 0);
    assert_eq!(claimed(&queue), 0);
}

fn of_tenant(at: u64, id: &str, tenant: &str) -> [Fact; 2] {
    let job = Job { input: serde_json::json!({ "tenant_id": tenant }), ..job(id, &[]) };
    [put(at, Entry::Job(id.into()), Content::Job(Posted { job, attempts: 0 })), ready(at, id)]
}

#[test]
fn tenants_take_turns_however_many_jobs_one_of_them_has() {
    let mut queue = Queue::new("host".into());
    for n in 0..1000 {
        queue.learn(of_tenant(1, &format!("a{n:03}"), "a"), 0);
    }
    queue.learn(of_tenant(2, "b0", "b"), 0);
    queue.learn(of_tenant(3, "c0", "c"), 0);
    queue.learn(of_tenant(4, "c1", "c"), 0);
    assert_eq!(claims(&mut queue, 0, 6), ["a000", "b0", "c0", "a001", "c1", "a002"]);
}

#[test]
fn who_was_served_last_waits_for_the_others() {
    let mut queue = Queue::new("host".into());
    for id in ["a0", "a1", "b0", "b1", "c0"] {
        queue.learn(of_tenant(1, id, &id[..1]), 0);
    }
    let mut busy = Vec::new();
    let slots = BTreeMap::from([(HandlerName::from("heat_worker"), 1)]);
    for _ in 0..5 {
        let turns = queue.turns(0, &slots, |id| busy.contains(id));
        busy.extend(turns.claims);
    }
    let order: Vec<_> = busy.iter().map(ToString::to_string).collect();
    assert_eq!(order, ["a0", "b0", "c0", "a1", "b1"]);
}

fn peers(hosts: &[(&str, &str)]) -> Peers {
    let mut peers = Peers::default();
    for (host, handler) in hosts {
        let handler = crate::domain::Handler {
            name: (*handler).into(),
            after: BTreeSet::new(),
            update: crate::domain::UpdateStyle::Modify,
        };
        let presence = crate::domain::Presence { handlers: vec![handler], ..Default::default() };
        peers.put((*host).into(), presence);
    }
    peers
}

#[test]
fn each_job_is_claimed_by_one_host_at_first_and_by_any_after_a_grace() {
    let names = ["h1", "h2", "h3"];
    let all = peers(&names.map(|name| (name, "heat_worker")));
    let mut firsts = BTreeMap::<String, usize>::new();
    for name in names {
        let mut queue = Queue::new(name.into());
        queue.know_peers(all.clone());
        for n in 0..60 {
            let id = format!("job{n}");
            queue.learn([posted(1, &id, &[]), ready(1, &id)], 1_000);
        }
        let first = claims(&mut queue, 1_000, 100);
        assert!((8..40).contains(&first.len()), "{name} has {}", first.len());
        assert_eq!(turns(&mut queue, 1_000, 100).wake_ms, Some(1_000 + turn::GRACE_MS));
        for id in first {
            *firsts.entry(id).or_default() += 1;
        }
        let later = claims(&mut queue, 1_000 + 2 * turn::GRACE_MS, 100);
        assert_eq!(later.len(), 60, "what others leave is taken");
    }
    assert_eq!(firsts.len(), 60);
    assert!(firsts.values().all(|hosts| *hosts == 1));
}

#[test]
fn what_belongs_to_a_lost_host_comes_to_the_others_at_once() {
    let mut queue = Queue::new("h1".into());
    queue.know_peers(peers(&[("h1", "heat_worker"), ("h2", "heat_worker")]));
    for n in 0..20 {
        let id = format!("job{n}");
        queue.learn([posted(1, &id, &[]), ready(1, &id)], 1_000);
    }
    assert!(claims(&mut queue, 1_000, 100).len() < 20);
    queue.know_peers(peers(&[("h1", "heat_worker")]));
    assert_eq!(claims(&mut queue, 1_000, 100).len(), 20);
}

#[test]
fn a_ready_job_that_no_host_can_do_is_told_so_once() {
    let mut queue = Queue::new("h1".into());
    queue.learn([posted(1, "a", &[]), ready(1, "a"), asleep(1, "a", 0)], 0);
    assert_eq!(turns(&mut queue, 0, 0).repairs, [], "nobody is known yet");
    queue.know_peers(peers(&[("h1", "other")]));
    assert_eq!(turns(&mut queue, 0, 0).repairs, [("a".into(), Wrong::NobodyHasHandler)]);
    let handler = "heat_worker".into();
    let step = Step {
        template: "port".into(),
        checkpoint: None,
        wake_ms: 0,
        trouble: nobody_has(&handler),
    };
    queue.learn([put(2, Entry::Step("a".into()), Content::Step(step))], 0);
    assert_eq!(turns(&mut queue, 0, 0).repairs, []);
    queue.learn([asleep(3, "a", 0)], 0);
    assert_eq!(turns(&mut queue, 0, 0).repairs, [("a".into(), Wrong::NobodyHasHandler)]);
    queue.know_peers(peers(&[("h1", "heat_worker")]));
    assert_eq!(turns(&mut queue, 0, 0).repairs, []);
    assert_eq!(claims(&mut queue, 0, 8), ["a"]);
}
