//! The simulator as a program.

use super::BOUND;
use heat_simulator::Client;
use serde_json::json;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_heat-simulator");

async fn start(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(PROGRAM)
        .args(["--port", "0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(BOUND, lines.next_line()).await.unwrap().unwrap().unwrap();
    (child, line.strip_prefix("ready ").unwrap().to_owned())
}

async fn ends_on(signal: &str) {
    let (mut child, _) = start(&[]).await;
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
    let status = tokio::time::timeout(BOUND, child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{signal}: {status}");
}

#[tokio::test]
async fn the_program_ends_in_peace_on_its_signals() {
    ends_on("-TERM").await;
    ends_on("-INT").await;
}

#[tokio::test]
async fn the_program_is_told_by_flags_and_files() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let outputs = file("outputs.json", r#"{"name": "from the file"}"#);
    let faults = file("faults.json", r#"{"times": 1, "effect": {"answer": {"status": 502}}}"#);
    let schemas = file("schemas.json", r#"{"schemas": []}"#);
    let (_child, url) = start(&[
        "--manual",
        "--token",
        "t",
        "--outputs",
        &outputs,
        "--faults",
        &faults,
        "--schemas",
        &schemas,
        "--latency-ms",
        "1",
        "--progress-of",
        "a=1",
    ])
    .await;
    let heat = Client::new(&format!("{url}/a-tenant")).token("t");
    assert_eq!(heat.get("/stacks").await.unwrap().status, 502);
    assert_eq!(heat.get("/stacks").await.unwrap().status, 200);
    let path = super::post(&heat, "a", json!({})).await;
    let origin = Client::new(url.trim_end_matches("/v1"));
    let finish = |body| {
        let origin = origin.clone();
        async move { origin.send("POST", "/simulator/finish", Some(&body)).await.unwrap().status }
    };
    assert_eq!(finish(json!({"stack": "a"})).await, 200);
    assert_eq!(finish(json!({"stack": "a"})).await, 400);
    let stack = super::shown(&heat, &path).await;
    assert_eq!(stack["outputs"][1]["output_value"], "from the file");
    let shown = origin.get("/simulator/stacks").await.unwrap().body;
    assert_eq!(shown["stacks"][0]["status"], "CREATE_COMPLETE");
    let schemas = origin.get("/gohan/v0.1/schemas").await.unwrap();
    assert_eq!(schemas.body, json!({"schemas": []}));
}

#[tokio::test]
async fn wrong_files_and_flags_are_refused_with_the_reason() {
    let table: [(&[&str], &str); 4] = [
        (&["--outputs", "/nowhere"], "cannot read overrides /nowhere"),
        (&["--faults", "/nowhere"], "cannot read faults /nowhere"),
        (&["--progress-of", "x"], "PART=MS is wanted, like port_=2000, not x"),
        (&["--user", "u"], "--password"),
    ];
    for (arguments, why) in table {
        let output = Command::new(PROGRAM).args(arguments).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn help_teaches() {
    let output = Command::new(PROGRAM).arg("--help").output().await.unwrap();
    let help = String::from_utf8_lossy(&output.stdout);
    for word in ["ready http://", "--progress-ms", "/simulator/faults", "slow-N", "$reasons"] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}
