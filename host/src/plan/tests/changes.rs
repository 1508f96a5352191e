use super::*;

fn body(heat: Option<&str>, watch: Option<&str>) -> Json {
    json!({ "heat": heat, "watch": watch })
}

#[test]
fn each_change_yields_the_jobs_of_the_table() {
    let (h1, h2, w1, w2) = (Some("h1"), Some("h2"), Some("w1"), Some("w2"));
    let down_watch = "delete:monitoring_worker?";
    let down_heat = "delete:heat_worker";
    let (modify, up_heat, up_watch) =
        ("modify:heat_worker", "create:heat_worker", "create:monitoring_worker");
    for (old, new, expected) in [
        // As recorded.
        (body(h1, w1), body(h1, w1), vec![down_watch, modify, up_watch]),
        (body(h1, None), body(h1, None), vec![modify]),
        (body(None, w1), body(None, w1), vec![down_watch, up_watch]),
        // Templates that change.
        (body(h1, w1), body(h2, w2), vec![down_watch, modify, up_watch]),
        (body(h1, w1), body(h1, None), vec![down_watch, modify]),
        (body(h1, w1), body(None, w1), vec![down_watch, down_heat, up_watch]),
        (body(h1, w1), body(None, None), vec![down_watch, down_heat]),
        (body(h1, None), body(h1, w1), vec![modify, up_watch]),
        (body(None, w1), body(h1, w1), vec![down_watch, up_heat, up_watch]),
        (body(None, None), body(h1, w1), vec![up_heat, up_watch]),
        (body(h1, None), body(None, w1), vec![down_heat, up_watch]),
    ] {
        let mut world = things();
        let it = thing("it");
        world.config(&it, 1, old.clone());
        let plan = world.plan(&it).unwrap();
        world.commit(plan.transaction);
        world.finish_all(&it);
        world.config(&it, 2, new.clone());
        assert_eq!(world.turn(&it), expected, "{old} becomes {new}");
        let jobs = world.jobs(&it);
        for (at, job) in jobs.iter().enumerate() {
            let earlier: BTreeSet<_> = jobs[..at].iter().map(|job| job.id.clone()).collect();
            assert_eq!(job.dependency, earlier, "{}", job.id);
            assert_eq!((job.is_first, job.is_last), (at == 0, at + 1 == jobs.len()));
        }
    }
}

#[test]
fn a_new_resource_is_put_up_by_each_handler_with_a_template() {
    for (body, expected) in [
        (body(Some("h1"), Some("w1")), vec!["create:heat_worker", "create:monitoring_worker"]),
        (body(Some("h1"), None), vec!["create:heat_worker"]),
        (body(None, Some("w1")), vec!["create:monitoring_worker"]),
        // A template that is not there, or another handler's, is none.
        (body(Some("h9"), Some("w1")), vec!["create:monitoring_worker"]),
        (body(Some("w1"), Some("w1")), vec!["create:monitoring_worker"]),
    ] {
        let mut world = things();
        world.config(&thing("it"), 1, body.clone());
        assert_eq!(world.turn(&thing("it")), expected, "{body}");
    }
}

#[test]
fn a_marked_resource_is_taken_down_in_reverse_by_the_templates_it_was_put_up_with() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body(Some("h1"), Some("w1")));
    world.turn(&it);
    world.finish_all(&it);
    world.mark(&it, 2, body(Some("h2"), None));
    assert_eq!(
        world.turn(&it),
        ["logical_delete:monitoring_worker?", "logical_delete:heat_worker"]
    );
    assert_eq!(templates(&world, &it), ["w1", "h1"]);
    let applied = world.applied(&it).unwrap();
    assert!(applied.deleted);
    assert_eq!(applied.now.version, Version(2));
    assert_eq!(applied.now.templates.len(), 2);
}

#[test]
fn each_job_is_given_the_template_of_its_side() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body(Some("h1"), Some("w1")));
    world.turn(&it);
    assert_eq!(templates(&world, &it), ["h1", "w1"]);
    world.finish_all(&it);
    world.config(&it, 2, body(Some("h2"), Some("w2")));
    world.turn(&it);
    assert_eq!(templates(&world, &it), ["w1", "h2", "w2"]);
}

fn templates(world: &World, of: &ResourceRef) -> Vec<String> {
    let jobs = world.jobs(of).into_iter();
    jobs.map(|job| match &world.entries[&Entry::Step(job.id.clone())].0 {
        Content::Step(step) => {
            assert_eq!((&step.checkpoint, step.wake_ms, step.trouble.as_str()), (&None, 0, ""));
            step.template.to_string()
        }
        other => panic!("no step: {other:?}"),
    })
    .collect()
}

#[test]
fn a_third_handler_fits_in_where_it_says() {
    let mut handlers = two_handlers();
    handlers.push(handler("audit", &[WATCH], UpdateStyle::Recreate));
    handlers.push(handler("dns", &[HEAT], UpdateStyle::Modify));
    let all = ["dns", HEAT, WATCH, "audit"];
    let templates: Vec<_> = all.iter().map(|name| (*name, field(name))).collect();
    let mut world = World::with_handlers(vec![schema("thing", &[], &templates)], handlers);
    for name in all {
        world.template(name, name, &[]);
    }
    let body: Json = all.iter().map(|name| ((*name).to_owned(), json!(name))).collect();
    let it = thing("it");
    world.config(&it, 1, body.clone());
    assert_eq!(
        world.turn(&it),
        ["create:heat_worker", "create:dns", "create:monitoring_worker", "create:audit"]
    );
    world.finish_all(&it);
    world.config(&it, 2, body.clone());
    assert_eq!(
        world.turn(&it),
        [
            "delete:audit?",
            "delete:monitoring_worker?",
            "modify:heat_worker",
            "modify:dns",
            "create:monitoring_worker",
            "create:audit"
        ]
    );
    world.finish_all(&it);
    world.mark(&it, 3, body);
    assert_eq!(
        world.turn(&it),
        [
            "logical_delete:audit?",
            "logical_delete:monitoring_worker?",
            "logical_delete:dns",
            "logical_delete:heat_worker"
        ]
    );
}

#[test]
fn only_a_version_ahead_of_the_state_is_work() {
    let it = thing("it");
    for (state, config, is_work) in [(1, 2, true), (2, 2, false), (3, 2, false)] {
        let mut world = things();
        world.put_state(&it, state, "CREATE_COMPLETED");
        world.config(&it, config, body(Some("h1"), None));
        assert_eq!(world.plan(&it).is_some(), is_work, "state {state}, config {config}");
    }
}

#[test]
fn a_planned_version_is_not_planned_again() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body(Some("h1"), Some("w1")));
    world.turn(&it);
    assert_eq!(world.plan(&it), None);
    let first = world.jobs(&it)[0].id.clone();
    assert_eq!(world.finish(&first), []);
    assert_eq!(world.plan(&it), None);
    world.finish_all(&it);
    assert_eq!(world.plan(&it), None);
}

#[test]
fn a_lost_state_is_won_back_by_an_update() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body(Some("h1"), None));
    world.turn(&it);
    world.finish_all(&it);
    assert_eq!(world.remove(Entry::State(it.clone())), from_ref(&it));
    assert_eq!(world.turn(&it), ["modify:heat_worker"]);
}

#[test]
fn references_are_repeated_as_the_original_repeats_them() {
    let mut world = things();
    let (it, old, new) = (thing("it"), thing("old"), thing("new"));
    for friend in [&old, &new] {
        world.config(friend, 1, json!({ "name": friend.id.as_str() }));
    }
    let body = |friend: &ResourceRef| {
        let friend_id = friend.id.as_str();
        json!({ "heat": "h1", "watch": "w1", "friend_id": friend_id })
    };
    let friends = |world: &World, what: &str| {
        let job = world.find(what, &it);
        let param = job.params.iter().find(|param| param.name == "friend").unwrap();
        let value = match &param.value {
            crate::domain::ParamValue::Value(value) => value.as_str().unwrap().to_owned(),
            other => panic!("no value: {other:?}"),
        };
        (value, param.resources.iter().map(|r| r.id.to_string()).collect::<Vec<_>>())
    };
    let expected = |value: &str, resources: &[&str]| {
        (value.to_owned(), resources.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>())
    };
    world.config(&it, 1, body(&old));
    world.turn(&it);
    assert_eq!(friends(&world, "create:heat_worker"), expected("old", &["old"]));
    world.finish_all(&it);
    world.config(&it, 2, body(&new));
    world.turn(&it);
    assert_eq!(friends(&world, "delete:monitoring"), expected("old", &["old", "new"]));
    assert_eq!(friends(&world, "modify:heat"), expected("new", &["new", "old"]));
    assert_eq!(friends(&world, "create:monitoring"), expected("new", &["new", "old", "new"]));
    world.finish_all(&it);
    world.mark(&it, 3, body(&old));
    world.turn(&it);
    for what in ["logical_delete:monitoring", "logical_delete:heat"] {
        assert_eq!(friends(&world, what), expected("old", &["old", "new"]));
    }
    world.finish_all(&it);
    let mut world = things();
    world.config(&old, 1, json!({ "name": "old" }));
    world.config(&it, 1, body(&old));
    world.turn(&it);
    world.finish_all(&it);
    world.remove(Entry::Config(it.clone()));
    world.turn(&it);
    assert_eq!(friends(&world, "delete:heat"), expected("old", &["old", "old"]));
}

#[test]
fn the_same_change_yields_the_same_ids_and_another_change_others() {
    let ids = |writes_before: u64, version: u64| -> Vec<String> {
        let mut world = things();
        for _ in 0..writes_before {
            world.put(Entry::PlanMark, Content::Free(Json::Null));
        }
        world.config(&thing("it"), version, body(Some("h1"), Some("w1")));
        world.turn(&thing("it"));
        world.jobs(&thing("it")).iter().map(|job| job.id.to_string()).collect()
    };
    assert_eq!(ids(3, 1), ids(3, 1));
    let all: BTreeSet<_> = [ids(3, 1), ids(4, 1), ids(3, 2)].into_iter().flatten().collect();
    assert_eq!(all.len(), 6, "{all:?}");
    let suffixes: BTreeSet<_> =
        all.iter().map(|id| id.rsplit(':').next().unwrap().to_owned()).collect();
    assert_eq!(suffixes.len(), 6, "{suffixes:?}");
}

#[test]
fn what_was_planned_is_remembered_with_what_was_there_before() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body(Some("h1"), None));
    world.turn(&it);
    let first = world.applied(&it).unwrap().clone();
    assert_eq!((first.deleted, first.before.clone()), (false, None));
    assert_eq!(first.now.templates.len(), 1);
    world.finish_all(&it);
    world.config(&it, 2, body(Some("h1"), Some("w1")));
    world.turn(&it);
    let second = world.applied(&it).unwrap();
    assert_eq!(second.before, Some(first.now));
    assert_eq!((second.now.version, second.now.templates.len()), (Version(2), 2));
}

#[test]
fn a_plan_leaves_its_mark_where_it_waits_for_other_workflows() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body(Some("h1"), None));
    world.turn(&it);
    assert!(!world.entries.contains_key(&Entry::PlanMark), "it waits for nobody");
    let begun = world.jobs(&it)[0].id.clone();
    world.claim(&begun);
    world.config(&it, 2, body(Some("h1"), None));
    world.turn(&it);
    let mark = &world.entries[&Entry::PlanMark].0;
    assert_eq!(*mark, Content::Free(json!({ "job_name": "thing:it:2" })));
}

#[test]
fn a_plan_that_was_overtaken_is_not_committed() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, body(Some("h1"), None));
    let plan = world.plan(&it).unwrap();
    let all_hold = |world: &World| plan.transaction.guards.iter().all(|guard| world.holds(guard));
    assert!(all_hold(&world));
    let id = match &plan.about {
        About::Workflow { jobs } => jobs[0].clone(),
        other => panic!("no workflow: {other:?}"),
    };
    let state = Content::State(State::new(Version(0), "HELD_BACK"));
    let mark = Content::Handler(HEAT.into());
    for (entry, content) in [
        (Entry::Config(it.clone()), Content::Unreadable(String::new())),
        (Entry::State(it.clone()), state),
        (Entry::Applied(it.clone()), Content::Unreadable(String::new())),
        (Entry::Job(id), mark),
    ] {
        let before = world.entries.insert(entry.clone(), (content, Revision(99)));
        assert!(!all_hold(&world), "{entry:?} has changed");
        match before {
            Some(before) => world.entries.insert(entry, before),
            None => world.entries.remove(&entry),
        };
    }
    assert!(all_hold(&world));
}
