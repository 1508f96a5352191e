use serde_json::{Value, json};

use super::samples::{JOB, job, port, schemas, written};
use crate::domain::{
    Content, Effect, Entry, Fact, Fields, Guard, Json, Param, ParamValue, Posted, Resource,
    ResourceRef, Revision, State, Step, Transaction, Version,
};
use crate::store::{Compare, Event, KeyValue, LeaseId, Txn, Write};
use crate::wire::{BODY_DEPTH_MAX, event, fact, python_json, read, spell, transaction};

fn spelled(entry: &Entry, content: &Content) -> Value {
    serde_json::from_slice(&spell(&schemas(), entry, content).unwrap()).unwrap()
}

fn nested(levels: usize) -> Json {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn what_is_spelled_is_read_as_it_was() {
    for (entry, content) in written() {
        let value = spell(&schemas(), &entry, &content).unwrap();
        assert_eq!(read(&schemas(), &entry, &value), content, "{entry:?}");
    }
}

#[test]
fn a_job_has_exactly_the_keys_that_workers_know() {
    let posted = Content::Job(Posted { job: job(), attempts: 3 });
    let network = json!({"resource_type": "network", "resource_id": "f2de"});
    let output = |resources: Value, name: &str| {
        json!({"param": name, "type": "output_key", "resources": resources,
               "value": {"output_key": "id", "resource_type": "network", "resource_id": "f2de"}})
    };
    let value = |name: &str, value: Value| {
        let resources: [Value; 0] = [];
        json!({"param": name, "type": "value", "value": value, "resources": resources})
    };
    let expected = json!(["heat_worker", {
        "id": JOB, "job_name": "port:a778:2", "action": "modify", "handler": "heat_worker",
        "resource_type": "port", "resource_id": "a778", "version": 2, "is_first": false,
        "is_last": true, "on_failure": "ignore", "dependency": ["a:b", "c:d"],
        "resource_input": job().input,
        "params": [
            output(json!([network, network]), "net"),
            value("none", json!(null)),
            value("fixed_ips", json!([{"ip": "169.254.0.4"}])),
            {"param": "subnets", "type": "list", "resources": [network],
             "value": [output(json!([]), "subnets"), value("subnets", json!("x"))]},
        ],
    }, 3]);
    assert_eq!(spelled(&Entry::Job(JOB.into()), &posted), expected);
}

#[test]
fn every_family_has_the_shape_that_the_world_knows() {
    let base = |version| {
        json!({"version": version, "body": {"id": "a778", "tags": {}},
               "templates": {"heat_worker": "port", "monitoring_worker": "port_monitoring"}})
    };
    let mut applied = base(2);
    applied["deleted"] = json!(true);
    applied["before"] = base(1);
    let target = |name: &str| {
        json!({"name": name, "type": "switch", "topic": "monitor_snmp_device",
               "properties": {"ip": "10.0.0.1", "mibs": []}})
    };
    let mut timed = target("b");
    timed["interval_ms"] = json!(1000);
    let table = [
        (
            Entry::State(port()),
            json!({"version": 2, "error": "caf\u{e9} \"closed\"", "state": {
                "worker_state": "CREATE_COMPLETED", "heat_outputs": "[{\"output_key\": \"id\"}]"}}),
        ),
        (Entry::Monitoring(port()), json!({"version": 2, "vmi": "UP"})),
        (
            Entry::Step(JOB.into()),
            json!({"template": "port", "checkpoint": {"seen": [1]},
                   "wake_ms": 1_494_471_861_000_u64, "trouble": "timed out"}),
        ),
        (
            Entry::Stack(port()),
            json!({"id": "port:a778", "stack_id": "port_a778", "tenant_id": "0b57",
                   "stack_status": "UPDATE_COMPLETE", "status_reason": "", "output": [
                {"output_key": "id", "output_value": ["a", 1], "description": "The id."},
                {"output_key": "id", "output_value": null, "description": "The id.",
                 "output_error": "no such attribute"}]}),
        ),
        (Entry::Applied(port()), applied),
        (
            Entry::Registration(port()),
            json!({"version": 3, "tenant_id": "0b57", "targets": [target("a"), timed],
                   "db_mappings": [{"mapped_id": "10.0.0.1-xe", "relation": "baremetal",
                                    "resource_type": "port", "resource_id": "a778"}]}),
        ),
    ];
    for (entry, expected) in table {
        let (_, content) = written().into_iter().find(|(other, _)| *other == entry).unwrap();
        assert_eq!(spelled(&entry, &content), expected);
    }
    let ready =
        spell(&schemas(), &Entry::Ready(JOB.into()), &Content::Handler("heat_worker".into()));
    assert_eq!(ready.unwrap(), b"heat_worker");
}

#[test]
fn a_body_is_spelled_as_text_and_read_as_text_or_object() {
    let body = json!({"id": "a778", "n": 1});
    let of = Entry::Config(port());
    let resource = |marked_for_deletion| {
        let body = body.clone();
        let version = Version(4);
        Content::Resource(Resource { of: port(), body, version, marked_for_deletion })
    };
    let value = spelled(&of, &resource(true));
    assert_eq!(value["body"], json!(body.to_string()));
    let read = |value: Value| read(&schemas(), &of, value.to_string().as_bytes());
    assert_eq!(read(value), resource(true));
    assert_eq!(read(json!({"body": body, "version": 4})), resource(false));
    assert_eq!(
        read(json!({"body": body, "version": 4, "marked_for_deletion": false, "more": 1})),
        resource(false)
    );
}

#[test]
fn state_fields_that_are_no_texts_become_texts_in_pythons_style() {
    let mut state = State::new(Version(2), "CREATE_COMPLETED");
    let outputs = json!([{"output_key": "id", "output_value": "\u{e9}"}, {"n": [1, null]}]);
    state.fields.insert("heat_outputs".into(), outputs.clone());
    state.fields.insert("empty".into(), json!({}));
    let value = spelled(&Entry::State(port()), &Content::State(state));
    assert_eq!(value["state"]["worker_state"], json!("CREATE_COMPLETED"));
    assert_eq!(value["state"]["empty"], json!("{}"));
    assert_eq!(value["state"]["heat_outputs"], json!(python_json(&outputs)));
    assert_eq!(
        value["state"]["heat_outputs"],
        json!(r#"[{"output_key": "id", "output_value": "\u00e9"}, {"n": [1, null]}]"#)
    );
}

#[test]
fn content_is_spelled_only_under_an_entry_of_its_own() {
    let other = ResourceRef::new("port", "other");
    let contents = written();
    for (entry, _) in &contents {
        for (home, content) in &contents {
            let fits = std::mem::discriminant(entry) == std::mem::discriminant(home)
                || matches!(content, Content::Handler(_))
                    && matches!(entry, Entry::Waiting(_) | Entry::Ready(_))
                || matches!(content, Content::Host(_))
                    && matches!(entry, Entry::Working(_) | Entry::Leader);
            assert_eq!(spell(&schemas(), entry, content).is_ok(), fits, "{entry:?} {content:?}");
        }
        let unreadable = Content::Unreadable("broken".into());
        assert!(spell(&schemas(), entry, &unreadable).is_err());
    }
    for (entry, content) in contents {
        let elsewhere = match entry {
            Entry::Config(_) => Entry::Config(other.clone()),
            Entry::Stack(_) => Entry::Stack(other.clone()),
            Entry::Registration(_) => Entry::Registration(other.clone()),
            Entry::Job(_) => Entry::Job("other".into()),
            _ => continue,
        };
        let complaint = spell(&schemas(), &elsewhere, &content).unwrap_err().to_string();
        assert!(complaint.contains("the value does not belong here: it is a"), "{complaint}");
    }
}

type DeepSample<'a> = (Entry, &'a dyn Fn(usize) -> Content);

#[test]
fn what_could_not_be_read_again_is_not_spelled() {
    let step = |levels| {
        Content::Step(Step {
            template: "port".into(),
            checkpoint: Some(nested(levels)),
            wake_ms: 0,
            trouble: String::new(),
        })
    };
    let reports = |levels| Content::JobState(Fields::from([("outputs".into(), nested(levels))]));
    let lists = |levels: usize| {
        let inner = Param { name: "p".into(), value: ParamValue::List(vec![]), resources: vec![] };
        let param = (0..levels).fold(inner, |inner, _| Param {
            name: "p".into(),
            value: ParamValue::List(vec![inner]),
            resources: vec![port()],
        });
        let mut job = job();
        job.params = vec![param];
        Content::Job(Posted { job, attempts: 0 })
    };
    let table: [DeepSample<'_>; 3] = [
        (Entry::Step(JOB.into()), &step),
        (Entry::JobState(port()), &reports),
        (Entry::Job(JOB.into()), &lists),
    ];
    for (entry, content) in table {
        let mut refused = 0;
        for levels in 0..140 {
            let content = content(levels);
            match spell(&schemas(), &entry, &content) {
                Ok(value) => assert_eq!(read(&schemas(), &entry, &value), content),
                Err(complaint) => {
                    refused += 1;
                    assert!(complaint.to_string().contains("nested in"), "{complaint}");
                }
            }
        }
        assert!(refused > 0, "{entry:?}");
    }
}

#[test]
fn a_body_that_is_read_fits_into_a_job() {
    let body = json!({"deep": nested(BODY_DEPTH_MAX - 1)});
    let text = json!({"body": body.to_string(), "version": 1}).to_string();
    let content = read(&schemas(), &Entry::Config(port()), text.as_bytes());
    assert!(matches!(content, Content::Resource(_)), "{content:?}");
    let mut job = job();
    let inner =
        Param { name: "p".into(), value: ParamValue::Value(body.clone()), resources: vec![] };
    job.params = vec![(0..super::super::clauses::MAPPING_DEPTH_MAX).fold(inner, |inner, _| {
        Param { name: "p".into(), value: ParamValue::List(vec![inner]), resources: vec![] }
    })];
    job.input = body;
    let posted = Content::Job(Posted { job, attempts: 0 });
    let value = spell(&schemas(), &Entry::Job(JOB.into()), &posted).unwrap();
    assert_eq!(read(&schemas(), &Entry::Job(JOB.into()), &value), posted);

    let deeper = json!({"deep": nested(BODY_DEPTH_MAX)});
    let text = json!({"body": deeper, "version": 1}).to_string();
    let content = read(&schemas(), &Entry::Config(port()), text.as_bytes());
    assert_eq!(content, Content::Unreadable("body is nested in more than 64 levels".into()));
}

#[test]
fn an_object_called_version_cannot_be_monitored() {
    let statuses = [("version".to_owned(), "UP".to_owned())].into();
    let content = Content::Monitoring { version: Version(1), statuses };
    let complaint = spell(&schemas(), &Entry::Monitoring(port()), &content).unwrap_err();
    assert_eq!(
        complaint.to_string(),
        "cannot spell monitoring port:a778: \
         version is the name of the version, no object may be called so"
    );
}

#[test]
fn listed_keys_and_watched_changes_are_facts() {
    let kv = KeyValue {
        key: "/jobs/ready/j".into(),
        value: b"heat_worker".to_vec(),
        created: 3,
        modified: 5,
        lease: None,
    };
    let content = Some(Content::Handler("heat_worker".into()));
    let entry = Entry::Ready("j".into());
    let shown = |content, created| Fact {
        entry: entry.clone(),
        content,
        created: Revision(created),
        revision: Revision(5),
    };
    assert_eq!(fact(&schemas(), &kv), shown(content.clone(), 3));
    let mut change =
        Event { key: kv.key.clone(), value: Some(kv.value.clone()), created: 3, revision: 5 };
    assert_eq!(event(&schemas(), &change), shown(content, 3));
    (change.value, change.created) = (None, 0);
    assert_eq!(event(&schemas(), &change), shown(None, 0));
}

#[test]
fn a_transition_becomes_one_transaction() {
    let (ready, working) = (Entry::Ready("j".into()), Entry::Working("j".into()));
    let state = Entry::State(port());
    let transition = Transaction {
        guards: vec![
            Guard::Absent(working.clone()),
            Guard::Present(ready.clone()),
            Guard::Unchanged(state.clone(), Revision(7)),
            Guard::Created(Entry::PlanMark, Revision(8)),
        ],
        effects: vec![
            Effect::PutLeased(working, Content::Host("h1".into())),
            Effect::Put(Entry::PlanMark, Content::Free(json!(1))),
            Effect::Remove(ready),
        ],
    };
    let put = |key: &str, value: &[u8], lease| Write::Put {
        key: key.into(),
        value: value.to_vec(),
        lease,
    };
    let expected = Txn {
        compares: vec![
            Compare::Absent("/jobs/working/j".into()),
            Compare::Present("/jobs/ready/j".into()),
            Compare::Modified("/state/v2.0/ports/a778".into(), 7),
            Compare::Created("/stokehold/plan".into(), 8),
        ],
        writes: vec![
            put("/jobs/working/j", b"h1", Some(LeaseId(9))),
            put("/stokehold/plan", b"1", None),
            Write::Delete { key: "/jobs/ready/j".into() },
        ],
    };
    assert_eq!(transaction(&schemas(), &transition, Some(LeaseId(9))), Ok(expected));
    assert_eq!(
        transaction(&schemas(), &transition, None).unwrap_err().to_string(),
        "cannot spell working j: it must vanish with a lease, and there is none"
    );
}

#[test]
fn a_transition_with_one_entry_that_cannot_be_spelled_is_none_at_all() {
    let nowhere = Entry::State(ResourceRef::new("server", "1"));
    let guards = vec![Guard::Absent(nowhere.clone())];
    let remove = vec![Effect::Remove(nowhere.clone())];
    let put = vec![Effect::Put(nowhere, Content::State(State::new(Version(1), "X")))];
    let misplaced = vec![Effect::Put(Entry::PlanMark, Content::Handler("h".into()))];
    for (guards, effects) in
        [(guards, vec![]), (vec![], remove), (vec![], put), (vec![], misplaced)]
    {
        assert!(transaction(&schemas(), &Transaction { guards, effects }, None).is_err());
    }
}
