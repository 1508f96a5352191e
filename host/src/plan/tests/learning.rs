use super::*;

fn config(of: &ResourceRef, version: u64) -> Content {
    let body = json!({ "heat": "h1" });
    let version = Version(version);
    Content::Resource(Resource { of: of.clone(), body, version, marked_for_deletion: false })
}

fn fact(entry: Entry, content: Option<Content>, revision: u64) -> Fact {
    Fact { entry, content, created: Revision(1), revision: Revision(revision) }
}

#[test]
fn of_two_facts_the_later_revision_counts_whichever_comes_first() {
    let it = thing("it");
    let entry = || Entry::Config(it.clone());
    let World { mut catalog, .. } = things();
    assert_eq!(catalog.learn(fact(entry(), Some(config(&it, 2)), 20)), from_ref(&it));
    assert_eq!(catalog.learn(fact(entry(), Some(config(&it, 1)), 10)), []);
    assert_eq!(catalog.learn(fact(entry(), Some(config(&it, 2)), 20)), []);
    assert_eq!(catalog.config(&it).unwrap().read.as_ref().unwrap().version, Version(2));
    assert_eq!(catalog.learn(fact(entry(), None, 30)), from_ref(&it));
    assert_eq!(catalog.learn(fact(entry(), Some(config(&it, 3)), 29)), []);
    assert!(catalog.config(&it).is_none());
    assert_eq!(catalog.learn(fact(entry(), Some(config(&it, 4)), 31)), from_ref(&it));
    assert!(catalog.config(&it).is_some());
}

#[test]
fn a_removal_that_comes_before_what_it_removes_is_remembered() {
    let it = thing("it");
    let World { mut catalog, .. } = things();
    catalog.learn(fact(Entry::Config(it.clone()), None, 30));
    assert_eq!(catalog.learn(fact(Entry::Config(it.clone()), Some(config(&it, 1)), 29)), []);
    assert_eq!(catalog.everything(), []);
}

#[test]
fn entries_that_planning_has_no_use_for_name_nothing() {
    let it = thing("it");
    let World { mut catalog, .. } = things();
    for entry in [
        Entry::Stack(it.clone()),
        Entry::JobState(it.clone()),
        Entry::Monitoring(it.clone()),
        Entry::Registration(it),
        Entry::PlanMark,
        Entry::Host("host".into()),
        Entry::Unknown("/config/else".to_owned()),
    ] {
        assert_eq!(catalog.learn(fact(entry, Some(Content::Free(Json::Null)), 500)), []);
    }
}

#[test]
fn a_change_of_config_state_or_plan_names_its_resource() {
    let mut world = things();
    let it = thing("it");
    assert_eq!(world.config(&it, 1, json!({ "heat": "h1" })), from_ref(&it));
    let plan = world.plan(&it).unwrap();
    assert_eq!(world.commit(plan.transaction), from_ref(&it));
    let state = Content::State(State::new(Version(1), "CREATE_COMPLETED"));
    assert_eq!(world.put(Entry::State(it.clone()), state), from_ref(&it));
    assert_eq!(world.template("h2", HEAT, &[]), []);
}

#[test]
fn the_last_job_that_goes_names_its_resource() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, json!({ "heat": "h1", "watch": "w1" }));
    world.turn(&it);
    let ids: Vec<_> = world.jobs(&it).iter().map(|job| job.id.clone()).collect();
    assert_eq!(world.remove(Entry::Job(ids[1].clone())), []);
    assert_eq!(world.remove(Entry::Job(ids[0].clone())), [it]);
}

#[test]
fn everything_comes_in_the_order_of_the_configs_and_traces_after_them() {
    let mut world = things();
    for id in ["c", "a", "b"] {
        world.config(&thing(id), 1, json!({}));
    }
    world.config(&thing("c"), 2, json!({}));
    world.put_state(&thing("z"), 1, "CREATE_COMPLETED");
    world.put(
        Entry::Applied(thing("y")),
        Content::Applied(Applied {
            now: crate::domain::Base {
                version: Version(1),
                body: json!({}),
                templates: BTreeMap::new(),
            },
            deleted: false,
            before: None,
        }),
    );
    world.put_state(&thing("y"), 1, "CREATE_COMPLETED");
    world.put_state(&thing("a"), 1, "CREATE_COMPLETED");
    assert_eq!(world.catalog.everything(), ["a", "b", "c", "y", "z"].map(thing));
}

#[test]
fn what_was_committed_is_known_before_the_store_shows_it() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, json!({ "heat": "h1" }));
    let plan = plan(&mut world.catalog, &it).unwrap();
    assert_eq!(world.catalog.learn_committed(plan.transaction, Revision(50)), from_ref(&it));
    assert_eq!(super::plan(&mut world.catalog, &it), None);
}

#[test]
fn a_job_that_cannot_be_read_is_none() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, json!({ "heat": "h1" }));
    world.turn(&it);
    let id = world.jobs(&it)[0].id.clone();
    assert_eq!(world.put(Entry::Job(id), Content::Unreadable("no JSON".to_owned())), [it]);
}

#[test]
fn a_state_that_cannot_be_read_is_written_anew() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, json!({}));
    world.put(Entry::State(it.clone()), Content::Unreadable("no JSON".to_owned()));
    world.verdict(&it);
    assert_eq!(world.state(&it).unwrap().version, Version(1));
}

#[test]
fn only_so_many_removals_are_remembered() {
    let World { mut catalog, .. } = things();
    let entry = |n: u64| Entry::State(thing(&n.to_string()));
    let forgotten = u64::try_from(catalog::GONE_ENTRIES_MAX).unwrap();
    for n in 0..=forgotten {
        catalog.learn(fact(entry(n), None, 100 + n));
    }
    let state = || Some(Content::State(State::new(Version(1), "CREATE_COMPLETED")));
    assert_eq!(catalog.learn(fact(entry(1), state(), 50)), []);
    assert_eq!(catalog.learn(fact(entry(0), state(), 50)), [thing("0")]);
}
