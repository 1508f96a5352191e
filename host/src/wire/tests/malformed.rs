use serde_json::{Value, json};

use super::samples::{JOB, port, schemas, written};
use crate::domain::{Content, Entry};
use crate::wire::{key, read, spell};

fn complaint(entry: &Entry, value: &[u8]) -> String {
    match read(&schemas(), entry, value) {
        Content::Unreadable(reason) => reason,
        other => panic!("{entry:?} is readable: {other:?}"),
    }
}

fn check(entry: &Entry, table: Vec<(Value, &str)>) {
    for (value, expected) in table {
        let reason = complaint(entry, value.to_string().as_bytes());
        assert!(reason.starts_with(expected), "{value}: {reason}");
    }
}

/// The sample of a family with one value replaced, or removed.
fn changed(entry: &Entry, pointer: &str, value: Option<Value>) -> Value {
    let (_, content) = written().into_iter().find(|(other, _)| other == entry).unwrap();
    let bytes = spell(&schemas(), entry, &content).unwrap();
    let mut document: Value = serde_json::from_slice(&bytes).unwrap();
    if let Some(value) = value {
        *document.pointer_mut(pointer).unwrap() = value;
    } else {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap();
        parent.as_object_mut().unwrap().remove(field).unwrap();
    }
    document
}

fn check_changed(entry: &Entry, table: Vec<(&str, Option<Value>, &str)>) {
    let table = table
        .into_iter()
        .map(|(pointer, value, expected)| (changed(entry, pointer, value), expected));
    check(entry, table.collect());
}

#[test]
fn a_document_that_is_none_says_so() {
    for (entry, _) in written() {
        let bare = matches!(entry, Entry::Waiting(_) | Entry::Ready(_) | Entry::Working(_));
        if bare || entry == Entry::Leader {
            assert_eq!(complaint(&entry, b""), "the value is empty: a name was expected");
            assert_eq!(complaint(&entry, b"\xff"), "the value is not UTF-8: a name was expected");
            continue;
        }
        assert!(complaint(&entry, b"").starts_with("the value is not JSON: EOF"));
        assert!(complaint(&entry, b"{\"a\": \xff}").starts_with("the value is not JSON: "));
        let deep = "[".repeat(100_000);
        assert!(complaint(&entry, deep.as_bytes()).contains("recursion limit"));
        if entry != Entry::PlanMark {
            let reason = complaint(&entry, b"7");
            assert!(reason.starts_with("the value must be "), "{reason}");
        }
    }
}

#[test]
fn a_key_that_no_rule_explains_is_explained_to_the_operator() {
    let schemas = schemas();
    let table = [
        (
            "/config/v2.0/servers/1",
            "the value lies under the prefix /v2.0/servers, which none of the schemas has",
        ),
        ("/elsewhere", "the value lies under a key that no rule explains"),
        ("/jobs/finished/x", "the value lies under a key that no rule explains"),
        ("/config/v2.0/ports/", "the value lies under a key that no rule explains"),
    ];
    for (text, expected) in table {
        assert_eq!(complaint(&key::parse(&schemas, text), b"{}"), expected);
    }
}

#[test]
fn a_malformed_config_says_where() {
    check(
        &Entry::Config(port()),
        vec![
            (json!([]), "the value must be an object, but is a list"),
            (json!({"version": 1}), "body is missing"),
            (json!({"version": 1, "body": []}), "body must be an object, but is a list"),
            (json!({"version": 1, "body": null}), "body must be an object, but is null"),
            (json!({"version": 1, "body": "[1]"}), "body must be an object, but is a list"),
            (json!({"version": 1, "body": "{\"a\":"}), "body is not JSON: EOF while parsing"),
            (json!({"version": 1, "body": "\"{}\""}), "body must be an object, but is a text"),
            (json!({"body": {}}), "version is missing"),
            (
                json!({"body": {}, "version": "2"}),
                "version must be a non-negative whole number, but is a text",
            ),
            (
                json!({"body": {}, "version": -1}),
                "version must not be negative, fractional or beyond",
            ),
            (
                json!({"body": {}, "version": 1.5}),
                "version must not be negative, fractional or beyond",
            ),
            (
                json!({"body": {}, "version": 1, "marked_for_deletion": "yes"}),
                "marked_for_deletion must be true or false, but is a text",
            ),
        ],
    );
}

#[test]
fn a_malformed_template_says_where_and_one_with_a_malformed_mapping_stays_a_template() {
    let config = |body: Value| json!({"version": 1, "body": body.to_string()});
    let entry = Entry::Template("port".into());
    check(
        &entry,
        vec![
            (json!({"version": 1}), "body is missing"),
            (config(json!({"template_file": ""})), "body.handler is missing"),
            (
                config(json!({"handler": "", "template_file": ""})),
                "body.handler must name a handler, but is empty",
            ),
            (
                config(json!({"handler": 1, "template_file": ""})),
                "body.handler must be a text, but is a number",
            ),
            (config(json!({"handler": "h"})), "body.template_file is missing"),
            (
                config(json!({"handler": "h", "template_file": {}})),
                "body.template_file must be a text, but is an object",
            ),
        ],
    );
    let table = [
        (json!(null), Ok(0)),
        (json!({}), Ok(0)),
        (json!({"a": "Pa", "b": {"constant": 1}}), Ok(2)),
        (
            json!({"a": "Pa", "b": "Zb"}),
            Err("parameter_mappings.b begins with the unknown letter 'Z'"),
        ),
        (
            json!({"a": {"for_field": "x", "for_mapping": {}}}),
            Err("parameter_mappings.a.for_mapping is no mapping"),
        ),
        (json!([]), Err("parameter_mappings must be an object, but is a list")),
    ];
    for (mappings, expected) in table {
        let body = json!({"handler": "h", "template_file": "text", "parameter_mappings": mappings});
        let value = config(body).to_string();
        let Content::Template(template) = read(&schemas(), &entry, value.as_bytes()) else {
            panic!("{mappings} makes the template unreadable");
        };
        assert_eq!((template.id, template.text), ("port".into(), "text".to_owned()));
        match (template.params, expected) {
            (Ok(params), Ok(count)) => assert_eq!(params.len(), count),
            (Err(complaint), Err(expected)) => {
                assert!(complaint.starts_with(expected), "{complaint}");
            }
            (params, _) => panic!("{mappings}: {params:?}"),
        }
    }
}

#[test]
fn a_malformed_state_or_live_status_says_where() {
    check(
        &Entry::State(port()),
        vec![
            (json!({}), "version is missing"),
            (json!({"version": "1"}), "version must be a non-negative whole number"),
            (json!({"version": 1, "error": []}), "error must be a text, but is a list"),
            (json!({"version": 1, "state": "x"}), "state must be an object, but is a text"),
        ],
    );
    check(
        &Entry::Monitoring(port()),
        vec![
            (json!({"vmi": "UP"}), "version is missing"),
            (json!({"version": 1, "vmi": 1}), "vmi must be a text, but is a number"),
        ],
    );
    check(&Entry::JobState(port()), vec![(json!([]), "the value must be an object")]);
}

#[test]
fn a_malformed_job_says_where() {
    let entry = Entry::Job(JOB.into());
    check(
        &entry,
        vec![
            (json!({}), "the value must be a list, but is an object"),
            (
                json!(["h", {}]),
                "the value must have three elements: the handler, the job, the attempts",
            ),
            (json!([1, {}, 0]), "[0] must be a text"),
            (json!(["h", [], 0]), "[1] must be an object, but is a list"),
        ],
    );
}

#[test]
fn a_job_that_lacks_or_contradicts_something_says_where() {
    let entry = Entry::Job(JOB.into());
    let text = |text: &str| Some(json!(text));
    check_changed(
        &entry,
        vec![
            ("/2", Some(json!(-1)), "[2] must not be negative"),
            ("/2", Some(json!(u64::MAX)), "[2] must be less than 2 to the power of 32"),
            ("/0", text("other"), "[1].handler must be other, as the rest of the entry says"),
            ("/1/id", text("other"), "[1].id must be modify:heat_worker:port:a778:2:lkvlo"),
            ("/1/job_name", text("port:x:2"), "[1].job_name must be port:a778:2"),
            (
                "/1/action",
                text("destroy"),
                "[1].action must be create, modify, delete or logical_delete",
            ),
            ("/1/on_failure", text("retry"), "[1].on_failure must be fail or ignore"),
            ("/1/is_last", Some(json!(1)), "[1].is_last must be true or false, but is a number"),
            ("/1/dependency", text("x"), "[1].dependency must be a list, but is a text"),
            ("/1/dependency/1", Some(json!(null)), "[1].dependency[1] must be a text, but is null"),
            ("/1/params/0/type", text("x"), "[1].params[0].value has a type that is none of"),
            ("/1/params/0/value", text("x"), "[1].params[0].value must be an object"),
            ("/1/params/0/value/output_key", None, "[1].params[0].value.output_key is missing"),
            (
                "/1/params/0/resources/1/resource_id",
                None,
                "[1].params[0].resources[1].resource_id is",
            ),
            (
                "/1/params/3/value/0/value/resource_type",
                None,
                "[1].params[3].value[0].value.resource_type is missing",
            ),
            ("/1/params/3/resources", None, "[1].params[3].resources is missing"),
        ],
    );
    for field in [
        "id",
        "job_name",
        "action",
        "handler",
        "resource_type",
        "resource_id",
        "version",
        "is_first",
        "is_last",
        "on_failure",
        "dependency",
        "params",
        "resource_input",
    ] {
        let document = changed(&entry, &format!("/1/{field}"), None);
        let reason = complaint(&entry, document.to_string().as_bytes());
        assert_eq!(reason, format!("[1].{field} is missing"));
    }
}

#[test]
fn a_malformed_stack_or_step_says_where() {
    check_changed(
        &Entry::Stack(port()),
        vec![
            ("/id", Some(json!("port:other")), "id must be port:a778, as the key says"),
            ("/stack_id", None, "stack_id is missing"),
            ("/stack_status", Some(json!(1)), "stack_status must be a text, but is a number"),
            ("/output", Some(json!({})), "output must be a list, but is an object"),
            ("/output/1/output_key", None, "output[1].output_key is missing"),
            ("/output/1/output_error", Some(json!({})), "output[1].output_error must be a text"),
        ],
    );
    check_changed(
        &Entry::Step(JOB.into()),
        vec![
            ("/template", None, "template is missing"),
            ("/wake_ms", Some(json!("1")), "wake_ms must be a non-negative whole number"),
            ("/trouble", Some(json!(1)), "trouble must be a text"),
        ],
    );
}

#[test]
fn a_malformed_registration_or_record_of_what_was_planned_says_where() {
    check_changed(
        &Entry::Registration(port()),
        vec![
            ("/version", None, "version is missing"),
            ("/targets", Some(json!({})), "targets must be a list"),
            (
                "/targets/1/name",
                Some(json!("a")),
                "targets[1].name is the name of an earlier target",
            ),
            ("/targets/0/properties", None, "targets[0].properties is missing"),
            (
                "/targets/1/interval_ms",
                Some(json!(-1)),
                "targets[1].interval_ms must not be negative",
            ),
            ("/db_mappings/0/resource_id", None, "db_mappings[0].resource_id is missing"),
        ],
    );
    check_changed(
        &Entry::Applied(port()),
        vec![
            ("/version", Some(json!("2")), "version must be a non-negative whole number"),
            ("/body", None, "body is missing"),
            ("/templates", Some(json!([])), "templates must be an object"),
            ("/templates/heat_worker", Some(json!(1)), "templates.heat_worker must be a text"),
            ("/deleted", Some(json!(1)), "deleted must be true or false"),
            ("/before/body", None, "before.body is missing"),
            ("/before", Some(json!(1)), "before must be an object, but is a number"),
        ],
    );
}

#[test]
fn a_reason_never_quotes_a_value() {
    let secret = "s3cret";
    for (entry, content) in written() {
        let bytes = spell(&schemas(), &entry, &content).unwrap();
        let Ok(document) = serde_json::from_slice::<Value>(&bytes) else { continue };
        for pointer in pointers(&document) {
            let mut broken = document.clone();
            *broken.pointer_mut(&pointer).unwrap() = json!(secret);
            let content = read(&schemas(), &entry, broken.to_string().as_bytes());
            // Names that a job says twice are compared, and are no secrets.
            let name = ["/0", "/1/resource_type", "/1/resource_id"].contains(&pointer.as_str());
            if let (Content::Unreadable(reason), false) = (content, name) {
                assert!(!reason.contains(secret), "{pointer}: {reason}");
            }
        }
    }
}

fn pointers(document: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match document {
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
        }
        Value::Object(map) => map.iter().map(|(name, item)| (name.clone(), item)).collect(),
        _ => vec![],
    };
    let mut all = vec![String::new()];
    for (name, child) in children {
        all.extend(pointers(child).into_iter().map(|rest| format!("/{name}{rest}")));
    }
    all
}
