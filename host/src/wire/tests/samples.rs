//! One entry of each family with content that uses all it can hold.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::domain::{
    Action, Alias, Applied, Base, Content, Entry, Fields, Handler, HandlerName, Job, Json,
    OnFailure, Output, Param, ParamValue, PluginFault, PluginKind, PluginStatus, PluginWish,
    Posted, Presence, ProberKinds, Registration, Resource, ResourceRef, Schema, Schemas, Stack,
    Stage, State, Step, Target, TemplateId, UpdateStyle, Version,
};

pub fn schemas() -> Schemas {
    let schema = |kind: &str, plural: &str, prefix: &str| Schema {
        kind: kind.into(),
        plural: plural.into(),
        prefix: prefix.into(),
        relations: BTreeMap::new(),
        templates: BTreeMap::new(),
    };
    Schemas::new([
        schema("port", "ports", "/v2.0/ports"),
        schema("network", "networks", "/v2.0/networks"),
        schema("tenant", "tenants", "/common/v1.0/tenants"),
        schema("heat_template", "heat_templates", "/v2.0/heat_templates"),
    ])
}

pub fn port() -> ResourceRef {
    ResourceRef::new("port", "a778")
}

pub const JOB: &str = "modify:heat_worker:port:a778:2:lkvlo";

pub fn job() -> Job {
    let network = ResourceRef::new("network", "f2de");
    let output = |name: &str, resources| Param {
        name: name.into(),
        value: ParamValue::Output { key: "id".into(), of: network.clone() },
        resources,
    };
    let value = |name: &str, value| Param {
        name: name.into(),
        value: ParamValue::Value(value),
        resources: vec![],
    };
    let subnets = ParamValue::List(vec![output("subnets", vec![]), value("subnets", json!("x"))]);
    Job {
        id: JOB.into(),
        action: Action::Modify,
        handler: "heat_worker".into(),
        target: port(),
        version: Version(2),
        is_first: false,
        is_last: true,
        on_failure: OnFailure::Ignore,
        dependency: BTreeSet::from(["a:b".into(), "c:d".into()]),
        params: vec![
            output("net", vec![network.clone(), network.clone()]),
            value("none", json!(null)),
            value("fixed_ips", json!([{"ip": "169.254.0.4"}])),
            Param { name: "subnets".into(), value: subnets, resources: vec![network.clone()] },
        ],
        input: json!({"id": "a778", "text": "\u{e9}\"\\", "n": [1, 2.5, -3, null, true]}),
    }
}

fn base(version: u64) -> Base {
    Base {
        version: Version(version),
        body: json!({"id": "a778", "tags": {}}),
        templates: BTreeMap::from([
            (HandlerName::from("heat_worker"), TemplateId::from("port")),
            (HandlerName::from("monitoring_worker"), TemplateId::from("port_monitoring")),
        ]),
    }
}

fn stack() -> Stack {
    let output = |value: Json, error: Option<&str>| Output {
        key: "id".into(),
        value,
        description: "The id.".into(),
        error: error.map(str::to_owned),
    };
    Stack {
        stack_id: "port_a778".into(),
        tenant_id: "0b57".into(),
        status: "UPDATE_COMPLETE".into(),
        status_reason: String::new(),
        outputs: vec![
            output(json!(["a", 1]), None),
            output(json!(null), Some("no such attribute")),
        ],
    }
}

fn registration() -> Registration {
    let target = |name: &str, interval_ms| {
        let target = Target {
            name: name.into(),
            kind: "switch".into(),
            topic: "monitor_snmp_device".into(),
            properties: json!({"ip": "10.0.0.1", "mibs": []}),
            interval_ms,
        };
        (name.to_owned(), target)
    };
    Registration {
        version: Version(3),
        tenant_id: "0b57".into(),
        targets: BTreeMap::from([target("a", None), target("b", Some(1000))]),
        aliases: vec![Alias {
            mapped_id: "10.0.0.1-xe".into(),
            relation: "baremetal".into(),
            of: port(),
        }],
    }
}

/// Every family that the host may write.
pub fn written() -> Vec<(Entry, Content)> {
    let mut state = State::new(Version(2), "CREATE_COMPLETED");
    state.error = "caf\u{e9} \"closed\"".into();
    state.fields.insert("heat_outputs".into(), json!("[{\"output_key\": \"id\"}]"));
    let body = json!({"id": "a778", "name": "\u{e9}", "deep": [{"a": [{}]}], "null": null});
    let resource =
        Resource { of: port(), body, version: Version(u64::MAX), marked_for_deletion: true };
    let reports = Fields::from([
        ("heat_outputs".into(), json!([{"output_key": "id"}])),
        ("orchestration_state".into(), json!("CREATE_COMPLETE")),
    ]);
    let statuses = BTreeMap::from([("vmi".to_owned(), "UP".to_owned())]);
    let applied = Applied { now: base(2), deleted: true, before: Some(base(1)) };
    let fresh = Applied { now: base(1), deleted: false, before: None };
    let step = |checkpoint| Step {
        template: "port".into(),
        checkpoint,
        wake_ms: 1_494_471_861_000,
        trouble: "timed out".into(),
    };
    let presence = Presence {
        version: "0.1.0".into(),
        node: "node-1".into(),
        pid: 7,
        started_ms: 9,
        handlers: vec![Handler {
            name: "heat_worker".into(),
            after: BTreeSet::from(["other".into()]),
            update: UpdateStyle::Recreate,
        }],
        probers: vec![ProberKinds { name: "http".into(), kinds: vec!["vm".into()] }],
        plugins: vec![
            PluginStatus {
                name: "heat_worker".into(),
                file: "heat_worker.wasm".into(),
                kind: PluginKind::Handler,
                digest: "ab12".into(),
                since_ms: 11,
                is_from_cache: true,
                stage: Stage::Canary,
                former: Some("cd34".into()),
                paused_until_ms: Some(12),
                refused: Some("is empty".into()),
                wishes: vec![PluginWish {
                    asked: "http heat:8004".into(),
                    standing: "refused".into(),
                    line: Some("http = [\"heat:8004\"]".into()),
                }],
            },
            PluginStatus {
                name: "http".into(),
                file: "http.wasm".into(),
                kind: PluginKind::Prober,
                digest: "ef56".into(),
                since_ms: 13,
                is_from_cache: false,
                stage: Stage::OnTrial,
                former: None,
                paused_until_ms: None,
                refused: None,
                wishes: Vec::new(),
            },
        ],
        faults: vec![PluginFault { file: "x.wasm".into(), reason: "no component".into() }],
    };
    vec![
        (Entry::Config(port()), Content::Resource(resource)),
        (Entry::State(port()), Content::State(state)),
        (Entry::Monitoring(port()), Content::Monitoring { version: Version(2), statuses }),
        (Entry::Job(JOB.into()), Content::Job(Posted { job: job(), attempts: 3 })),
        (Entry::Waiting(JOB.into()), Content::Handler("heat_worker".into())),
        (Entry::Ready(JOB.into()), Content::Handler("heat_worker".into())),
        (Entry::Working(JOB.into()), Content::Host("host-1".into())),
        (Entry::Step(JOB.into()), Content::Step(step(Some(json!({"seen": [1]}))))),
        (Entry::Step(JOB.into()), Content::Step(step(None))),
        (Entry::Stack(port()), Content::Stack(port(), stack())),
        (Entry::JobState(port()), Content::JobState(reports)),
        (Entry::JobState(port()), Content::JobState(Fields::new())),
        (Entry::Applied(port()), Content::Applied(applied)),
        (Entry::Applied(port()), Content::Applied(fresh)),
        (Entry::Registration(port()), Content::Registration(port(), registration())),
        (Entry::PlanMark, Content::Free(json!({"n": 1}))),
        (Entry::Host("host-1".into()), Content::Presence(presence)),
        (Entry::Leader, Content::Host("host-1".into())),
    ]
}
