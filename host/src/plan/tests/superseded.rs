use super::*;

fn body(version: u64) -> Json {
    json!({ "heat": "h1", "watch": "w1", "name": format!("v{version}") })
}

/// A thing that is up at version 1, and whose version 2 is planned.
fn planned() -> (World, ResourceRef) {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body(1));
    world.turn(&it);
    world.finish_all(&it);
    world.config(&it, 2, body(2));
    world.turn(&it);
    (world, it)
}

/// The versions of the open jobs.
fn versions(world: &World, of: &ResourceRef) -> Vec<u64> {
    world.jobs(of).iter().map(|job| job.version.0).collect()
}

#[test]
fn a_workflow_that_has_not_begun_gives_way_and_leaves_nothing() {
    let (mut world, it) = planned();
    let old: Vec<_> = world.jobs(&it).iter().map(|job| job.id.clone()).collect();
    world.config(&it, 3, body(3));
    assert_eq!(world.turn(&it).len(), 3);
    assert_eq!(versions(&world, &it), [3, 3, 3]);
    for id in old {
        for entry in [Entry::Job, Entry::Step, Entry::Ready, Entry::Waiting] {
            assert!(!world.entries.contains_key(&entry(id.clone())), "{id}");
        }
    }
    assert_eq!(world.waits_for(&it), names([]));
    // What is taken down is what was put up, not what was only planned.
    let down = world.find("delete:monitoring_worker", &it);
    let name = down.params.iter().find(|param| param.name == "name").unwrap();
    assert_eq!(name.value, crate::domain::ParamValue::Value(json!("v1")));
    let applied = world.applied(&it).unwrap();
    assert_eq!(applied.now.version, Version(3));
    assert_eq!(applied.before.as_ref().unwrap().version, Version(1));
}

#[test]
fn a_creation_that_has_not_begun_gives_way_to_a_creation() {
    let mut world = things();
    let it = thing("it");
    for version in 1..=4 {
        world.config(&it, version, body(version));
        assert_eq!(world.turn(&it), ["create:heat_worker", "create:monitoring_worker"]);
        assert_eq!(versions(&world, &it), [version, version]);
        assert_eq!(world.applied(&it).unwrap().before, None);
    }
}

#[test]
fn a_workflow_that_gives_way_to_nothing_is_answered_at_once() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body(1));
    world.turn(&it);
    world.config(&it, 2, json!({}));
    assert_eq!(world.verdict(&it), About::Answered { worker_state: "READ_COMPLETE".to_owned() });
    assert_eq!(versions(&world, &it), [0; 0]);
}

/// What makes a workflow stay, done to its first job.
type Begin = fn(&mut World, &JobId);

#[test]
fn a_workflow_that_has_begun_is_waited_for() {
    let claimed: Begin = |world, id| world.claim(id);
    let tried: Begin = |world, id| {
        let job = world.job(id).clone();
        let posted = crate::domain::Posted { job, attempts: 1 };
        world.put(Entry::Job(id.clone()), Content::Job(posted));
    };
    let pending: Begin = |world, id| {
        let step = crate::domain::Step {
            template: "w1".into(),
            checkpoint: Some(json!({})),
            wake_ms: 0,
            trouble: String::new(),
        };
        world.put(Entry::Step(id.clone()), Content::Step(step));
    };
    let finished: Begin = |world, id| {
        world.finish(id);
    };
    for (begin, left) in [(claimed, 3), (tried, 3), (pending, 3), (finished, 2)] {
        let (mut world, it) = planned();
        let first = world.jobs(&it)[0].id.clone();
        begin(&mut world, &first);
        world.config(&it, 3, body(3));
        assert_eq!(world.turn(&it).len(), 3);
        assert_eq!(world.jobs(&it).len(), left + 3);
        assert_eq!(world.waits_for(&it).len(), left);
        assert_eq!(world.applied(&it).unwrap().before.as_ref().unwrap().version, Version(2));
    }
}

#[test]
fn a_workflow_that_others_wait_for_stays() {
    let (mut world, it) = planned();
    let friend = thing("friend");
    world.config(&friend, 1, json!({ "heat": "h1", "friend_id": "it" }));
    world.turn(&friend);
    assert_eq!(world.waits_for(&friend), names(["modify:heat_worker:thing:it:2"]));
    world.config(&it, 3, body(3));
    world.turn(&it);
    assert_eq!(versions(&world, &it), [2, 2, 2, 3, 3, 3]);
    // The friend is waited for as well: it refers to what changes.
    assert_eq!(world.waits_for(&it).len(), 4);
    // The newest one waits, nobody waits for it: it gives way, the older ones stay.
    world.config(&it, 4, body(4));
    world.turn(&it);
    assert_eq!(versions(&world, &it), [2, 2, 2, 4, 4, 4]);
    assert_eq!(world.applied(&it).unwrap().before.as_ref().unwrap().version, Version(2));
    // Without dependants the oldest could go; but only the newest is looked at.
    world.finish_all(&friend);
    world.config(&it, 5, body(5));
    world.turn(&it);
    assert_eq!(versions(&world, &it), [2, 2, 2, 5, 5, 5]);
}

#[test]
fn a_workflow_claimed_meanwhile_makes_the_plan_a_conflict() {
    let (mut world, it) = planned();
    let first = world.jobs(&it)[0].id.clone();
    world.config(&it, 3, body(3));
    let plan = world.plan(&it).unwrap();
    world.claim(&first);
    assert!(!plan.transaction.guards.iter().all(|guard| world.holds(guard)));
    assert_eq!(world.turn(&it).len(), 3);
    assert_eq!(versions(&world, &it), [2, 2, 2, 3, 3, 3]);
}

#[test]
fn a_workflow_stays_while_its_successor_is_held_back() {
    let (mut world, it) = planned();
    world.template("h1", HEAT, &[("friend", far("name", "friend_id"))]);
    world.config(&it, 3, json!({ "heat": "h1", "friend_id": "friend" }));
    world.held(&it);
    assert_eq!(versions(&world, &it), [2, 2, 2]);
    assert!(world.config(&thing("friend"), 1, json!({})).contains(&it));
    world.turn(&it);
    assert_eq!(versions(&world, &it), [3, 3]);
}

#[test]
fn a_version_without_work_waits_for_the_end_of_the_one_before() {
    let (mut world, it) = planned();
    let first = world.jobs(&it)[0].id.clone();
    world.config(&it, 3, json!({}));
    world.claim(&first);
    assert_eq!(world.turn(&it), ["delete:monitoring_worker?", "delete:heat_worker"]);
    world.config(&it, 4, json!({}));
    let down = world.find("delete:heat_worker", &it).dependency.iter().next().unwrap().clone();
    world.claim_anyway(&down);
    assert_eq!(world.plan(&it), None);
    world.finish_all(&it);
    assert_eq!(world.verdict(&it), About::Answered { worker_state: "READ_COMPLETE".to_owned() });
    assert_eq!(world.state(&it).unwrap().version, Version(4));
}
