#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod recorded;

use serde_json::json;
use stokehold_sdk::testing::{MonitorCall, ScriptedHost, Seen, job};
use stokehold_sdk::{Mapping, ParamError, ResourceRef, Target};

use super::*;

const PORT: &str = "\
{% if attached %}
vmi:
  type: virtual_machine_interface
  fq_name: {{ fq_name }}
  timeout: 120
{% endif %}
db_mappings:
  - mapped_id: {{ fq_name | replace(':', '-') }}
    relation: vmi
";

fn port_job(action: Action, template: &str) -> Job {
    job(action, ResourceRef::new("port", "p1"), template)
}

fn port_host() -> ScriptedHost {
    ScriptedHost::new().param("attached", true).param("fq_name", "a:b:c")
}

fn run(host: ScriptedHost, action: Action, template: &str) -> Result<Seen, Failure> {
    let next = MonitoringWorker::handle(&host, &port_job(action, template), None)?;
    assert_eq!(next, Next::Completed);
    Ok(host.finish())
}

/// What a creation by a template without params yields.
fn created(template: &str) -> Result<Seen, Failure> {
    run(ScriptedHost::new(), Action::Create, template)
}

fn vmi() -> Target {
    Target {
        name: "vmi".to_owned(),
        kind: "virtual_machine_interface".to_owned(),
        topic: "monitor_virtual_machine_interface".to_owned(),
        properties: json!({"fq_name": "a:b:c"}),
        interval_ms: None,
    }
}

fn alias() -> Mapping {
    Mapping {
        mapped_id: "a-b-c".to_owned(),
        relation: "vmi".to_owned(),
        resource_type: None,
        resource_id: None,
    }
}

fn targets(seen: &Seen) -> Vec<&Target> {
    let mut found = Vec::new();
    for call in &seen.monitor {
        if let MonitorCall::Register(target) = call {
            found.push(target);
        }
    }
    found
}

fn joined(mut all: Json, mut more: Json) -> Json {
    all.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
    all
}

#[test]
fn it_comes_after_heat_and_is_taken_down_and_put_up_again() {
    let description = MonitoringWorker::describe();
    assert_eq!(description.name, "monitoring_worker");
    assert_eq!(description.after, ["heat_worker"]);
    assert_eq!(description.update, UpdateStyle::Recreate);
}

#[test]
fn what_the_template_names_replaces_what_was_registered() {
    for action in [Action::Create, Action::Modify] {
        let seen = run(port_host(), action, PORT).unwrap();
        let expected =
            [MonitorCall::Clear, MonitorCall::Register(vmi()), MonitorCall::AddMapping(alias())];
        assert_eq!(seen.monitor, expected);
        assert_eq!(seen.reports.len(), 1);
        assert_eq!(seen.reports["state_monitoring"], json!({"vmi": "ACTIVE"}));
    }
}

#[test]
fn an_empty_template_watches_nothing_and_says_so() {
    for template in
        ["", "\n\n", "# nothing\n", "{% if attached %}x: 1{% endif %}\n", "db_mappings:\n"]
    {
        let seen = created(template).unwrap();
        assert_eq!(seen.monitor, [MonitorCall::Clear]);
        assert_eq!(seen.reports["state_monitoring"], json!({}));
    }
}

#[test]
fn a_deletion_takes_back_what_was_registered_and_reports_nothing() {
    for action in [Action::Delete, Action::LogicalDelete] {
        let seen = run(port_host(), action, PORT).unwrap();
        let expected = [
            MonitorCall::Unregister("vmi".to_owned()),
            MonitorCall::RemoveMapping(alias()),
            MonitorCall::Clear,
        ];
        assert_eq!(seen.monitor, expected);
        assert!(seen.reports.is_empty());
    }
}

#[test]
fn a_deletion_that_cannot_tell_what_was_registered_takes_back_all() {
    let unavailable = ParamError::Unavailable("store is away".to_owned());
    let cases = [
        (port_host().broken_param("a", unavailable), PORT, "cannot resolve param a: store is away"),
        (port_host(), "{{ a.b }}", "cannot render template template: `a` is undefined (line 1)"),
        (
            port_host(),
            "x: 5",
            "cannot follow template template: object x is no mapping of properties",
        ),
    ];
    for (host, template, why) in cases {
        let seen = run(host, Action::Delete, template).unwrap();
        assert_eq!(seen.monitor, [MonitorCall::Clear]);
        let line = format!("unregistering all, whatever it was: {why}");
        assert_eq!(seen.log, [(Level::Warn, line)]);
    }
}

#[test]
fn every_type_is_registered_as_collectors_know_it() {
    let seen = created(
        "\
a_switch: {type: switch, ip: 10.0.0.1, community_name: c, timeout: 5}
b_router: {type: router, ip: 10.0.0.1, community_name: c, mibs: [[a, 1.2]]}
c_port: {type: physical_port, device_ip: 10.0.0.1, community_name: c, name: 0/1, mibs: []}
d_logical: {type: logical_port, device_ip: 10.0.0.1, community_name: c, name: 1}
e_network: {type: virtual_network, fq_name: ['a', 'b'], uuid: u}
f_session: {type: vrrp_session, host: h, port: 830, login: l, password: p, interface: i, vrid: 41, \
wanted_status: backup}
g_session: {type: bgp_session, host: h, port: 22, login: l, password: p, instance: i, \
peer_address: a}
h_vm: {type: nova_vm, server_id: s}
i_reader: {type: etcd_reader, etcd_type: ha_interface, etcd_id: None}
j_messenger: {type: kafka_messenger, kafka_topic: monitor_igs_counter, timeout: 5, x: 1}
",
    )
    .unwrap();
    let registered: Vec<_> = targets(&seen)
        .into_iter()
        .map(|t| (&*t.name, &*t.kind, &*t.topic, t.properties.clone()))
        .collect();
    let device = |more| joined(json!({"community_name": "c"}), more);
    let login = |more| joined(json!({"host": "h", "login": "l", "password": "p"}), more);
    let expected = [
        (
            "a_switch",
            "switch",
            "monitor_snmp_device",
            device(json!({"ip": "10.0.0.1", "mibs": []})),
        ),
        (
            "b_router",
            "router",
            "monitor_snmp_device",
            device(json!({"ip": "10.0.0.1", "mibs": [["a", 1.2]]})),
        ),
        (
            "c_port",
            "physical_port",
            "monitor_physical_port",
            device(json!({"device_ip": "10.0.0.1", "name": "0/1", "mibs": []})),
        ),
        (
            "d_logical",
            "logical_port",
            "monitor_logical_port",
            device(json!({"device_ip": "10.0.0.1", "name": 1})),
        ),
        (
            "e_network",
            "virtual_network",
            "monitor_virtual_network",
            json!({"fq_name": ["a", "b"], "uuid": "u"}),
        ),
        (
            "f_session",
            "vrrp_session",
            "monitor_igs_interface",
            login(json!({"port": 830, "interface": "i", "vrid": 41})),
        ),
        (
            "g_session",
            "bgp_session",
            "monitor_vpn_interface",
            login(json!({"port": 22, "instance": "i", "peer_address": "a"})),
        ),
        ("h_vm", "nova_vm", "monitor_nova_vm", json!({"server_id": "s"})),
        ("j_messenger", "kafka_messenger", "monitor_igs_counter", json!({"timeout": 5, "x": 1})),
    ];
    assert_eq!(registered, expected);
    let statuses = json!({
        "a_switch": "ACTIVE", "b_router": "ACTIVE", "c_port": "ACTIVE", "d_logical": "ACTIVE",
        "e_network": "ACTIVE", "f_session": "backup", "g_session": "ESTABLISHED", "h_vm": "ACTIVE",
        "i_reader": "ACTIVE",
    });
    assert_eq!(seen.reports["state_monitoring"], statuses);
}

#[test]
fn the_interval_is_told_in_seconds() {
    for (given, interval_ms) in [("5", Some(5000)), ("0.5", Some(500)), ("~", None)] {
        let template = format!("a: {{type: nova_vm, server_id: s, time_between_retries: {given}}}");
        let seen = created(&template).unwrap();
        assert_eq!(targets(&seen)[0].interval_ms, interval_ms);
        assert_eq!(targets(&seen)[0].properties, json!({"server_id": "s"}));
    }
}

#[test]
fn of_repeated_keys_the_last_one_wins() {
    let template = "\
a: {type: nova_vm, server_id: first}
a: {type: nova_vm, server_id: last}
{% for id in ['p1', 'p2'] %}
db_mappings:
  - {mapped_id: 41, relation: baremetal, resource_type: port, resource_id: {{ id }}}
{% endfor %}
";
    let seen = created(template).unwrap();
    assert_eq!(targets(&seen)[0].properties, json!({"server_id": "last"}));
    let mapping = Mapping {
        mapped_id: "41".to_owned(),
        relation: "baremetal".to_owned(),
        resource_type: Some("port".to_owned()),
        resource_id: Some("p2".to_owned()),
    };
    assert_eq!(seen.monitor[2..], [MonitorCall::AddMapping(mapping)]);
}

#[test]
fn what_cannot_be_followed_is_final_and_says_why() {
    let unknown = "object a is of unknown type lamp; known are virtual_network, \
                   virtual_machine_interface, switch, router, physical_port, logical_port, \
                   nova_vm, vrrp_session, bgp_session, etcd_reader, kafka_messenger";
    let cases = [
        ("just text", "it is no mapping of names to objects"),
        ("a: 5", "object a is no mapping of properties"),
        ("a: {ip: x}", "object a has no type"),
        ("a: {type: lamp}", unknown),
        ("a: {type: switch, ip: }", "object a of type switch lacks ip, community_name"),
        (
            "a: {type: kafka_messenger, kafka_topic: []}",
            "object a has a kafka_topic that is no text",
        ),
        (
            "a: {type: nova_vm, server_id: s, time_between_retries: soon}",
            "object a has time_between_retries \"soon\": it wants seconds",
        ),
        ("db_mappings: 5", "db_mappings is no list"),
        ("db_mappings: [{relation: x}]", "an item of db_mappings lacks mapped_id"),
        (
            "db_mappings: [{mapped_id: [], relation: x}]",
            "an item of db_mappings has a mapped_id that is no text",
        ),
    ];
    for (template, why) in cases {
        let expected = format!("cannot follow template template: {why}");
        assert_eq!(created(template).unwrap_err(), Failure::fatal(expected), "{template}");
    }
    let failure = created("a: [").unwrap_err();
    let start = "cannot read what comes of template template: ";
    assert!(failure.words().starts_with(start), "{failure:?}");
    let failure = created("{{ a.b }}").unwrap_err();
    let words = "cannot render template template: `a` is undefined (line 1)";
    assert_eq!(failure, Failure::fatal(words));
}

#[test]
fn a_failed_creation_touches_no_registration() {
    let host = ScriptedHost::new();
    let template = "a: {type: nova_vm, server_id: s}\nb: {type: lamp}\n";
    MonitoringWorker::handle(&host, &port_job(Action::Create, template), None).unwrap_err();
    let seen = host.finish();
    assert!(seen.monitor.is_empty() && seen.reports.is_empty());
}

#[test]
fn params_out_of_reach_are_worth_another_try() {
    let host = port_host().broken_param("a", ParamError::Unavailable("store is away".to_owned()));
    let failure = run(host, Action::Create, PORT).unwrap_err();
    assert_eq!(failure, Failure::retry("cannot resolve param a: store is away"));
}
