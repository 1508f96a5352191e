use serde_json::{Value, json};

use crate::domain::{HandlerName, Kind, Mapping, Schemas};
use crate::wire::schemas::read;

fn schema(id: &str, more: Value) -> Value {
    let mut schema = json!({
        "id": id, "plural": format!("{id}s"), "prefix": format!("/v2.0/{id}s"),
        "metadata": {}, "schema": {"properties": {}},
    });
    let Value::Object(more) = more else { panic!("not an object") };
    schema.as_object_mut().unwrap().extend(more);
    schema
}

fn read_all(schemas: &[Value]) -> (Schemas, Vec<String>) {
    read(json!({"schemas": schemas}).to_string().as_bytes()).unwrap()
}

#[test]
fn the_list_may_stand_bare_or_in_the_servers_answer() {
    let bare = json!([schema("port", json!({}))]);
    let bare = read(bare.to_string().as_bytes()).unwrap();
    let (answer, complaints) = read_all(&[schema("port", json!({}))]);
    assert_eq!(bare.0, answer);
    assert_eq!(complaints, Vec::<String>::new());
    assert_eq!(answer.kind_at("/v2.0/ports"), Some(&"port".into()));
}

#[test]
fn a_text_that_is_no_list_of_schemas_is_an_error() {
    let table = [
        ("", "the value is not JSON: EOF"),
        ("{}", "schemas is missing"),
        ("7", "the value must be a list, but is a number"),
        (r#"{"schemas": {}}"#, "schemas must be a list, but is an object"),
    ];
    for (text, expected) in table {
        let error = format!("{:#}", read(text.as_bytes()).unwrap_err());
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn the_prefix_is_the_url_or_what_leads_to_the_plural() {
    let table = [
        (json!({}), "/v2.0/ports"),
        (json!({"prefix": "/v2.0/ports/"}), "/v2.0/ports"),
        (json!({"prefix": "/v2.0/security-groups"}), "/v2.0/security-groups"),
        (json!({"prefix": "/common/v1.0/usage"}), "/common/v1.0/usage"),
        (json!({"prefix": "/v2.0"}), "/v2.0/ports"),
        (json!({"prefix": "v1"}), "/v1/ports"),
        (json!({"prefix": "/v2.0", "url": "/v2.0/ports"}), "/v2.0/ports"),
        (json!({"prefix": "/net", "url": "/space/net/ports"}), "/space/net/ports"),
        (json!({"prefix": null, "url": "/ports"}), "/ports"),
        (json!({"prefix": "/v2.0//ports", "url": ""}), "/v2.0/ports"),
    ];
    for (more, expected) in table {
        let (schemas, complaints) = read_all(&[schema("port", more.clone())]);
        assert_eq!(complaints, Vec::<String>::new(), "{more}");
        assert_eq!(schemas.get(&"port".into()).unwrap().prefix, expected, "{more}");
    }
}

#[test]
fn relations_come_from_the_properties_at_the_top_and_from_the_parent() {
    let properties = json!({
        "network_id": {"type": "string", "relation": "network"},
        "name": {"type": "string", "relation": ""},
        "fixed_ips": {"items": {"properties": {"subnet_id": {"relation": "subnet"}}}},
    });
    let more = json!({"parent": "device", "schema": {"properties": properties}});
    let (schemas, _) = read_all(&[schema("port", more)]);
    let relations = &schemas.get(&"port".into()).unwrap().relations;
    let expected = [("device_id", "device"), ("network_id", "network")];
    assert_eq!(*relations, expected.map(|(field, kind)| (field.into(), Kind::from(kind))).into());
}

#[test]
fn each_handler_finds_its_template_by_its_own_mapping() {
    let metadata = json!({
        "template_path": "ACx_&Py",
        "monitoring_template_path": null,
        "templates": {"audit_worker": {"constant": "audit"}, "none": null},
    });
    let (schemas, complaints) = read_all(&[schema("port", json!({"metadata": metadata}))]);
    assert_eq!(complaints, Vec::<String>::new());
    let templates = &schemas.get(&"port".into()).unwrap().templates;
    let handlers: Vec<_> = templates.keys().map(HandlerName::as_str).collect();
    assert_eq!(handlers, ["audit_worker", "heat_worker"]);
    assert_eq!(templates[&"audit_worker".into()], Mapping::Constant(json!("audit")));
    assert!(matches!(templates[&"heat_worker".into()], Mapping::Concatenate(_)));
}

#[test]
fn a_broken_schema_is_a_complaint_and_the_others_go_on() {
    let broken = |id: &str, metadata: Value| schema(id, json!({"metadata": metadata}));
    let table = [
        (json!(7), "cannot read schema number 0: the value must be an object, but is a number"),
        (json!({"plural": "x"}), "cannot read schema number 0: id is missing"),
        (json!({"id": ""}), "cannot read schema : id must be a name, but is empty"),
        (json!({"id": "x"}), "cannot read schema x: plural is missing"),
        (json!({"id": "x", "plural": "xs"}), "cannot read schema x: prefix is missing or empty"),
        (
            schema("x", json!({"prefix": "/"})),
            "cannot read schema x: prefix is missing or empty; expected a path",
        ),
        (schema("x", json!({"url": 7})), "cannot read schema x: url must be a text"),
        (
            schema("x", json!({"schema": {"properties": {"a": {"relation": 1}}}})),
            "cannot read schema x: schema.properties.a.relation must be a text",
        ),
        (
            broken("x", json!({"template_path": "Zx"})),
            "cannot read schema x: metadata.template_path begins with the unknown letter 'Z'",
        ),
        (
            broken("x", json!({"templates": {"h": {"constant": 1, "b": 2}}})),
            "cannot read schema x: metadata.templates.h has the unknown key \"b\"",
        ),
        (
            broken("x", json!({"template_path": "Ca", "templates": {"heat_worker": "Cb"}})),
            "cannot read schema x: metadata.templates.heat_worker is a second mapping",
        ),
    ];
    for (json, expected) in table {
        let (schemas, complaints) = read_all(&[json.clone(), schema("port", json!({}))]);
        let kinds: Vec<_> = schemas.iter().map(|schema| schema.kind.as_str()).collect();
        assert_eq!(kinds, ["port"], "{json}");
        assert_eq!(complaints.len(), 1, "{json}");
        assert!(complaints[0].starts_with(expected), "{complaints:?}");
    }
}

#[test]
fn of_two_schemas_in_one_place_the_first_counts() {
    let first = schema("port", json!({}));
    let same_id = schema("port", json!({"prefix": "/v2.0/others"}));
    let same_prefix = schema("other", json!({"prefix": "/v2.0/ports"}));
    let (schemas, complaints) = read_all(&[first, same_id, same_prefix]);
    assert_eq!(schemas.iter().count(), 1);
    let expected = [
        "cannot read schema port: id is that of an earlier schema",
        "cannot read schema other: prefix is that of an earlier schema",
    ];
    assert_eq!(complaints, expected);
}
