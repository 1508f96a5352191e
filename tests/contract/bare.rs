//! The example that has nothing but the contract.

use std::collections::BTreeMap;

use serde_json::json;
use stokehold::domain::{Action, Failure, HandlerName, Output, ResourceRef, Stack, Verdict};
use stokehold::plugin::Worker;
use stokehold_tests::guests;

use super::{Known, call, loaded};

async fn worker() -> Worker {
    let loaded = loaded(&[guests::build("bare_worker")], BTreeMap::new()).await;
    loaded.workers.into_values().next().expect("a worker")
}

fn with_stack() -> Known {
    let output = |key: &str| Output {
        key: key.to_owned(),
        value: json!(1),
        description: String::new(),
        error: None,
    };
    let stack = Stack { outputs: vec![output("id"), output("fq_name")], ..Stack::default() };
    Known { stacks: [(ResourceRef::new("port", "p1"), stack)].into(), ..Known::default() }
}

#[tokio::test]
async fn a_worker_without_the_sdk_is_a_worker() {
    let worker = worker().await;
    assert_eq!(worker.handler().after, [HandlerName::new("heat_worker")].into());
    let answer = worker.handle(call("bare_worker", Action::Create, Vec::new(), with_stack())).await;
    assert_eq!(answer.outcome, Ok(Verdict::Completed));
    assert_eq!(json!(answer.report.fields), json!({"output_names": ["id", "fq_name"]}));
    let answer = worker.handle(call("bare_worker", Action::Delete, Vec::new(), with_stack())).await;
    assert_eq!(answer.outcome, Ok(Verdict::Completed));
    assert_eq!(answer.report, stokehold::domain::Report::default());
}

#[tokio::test]
async fn it_looks_once_more_before_it_gives_up() {
    let worker = worker().await;
    let mut first = call("bare_worker", Action::Create, Vec::new(), Known::default());
    let pending = Verdict::Pending { after_ms: 1000, checkpoint: json!(true) };
    assert_eq!(
        worker
            .handle(call("bare_worker", Action::Create, Vec::new(), Known::default()))
            .await
            .outcome,
        Ok(pending)
    );
    first.checkpoint = Some(json!(true));
    let failed = Failure::Fatal("port p1 has no stack to look at".to_owned());
    assert_eq!(worker.handle(first).await.outcome, Ok(Verdict::Failed(failed)));
}
