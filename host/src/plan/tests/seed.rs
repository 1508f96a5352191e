//! The page this began from: the second version of a port of a common function gateway.

use super::*;
use crate::domain::{OnFailure, Param, ParamValue};

const PORT: &str = "a778c668-6ccb-4d46-9ec3-956693262d63";
const GATEWAY: &str = "5c241c51-2003-407a-a239-689fabd19022";
const NETWORK: &str = "f2de53ae-bc76-46f2-b2ae-a7eefa9d6e57";
const SUBNET: &str = "e1353d56-b05a-43a9-b924-383ab0d64d7b";

fn body(attached: bool) -> Json {
    json!({
        "id": PORT,
        "network_id": NETWORK,
        "device_id": GATEWAY,
        "device_owner": "network:common_function_gateway",
        "attached": attached,
        "admin_state_up": true,
        "allowed_address_pairs": [],
        "mac_address": "fa:16:3e:0c:b0:eb",
        "fixed_ips": [{ "subnet_id": SUBNET, "ip_address": "169.254.0.4" }],
        "tenant_id": "0b576f6f4cbf414f829cd12f008bf08f",
    })
}

fn owned_by(owner: &str, then: Mapping) -> Mapping {
    when(equal(field("device_owner"), constant(owner)), then, constant(Json::Null))
}

/// Unless the port belongs to the network itself.
fn for_devices(template: &str) -> Mapping {
    let own = matching(field("device_owner"), "network:dhcp|network:empty");
    when(own, constant(Json::Null), constant(template))
}

pub(super) fn world() -> World {
    let simple = |kind: &str| {
        schema(
            kind,
            &[],
            &[(HEAT, constant(kind)), (WATCH, constant(format!("{kind}_monitoring")))],
        )
    };
    let port = [(HEAT, for_devices("port")), (WATCH, for_devices("port_monitoring"))];
    let mut world = World::new(vec![
        schema("port", &[("network_id", "network")], &port),
        simple("network"),
        simple("common_function_gateway"),
        simple("gw_interface"),
        schema("subnet", &[("network_id", "network")], &[(HEAT, constant("subnet"))]),
    ]);
    world.template(
        "port",
        HEAT,
        &[
            ("virtual_network", output("id", "network_id:network")),
            ("virtual_machine", field("device_id")),
            ("name", field("id")),
            ("admin_state_up", field("admin_state_up")),
            ("virtual_machine_interface_allowed_address_pairs", field("allowed_address_pairs")),
            ("virtual_machine_interface_mac_address", field("mac_address")),
            ("device_owner", field("device_owner")),
            ("uuid", field("id")),
            ("jinja_fixed_ips", field("fixed_ips")),
            (
                "jinja_force_dependency_cfg",
                owned_by(
                    "network:common_function_gateway",
                    far("id", "device_id:common_function_gateway?"),
                ),
            ),
            (
                "jinja_force_dependency_gw_interface",
                owned_by("network:gw_interface", far("id", "device_id:gw_interface")),
            ),
            ("jinja_subnets", each("fixed_ips", "", output("id", "subnet_id:subnet"))),
        ],
    );
    world.template(
        "port_monitoring",
        WATCH,
        &[
            ("device_owner", field("device_owner")),
            ("attached", field("attached")),
            ("vmi_fq_name", output("fq_name", "")),
            ("vmi_uuid", output("id", "")),
        ],
    );
    for kind in ["network", "common_function_gateway"] {
        world.template(kind, HEAT, &[]);
        world.template(&format!("{kind}_monitoring"), WATCH, &[]);
    }
    world.template("subnet", HEAT, &[]);
    world.config(&of("network", NETWORK), 1, json!({ "id": NETWORK }));
    world.config(&of("subnet", SUBNET), 1, json!({ "id": SUBNET }));
    world
}

/// The recorded moment: the first version is done, the gateway's jobs are open, the second version
/// arrives.
fn at_the_update() -> World {
    let mut world = world();
    let port = of("port", PORT);
    world.config(&port, 1, body(false));
    world.turn(&port);
    world.finish_all(&port);
    let gateway = of("common_function_gateway", GATEWAY);
    world.config(&gateway, 1, json!({ "id": GATEWAY }));
    world.turn(&gateway);
    assert_eq!(world.config(&port, 2, body(true)), [port]);
    world
}

fn value(name: &str, value: Json, resources: &[(&str, &str)]) -> Param {
    param(name, ParamValue::Value(value), resources)
}

fn stack_output(name: &str, key: &str, kind: &str, id: &str, resources: &[(&str, &str)]) -> Param {
    param(name, ParamValue::Output { key: key.to_owned(), of: of(kind, id) }, resources)
}

fn param(name: &str, value: ParamValue, resources: &[(&str, &str)]) -> Param {
    let resources = resources.iter().map(|(kind, id)| of(kind, id)).collect();
    Param { name: name.to_owned(), value, resources }
}

fn monitoring_params(attached: bool) -> Vec<Param> {
    vec![
        value("attached", json!(attached), &[]),
        value("device_owner", json!("network:common_function_gateway"), &[]),
        stack_output("vmi_fq_name", "fq_name", "port", PORT, &[]),
        stack_output("vmi_uuid", "id", "port", PORT, &[]),
    ]
}

#[test]
fn the_update_of_the_seed_port_yields_the_three_jobs_of_the_page() {
    let mut world = at_the_update();
    let port = of("port", PORT);
    assert_eq!(
        world.turn(&port),
        ["delete:monitoring_worker?", "modify:heat_worker", "create:monitoring_worker"]
    );
    // The page: the first job waits for the gateway's heat job alone, not for its monitoring job.
    assert_eq!(
        world.waits_for(&port),
        names([&format!("create:heat_worker:common_function_gateway:{GATEWAY}:1")])
    );
    let [down, modify, up] = world.jobs(&port)[..] else { panic!("three jobs") };
    for (job, first, last) in [(down, true, false), (modify, false, false), (up, false, true)] {
        assert_eq!((job.is_first, job.is_last), (first, last), "{}", job.id);
        assert_eq!(job.input, body(true));
        assert_eq!(job.name(), format!("port:{PORT}:2"));
        assert_eq!((&job.target, job.version), (&port, Version(2)));
        let action = (job.action, &job.handler);
        let (prefix, suffix) = job.id.as_str().rsplit_once(':').unwrap();
        assert_eq!(prefix, format!("{}:{}:port:{PORT}:2", action.0, action.1));
        assert!(
            suffix.len() == 5
                && suffix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        );
    }
    assert_eq!(down.on_failure, OnFailure::Ignore);
    assert_eq!(modify.dependency, BTreeSet::from([down.id.clone()]));
    assert_eq!(up.dependency, BTreeSet::from([down.id.clone(), modify.id.clone()]));
}

#[test]
fn the_params_of_the_seed_port_are_those_of_the_page() {
    let mut world = at_the_update();
    let port = of("port", PORT);
    world.turn(&port);
    let [down, modify, up] = world.jobs(&port)[..] else { panic!("three jobs") };
    assert_eq!(down.params, monitoring_params(false));
    assert_eq!(up.params, monitoring_params(true));
    let network = ("network", NETWORK);
    let subnet = ("subnet", SUBNET);
    let gateway = ("common_function_gateway", GATEWAY);
    let subnets =
        ParamValue::List(vec![stack_output("jinja_subnets", "id", "subnet", SUBNET, &[])]);
    assert_eq!(
        modify.params,
        [
            value("admin_state_up", json!(true), &[]),
            value("device_owner", json!("network:common_function_gateway"), &[]),
            value("jinja_fixed_ips", body(true)["fixed_ips"].clone(), &[]),
            value("jinja_force_dependency_cfg", json!(GATEWAY), &[gateway, gateway]),
            value("jinja_force_dependency_gw_interface", Json::Null, &[]),
            param("jinja_subnets", subnets, &[subnet, subnet]),
            value("name", json!(PORT), &[]),
            value("uuid", json!(PORT), &[]),
            value("virtual_machine", json!(GATEWAY), &[]),
            value("virtual_machine_interface_allowed_address_pairs", json!([]), &[]),
            value("virtual_machine_interface_mac_address", json!("fa:16:3e:0c:b0:eb"), &[]),
            stack_output("virtual_network", "id", "network", NETWORK, &[network, network]),
        ]
    );
}

#[test]
fn the_first_version_knows_no_gateway_yet() {
    let mut world = world();
    let port = of("port", PORT);
    world.config(&port, 1, body(false));
    assert_eq!(world.turn(&port), ["create:heat_worker", "create:monitoring_worker"]);
    let create = world.find("create:heat_worker", &port);
    let forced = create.params.iter().find(|p| p.name == "jinja_force_dependency_cfg").unwrap();
    assert_eq!(*forced, value("jinja_force_dependency_cfg", json!(""), &[]));
}

#[test]
fn a_port_of_the_network_itself_is_not_workable() {
    let mut world = world();
    let port = of("port", "dhcp");
    world.config(&port, 1, json!({ "device_owner": "network:dhcp", "network_id": NETWORK }));
    assert_eq!(world.verdict(&port), About::Answered { worker_state: "READ_COMPLETE".to_owned() });
    assert_eq!(world.state(&port), Some(&State::new(Version(1), "READ_COMPLETE")));
    assert!(world.applied(&port).unwrap().now.templates.is_empty());
    assert_eq!(world.plan(&port), None);
}
