//! What a handler is told and what it can say.

use std::collections::BTreeMap;

use serde_json::json;
use stokehold::domain::{
    Alias, Failure, Fault, HandlerName, MonitorCall, Output, Param, ParamValue, ResourceRef, Stack,
    State, Target, UpdateStyle, Verdict, Version,
};
use stokehold::plugin::{PluginGrants, Subject};

use super::component::Wat;
use super::{House, Known, Logs, act, acts, call, call_with, done, fault};

#[tokio::test]
async fn a_handler_is_what_it_describes() {
    let worker = acts().await;
    assert_eq!(worker.handler().name, HandlerName::new("guest_acts"));
    assert_eq!(worker.handler().after, [HandlerName::new("first_worker")].into());
    assert_eq!(worker.handler().update, UpdateStyle::Recreate);
    assert_eq!(worker.name(), "guest_acts");
    assert_eq!(worker.digest().len(), 64);
}

#[tokio::test]
async fn what_a_handler_reports_comes_with_its_verdict() {
    let params = vec![value("fixed_ips", json!([{"ip": "10.0.0.1"}]))];
    let (logs, _guard) = Logs::record();
    let call = call_with(json!({"act": "work"}), params, Known::default());
    let answer = acts().await.handle(call).await;
    assert_eq!(answer.outcome, Ok(Verdict::Completed));
    assert!(logs.line("at work").contains("INFO"));
    let report = answer.report;
    let output = |key: &str, value, error: Option<&str>| Output {
        key: key.to_owned(),
        value,
        description: "an output".to_owned(),
        error: error.map(str::to_owned),
    };
    let stack = Stack {
        stack_id: "port_p1".to_owned(),
        tenant_id: "t1".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        status_reason: String::new(),
        outputs: vec![
            output("fixed_ips", json!([{"ip": "10.0.0.1"}]), None),
            output("broken", json!(null), Some("no such attribute")),
        ],
    };
    assert_eq!(report.stack, Some(stack));
    let fields = BTreeMap::from([
        ("heat_outputs".to_owned(), json!([1, "two"])),
        ("orchestration_state".to_owned(), json!("CREATE_COMPLETE")),
    ]);
    assert_eq!(report.fields, fields);
    let alias = |of| Alias { mapped_id: "m1".to_owned(), relation: "baremetal".to_owned(), of };
    let target = Target {
        name: "vm".to_owned(),
        kind: "nova_vm".to_owned(),
        topic: "monitor_nova_vm".to_owned(),
        properties: json!({"server_id": "s1"}),
        interval_ms: Some(500),
    };
    let calls = [
        MonitorCall::Clear,
        MonitorCall::Register(target),
        MonitorCall::Unregister("old".to_owned()),
        MonitorCall::AddAlias(alias(ResourceRef::new("port", "p1"))),
        MonitorCall::RemoveAlias(alias(ResourceRef::new("network", "n1"))),
    ];
    assert_eq!(report.monitor, calls);
}

#[tokio::test]
async fn a_handler_is_told_all_about_its_job() {
    let mut call = call(json!({"act": "echo"}));
    call.checkpoint = Some(json!({"stack": 7}));
    let report = done(acts().await.handle(call).await);
    assert_eq!(
        report["job"],
        json!({
            "id": "create:guest_acts:port:p1:3:abcde", "action": "Action::LogicalDelete",
            "version": 3, "target": ["port", "p1"], "attempt": 2,
            "template": ["port_template", "a: {{ b }}"], "checkpoint": "{\"stack\":7}",
        })
    );
}

#[tokio::test]
async fn every_verdict_arrives_as_it_was_meant() {
    let worker = acts().await;
    let pending = Verdict::Pending { after_ms: 20, checkpoint: json!({"seen": 1}) };
    assert_eq!(act(&worker, "wait", 20).await.outcome, Ok(pending));
    let retry = Verdict::Failed(Failure::Retry("later".to_owned()));
    assert_eq!(act(&worker, "retry", 0).await.outcome, Ok(retry));
    let fatal = Verdict::Failed(Failure::Fatal("xx".to_owned()));
    assert_eq!(act(&worker, "fatal", 2).await.outcome, Ok(fatal));
}

fn value(name: &str, value: stokehold::domain::Json) -> Param {
    Param { name: name.to_owned(), value: ParamValue::Value(value), resources: Vec::new() }
}

fn output_of(name: &str, kind: &str, id: &str, key: &str) -> Param {
    let value = ParamValue::Output { key: key.to_owned(), of: ResourceRef::new(kind, id) };
    Param { name: name.to_owned(), value, resources: Vec::new() }
}

fn known() -> Known {
    let output = |key: &str, value, error: Option<&str>| Output {
        key: key.to_owned(),
        value,
        description: String::new(),
        error: error.map(str::to_owned),
    };
    let outputs = vec![
        output("fq_name", json!(["a", "b"]), None),
        output("nothing", json!(null), None),
        output("failed", json!(null), Some("Heat says no")),
    ];
    let network = Stack { stack_id: "network_n1".to_owned(), outputs, ..Stack::default() };
    let deleted = Stack { status: "DELETE_COMPLETE".to_owned(), ..Stack::default() };
    Known {
        stacks: [
            (ResourceRef::new("network", "n1"), network),
            (ResourceRef::new("network", "gone"), deleted),
        ]
        .into(),
        states: [(ResourceRef::new("network", "n1"), State::new(Version(4), "CREATE_COMPLETED"))]
            .into(),
        ..Known::default()
    }
}

#[tokio::test]
async fn params_are_resolved_when_they_are_asked_for_with_typed_errors() {
    let list =
        ParamValue::List(vec![value("0", json!(1)), output_of("1", "network", "n1", "fq_name")]);
    let params = vec![
        value("plain", json!({"x": [1, null]})),
        output_of("found", "network", "n1", "fq_name"),
        output_of("null", "network", "n1", "nothing"),
        Param { name: "list".to_owned(), value: list, resources: Vec::new() },
        output_of("failed", "network", "n1", "failed"),
        output_of("missing", "network", "n1", "absent"),
        output_of("stackless", "network", "n2", "fq_name"),
        output_of("deleted", "network", "gone", "fq_name"),
        output_of("trouble", "trouble", "t1", "fq_name"),
    ];
    let known = known();
    let asked = known.asked.clone();
    let worker = acts().await;
    let report = done(worker.handle(call_with(json!({"act": "params"}), params, known)).await);
    let each = &report["params"]["each"];
    assert_eq!(each["plain"], json!({"x": [1, null]}));
    assert_eq!(each["found"], json!(["a", "b"]));
    assert_eq!(each["null"], json!(null));
    assert_eq!(each["list"], json!([1, ["a", "b"]]));
    for (name, error, words) in [
        ("failed", "FailedOutput", "Heat says no"),
        ("missing", "MissingOutput", "the stack of network:n1 has no such output"),
        ("stackless", "MissingStack", "network:n2 has no stack yet"),
        ("deleted", "MissingStack", "the stack of network:gone was deleted"),
        ("trouble", "Unavailable", "store is out of reach"),
        ("nobody", "Unknown", "nobody"),
    ] {
        let why = each[name]["error"].as_str().unwrap();
        assert!(why.contains(error) && why.contains(words), "{name}: {why}");
    }
    let whole = report["params"]["whole"]["error"].as_str().unwrap();
    assert!(whole.contains("\"failed\"") && whole.contains("Heat says no"), "{whole}");
    let asked = asked.lock().unwrap().clone();
    let times = asked.iter().filter(|of| **of == ResourceRef::new("network", "n1")).count();
    assert_eq!(times, 1, "a stack is asked for once a call");
}

#[tokio::test]
async fn all_params_at_once_are_one_object() {
    let params = vec![value("b", json!(2)), output_of("a", "network", "n1", "fq_name")];
    let call = call_with(json!({"act": "params"}), params, known());
    let report = done(acts().await.handle(call).await);
    assert_eq!(report["params"]["whole"], json!({"a": ["a", "b"], "b": 2}));
}

#[tokio::test]
async fn stacks_and_states_of_others_can_be_found() {
    let report =
        done(acts().await.handle(call_with(json!({"act": "find"}), vec![], known())).await);
    assert_eq!(report["own"], json!([null, null]));
    let outputs = ["fq_name[\"a\",\"b\"]", "nothingnull", "failednull"];
    assert_eq!(report["other"], json!([outputs, "{\"version\":4}"]));
    assert_eq!(report["trouble"], json!(["store is out of reach", "store is out of reach"]));
}

#[tokio::test]
async fn only_granted_settings_can_be_read_and_none_is_logged() {
    let config = [("password".to_owned(), "opensesame".to_owned())].into();
    let granted = PluginGrants { config, ..PluginGrants::default() };
    let house = House::new().guest("guest_acts").grant("guest_acts", granted);
    let (logs, _guard) = Logs::record();
    let worker = house.worker().await;
    let ask = |key: &str| call(json!({"act": "config", "key": key}));
    assert_eq!(done(worker.handle(ask("password")).await)["config"], json!("opensesame"));
    assert_eq!(done(worker.handle(ask("PATH")).await)["config"], json!(null));
    assert!(!logs.lines().join("\n").contains("opensesame"));
}

#[tokio::test]
async fn files_and_environment_of_the_host_are_not_there() {
    let seen = &done(act(&acts().await, "look", 0).await)["seen"];
    let nothing = json!({
        "env": 0, "args": 0, "root": false, "here": false, "read": false, "write": false,
    });
    assert_eq!(*seen, nothing);
}

#[tokio::test]
async fn a_prober_looks_at_a_subject_in_the_same_sandbox() {
    let prober =
        |name, handle| Wat { name, world: "watcher", handle, ..Wat::default() }.prober(name);
    let house = House::new()
        .file("good.wasm", prober("good", ""))
        .file("bad.wasm", prober("bad", "unreachable"))
        .file("silent.wasm", prober("silent", "(i32.store (i32.const 308) (i32.const 0))"))
        .file(
            "unsure.wasm",
            prober(
                "unsure",
                "(i32.store (i32.const 300) (i32.const 1))
            (i32.store (i32.const 304) (i32.const 0)) (i32.store (i32.const 308) (i32.const 544))
            (i32.store (i32.const 312) (i32.const 2))",
            ),
        )
        .file("loud.wasm", prober("loud", "(i32.store8 (i32.const 545) (i32.const 10))"))
        .file("long.wasm", prober("long", "(i32.store (i32.const 308) (i32.const 65))"))
        .file("endless.wasm", prober("endless", "(loop (br 0))"))
        .bounds(|bounds| bounds.call_ms_max = 2_000);
    let loaded = house.load().await;
    assert_eq!(loaded.faults, []);
    let subject = Subject {
        of: ResourceRef::new("port", "p1"),
        name: "vm".to_owned(),
        kind: "nova_vm".to_owned(),
        properties: json!({}),
    };
    for prober in &loaded.probers {
        assert_eq!(prober.kinds(), [prober.name()]);
        let answer = prober.probe(subject.clone()).await;
        match prober.name() {
            "good" => assert_eq!(answer, Ok(Ok("UP".to_owned()))),
            "bad" => assert!(matches!(answer, Err(Fault::Trap(_))), "{answer:?}"),
            "silent" => {
                assert_eq!(answer, Err(Fault::Breach("its status has 0 bytes".to_owned())));
            }
            "loud" => {
                let why = "its status has control characters".to_owned();
                assert_eq!(answer, Err(Fault::Breach(why)));
            }
            "long" => {
                assert_eq!(answer, Err(Fault::Breach("its status has 65 bytes".to_owned())));
            }
            "unsure" => assert_eq!(answer, Ok(Err(Failure::Retry("UP".to_owned())))),
            "endless" => assert_eq!(answer, Err(Fault::Deadline { call_ms_max: 2_000 })),
            other => panic!("{other}"),
        }
    }
    assert_eq!(loaded.probers.len(), 7);
}

#[tokio::test]
async fn two_calls_at_once_do_not_see_each_other() {
    let worker = acts().await;
    let call = |n: &str| {
        worker.handle(call_with(json!({"act": "params"}), vec![value("n", json!(n))], known()))
    };
    let (one, two) = tokio::join!(call("one"), call("two"));
    assert_eq!(done(one)["params"]["whole"], json!({"n": "one"}));
    assert_eq!(done(two)["params"]["whole"], json!({"n": "two"}));
    assert!(matches!(fault(act(&worker, "panic", 0).await), Fault::Trap(_)));
}
