use super::*;

/// Kinds with both templates: heat params refer to what `heat` lists, monitoring params to what
/// `watch` lists.
fn world(kinds: &[(&str, &[&str], &[&str])]) -> World {
    world_with(kinds, two_handlers())
}

fn world_with(kinds: &[(&str, &[&str], &[&str])], handlers: Vec<Handler>) -> World {
    let all = kinds.iter().map(|(kind, heat, watch)| {
        let related = heat.iter().chain(*watch);
        let fields: Vec<_> = related.map(|to| (format!("{to}_id"), *to)).collect();
        let relations: Vec<_> = fields.iter().map(|(f, to)| (f.as_str(), *to)).collect();
        let watched = constant(format!("{kind}_monitoring"));
        schema(kind, &relations, &[(HEAT, constant(*kind)), (WATCH, watched)])
    });
    let mut world = World::with_handlers(all.collect(), handlers);
    for (kind, heat, watch) in kinds {
        let params = |to: &[&'static str]| -> Vec<(&str, Mapping)> {
            to.iter().map(|to| (*to, far("name", &format!("{to}_id?")))).collect()
        };
        world.template(kind, HEAT, &params(&leaked(heat)));
        world.template(&format!("{kind}_monitoring"), WATCH, &params(&leaked(watch)));
    }
    world
}

fn leaked(names: &[&str]) -> Vec<&'static str> {
    names.iter().map(|name| &*name.to_string().leak()).collect()
}

/// Only heat templates, as the later installation has them.
fn without_monitoring(world: &mut World, kinds: &[&str]) {
    for kind in kinds {
        world.remove(Entry::Template(TemplateId::new(format!("{kind}_monitoring"))));
    }
}

/// A resource that is up.
fn up(world: &mut World, of: &ResourceRef, body: Json) {
    world.config(of, 1, body);
    world.turn(of);
    world.finish_all(of);
}

#[test]
fn a_workflow_waits_for_the_heat_job_of_what_its_heat_job_refers_to() {
    let mut world = world(&[("network", &[], &[]), ("port", &["network"], &[])]);
    let (network, port) = (of("network", "n"), of("port", "p"));
    world.config(&network, 1, json!({}));
    world.turn(&network);
    world.config(&port, 1, json!({ "network_id": "n" }));
    world.turn(&port);
    assert_eq!(world.waits_for(&port), names(["create:heat_worker:network:n:1"]));
}

#[test]
fn a_workflow_waits_for_both_jobs_of_what_its_monitoring_job_refers_to() {
    let mut world = world(&[("network", &[], &[]), ("port", &[], &["network"])]);
    let (network, port) = (of("network", "n"), of("port", "p"));
    world.config(&network, 1, json!({}));
    world.turn(&network);
    world.config(&port, 1, json!({ "network_id": "n" }));
    world.turn(&port);
    assert_eq!(
        world.waits_for(&port),
        names(["create:heat_worker:network:n:1", "create:monitoring_worker:network:n:1"])
    );
}

#[test]
fn a_finished_job_is_not_waited_for() {
    let mut world = world(&[("network", &[], &[]), ("port", &["network"], &[])]);
    let (network, port) = (of("network", "n"), of("port", "p"));
    world.config(&network, 1, json!({}));
    world.turn(&network);
    let heat = world.find("create:heat_worker", &network).id.clone();
    world.finish(&heat);
    world.config(&port, 1, json!({ "network_id": "n" }));
    world.turn(&port);
    assert_eq!(world.waits_for(&port), names([]));
}

#[test]
fn a_gateways_update_waits_for_both_jobs_of_its_interface() {
    let mut world = world(&[("vpn_gateway", &[], &[]), ("vpn_interface", &["vpn_gateway"], &[])]);
    let (gateway, interface) = (of("vpn_gateway", "g"), of("vpn_interface", "i"));
    up(&mut world, &gateway, json!({}));
    // Both are written back to back, and planned in that order.
    world.config(&interface, 1, json!({ "vpn_gateway_id": "g" }));
    world.config(&gateway, 2, json!({}));
    world.turn(&interface);
    world.turn(&gateway);
    assert_eq!(world.waits_for(&interface), names([]));
    // The monitoring job of the interface refers to nothing, so only its heat job counts by the
    // reverse rule.
    assert_eq!(world.waits_for(&gateway), names(["create:heat_worker:vpn_interface:i:1"]));

    let mut world = super::dependencies::world(&[
        ("vpn_gateway", &[], &[]),
        ("vpn_interface", &["vpn_gateway"], &["vpn_gateway"]),
    ]);
    up(&mut world, &gateway, json!({}));
    world.config(&interface, 1, json!({ "vpn_gateway_id": "g" }));
    world.config(&gateway, 2, json!({}));
    world.turn(&interface);
    world.turn(&gateway);
    assert_eq!(
        world.waits_for(&gateway),
        names([
            "create:heat_worker:vpn_interface:i:1",
            "create:monitoring_worker:vpn_interface:i:1"
        ])
    );
}

#[test]
fn a_creation_does_not_wait_for_those_that_refer_to_it() {
    let mut world = world(&[("network", &[], &[]), ("port", &["network"], &[])]);
    let (network, port) = (of("network", "n"), of("port", "p"));
    world.config(&network, 1, json!({}));
    world.config(&port, 1, json!({ "network_id": "n" }));
    world.turn(&port);
    world.turn(&network);
    assert_eq!(world.waits_for(&network), names([]));
}

#[test]
fn deletions_wait_for_those_that_refer_to_them() {
    for is_marked in [true, false] {
        let mut world = world(&[("network", &[], &[]), ("port", &["network"], &[])]);
        let (network, port) = (of("network", "n"), of("port", "p"));
        up(&mut world, &network, json!({}));
        up(&mut world, &port, json!({ "network_id": "n" }));
        world.mark(&port, 2, json!({ "network_id": "n" }));
        world.turn(&port);
        if is_marked {
            world.mark(&network, 2, json!({}));
        } else {
            world.remove(Entry::Config(network.clone()));
        }
        world.turn(&network);
        assert_eq!(world.waits_for(&network), names(["logical_delete:heat_worker:port:p:2"]));
    }
}

#[test]
fn the_firewall_burst_waits_as_recorded() {
    let kinds: [(&str, &[&str], &[&str]); 5] = [
        ("port", &["network"], &[]),
        ("network", &[], &[]),
        ("vnf_instance", &["network"], &[]),
        ("firewall", &["vnf_instance"], &[]),
        ("firewall_interface", &["firewall", "vnf_instance"], &[]),
    ];
    let mut world = world(&kinds);
    without_monitoring(&mut world, &kinds.map(|(kind, _, _)| kind));
    let network = of("network", "n");
    let instance = of("vnf_instance", "v");
    let firewall = of("firewall", "f");
    let interface = of("firewall_interface", "fi");
    let old_port = of("port", "1602");
    let new_port = of("port", "3bf5");
    let on_network = json!({ "network_id": "n" });
    let of_instance = json!({ "vnf_instance_id": "v" });
    let of_both = json!({ "firewall_id": "f", "vnf_instance_id": "v" });
    up(&mut world, &network, json!({}));
    up(&mut world, &instance, on_network.clone());
    up(&mut world, &old_port, on_network.clone());
    up(&mut world, &firewall, of_instance.clone());
    up(&mut world, &interface, of_both.clone());
    world.config(&new_port, 1, on_network.clone());
    assert_eq!(world.turn(&new_port), ["create:heat_worker"]);
    world.config(&instance, 2, on_network.clone());
    assert_eq!(world.turn(&instance), ["modify:heat_worker"]);
    world.mark(&old_port, 4, on_network);
    assert_eq!(world.turn(&old_port), ["logical_delete:heat_worker"]);
    world.config(&interface, 2, of_both);
    assert_eq!(world.turn(&interface), ["modify:heat_worker"]);
    world.config(&firewall, 2, of_instance);
    assert_eq!(world.turn(&firewall), ["modify:heat_worker"]);
    let modified_instance = "modify:heat_worker:vnf_instance:v:2";
    for (of, expected) in [
        (&new_port, names([])),
        (&instance, names([])),
        (&old_port, names([])),
        (&interface, names([modified_instance])),
        (&firewall, names([modified_instance, "modify:heat_worker:firewall_interface:fi:2"])),
    ] {
        assert_eq!(world.waits_for(of), expected, "{of}");
    }
}

#[test]
fn a_newer_version_waits_for_the_jobs_of_the_older_one() {
    let mut world = world(&[("network", &[], &[])]);
    let network = of("network", "n");
    world.config(&network, 1, json!({}));
    world.turn(&network);
    let heat = world.jobs(&network)[0].id.clone();
    world.claim(&heat);
    world.config(&network, 2, json!({}));
    world.turn(&network);
    assert_eq!(
        world.waits_for(&network),
        names(["create:heat_worker:network:n:1", "create:monitoring_worker:network:n:1"])
    );
}

#[test]
fn a_resource_that_refers_to_itself_waits_for_nobody() {
    let mut world = world(&[("network", &["network"], &["network"])]);
    let network = of("network", "n");
    world.config(&network, 1, json!({ "network_id": "n" }));
    world.turn(&network);
    assert_eq!(world.waits_for(&network), names([]));
    world.finish_all(&network);
    world.config(&network, 2, json!({ "network_id": "n" }));
    world.turn(&network);
    assert_eq!(world.waits_for(&network), names([]));
}

#[test]
fn an_update_waits_for_what_it_referred_to_before() {
    let mut world = world(&[("network", &[], &[]), ("port", &["network"], &[])]);
    let (old, new, port) = (of("network", "old"), of("network", "new"), of("port", "p"));
    up(&mut world, &old, json!({}));
    up(&mut world, &new, json!({}));
    up(&mut world, &port, json!({ "network_id": "old" }));
    world.config(&old, 2, json!({}));
    world.turn(&old);
    world.config(&port, 2, json!({ "network_id": "new" }));
    world.turn(&port);
    assert_eq!(world.waits_for(&port), names(["modify:heat_worker:network:old:2"]));
}

#[test]
fn the_order_of_three_handlers_says_which_jobs_are_waited_for() {
    let mut handlers = two_handlers();
    handlers.push(handler("dns", &[HEAT], UpdateStyle::Modify));
    handlers[1].after.insert("dns".into());
    let all = [HEAT, "dns", WATCH];
    let target: Vec<_> = all.iter().map(|name| (*name, constant(format!("t_{name}")))).collect();
    for (referring, expected) in [
        (HEAT, names(["create:heat_worker:target:t:1"])),
        ("dns", names(["create:heat_worker:target:t:1", "create:dns:target:t:1"])),
        (
            WATCH,
            names([
                "create:heat_worker:target:t:1",
                "create:dns:target:t:1",
                "create:monitoring_worker:target:t:1",
            ]),
        ),
    ] {
        let user = [(referring, constant("user"))];
        let schemas =
            vec![schema("target", &[], &target), schema("user", &[("target_id", "target")], &user)];
        let mut world = World::with_handlers(schemas, handlers.clone());
        for name in all {
            world.template(&format!("t_{name}"), name, &[]);
        }
        // A plain relation field, and the output of a list's element, refer just as a walk does.
        let list = each("targets", "", output("id", "@:target"));
        world.template("user", referring, &[("target_id", field("target_id")), ("all", list)]);
        let (target, user, other) = (of("target", "t"), of("user", "u"), of("user", "o"));
        world.config(&target, 1, json!({}));
        world.turn(&target);
        world.config(&user, 1, json!({ "target_id": "t" }));
        world.turn(&user);
        world.config(&other, 1, json!({ "targets": ["t"] }));
        world.turn(&other);
        assert_eq!(world.waits_for(&user), expected, "{referring}");
        assert_eq!(world.waits_for(&other), expected, "{referring}");
    }
}

#[test]
fn the_job_of_a_handler_that_is_not_loaded_is_waited_for() {
    let kinds: [(&str, &[&str], &[&str]); 2] = [("network", &[], &[]), ("port", &["network"], &[])];
    let mut world = world(&kinds);
    let (network, port) = (of("network", "n"), of("port", "p"));
    world.config(&network, 1, json!({}));
    world.turn(&network);
    without_monitoring(&mut world, &["port"]);
    let heat_alone = vec![handler(HEAT, &[], UpdateStyle::Modify)];
    assert_eq!(world.catalog.know_handlers(Handlers::in_order(heat_alone).unwrap()), []);
    world.config(&port, 1, json!({ "network_id": "n" }));
    world.turn(&port);
    assert_eq!(
        world.waits_for(&port),
        names(["create:heat_worker:network:n:1", "create:monitoring_worker:network:n:1"])
    );
}

#[test]
fn many_dependencies_are_compared_by_the_mark_that_every_failure_changes() {
    let mut world = world(&[("network", &[], &[]), ("port", &["network"], &[])]);
    let network = of("network", "n");
    up(&mut world, &network, json!({}));
    for n in 0..100 {
        let port = of("port", &format!("p{n}"));
        world.config(&port, 1, json!({ "network_id": "n" }));
        world.turn(&port);
    }
    world.config(&network, 2, json!({}));
    let plan = world.plan(&network).unwrap();
    let guards = &plan.transaction.guards;
    assert!(guards.len() <= 16, "a store takes 128 comparisons: {}", guards.len());
    let is_mark = |guard: &&Guard| {
        matches!(guard, Guard::Absent(Entry::PlanMark) | Guard::Unchanged(Entry::PlanMark, _))
    };
    assert_eq!(guards.iter().filter(is_mark).count(), 1);
    world.commit(plan.transaction);
    assert_eq!(world.waits_for(&network).len(), 100);
}

#[test]
fn a_new_resource_is_planned_before_what_refers_to_it_however_late_it_changed() {
    let mut world = world(&[("network", &[], &[]), ("port", &["network"], &[])]);
    let (network, port) = (of("network", "n"), of("port", "p"));
    world.config(&network, 1, json!({}));
    world.config(&port, 1, json!({ "network_id": "n" }));
    world.config(&network, 2, json!({}));
    assert_eq!(world.catalog.everything(), [port.clone(), network.clone()]);
    let plan = world.plan(&port).unwrap();
    assert_eq!(super::super::first(&world.catalog, &port, &plan), [network.clone()].into());
    let plan = world.plan(&network).unwrap();
    assert_eq!(super::super::first(&world.catalog, &network, &plan), [].into());
    world.commit(plan.transaction);
    let plan = world.plan(&port).unwrap();
    assert_eq!(super::super::first(&world.catalog, &port, &plan), [].into());
    // What was put up before keeps the order of its changes.
    world.finish_all(&network);
    world.config(&network, 3, json!({}));
    let plan = world.plan(&port).unwrap();
    assert_eq!(super::super::first(&world.catalog, &port, &plan), [].into());
}
