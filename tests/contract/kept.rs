//! Components that were built for released contracts, in the host of today. `tests/contract/kept/README.md` tells how
//! they are kept.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest, Sha256};
use stokehold::domain::{
    Action, Alias, Failure, HandlerName, MonitorCall, Output, ParamValue, ResourceRef, Stack,
    Target, UpdateStyle, Verdict,
};
use stokehold::plugin::{PluginGrants, Subject, Worker};
use stokehold_tests::http_server::{Asked, HttpServer};
use stokehold_tests::paths;

use super::{Known, call, loaded, param};

/// The folder of each released contract.
pub(super) fn versions() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(paths::root().join("tests/contract/kept")).unwrap();
    let mut folders: Vec<_> =
        folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "nothing is kept");
    folders
}

/// A server that answers `hello` with `welcome`, and what it was asked.
async fn site() -> (HttpServer, Arc<Mutex<Vec<Asked>>>) {
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let server = HttpServer::start(move |asked| {
        seen.lock().unwrap().push(asked.clone());
        (if asked.body == b"hello" { 203 } else { 202 }, json!("welcome"))
    });
    (server.await.unwrap(), asked)
}

fn granted(plugin: &str, server: &HttpServer) -> BTreeMap<String, PluginGrants> {
    let grants = PluginGrants {
        http: vec![server.authority().to_owned()],
        config: BTreeMap::from([("site".to_owned(), server.url())]),
        ..PluginGrants::default()
    };
    BTreeMap::from([(plugin.to_owned(), grants)])
}

async fn worker(version: &std::path::Path, server: &HttpServer) -> Worker {
    let file = version.join("kept_worker.wasm");
    let mut loaded = loaded(&[file], granted("kept_worker", server)).await;
    loaded.workers.remove(&HandlerName::new("kept_worker")).expect("a worker")
}

#[test]
fn what_is_kept_is_what_was_kept() {
    for folder in versions() {
        let listed = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
        let mut listed: Vec<_> = listed.lines().map(str::to_owned).collect();
        let mut present = Vec::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name != "SHA256SUMS" {
                let digest = Sha256::digest(std::fs::read(&path).unwrap());
                let hex =
                    digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
                present.push(format!("{hex}  {name}"));
            }
        }
        listed.sort();
        present.sort();
        assert_eq!(present, listed, "{}", folder.display());
    }
}

fn output(key: &str, value: super::Json, error: Option<&str>) -> Output {
    let (key, description) = (key.to_owned(), "an output".to_owned());
    Output { key, value, description, error: error.map(str::to_owned) }
}

/// A port with stack and state, and a network whose outputs are good and bad.
fn known() -> Known {
    let port = Stack {
        stack_id: "port_p1".to_owned(),
        tenant_id: "t1".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        status_reason: String::new(),
        outputs: vec![output("id", json!("i1"), None), output("bad", json!(null), Some("why"))],
    };
    let network = Stack {
        outputs: vec![output("id", json!("n1"), None), output("bad", json!(null), Some("why"))],
        ..port.clone()
    };
    Known {
        stacks: [
            (ResourceRef::new("port", "p1"), port),
            (ResourceRef::new("network", "n1"), network),
        ]
        .into(),
        states: [(ResourceRef::new("port", "p1"), json!({"version": 2}))].into(),
    }
}

fn output_of(name: &str, kind: &str, id: &str, key: &str) -> stokehold::domain::Param {
    let of = ResourceRef::new(kind, id);
    param(name, ParamValue::Output { key: key.to_owned(), of })
}

#[tokio::test]
async fn a_kept_worker_calls_all_it_may_import_and_gets_what_it_got_then() {
    for version in versions() {
        let (server, asked) = site().await;
        let worker = worker(&version, &server).await;
        assert_eq!(worker.handler().update, UpdateStyle::Recreate);
        assert_eq!(worker.handler().after, [HandlerName::new("heat_worker")].into());
        let params = vec![
            param("plain", ParamValue::Value(json!([1, null]))),
            output_of("found", "network", "n1", "id"),
            output_of("failed", "network", "n1", "bad"),
            output_of("absent", "network", "n1", "absent"),
            output_of("stackless", "network", "n2", "id"),
            output_of("away", "trouble", "t1", "id"),
        ];
        let answer = worker.handle(call("kept_worker", Action::Create, params, known())).await;
        assert_eq!(answer.outcome, Ok(Verdict::Completed), "{}", version.display());
        let report = answer.report;
        let fields = json!({
            "job": "create:kept_worker:port:p1:3:abcde|port:p1|3|2|port_template|a: 1",
            "input": {"name": "one"},
            "params": {
                "each": {
                    "plain": [1, null], "found": "n1", "failed": "failed output n1 bad",
                    "absent": "missing output n1 absent", "stackless": "missing stack n2 id",
                    "away": "unavailable store is out of reach", "nobody": "unknown nobody",
                },
                "whole": "failed is failed output n1 bad",
            },
            "found": {
                "stack": "port_p1 t1 CREATE_COMPLETE id='i1' (an output, none);bad=null (an output, why)",
                "state": {"version": 2},
                "nothing": true,
            },
            "unset": true,
            "fetched": "203 'welcome'",
        });
        assert_eq!(json!(report.fields), fields);
        let stack = Stack {
            stack_id: "stack".to_owned(),
            tenant_id: "tenant".to_owned(),
            status: "CREATE_COMPLETE".to_owned(),
            status_reason: "done".to_owned(),
            outputs: vec![Output {
                description: "one".to_owned(),
                ..output("key", json!([1]), Some("none"))
            }],
        };
        assert_eq!(report.stack, Some(stack));
        let alias =
            |of| Alias { mapped_id: "other".to_owned(), relation: "baremetal".to_owned(), of };
        let target = Target {
            name: "one".to_owned(),
            kind: "kind".to_owned(),
            topic: "topic".to_owned(),
            properties: json!({"a": 1}),
            interval_ms: Some(500),
        };
        let monitor = [
            MonitorCall::Clear,
            MonitorCall::Register(target),
            MonitorCall::Unregister("two".to_owned()),
            MonitorCall::AddAlias(alias(ResourceRef::new("port", "p1"))),
            MonitorCall::RemoveAlias(alias(ResourceRef::new("network", "network"))),
        ];
        assert_eq!(report.monitor, monitor);
        let sent = Asked { method: "PUT".into(), path: "/kept".into(), body: b"hello".to_vec() };
        assert_eq!(*asked.lock().unwrap(), [sent]);
    }
}

#[tokio::test]
async fn every_verdict_of_a_kept_worker_means_what_it_meant() {
    for version in versions() {
        let (server, _) = site().await;
        let worker = worker(&version, &server).await;
        let verdict = async |action, checkpoint| {
            let mut call = call("kept_worker", action, Vec::new(), known());
            call.checkpoint = checkpoint;
            worker.handle(call).await
        };
        let fatal = Verdict::Failed(Failure::Fatal("for good".to_owned()));
        assert_eq!(verdict(Action::Delete, None).await.outcome, Ok(fatal));
        let retry = Verdict::Failed(Failure::Retry("for now".to_owned()));
        assert_eq!(verdict(Action::LogicalDelete, None).await.outcome, Ok(retry));
        let step = json!({"step": 2});
        let pending = Verdict::Pending { after_ms: 7, checkpoint: step.clone() };
        assert_eq!(verdict(Action::Modify, None).await.outcome, Ok(pending));
        let answer = verdict(Action::Modify, Some(step.clone())).await;
        assert_eq!(answer.outcome, Ok(Verdict::Completed));
        assert_eq!(answer.report.fields["checkpoint"], step);
    }
}

#[tokio::test]
async fn a_kept_prober_is_told_and_answers_what_it_did_then() {
    for version in versions() {
        let (server, asked) = site().await;
        let file = version.join("kept_prober.wasm");
        let loaded = loaded(&[file], granted("kept_prober", &server)).await;
        let [prober] = loaded.probers.as_slice() else { panic!("one prober") };
        assert_eq!(prober.kinds(), ["kept", "other"]);
        let probe = async |name: &str| {
            let subject = Subject {
                of: ResourceRef::new("port", "p1"),
                name: name.to_owned(),
                kind: "kept".to_owned(),
                properties: json!({"a": 1}),
            };
            prober.probe(subject).await.unwrap()
        };
        assert_eq!(probe("one").await, Ok("202 kept port:p1 {\"a\":1}".to_owned()));
        assert_eq!(probe("fatal").await, Err(Failure::Fatal("for good".to_owned())));
        assert_eq!(probe("retry").await, Err(Failure::Retry("for now".to_owned())));
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_kept_worker_of_the_sdk_does_its_job() {
    for version in versions() {
        let files = [version.join("echo_worker.wasm")];
        let loaded = loaded(&files, BTreeMap::new()).await;
        let worker = loaded.workers.into_values().next().expect("a worker");
        let params = vec![param("a", ParamValue::Value(json!(["x", {"y": 1.5}])))];
        let answer = worker.handle(call("echo_worker", Action::Create, params, known())).await;
        assert_eq!(answer.outcome, Ok(Verdict::Completed));
        assert_eq!(json!(answer.report.fields), json!({"echo": {"a": ["x", {"y": 1.5}]}}));
    }
}
