//! `stokehold plugin run`.

use anyhow::{Result, ensure};
use serde_json::{Value as Json, json};
use stokehold_tests::http_server::HttpServer;
use stokehold_tests::{guests, paths};

use super::{Bench, Said};

fn job(input: &Json) -> String {
    json!({"resource_type": "port", "resource_id": "p1", "input": input}).to_string()
}

impl Bench {
    /// Calls a guest with this input.
    fn call(&self, guest: &str, input: &Json, more: &[&str]) -> Result<Said> {
        self.guest(guest)?;
        self.file("job.json", job(input))?;
        let file = format!("{guest}.wasm");
        self.stokehold(&[&["plugin", "run", &file, "--job", "job.json"], more].concat())
    }
}

#[test]
fn a_call_shows_everything_that_came_of_it() -> Result<()> {
    let bench = Bench::new()?;
    bench.file("params.json", r#"{"fixed_ips": ["10.0.0.1"]}"#)?;
    let more = ["--params", "params.json"];
    let words = [
        "call 1: completed (",
        "MiB of memory)",
        "log        info  at work",
        "state      orchestration_state = \"CREATE_COMPLETE\"",
        "stack      port_p1 CREATE_COMPLETE",
        "output fixed_ips = [\"10.0.0.1\"]",
        "output broken = null (no such attribute)",
        "monitor    register vm of kind nova_vm: {\"server_id\":\"s1\"}",
        "monitor    unregister old",
        "monitor    add mapping baremetal m1 of port:p1",
    ];
    bench.call("guest_acts", &json!({"act": "work"}), &more)?.with(0, &words)?;
    let said =
        bench.call("guest_acts", &json!({"act": "work"}), &[&more[..], &["--json"]].concat())?;
    let json = said.with(0, &[])?.json()?;
    let call = &json["calls"][0];
    ensure!(call["verdict"] == "completed" && call["stack"]["stack_id"] == "port_p1", "{json:#}");
    ensure!(call["memory_bytes"].as_u64() > Some(60_000), "{json:#}");
    ensure!(call["took_us"].as_u64() > Some(0), "{json:#}");
    ensure!(call["log"][0] == json!({"level": "info", "message": "at work"}), "{json:#}");
    Ok(())
}

#[test]
fn the_exit_code_says_what_the_handler_said() -> Result<()> {
    let bench = Bench::new()?;
    let acts =
        |act: &str, more: &[&str]| bench.call("guest_acts", &json!({"act": act, "n": 3}), more);
    acts("wait", &[])?
        .with(0, &["call 1: pending, again after 3 ms", "checkpoint {\"seen\":1}"])?;
    acts("retry", &[])?.with(1, &["call 1: failed, to be tried again: later"])?;
    acts("fatal", &[])?.with(1, &["call 1: failed for good: xxx"])?;
    let bad = acts("bad report", &[])?;
    bad.with(
        1,
        &["call 1: fault: handler broke its contract: state field \"broken\" is not JSON"],
    )?;
    // So long that no busy machine lets it end before its deadline is looked at.
    let sleep = json!({"act": "sleep", "n": 60_000});
    let late = bench.call("guest_acts", &sleep, &["--call-ms-max", "1"])?;
    late.with(1, &["exceeded its deadline of 1 ms"])?;
    Ok(())
}

#[test]
fn grants_are_read_beside_the_file() -> Result<()> {
    let bench = Bench::new()?;
    let config = |value: &str| format!("config = {{ k = \"{value}\" }}");
    std::fs::create_dir(bench.path().join("handlers"))?;
    bench.file("handlers/guest_acts.toml", config("of the host"))?;
    bench.file("guest_acts.toml", config("of the author"))?;
    let input = json!({"act": "config", "key": "k"});
    let beside = bench.call("guest_acts", &input, &[])?;
    beside.with(0, &["state      config = \"of the author\""])?;
    let named = bench.call("guest_acts", &input, &["--handlers", "handlers"])?;
    named.with(0, &["state      config = \"of the host\""])?;
    Ok(())
}

#[test]
fn who_was_denied_memory_keeps_the_last_word() -> Result<()> {
    let bench = Bench::new()?;
    let said = bench.call("guest_acts", &json!({"act": "eat", "n": 200}), &[])?;
    let said = said.with(1, &["call 1: fault: handler exceeded its memory"])?;
    let words = "denied memory before it ended; it said: memory allocation of ";
    ensure!(said.err.contains(words), "{}", said.err);
    Ok(())
}

#[test]
fn a_pending_handler_is_called_again_with_its_checkpoint() -> Result<()> {
    let bench = Bench::new()?;
    let input = json!({"act": "wait", "n": 1});
    let last = ["--checkpoint", r#"{"seen": 2}"#];
    bench.call("guest_acts", &input, &last)?.with(0, &["call 1: completed"])?;
    // At its second call this guest answers a checkpoint that is no JSON.
    let until = bench.call("guest_acts", &input, &["--until-done"])?;
    until.with(1, &["call 1: pending", "call 2: fault: handler broke its contract: checkpoint"])?;
    let few = bench.call("guest_acts", &input, &["--until-done", "--rounds-max", "1"])?;
    let few = few.with(1, &["call 1: pending"])?;
    ensure!(!few.out.contains("call 2"), "called too often");
    ensure!(few.err.contains("pending still: given up after --rounds-max 1"), "{}", few.err);
    Ok(())
}

#[test]
fn answers_play_the_network_and_what_has_none_is_told_with_one() -> Result<()> {
    let bench = Bench::new()?;
    let answers = json!([
        {"url": "http://nowhere.test/a", "status": 201, "body": {"b": 1}},
        {"url": "http://nowhere.test/unused"},
        {"url": "http://down.test/*", "error": "connection-refused", "repeat": true},
    ]);
    bench.file("http.json", answers.to_string())?;
    let ask =
        |url: &str| bench.call("guest_http", &json!({"url": url}), &["--answers", "http.json"]);
    let words = [
        "call 1: completed",
        "http       GET http://nowhere.test/a: 201, 7 bytes",
        "state      body = \"{\\\"b\\\":1}\"",
        "note: nobody asked for the answer to GET http://nowhere.test/unused",
    ];
    ask("http://nowhere.test/a")?.with(0, &words)?;
    ask("http://down.test/x")?
        .with(1, &["ConnectionRefused", "GET http://down.test/x: connection-refused"])?;
    let words = [
        "no answer  to GET http://nowhere.test/b: add {",
        "\"url\":\"http://nowhere.test/b\"",
        "to the answers, or --record real ones",
    ];
    ask("http://nowhere.test/b")?.with(1, &words)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_plays_the_network_without_a_secret() -> Result<()> {
    const SECRET: &str = "opensesame";
    let server = HttpServer::start(|asked| {
        (200, json!({"path": asked.path, "echo": String::from_utf8_lossy(&asked.body)}))
    })
    .await?;
    let bench = Bench::new()?;
    let url = format!("{}/x?key={SECRET}", server.url());
    let input = json!({"url": url, "method": "POST", "body": format!("p={SECRET}")});
    let grant = format!("guest_http={}", server.authority());
    let secret = format!("guest_http.password={SECRET}");
    let settings = ["--grant-http", grant.as_str(), "--config", secret.as_str()];
    let record = [&["--record", "http.json"], &settings[..]].concat();
    let words = ["call 1: completed", "/x?key=***: 200"];
    bench.call("guest_http", &input, &record)?.with(0, &words)?;
    let recorded = std::fs::read_to_string(bench.path().join("http.json"))?;
    ensure!(recorded.contains("/x?key=***") && recorded.contains("p=***"), "{recorded}");
    ensure!(!recorded.contains(SECRET), "{recorded}");
    drop(server);
    let play = [&["--answers", "http.json"], &settings[..]].concat();
    let played = bench.call("guest_http", &input, &play)?;
    played.with(0, &["call 1: completed", "state      status = 200"])?;
    // Without a grant nothing is let out, and the reason is told.
    let refused = bench.call("guest_http", &input, &["--record", "none.json"])?.with(1, &[])?;
    ensure!(refused.err.contains("which it was not granted"), "{}", refused.err);
    Ok(())
}

#[test]
fn a_trap_shows_file_and_line_where_the_component_has_them() -> Result<()> {
    let bench = Bench::new()?;
    let source = std::fs::read_to_string(paths::root().join("tests/guests/acts/src/lib.rs"))?;
    let at = source.lines().position(|line| line.contains("\"panic\" => panic!"));
    let place = format!("src/lib.rs:{}", at.map_or(0, |at| at + 1));
    let input = json!({"act": "panic", "say": "no such thing"});
    let words = ["fault: handler trapped", "stderr     no such thing"];
    let stripped = bench.call("guest_acts", &input, &[])?;
    stripped.with(1, &words)?;

    let lines = std::fs::read(guests::build_with_lines("guest_acts"))?;
    bench.file("guest_acts.wasm", lines)?;
    let run = ["plugin", "run", "guest_acts.wasm", "--job", "job.json"];
    let said = bench.stokehold(&run)?.with(1, &words)?;
    let first = said.out.lines().find(|line| line.contains("trap at"));
    ensure!(
        first.is_some_and(|line| line.ends_with(&place)),
        "{place} is not first:\n{}",
        said.out
    );
    let json = bench.stokehold(&[&run[..], &["--json"]].concat())?.json()?;
    let trap = json["calls"][0]["trap"].as_array().cloned().unwrap_or_default();
    let is_there = |frame: &Json| {
        frame["file"].as_str().is_some_and(|file| file.ends_with("guests/acts/src/lib.rs"))
    };
    ensure!(trap.iter().any(is_there), "{json:#}");
    bench.stokehold(&["plugin", "inspect", "guest_acts.wasm"])?.with(0, &["debug lines  yes"])?;
    Ok(())
}

#[test]
fn a_prober_looks_at_a_subject() -> Result<()> {
    let bench = Bench::new()?;
    bench.guest("contrail_prober")?;
    let subject = json!({"kind": "virtual_network", "properties": {"fq_name": ["a", "b"]}});
    bench.file("subject.json", subject.to_string())?;
    let answers = json!([{"url": "http://analytics.test/*", "body": {"up": 1}}]);
    bench.file("http.json", answers.to_string())?;
    let run = ["plugin", "run", "contrail_prober.wasm", "--subject", "subject.json"];
    let config = ["--config", "contrail_prober.analytics_url=http://analytics.test"];
    let all = [&run[..], &config, &["--answers", "http.json"]].concat();
    bench.stokehold(&all)?.with(0, &["probe: UP (", "http       GET http://analytics.test/"])?;
    let none = bench.stokehold(&["plugin", "run", "contrail_prober.wasm"])?.with(2, &[])?;
    ensure!(none.err.contains("is a prober: name what it is to look at"), "{}", none.err);
    Ok(())
}

#[test]
fn the_example_of_a_job_is_one() -> Result<()> {
    let bench = Bench::new()?;
    let example = bench.stokehold(&["plugin", "run", "--example-job"])?.with(0, &[])?.out;
    bench.file("job.json", example)?;
    bench.guest("echo_worker")?;
    let run = ["plugin", "run", "echo_worker.wasm", "--job", "job.json"];
    bench.stokehold(&run)?.with(0, &["state      echo = {\"name\":\"a port\"}"])?;
    Ok(())
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() -> Result<()> {
    let bench = Bench::new()?;
    bench.guest("echo_worker")?;
    let refused = |args: &[&str], words: &str| {
        let run = [&["plugin", "run", "echo_worker.wasm"], args].concat();
        let said = bench.stokehold(&run)?.with(2, &[])?;
        ensure!(said.err.contains(words), "`{words}` is not in: {}", said.err);
        Ok(())
    };
    refused(&[], "is a handler: name its job with --job FILE; --example-job prints one")?;
    refused(&["--job", "none.json"], "cannot read none.json")?;
    bench.file("job.json", r#"{"resource_type": "port", "resource_idd": "p"}"#)?;
    refused(&["--job", "job.json"], "job.json: resource_id is missing")?;
    bench.file("job.json", "[]")?;
    let form = "(an array is a job as the store has it: [handler, job, attempts])";
    refused(&["--job", "job.json"], &format!("job.json: [1].id is missing {form}"))?;
    bench.file("job.json", job(&json!({})))?;
    bench.file("bad.json", r#"[{"urll": 1}]"#)?;
    refused(&["--job", "job.json", "--answers", "bad.json"], "bad.json: [0].url is missing")?;
    refused(
        &["--job", "job.json", "--params", "bad.json"],
        "bad.json: the value must be an object",
    )?;
    refused(&["--job", "job.json", "--checkpoint", "{"], "--checkpoint is no JSON")?;
    Ok(())
}
