use super::*;
use crate::domain::{Param, ParamValue};

const ID: &str = "p";

fn body() -> Json {
    json!({
        "id": ID,
        "name": "web",
        "count": 3,
        "ratio": 1.5,
        "on": true,
        "nothing": null,
        "empty": [],
        "deep": { "in": { "side": "pearl" } },
        "kind": "network",
        "network_id": "n",
        "mate_id": "gone",
        "none_id": null,
        "numbers": [1, 2],
        "ids": ["n", "m"],
        "ips": [{ "subnet_id": "s", "ip": "10.0.0.1" }, { "subnet_id": "t", "ip": "10.0.0.2" }],
        "pairs": [["a", "b"], ["c"]],
    })
}

fn world(mapping: Mapping) -> World {
    let relations =
        [("network_id", "network"), ("mate_id", "port"), ("none_id", "port"), ("ids", "network")];
    let mut world = World::new(vec![
        schema("port", &relations, &[(HEAT, constant("port"))]),
        schema("network", &[("tenant_id", "tenant"), ("pool_id", "pool")], &[]),
        schema("subnet", &[], &[]),
        schema("tenant", &[], &[]),
        schema("pool", &[], &[]),
    ]);
    world.template("port", HEAT, &[("x", mapping)]);
    let network = json!({ "name": "net", "tenant_id": "t1", "pool_id": "p1" });
    world.config(&of("network", "n"), 1, network);
    world.config(&of("network", "m"), 1, json!({ "name": "met", "pool_id": "p1" }));
    world.config(&of("subnet", "s"), 1, json!({ "number": 1 }));
    world.config(&of("subnet", "t"), 1, json!({ "number": 2 }));
    world.config(&of("tenant", "t1"), 1, json!({ "name": "lab" }));
    world.config(&of("pool", "p1"), 1, json!({ "vrrp": [{ "vrid": 41 }, { "vrid": 42 }] }));
    world
}

fn resolved(mapping: &Mapping) -> Param {
    let mut world = world(mapping.clone());
    let port = of("port", ID);
    world.config(&port, 7, body());
    world.turn(&port);
    world.jobs(&port)[0].params[0].clone()
}

fn param(value: ParamValue, resources: &[&str]) -> Param {
    let resource = |text: &&str| {
        let (kind, id) = text.split_once(':').unwrap();
        of(kind, id)
    };
    Param { name: "x".to_owned(), value, resources: resources.iter().map(resource).collect() }
}

fn check_values(table: Vec<(Mapping, Json, &[&str])>) {
    for (mapping, value, resources) in table {
        let expected = param(ParamValue::Value(value), resources);
        assert_eq!(resolved(&mapping), expected, "{mapping:?}");
    }
}

#[test]
fn plain_mappings_take_what_the_body_has() {
    check_values(vec![
        (field("name"), json!("web"), &[]),
        (field("count"), json!(3), &[]),
        (field("on"), json!(true), &[]),
        (field("nothing"), Json::Null, &[]),
        (field("lacking"), Json::Null, &[]),
        (field("empty"), json!([]), &[]),
        (constant("60"), json!("60"), &[]),
        (constant(13), json!(13), &[]),
        (Mapping::Version, json!(7), &[]),
        (Mapping::Nested(vec!["deep".into(), "in".into(), "side".into()]), json!("pearl"), &[]),
        (Mapping::Nested(vec!["deep".into(), "out".into(), "side".into()]), Json::Null, &[]),
        (Mapping::Nested(vec!["name".into(), "in".into()]), Json::Null, &[]),
    ]);
}

#[test]
fn a_plain_relation_field_refers_to_its_target() {
    check_values(vec![
        (field("network_id"), json!("n"), &["network:n"]),
        // Whether the target is there does not matter to the value.
        (field("mate_id"), json!("gone"), &["port:gone"]),
        (field("none_id"), Json::Null, &[]),
        (field("ids"), json!(["n", "m"]), &[]),
    ]);
}

#[test]
fn a_walk_refers_to_every_resource_it_passes() {
    let computed = Walk {
        steps: vec![PathStep {
            id: IdField::Computed(vec![field("kind"), constant("_id")]),
            kind: None,
        }],
        ignore_missing: false,
    };
    check_values(vec![
        (far("name", "network_id"), json!("net"), &["network:n"]),
        (far("name", "network_id:network"), json!("net"), &["network:n"]),
        (far("name", "network_id tenant_id"), json!("lab"), &["network:n", "tenant:t1"]),
        (far("lacking", "network_id"), Json::Null, &["network:n"]),
        // The end is listed once, even when its own field is a relation.
        (far("tenant_id", "network_id"), json!("t1"), &["network:n"]),
        (Mapping::Field { field: "name".into(), walk: computed }, json!("net"), &["network:n"]),
    ]);
}

#[test]
fn an_ignored_missing_link_is_an_empty_text_without_references() {
    check_values(vec![
        (far("name", "none_id?"), json!(""), &[]),
        (far("name", "lacking:port?"), json!(""), &[]),
        (far("name", "mate_id?"), json!(""), &[]),
        (far("name", "network_id lacking:port?"), json!(""), &[]),
        (output("id", "mate_id?"), json!(""), &[]),
        (each("list", "mate_id?", constant(1)), json!(""), &[]),
        (each("ips", "", far("name", "lacking:port?")), json!(["", ""]), &[]),
        (joined(vec![constant("a"), far("name", "mate_id?"), constant("b")]), json!("ab"), &[]),
        (far("name", "network_id?"), json!("net"), &["network:n"]),
    ]);
}

#[test]
fn parts_are_joined_as_python_shows_them() {
    let parts = ["name", "count", "ratio", "on", "nothing", "numbers"].map(field);
    let relations =
        [constant("F_"), far("name", "network_id"), far("name", "network_id tenant_id")];
    check_values(vec![
        (joined(parts.to_vec()), json!("web31.5TrueNone[1,2]"), &[]),
        (joined(vec![]), json!(""), &[]),
        (joined(relations.to_vec()), json!("F_netlab"), &["network:n", "network:n", "tenant:t1"]),
    ]);
}

#[test]
fn only_the_branch_taken_refers() {
    let net = || far("name", "network_id");
    let branch = |test| when(test, field("network_id"), net());
    check_values(vec![
        (branch(equal(net(), constant("net"))), json!("n"), &["network:n"]),
        (when(equal(net(), constant("no")), net(), constant(Json::Null)), Json::Null, &[]),
        (when(equal(field("count"), constant(3.0)), constant(1), constant(2)), json!(1), &[]),
        (when(equal(field("count"), constant("3")), constant(1), constant(2)), json!(2), &[]),
        (when(equal(field("nothing"), field("lacking")), constant(1), constant(2)), json!(1), &[]),
        (when(matching(field("name"), "we|no"), constant(1), constant(2)), json!(1), &[]),
        (when(matching(field("name"), "eb"), constant(1), constant(2)), json!(2), &[]),
        (when(matching(field("nothing"), ".*"), constant(1), constant(2)), json!(2), &[]),
        (when(matching(field("count"), "3$"), constant(1), constant(2)), json!(1), &[]),
        // What the other branch lacks does not matter.
        (when(matching(field("name"), "w"), constant(1), far("x", "mate_id")), json!(1), &[]),
    ]);
}

#[test]
fn a_list_of_plain_values_is_one_value() {
    let pools = each("vrrp", "network_id pool_id", field("vrid"));
    check_values(vec![
        (each("ips", "", field("ip")), json!(["10.0.0.1", "10.0.0.2"]), &[]),
        (each("empty", "", output("id", "")), json!([]), &[]),
        (each("lacking", "", field("ip")), json!([]), &[]),
        (each("nothing", "", field("ip")), json!([]), &[]),
        (each("numbers", "", Mapping::Version), json!([7, 7]), &[]),
        (each("numbers", "", field("ip")), json!([null, null]), &[]),
        (
            each("ips", "", far("number", "subnet_id:subnet")),
            json!([1, 2]),
            &["subnet:s", "subnet:t"],
        ),
        (
            each("ids", "", far("name", "@:network")),
            json!(["net", "met"]),
            &["network:n", "network:m"],
        ),
        // The schema may know what the elements point at.
        (each("ids", "", far("name", "@")), json!(["net", "met"]), &["network:n", "network:m"]),
        // The way to the list is walked once, not for each element.
        (pools, json!([41, 42]), &["network:n", "pool:p1"]),
    ]);
}

#[test]
fn an_output_is_left_to_the_run_of_the_job() {
    let out = |kind: &str, id: &str| ParamValue::Output { key: "id".to_owned(), of: of(kind, id) };
    let entry = |value: ParamValue| param(value, &[]);
    for (mapping, value, resources) in [
        // One's own stack is no other resource.
        (output("id", ""), out("port", ID), &[][..]),
        (output("id", "network_id"), out("network", "n"), &["network:n"]),
        (output("id", "network_id tenant_id"), out("tenant", "t1"), &["network:n", "tenant:t1"]),
        (
            each("ips", "", output("id", "subnet_id:subnet")),
            ParamValue::List(vec![entry(out("subnet", "s")), entry(out("subnet", "t"))]),
            &["subnet:s", "subnet:t"],
        ),
        (
            each("ids", "", output("id", "@:network")),
            ParamValue::List(vec![entry(out("network", "n")), entry(out("network", "m"))]),
            &["network:n", "network:m"],
        ),
        (
            each("vrrp", "network_id pool_id", output("id", "")),
            ParamValue::List(vec![entry(out("port", ID)), entry(out("port", ID))]),
            &["network:n", "pool:p1"],
        ),
        (
            // One output makes params of all.
            each(
                "ips",
                "",
                when(
                    equal(field("ip"), constant("10.0.0.1")),
                    field("ip"),
                    output("id", "subnet_id:subnet"),
                ),
            ),
            ParamValue::List(vec![
                entry(ParamValue::Value(json!("10.0.0.1"))),
                entry(out("subnet", "t")),
            ]),
            &["subnet:t"],
        ),
    ] {
        assert_eq!(resolved(&mapping), param(value, resources), "{mapping:?}");
    }
}

#[test]
fn the_config_of_another_resource_counts_as_it_is_now() {
    let mut world = world(far("name", "network_id"));
    let port = of("port", ID);
    world.config(&of("network", "n"), 2, json!({ "name": "renamed" }));
    world.config(&port, 1, body());
    world.turn(&port);
    assert_eq!(world.jobs(&port)[0].params[0].value, ParamValue::Value(json!("renamed")));
}

#[test]
fn params_come_in_the_order_of_their_names() {
    let mut world = world(constant(1));
    let names = ["b", "a", "c"];
    world.template("port", HEAT, &names.map(|name| (name, constant(name))));
    let port = of("port", ID);
    world.config(&port, 1, body());
    world.turn(&port);
    let params = &world.jobs(&port)[0].params;
    assert_eq!(params.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
}
