use super::*;

fn body() -> Json {
    json!({ "heat": "h1", "watch": "w1" })
}

/// A thing that is up, at this version.
fn up(version: u64) -> (World, ResourceRef) {
    let mut world = things();
    let it = thing("it");
    world.config(&it, version, body());
    world.turn(&it);
    world.finish_all(&it);
    (world, it)
}

fn answered(worker_state: &str) -> About {
    About::Answered { worker_state: worker_state.to_owned() }
}

/// Everything but the config, as workers and collectors leave it.
fn litter(world: &mut World, of: &ResourceRef) {
    let stack = Content::Stack(of.clone(), crate::domain::Stack::default());
    let registration = Content::Registration(of.clone(), crate::domain::Registration::default());
    let monitoring = Content::Monitoring { version: Version(1), statuses: BTreeMap::new() };
    world.put(Entry::Stack(of.clone()), stack);
    world.put(Entry::Registration(of.clone()), registration);
    world.put(Entry::Monitoring(of.clone()), monitoring);
    world.put(Entry::JobState(of.clone()), Content::JobState(BTreeMap::new()));
}

/// The kinds of entry that are left, besides templates and the mark.
fn left(world: &World) -> Vec<Entry> {
    let is_left =
        |entry: &&Entry| !matches!(entry, Entry::Template(_) | Entry::PlanMark | Entry::Unknown(_));
    world.entries.keys().filter(is_left).cloned().collect()
}

#[test]
fn a_marked_resource_is_cleaned_up_once_its_config_goes() {
    let (mut world, it) = up(1);
    litter(&mut world, &it);
    world.mark(&it, 2, body());
    assert_eq!(
        world.turn(&it),
        ["logical_delete:monitoring_worker?", "logical_delete:heat_worker"]
    );
    assert_eq!(world.finish_all(&it).last(), Some(&it));
    assert_eq!(world.plan(&it), None);
    assert_eq!(world.remove(Entry::Config(it.clone())), from_ref(&it));
    assert_eq!(world.verdict(&it), About::CleanedUp);
    assert_eq!(left(&world), []);
    assert_eq!(world.plan(&it), None);
}

#[test]
fn a_config_that_goes_during_the_deletion_is_cleaned_up_after_the_last_job() {
    let (mut world, it) = up(1);
    world.mark(&it, 2, body());
    world.turn(&it);
    world.remove(Entry::Config(it.clone()));
    assert_eq!(world.plan(&it), None);
    let [first, last] = world.jobs(&it)[..] else { panic!("two jobs") };
    let (first, last) = (first.id.clone(), last.id.clone());
    assert_eq!(world.finish(&first), []);
    assert_eq!(world.plan(&it), None);
    assert!(world.finish(&last).contains(&it));
    assert_eq!(world.verdict(&it), About::CleanedUp);
    assert_eq!(left(&world), []);
}

#[test]
fn a_marked_resource_with_nothing_put_up_is_deleted_at_once() {
    let it = thing("it");
    // Never planned; planned but not workable.
    for versions_before in [0, 1] {
        let mut world = things();
        if versions_before > 0 {
            world.config(&it, 1, json!({}));
            assert_eq!(world.verdict(&it), answered("READ_COMPLETE"));
        }
        world.mark(&it, 2, json!({}));
        assert_eq!(world.verdict(&it), answered("DELETE_COMPLETED"));
        assert_eq!(world.state(&it), Some(&State::new(Version(2), "DELETE_COMPLETED")));
        assert!(world.applied(&it).unwrap().deleted);
        assert_eq!(world.plan(&it), None);
        world.remove(Entry::Config(it.clone()));
        assert_eq!(world.verdict(&it), About::CleanedUp);
        assert_eq!(left(&world), []);
    }
}

#[test]
fn a_template_that_came_too_late_takes_nothing_down() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, json!({}));
    world.verdict(&it);
    world.mark(&it, 2, body());
    assert_eq!(world.verdict(&it), answered("DELETE_COMPLETED"));
}

#[test]
fn a_config_that_vanishes_unmarked_is_taken_down_from_what_was_put_up() {
    let (mut world, it) = up(3);
    litter(&mut world, &it);
    world.remove(Entry::Config(it.clone()));
    assert_eq!(world.turn(&it), ["delete:monitoring_worker?", "delete:heat_worker"]);
    let jobs = world.jobs(&it);
    assert!(jobs.iter().all(|job| job.version == Version(3) && job.input == body()));
    assert!(world.applied(&it).unwrap().deleted);
    assert_eq!(world.plan(&it), None);
    assert!(world.finish_all(&it).contains(&it));
    assert_eq!(world.verdict(&it), About::CleanedUp);
    assert_eq!(left(&world), []);
}

#[test]
fn a_config_that_vanishes_during_its_creation_is_taken_down_after_it() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body());
    world.turn(&it);
    world.remove(Entry::Config(it.clone()));
    world.turn(&it);
    let down = world.find("delete:monitoring_worker", &it);
    assert_eq!(
        down.dependency.iter().map(bare).collect::<BTreeSet<_>>(),
        names(["create:heat_worker:thing:it:1", "create:monitoring_worker:thing:it:1"])
    );
}

#[test]
fn a_config_that_vanishes_with_nothing_put_up_is_cleaned_up() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, json!({}));
    world.verdict(&it);
    world.remove(Entry::Config(it.clone()));
    assert_eq!(world.verdict(&it), About::CleanedUp);
    assert_eq!(left(&world), []);
    // Of another hand, without a trace of what was planned.
    world.put_state(&it, 4, "CREATE_COMPLETED");
    assert_eq!(world.verdict(&it), About::CleanedUp);
    assert_eq!(left(&world), []);
    assert_eq!(world.plan(&it), None);
}

#[test]
fn a_resource_that_comes_again_after_its_deletion_is_new() {
    let (mut world, it) = up(4);
    litter(&mut world, &it);
    world.mark(&it, 5, body());
    world.turn(&it);
    world.finish_all(&it);
    // Both writes happen before planning looks.
    world.remove(Entry::Config(it.clone()));
    world.config(&it, 1, body());
    assert_eq!(world.turn(&it), ["create:heat_worker", "create:monitoring_worker"]);
    let kept: Vec<_> = left(&world)
        .into_iter()
        .filter(|entry| !matches!(entry, Entry::Job(_) | Entry::Step(_)))
        .filter(|entry| !matches!(entry, Entry::Waiting(_) | Entry::Ready(_)))
        .collect();
    assert_eq!(kept, [Entry::Config(it.clone()), Entry::Applied(it.clone())]);
    let applied = world.applied(&it).unwrap();
    assert_eq!((applied.deleted, &applied.before), (false, &None));
    world.finish_all(&it);
    assert_eq!(world.plan(&it), None);
    world.config(&it, 2, body());
    assert_eq!(world.turn(&it).len(), 3);
}

#[test]
fn a_resource_that_comes_again_waits_for_the_end_of_its_earlier_life() {
    let (mut world, it) = up(4);
    world.remove(Entry::Config(it.clone()));
    world.turn(&it);
    world.config(&it, 1, body());
    assert_eq!(world.plan(&it), None);
    let jobs: Vec<_> = world.jobs(&it).iter().map(|job| job.id.clone()).collect();
    world.finish(&jobs[0]);
    assert_eq!(world.plan(&it), None);
    assert!(world.finish(&jobs[1]).contains(&it));
    assert_eq!(world.turn(&it), ["create:heat_worker", "create:monitoring_worker"]);
    assert_eq!(world.state(&it), None);
}

#[test]
fn a_resource_whose_absence_was_missed_is_brought_up_to_date_in_place() {
    let (mut world, it) = up(4);
    world.remove(Entry::Config(it.clone()));
    world.config(&it, 1, json!({ "heat": "h2" }));
    assert_eq!(world.turn(&it), ["delete:monitoring_worker?", "modify:heat_worker"]);
    // The old state would count the first versions of the new life as done.
    assert_eq!(world.state(&it), None);
    assert_eq!(world.plan(&it), None);
    world.finish_all(&it);
    assert_eq!(world.plan(&it), None);
    world.config(&it, 2, json!({ "heat": "h2" }));
    assert_eq!(world.turn(&it), ["modify:heat_worker"]);
}

#[test]
fn a_resource_that_was_not_workable_in_its_earlier_life_is_answered_anew() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 4, json!({}));
    world.verdict(&it);
    world.remove(Entry::Config(it.clone()));
    world.config(&it, 1, json!({}));
    assert_eq!(world.verdict(&it), answered("READ_COMPLETE"));
    assert_eq!(world.state(&it).unwrap().version, Version(1));
}

#[test]
fn a_deletion_taken_back_before_it_began_is_an_update() {
    let (mut world, it) = up(1);
    world.mark(&it, 2, body());
    world.turn(&it);
    world.config(&it, 3, body());
    assert_eq!(world.turn(&it).len(), 3);
    assert!(world.jobs(&it).iter().all(|job| job.version == Version(3)));
    assert!(!world.applied(&it).unwrap().deleted);
}

#[test]
fn a_deletion_taken_back_too_late_is_followed_by_a_creation() {
    let (mut world, it) = up(1);
    world.mark(&it, 2, body());
    world.turn(&it);
    let first = world.jobs(&it)[0].id.clone();
    world.claim(&first);
    world.config(&it, 3, body());
    assert_eq!(world.plan(&it), None);
    world.finish_all(&it);
    assert_eq!(world.turn(&it), ["create:heat_worker", "create:monitoring_worker"]);
}

#[test]
fn a_store_taken_over_is_updated_with_the_new_body_for_the_old_one() {
    let mut world = things();
    let (it, friend) = (thing("it"), thing("friend"));
    world.config(&friend, 1, json!({ "name": "friend" }));
    world.put_state(&it, 2, "CREATE_COMPLETED");
    world.config(&it, 3, json!({ "heat": "h1", "watch": "w1", "friend_id": "friend" }));
    assert_eq!(world.turn(&it).len(), 3);
    let down = world.find("delete:monitoring_worker", &it);
    let param = down.params.iter().find(|param| param.name == "friend").unwrap();
    assert_eq!(param.resources, [friend.clone(), friend]);
    assert_eq!(world.applied(&it).unwrap().before, None);
}

#[test]
fn a_deletion_does_not_wait_for_what_will_not_come_back() {
    let mut world = things();
    world.template("h1", HEAT, &[("friend", far("name", "friend_id"))]);
    let (it, friend) = (thing("it"), thing("friend"));
    let body = json!({ "heat": "h1", "friend_id": "friend" });
    world.config(&friend, 1, json!({ "name": "friend" }));
    world.config(&it, 1, body.clone());
    world.turn(&it);
    world.finish_all(&it);
    world.remove(Entry::Config(friend));
    world.mark(&it, 2, body);
    assert_eq!(world.turn(&it), ["logical_delete:heat_worker"]);
    let params = &world.jobs(&it)[0].params;
    assert_eq!(params[0].value, crate::domain::ParamValue::Value(Json::Null));
    assert!(params[0].resources.is_empty());
}

#[test]
fn a_template_that_is_gone_leaves_its_deletion_without_params() {
    let (mut world, it) = up(1);
    world.remove(Entry::Template("w1".into()));
    world.config(&it, 2, body());
    assert_eq!(world.turn(&it), ["delete:monitoring_worker?", "modify:heat_worker"]);
    assert_eq!(world.find("delete:monitoring_worker", &it).params, []);
}

#[test]
fn a_deletion_that_failed_is_tried_again_by_the_next_version() {
    let (mut world, it) = up(1);
    world.mark(&it, 2, body());
    world.turn(&it);
    world.finish_all(&it);
    world.put_state(&it, 2, "DELETE_FAILED");
    assert_eq!(world.plan(&it), None);
    world.mark(&it, 3, json!({}));
    let again = ["logical_delete:monitoring_worker?", "logical_delete:heat_worker"];
    assert_eq!(world.turn(&it), again);
}

#[test]
fn what_could_not_be_taken_down_leaves_its_traces() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body());
    world.turn(&it);
    world.finish_all(&it);
    world.remove(Entry::Config(it.clone()));
    world.turn(&it);
    let jobs: Vec<_> = world.jobs(&it).iter().map(|job| job.id.clone()).collect();
    for job in jobs {
        for entry in [Entry::Job, Entry::Ready, Entry::Waiting, Entry::Step] {
            world.remove(entry(job.clone()));
        }
    }
    world.put_state(&it, 1, "DELETE_FAILED");
    assert_eq!(world.plan(&it), None);
    assert!(world.applied(&it).is_some());
    // Somebody wants it again: that is where its traces lead.
    world.config(&it, 1, body());
    assert!(world.plan(&it).is_some());
}
