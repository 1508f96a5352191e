#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::domain::{Action, OnFailure};

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

fn turns(queue: &Queue, now_ms: u64, free: usize) -> Turns {
    let slots = BTreeMap::from([(HandlerName::from("heat_worker"), free)]);
    queue.turns(now_ms, &slots, |_| false)
}

fn claims(queue: &Queue, now_ms: u64, free: usize) -> Vec<String> {
    turns(queue, now_ms, free).claims.iter().map(ToString::to_string).collect()
}

#[test]
fn ready_jobs_are_claimed_in_the_order_in_which_they_became_ready() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "b", &[]), ready(1, "b")]);
    queue.learn([posted(2, "a", &[]), ready(2, "a")]);
    queue.learn([posted(3, "c", &[]), ready(3, "c")]);
    assert_eq!(claims(&queue, 0, 2), ["b", "a"]);
    assert_eq!(claims(&queue, 0, 0), [""; 0]);
}

#[test]
fn a_handler_without_a_plugin_here_gets_no_turn() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "a", &[]), ready(1, "a")]);
    let slots = BTreeMap::from([(HandlerName::from("other"), 8)]);
    assert_eq!(queue.turns(0, &slots, |_| false), Turns::default());
}

#[test]
fn busy_jobs_are_left_alone() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "a", &[]), ready(1, "a"), posted(1, "lost", &[])]);
    let slots = BTreeMap::from([(HandlerName::from("heat_worker"), 8)]);
    assert_eq!(queue.turns(0, &slots, |_| true), Turns::default());
}

#[test]
fn a_sleeping_job_has_its_turn_when_it_wakes_and_says_when() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "a", &[]), asleep(1, "a", 500), ready(1, "a")]);
    queue.learn([posted(2, "b", &[]), asleep(2, "b", 300), ready(2, "b")]);
    assert_eq!(claims(&queue, 299, 8), [""; 0]);
    assert_eq!(turns(&queue, 299, 8).wake_ms, Some(300));
    assert_eq!(claims(&queue, 300, 8), ["b"]);
    assert_eq!(claims(&queue, 500, 8), ["b", "a"]);
}

#[test]
fn a_job_that_sleeps_anew_forgets_its_old_waking_time() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "a", &[]), ready(1, "a")]);
    queue.learn([gone(2, Entry::Ready("a".into())), working(2, "a")]);
    queue.learn([gone(3, Entry::Working("a".into())), asleep(3, "a", 900), ready(3, "a")]);
    assert_eq!(claims(&queue, 899, 8), [""; 0]);
    assert_eq!(claims(&queue, 900, 8), ["a"]);
}

#[test]
fn a_waiting_job_has_no_turn_while_one_of_its_dependencies_is_unfinished() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "a", &[]), ready(1, "a"), posted(1, "b", &["a"]), waiting(1, "b")]);
    assert_eq!(claims(&queue, 0, 8), ["a"]);
    assert_eq!(turns(&queue, 0, 8).repairs, []);
}

#[test]
fn a_waiting_job_whose_dependencies_are_finished_waits_for_nothing() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "a", &[]), ready(1, "a"), posted(1, "b", &["a"]), waiting(1, "b")]);
    queue.learn([gone(2, Entry::Job("a".into())), gone(2, Entry::Ready("a".into()))]);
    assert_eq!(turns(&queue, 0, 8).repairs, [("b".into(), Wrong::WaitsForNothing)]);
    queue.learn([gone(3, Entry::Waiting("b".into())), ready(3, "b")]);
    assert_eq!(turns(&queue, 0, 8).repairs, []);
    assert_eq!(claims(&queue, 0, 8), ["b"]);
}

#[test]
fn a_job_posted_after_its_dependency_finished_waits_for_nothing() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "b", &["a"]), waiting(1, "b")]);
    assert_eq!(turns(&queue, 0, 8).repairs, [("b".into(), Wrong::WaitsForNothing)]);
}

#[test]
fn a_job_whose_claim_vanished_was_left_behind() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "a", &[]), working(1, "a")]);
    assert_eq!(turns(&queue, 0, 8), Turns::default());
    queue.learn([gone(2, Entry::Working("a".into()))]);
    assert_eq!(turns(&queue, 0, 8).repairs, [("a".into(), Wrong::LeftBehind)]);
}

#[test]
fn marks_without_a_job_are_swept() {
    let mut queue = Queue::default();
    queue.learn([ready(1, "ghost")]);
    assert_eq!(turns(&queue, 0, 8).repairs, [("ghost".into(), Wrong::MarksWithoutJob)]);
    queue.learn([gone(2, Entry::Ready("ghost".into()))]);
    assert_eq!(turns(&queue, 0, 8), Turns::default());
    assert_eq!(queue.iter().count(), 0);
}

#[test]
fn an_unreadable_job_blocks_its_dependants_and_is_not_swept() {
    let mut queue = Queue::default();
    let unreadable = Content::Unreadable("not JSON".into());
    queue.learn([put(1, Entry::Job("a".into()), unreadable), ready(1, "a")]);
    queue.learn([posted(2, "b", &["a"]), waiting(2, "b")]);
    assert_eq!(turns(&queue, 0, 8), Turns::default());
}

#[test]
fn the_index_of_a_resource_knows_its_unfinished_jobs_only() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "a", &[]), posted(1, "b", &[])]);
    queue.learn([gone(2, Entry::Job("a".into()))]);
    let of = |id: &str| queue.of_resource(&ResourceRef::new("port", id)).count();
    assert_eq!((of("a"), of("b")), (0, 1));
}

#[test]
fn the_job_state_of_an_ended_workflow_may_go() {
    let mut queue = Queue::default();
    let of = ResourceRef::new("port", "a");
    let state = |at| put(at, Entry::JobState(of.clone()), Content::JobState(BTreeMap::new()));
    queue.learn([posted(1, "a", &[]), ready(1, "a")]);
    queue.learn([gone(2, Entry::Ready("a".into())), working(2, "a"), state(2)]);
    assert_eq!(turns(&queue, 0, 8).sweeps, []);
    let id = || "a".into();
    queue.learn([state(3), gone(3, Entry::Job(id())), gone(3, Entry::Working(id()))]);
    assert_eq!(turns(&queue, 0, 8).sweeps, [(of.clone(), Revision(3))]);
    queue.learn([posted(4, "a", &[])]);
    assert_eq!(turns(&queue, 0, 8).sweeps, []);
    queue.learn([gone(5, Entry::Job(id())), gone(5, Entry::JobState(of))]);
    assert_eq!(turns(&queue, 0, 8).sweeps, []);
}

#[test]
fn who_has_slept_comes_before_who_is_new() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "new", &[]), ready(1, "new")]);
    queue.learn([posted(2, "slept", &[]), asleep(2, "slept", 100), ready(2, "slept")]);
    assert_eq!(claims(&queue, 99, 8), ["new"]);
    assert_eq!(claims(&queue, 100, 1), ["slept"]);
}

#[test]
fn a_clock_that_was_put_back_lets_nobody_sleep_for_ever() {
    let mut queue = Queue::default();
    let wake_ms = 10_000 + 2 * SLEEP_MS_MAX;
    queue.learn([posted(1, "a", &[]), asleep(1, "a", wake_ms), ready(1, "a")]);
    assert_eq!(claims(&queue, 10_000, 8), ["a"]);
}

#[test]
fn a_host_knows_its_claims() {
    let mut queue = Queue::default();
    queue.learn([posted(1, "a", &[]), working(1, "a")]);
    let claimed = |queue: &Queue| queue.claimed_by(&"host".into()).count();
    assert_eq!(claimed(&queue), 1);
    queue.learn([gone(2, Entry::Working("a".into()))]);
    assert_eq!(claimed(&queue), 0);
}
