//! Every form of the mapping language, in both spellings, and every way to get it wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::json;

use super::*;

fn field(name: &str, steps: Vec<PathStep>) -> Mapping {
    Mapping::Field { field: name.into(), walk: Walk { steps, ignore_missing: false } }
}

fn own(name: &str) -> Mapping {
    field(name, vec![])
}

fn output(key: &str, steps: Vec<PathStep>) -> Mapping {
    Mapping::Output { key: key.into(), walk: Walk { steps, ignore_missing: false } }
}

fn step(kind: &str, id: &str) -> PathStep {
    PathStep { id: IdField::Named(id.into()), kind: Some(kind.into()) }
}

fn relation(id: &str) -> PathStep {
    PathStep { id: IdField::Named(id.into()), kind: None }
}

fn constant(value: Json) -> Mapping {
    Mapping::Constant(value)
}

fn check(table: Vec<(Json, Mapping)>) {
    for (text, expected) in table {
        assert_eq!(mapping(&text), Ok(expected), "{text}");
    }
}

#[test]
fn every_short_form_is_read() {
    check(vec![
        (json!("Phostname"), own("hostname")),
        (json!("Pbinding:vif_type"), own("binding:vif_type")),
        (json!("C60"), constant(json!("60"))),
        (json!("C"), constant(json!(""))),
        (json!("Cdefault-domain:a&b"), constant(json!("default-domain:a&b"))),
        (json!("Vauto_filled"), Mapping::Version),
        (json!("V"), Mapping::Version),
        (json!("Oprimary"), Mapping::Nested(vec!["primary".into()])),
        (json!("Oa:b:c"), Mapping::Nested(vec!["a".into(), "b".into(), "c".into()])),
        (json!("Fservice+service_id:name"), field("name", vec![step("service", "service_id")])),
        (
            json!("Fha+down_id:router+primary_id:ip"),
            field("ip", vec![step("ha", "down_id"), step("router", "primary_id")]),
        ),
        (json!("Mnetwork:network_id:id"), output("id", vec![step("network", "network_id")])),
        (
            json!("ACFILTER_:x_&Fqos+qos_id:name&Pend&Oa:b&V&Mn:n_id:k"),
            Mapping::Concatenate(vec![
                constant(json!("FILTER_:x_")),
                field("name", vec![step("qos", "qos_id")]),
                own("end"),
                Mapping::Nested(vec!["a".into(), "b".into()]),
                Mapping::Version,
                output("k", vec![step("n", "n_id")]),
            ]),
        ),
        (json!("APone"), Mapping::Concatenate(vec![own("one")])),
    ]);
}

#[test]
fn every_plain_clause_is_read() {
    let service_gw = PathStep {
        id: IdField::Computed(vec![own("service_type"), constant(json!("_gw_id"))]),
        kind: None,
    };
    let optional = Walk { steps: vec![step("public_ip", "public_ip_id")], ignore_missing: true };
    check(vec![
        (json!({"field": "ip"}), own("ip")),
        (json!({"field": "ip", "path": []}), own("ip")),
        (
            json!({"field": "ip", "path": ["a_id", "b_id"]}),
            field("ip", vec![relation("a_id"), relation("b_id")]),
        ),
        (
            json!({"field": "id", "path": [{"type": "network", "id": "network_id"}, "x_id"]}),
            field("id", vec![step("network", "network_id"), relation("x_id")]),
        ),
        (
            json!({"field": "n", "path": [{"concatenate": [{"field": "service_type"}, "_gw_id"]}]}),
            field("n", vec![service_gw]),
        ),
        (
            json!({"field": "id", "ignore_missing": true, "path": [{"type": "public_ip", "id": "public_ip_id"}]}),
            Mapping::Field { field: "id".into(), walk: optional.clone() },
        ),
        (json!({"field": "id", "ignore_missing": false}), own("id")),
        (json!({"output_key": "fq_name"}), output("fq_name", vec![])),
        (json!({"output_key": "id", "path": ["vnf_id"]}), output("id", vec![relation("vnf_id")])),
        (
            json!({"output_key": "id", "ignore_missing": true, "path": [{"type": "public_ip", "id": "public_ip_id"}]}),
            Mapping::Output { key: "id".into(), walk: optional },
        ),
        (json!({"constant": 13}), constant(json!(13))),
        (json!({"constant": null}), constant(json!(null))),
        (json!({"constant": {"field": ["x"]}}), constant(json!({"field": ["x"]}))),
        (json!({"version": "auto_filled"}), Mapping::Version),
        (json!({"version": 1}), Mapping::Version),
        (
            json!({"nested": ["primary", "ip"]}),
            Mapping::Nested(vec!["primary".into(), "ip".into()]),
        ),
        (
            json!({"concatenate": [{"field": "vrf"}, {"constant": "_IN"}, "Pliteral", 7]}),
            Mapping::Concatenate(vec![
                own("vrf"),
                constant(json!("_IN")),
                constant(json!("Pliteral")),
                constant(json!(7)),
            ]),
        ),
    ]);
}

#[test]
fn conditions_and_loops_are_read() {
    let branch = |then, otherwise, test| Mapping::If {
        test,
        then: Box::new(then),
        otherwise: Box::new(otherwise),
    };
    let each = |name: &str, steps, each| Mapping::For {
        field: name.into(),
        walk: Walk { steps, ignore_missing: false },
        each: Box::new(each),
    };
    check(vec![
        (
            json!({"if_mapping": {"equal": [{"field": "type"}, "internet"]},
                   "then_mapping": "Pa", "else_mapping": {"constant": null}}),
            branch(
                own("a"),
                constant(json!(null)),
                Test::Equal(Box::new(own("type")), Box::new(constant(json!("internet")))),
            ),
        ),
        (
            json!({"if_mapping": {"regexp": [{"field": "owner"}, {"constant": "a|b"}]},
                   "then_mapping": {"constant": null}, "else_mapping": {"constant": "port"}}),
            branch(
                constant(json!(null)),
                constant(json!("port")),
                Test::Matches {
                    subject: Box::new(own("owner")),
                    pattern: Box::new(constant(json!("a|b"))),
                },
            ),
        ),
        (
            json!({"for_field": "ports", "for_mapping": {"output_key": "id", "path": [{"id": "", "type": "port"}]}}),
            each(
                "ports",
                vec![],
                output("id", vec![PathStep { id: IdField::Element, kind: Some("port".into()) }]),
            ),
        ),
        (
            json!({"for_field": {"field": "vrrp", "path": ["pool_id"]}, "for_mapping": "Pvrid"}),
            each("vrrp", vec![relation("pool_id")], own("vrid")),
        ),
    ]);
}

#[test]
fn a_malformed_mapping_says_where_and_what_was_expected() {
    let table = [
        (json!(null), "the value must be a mapping: a short text (P<field>, "),
        (json!(["Pa"]), "the value must be a mapping: "),
        (json!(""), "the value is an empty short mapping; expected one of P<field>"),
        (json!("Xa"), "the value begins with the unknown letter 'X'; expected one of P<field>"),
        (json!("port"), "the value begins with the unknown letter 'p'"),
        (json!("P"), "the value has an empty part; expected P<field>"),
        (json!("O"), "the value has an empty part; expected O<key>:<key>"),
        (json!("Oa::b"), "the value has an empty part; expected O<key>:<key>"),
        (json!("Ffield"), "the value is a malformed short mapping F; expected F<type>+<id field>"),
        (json!("Fa:b"), "the value is a malformed short mapping F"),
        (json!("F+id:b"), "the value has an empty part; expected F<type>"),
        (json!("Fa+:b"), "the value has an empty part; expected F<type>"),
        (json!("Fa+id:"), "the value has an empty part; expected F<type>"),
        (
            json!("Mnetwork"),
            "the value is a malformed short mapping M; expected M<type>:<id field>",
        ),
        (json!("Ma:b:c:d"), "the value is a malformed short mapping M"),
        (json!("Ma::c"), "the value has an empty part; expected M<type>"),
        (json!("A"), "the value is an empty short mapping"),
        (json!("APa&"), "the value is an empty short mapping"),
        (json!("AAPa&Pb"), "the value is a malformed short mapping A within A"),
        (json!("APa&xb"), "the value begins with the unknown letter 'x'"),
        (json!({}), "the value is no mapping; expected a short text (P<field>, "),
        (json!({"feild": "a"}), "or an object with one of field, output_key, constant, version"),
        (
            json!({"field": "a", "paht": []}),
            "the value has the unknown key \"paht\" beside field, which may have path, ignore_missing",
        ),
        (json!({"constant": 1, "path": []}), "beside constant, which may have nothing else"),
        (json!({"field": 1}), "field must be a name"),
        (json!({"field": ""}), "field must be a name, but is empty"),
        (json!({"output_key": {}}), "output_key must be a name"),
        (json!({"field": "a", "ignore_missing": 1}), "ignore_missing must be true or false"),
        (json!({"field": "a", "path": "b"}), "path must be a list"),
        (json!({"field": "a", "path": ["b", ""]}), "path[1] must be a name, but is empty"),
        (json!({"field": "a", "path": [1]}), "path[0] must be the name of an id field, {\"type\""),
        (json!({"field": "a", "path": [{"id": "x"}]}), "path[0] must be the name of an id field"),
        (json!({"field": "a", "path": [{"id": "x", "type": "t", "z": 1}]}), "path[0] must be"),
        (json!({"field": "a", "path": [{"id": 1, "type": "t"}]}), "path[0].id must be a name"),
        (json!({"field": "a", "path": [{"id": "", "type": ""}]}), "path[0].type must be a name"),
        (
            json!({"field": "a", "path": [{"concatenate": "x"}]}),
            "path[0].concatenate must be a list",
        ),
        (
            json!({"field": "a", "path": [{"concatenate": [{"field": 1}]}]}),
            "path[0].concatenate[0].field must be a name",
        ),
        (json!({"nested": []}), "nested must name at least one key"),
        (json!({"nested": "a"}), "nested must be a list"),
        (json!({"nested": ["a", 1]}), "nested[1] must be a name"),
        (json!({"concatenate": {}}), "concatenate must be a list"),
        (json!({"concatenate": ["a", ["b"]]}), "concatenate[1] must be a constant or a mapping"),
        (json!({"concatenate": [{}]}), "concatenate[0] is no mapping"),
        (json!({"for_field": "a"}), "for_mapping is missing"),
        (json!({"for_field": 1, "for_mapping": "Pa"}), "for_field must be a field's name or"),
        (json!({"for_field": {"constant": 1}, "for_mapping": "Pa"}), "for_field must be a field's"),
        (
            json!({"for_field": "a", "for_mapping": "Za"}),
            "for_mapping begins with the unknown letter",
        ),
        (json!({"for_mapping": "Pa"}), "the value is no mapping"),
    ];
    for (text, expected) in table {
        let complaint = mapping(&text).unwrap_err();
        assert!(complaint.contains(expected), "{text}: {complaint}");
    }
}

#[test]
fn a_condition_needs_one_test_of_two_sides_and_both_branches() {
    let whole =
        |test: Json| json!({"if_mapping": test, "then_mapping": "Pa", "else_mapping": "Pb"});
    let table = [
        (whole(json!("a")), "if_mapping must be an object with either equal or regexp"),
        (whole(json!({})), "if_mapping must be an object with either equal or regexp"),
        (whole(json!({"equal": [1, 1], "regexp": ["", ""]})), "if_mapping must be an object with"),
        (
            whole(json!({"less": [1, 2]})),
            "if_mapping has the unknown test \"less\"; expected equal",
        ),
        (whole(json!({"equal": [1]})), "if_mapping.equal must have two elements"),
        (whole(json!({"regexp": "a"})), "if_mapping.regexp must be a list"),
        (whole(json!({"equal": [{"field": 1}, 1]})), "if_mapping.equal[0].field must be a name"),
        (
            json!({"if_mapping": {"equal": [1, 1]}, "then_mapping": "Pa"}),
            "else_mapping is missing; for no value, write {\"constant\": null}",
        ),
        (json!({"if_mapping": {"equal": [1, 1]}, "else_mapping": "Pa"}), "then_mapping is missing"),
        (
            json!({"if_mapping": {"equal": [1, 1]}, "then_mapping": null, "else_mapping": "Pa"}),
            "then_mapping must be a mapping",
        ),
    ];
    for (text, expected) in table {
        let complaint = mapping(&text).unwrap_err();
        assert!(complaint.contains(expected), "{text}: {complaint}");
    }
}

#[test]
fn mappings_nest_to_the_stated_depth_and_no_deeper() {
    let mut deep = json!({"field": "x"});
    for level in 2..=MAPPING_DEPTH_MAX + 1 {
        deep = json!({"for_field": "a", "for_mapping": deep});
        assert_eq!(mapping(&deep).is_ok(), level <= MAPPING_DEPTH_MAX, "{level}");
    }
    let complaint = mapping(&deep).unwrap_err();
    assert!(complaint.contains("is nested in more than 16 levels of mappings"), "{complaint}");
}

#[test]
fn a_mapping_deeper_than_any_stack_is_a_complaint() {
    let mut deep = json!("Px");
    for _ in 0..1_000 {
        deep = json!({"if_mapping": {"equal": [deep, {"concatenate": [1]}]},
                      "then_mapping": "Pa", "else_mapping": "Pb"});
    }
    assert!(mapping(&deep).is_err());
}
