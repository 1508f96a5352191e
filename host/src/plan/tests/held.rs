use super::*;

fn port_world() -> World {
    let mut world = World::new(vec![
        schema("port", &[("network_id", "network")], &[(HEAT, constant("port"))]),
        schema("network", &[("tenant_id", "tenant")], &[]),
        schema("tenant", &[], &[]),
    ]);
    let params = [("virtual_network", output("id", "network_id")), ("name", field("name"))];
    world.template("port", HEAT, &params);
    world
}

fn port() -> ResourceRef {
    of("port", "p")
}

#[test]
fn a_resource_is_held_back_until_what_it_needs_arrives() {
    let mut world = port_world();
    world.config(&port(), 1, json!({ "network_id": "n" }));
    let reason = world.held(&port());
    assert_eq!(
        reason,
        "param `virtual_network` of template `port` needs network:n, which is not in /config"
    );
    let mut expected = State::new(Version(0), "HELD_BACK");
    expected.error.clone_from(&reason);
    assert_eq!(world.state(&port()), Some(&expected));
    assert_eq!(world.catalog.held_back().collect::<Vec<_>>(), [(&port(), reason.as_str())]);
    // It is not said twice, and still held.
    assert_eq!(world.plan(&port()), None);
    assert_eq!(world.catalog.held_back().count(), 1);
    assert_eq!(world.config(&of("network", "other"), 1, json!({})), [of("network", "other")]);
    assert_eq!(world.config(&of("network", "n"), 1, json!({})), [of("network", "n"), port()]);
    // A state that only says so makes no update of it.
    assert_eq!(world.turn(&port()), ["create:heat_worker"]);
    assert_eq!(world.state(&port()), Some(&expected));
    assert_eq!(world.catalog.held_back().count(), 0);
    assert_eq!(world.config(&of("network", "n"), 2, json!({})), [of("network", "n")]);
}

#[test]
fn a_held_back_update_keeps_the_version_and_the_fields_of_the_last_state() {
    let mut world = port_world();
    world.config(&of("network", "n"), 1, json!({}));
    world.config(&port(), 1, json!({ "network_id": "n" }));
    world.turn(&port());
    world.finish_all(&port());
    let mut state = world.state(&port()).unwrap().clone();
    state.fields.insert("heat_outputs".to_owned(), json!("[]"));
    world.put(Entry::State(port()), Content::State(state.clone()));
    world.config(&port(), 2, json!({ "network_id": "m" }));
    state.error = world.held(&port());
    state.fields.insert("worker_state".to_owned(), json!("HELD_BACK"));
    assert_eq!(world.state(&port()), Some(&state));
    world.config(&of("network", "m"), 1, json!({}));
    assert_eq!(world.turn(&port()), ["modify:heat_worker"]);
}

#[test]
fn a_held_back_resource_of_a_store_taken_over_stays_an_update() {
    let mut world = port_world();
    world.put_state(&port(), 1, "CREATE_COMPLETED");
    world.config(&port(), 2, json!({ "network_id": "n" }));
    world.held(&port());
    world.config(&of("network", "n"), 1, json!({}));
    assert_eq!(world.turn(&port()), ["modify:heat_worker"]);
}

#[test]
fn a_held_back_resource_that_comes_again_is_not_done_by_its_earlier_state() {
    let mut world = port_world();
    world.config(&of("network", "n"), 1, json!({}));
    world.config(&port(), 1, json!({ "network_id": "n" }));
    world.turn(&port());
    world.finish_all(&port());
    world.remove(Entry::Config(port()));
    world.turn(&port());
    world.finish_all(&port());
    world.config(&port(), 1, json!({ "network_id": "m" }));
    world.held(&port());
    assert_eq!(world.state(&port()).unwrap().version, Version(0));
    world.config(&of("network", "m"), 1, json!({}));
    assert_eq!(world.turn(&port()), ["create:heat_worker"]);
}

#[test]
fn a_held_back_resource_that_goes_leaves_nothing() {
    let mut world = port_world();
    world.config(&port(), 1, json!({ "network_id": "n" }));
    world.held(&port());
    world.remove(Entry::Config(port()));
    assert_eq!(world.verdict(&port()), About::CleanedUp);
    assert_eq!(world.state(&port()), None);
    assert_eq!(world.catalog.held_back().count(), 0);
    assert_eq!(world.config(&of("network", "n"), 1, json!({})), [of("network", "n")]);
}

#[test]
fn each_reason_names_what_is_missing_and_its_arrival_releases() {
    let tenant = far("name", "network_id tenant_id");
    for (mapping, body, reason, arrives) in [
        (
            tenant.clone(),
            json!({ "network_id": "n" }),
            "param `x` of template `port` needs tenant:t, which is not in /config",
            of("tenant", "t"),
        ),
        (
            tenant.clone(),
            json!({ "network_id": "bare" }),
            "param `x` of template `port` needs `tenant_id` of network:bare, which is empty",
            of("network", "bare"),
        ),
        (
            tenant.clone(),
            json!({}),
            "param `x` of template `port` needs `network_id` of port:p, which is empty",
            port(),
        ),
        (
            tenant,
            json!({ "network_id": null }),
            "param `x` of template `port` needs `network_id` of port:p, which is empty",
            port(),
        ),
        (
            each("ids", "", output("id", "@:network")),
            json!({ "ids": ["n", "m"] }),
            "param `x` of template `port` needs network:m, which is not in /config",
            of("network", "m"),
        ),
        (
            each("ids", "", output("id", "@:network")),
            json!({ "ids": [""] }),
            "param `x` of template `port` needs the id of the element, which is empty",
            port(),
        ),
    ] {
        let mut world = port_world();
        world.config(&of("network", "n"), 1, json!({ "tenant_id": "t" }));
        world.config(&of("network", "bare"), 1, json!({}));
        world.template("port", HEAT, &[("x", mapping)]);
        world.config(&port(), 1, body);
        assert_eq!(world.held(&port()), reason);
        let next = if arrives == port() { 2 } else { 1 };
        assert!(world.config(&arrives, next, json!({})).contains(&port()), "{reason}");
    }
}

#[test]
fn a_template_whose_mapping_is_broken_holds_back_only_its_own() {
    let mut world = port_world();
    let id = TemplateId::new("port");
    let broken = Template {
        id: id.clone(),
        handler: HEAT.into(),
        text: String::new(),
        params: Err("param `name`: no mapping begins with `Q`".to_owned()),
    };
    world.put(Entry::Template(id), Content::Template(broken));
    world.config(&port(), 1, json!({}));
    assert_eq!(
        world.held(&port()),
        "template `port` cannot be used: param `name`: no mapping begins with `Q`"
    );
    assert_eq!(world.template("port", HEAT, &[]), [port()]);
    assert_eq!(world.turn(&port()), ["create:heat_worker"]);
}

#[test]
fn a_template_that_cannot_be_read_holds_back() {
    let mut world = port_world();
    world.put(Entry::Template("port".into()), Content::Unreadable("no JSON".to_owned()));
    world.config(&port(), 1, json!({}));
    assert_eq!(world.held(&port()), "template `port` cannot be used: no JSON");
    assert_eq!(world.template("port", HEAT, &[]), [port()]);
}

#[test]
fn a_template_without_a_plugin_holds_back_until_it_is_loaded() {
    let watched = [(HEAT, constant("h")), ("dns", constant("d"))];
    let mut world = World::new(vec![schema("zone", &[], &watched)]);
    world.template("h", HEAT, &[]);
    world.template("d", "dns", &[]);
    let zone = of("zone", "z");
    world.config(&zone, 1, json!({}));
    assert_eq!(
        world.held(&zone),
        "no plugin for handler `dns` is loaded, which template `d` is for"
    );
    let mut handlers = two_handlers();
    handlers.push(handler("dns", &[], UpdateStyle::Modify));
    let handlers = Handlers::in_order(handlers).unwrap();
    assert_eq!(world.catalog.know_handlers(handlers), from_ref(&zone));
    assert_eq!(world.turn(&zone), ["create:dns", "create:heat_worker"]);
}

#[test]
fn what_an_unloaded_handler_put_up_is_not_forgotten() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, json!({ "heat": "h1", "watch": "w1" }));
    world.turn(&it);
    world.finish_all(&it);
    let heat_alone = vec![handler(HEAT, &[], UpdateStyle::Modify)];
    world.catalog.know_handlers(Handlers::in_order(heat_alone).unwrap());
    let expected =
        "no plugin for handler `monitoring_worker` is loaded, which template `w1` is for";
    world.config(&it, 2, json!({ "heat": "h1" }));
    assert_eq!(world.held(&it), expected);
    world.remove(Entry::Config(it.clone()));
    assert_eq!(world.plan(&it), None);
    assert_eq!(world.state(&it).unwrap().error, expected);
    let handlers = Handlers::in_order(two_handlers()).unwrap();
    assert_eq!(world.catalog.know_handlers(handlers), from_ref(&it));
    assert_eq!(world.turn(&it), ["delete:monitoring_worker?", "delete:heat_worker"]);
}

#[test]
fn a_config_that_cannot_be_read_is_held_back_with_the_complaint() {
    let mut world = things();
    let it = thing("it");
    world.config(&it, 1, json!({ "heat": "h1" }));
    world.turn(&it);
    world.finish_all(&it);
    world.put(Entry::Config(it.clone()), Content::Unreadable("version is a text".to_owned()));
    assert_eq!(world.held(&it), "version is a text");
    assert_eq!(world.state(&it).unwrap().version, Version(1));
    assert_eq!(world.plan(&it), None);
    world.config(&it, 2, json!({ "heat": "h1" }));
    assert_eq!(world.turn(&it), ["modify:heat_worker"]);
}

#[test]
fn what_would_grow_too_large_is_held_back() {
    let many = json!(vec![1; 10_001]);
    let long = "x".repeat(300_000);
    let huge = "x".repeat(600_000);
    for (mapping, body, reason) in [
        (
            each("all", "", constant(1)),
            json!({ "all": many }),
            "param `x` of template `port` cannot be resolved: the lists of the template have more \
             than 10000 elements",
        ),
        (
            field("text"),
            json!({ "text": long }),
            "param `x` of template `port` cannot be resolved: the params of the template take more \
             than 262144 bytes",
        ),
        (
            each("all", "", constant("y".repeat(1000))),
            json!({ "all": vec![1; 1000] }),
            "param `x` of template `port` cannot be resolved: the params of the template take more \
             than 262144 bytes",
        ),
        (
            constant(1),
            json!({ "text": huge }),
            "the workflow of port:p takes some 1200085 bytes, and 1000000 can be posted at once",
        ),
    ] {
        let mut world = port_world();
        world.template("port", HEAT, &[("x", mapping)]);
        world.config(&port(), 1, body);
        assert_eq!(world.held(&port()), reason);
        assert_eq!(world.template("port", HEAT, &[]), [port()]);
    }
}

#[test]
fn what_can_never_be_resolved_says_so() {
    for (mapping, reason) in [
        (
            far("name", "nobody_id"),
            "`nobody_id` of port:p is no relation in its schema, so the path must name the type",
        ),
        (each("nobody_id", "", constant(1)), "`nobody_id` is no list"),
        (
            joined(vec![output("id", "")]),
            "output `id` of port:p is known only when the job runs, so it can neither be joined \
             nor compared",
        ),
        (
            when(equal(each("ids", "", output("id", "")), constant(1)), constant(1), constant(2)),
            "a list of outputs is known only when the job runs, so it can neither be joined nor \
             compared",
        ),
    ] {
        let mut world = port_world();
        world.template("port", HEAT, &[("x", mapping)]);
        world.config(&port(), 1, json!({ "nobody_id": "n", "ids": [1] }));
        let expected = format!("param `x` of template `port` cannot be resolved: {reason}");
        assert_eq!(world.held(&port()), expected);
    }
    let broken = when(matching(field("name"), "("), constant(1), constant(2));
    let mut world = World::new(vec![schema("port", &[], &[(HEAT, broken)])]);
    world.config(&port(), 1, json!({ "name": "n" }));
    assert_eq!(
        world.held(&port()),
        "the template for handler `heat_worker` cannot be resolved: `(` is no usable regular \
         expression: unclosed group"
    );
}
