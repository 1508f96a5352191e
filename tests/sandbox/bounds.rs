//! Every bound of a call, obeyed and violated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use stokehold::domain::{Failure, Fault, ResourceRef, Stack, Verdict};
use stokehold::plugin::{Engine, EngineSettings, Lookup};

use super::component::Wat;
use super::{House, Known, Logs, act, acts, call, call_with, done, fault};

#[tokio::test]
async fn a_guest_that_loops_for_ever_is_ended_and_lets_others_work_meanwhile() {
    let endless = Wat { name: "endless", handle: "(loop (br 0))", ..Wat::default() };
    let house = House::new()
        .file("endless.wasm", endless.worker())
        .file("plain.wasm", Wat::default().worker())
        .bounds(|bounds| bounds.call_ms_max = 5_000);
    let loaded = house.load().await;
    let (endless, plain) = (&loaded.workers[&"endless".into()], &loaded.workers[&"plain".into()]);
    // One thread for both: the second can only answer when the first gives way.
    let start = Instant::now();
    let other = async {
        done(act(plain, "", 0).await);
        start.elapsed()
    };
    let (endless, other) = tokio::join!(act(endless, "", 0), other);
    assert_eq!(fault(endless), Fault::Deadline { call_ms_max: 5_000 });
    assert!(other < Duration::from_secs(5), "{other:?}");
}

#[tokio::test]
async fn a_guest_that_sleeps_is_ended_at_its_deadline_too() {
    let house = House::new().guest("guest_acts").bounds(|bounds| bounds.call_ms_max = 3_000);
    let worker = house.worker().await;
    done(act(&worker, "sleep", 10).await);
    assert_eq!(fault(act(&worker, "sleep", 60_000).await), Fault::Deadline { call_ms_max: 3_000 });
}

/// A store that never answers.
struct Silent;

#[async_trait::async_trait]
impl Lookup for Silent {
    async fn stack(&self, _: &ResourceRef) -> anyhow::Result<Option<Stack>> {
        std::future::pending().await
    }

    async fn state(&self, _: &ResourceRef) -> anyhow::Result<Option<stokehold::domain::Json>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_host_call_that_hangs_is_ended_at_the_deadline_too() {
    let house = House::new().guest("guest_acts").bounds(|bounds| bounds.call_ms_max = 300);
    let worker = house.worker().await;
    let mut call = call(json!({"act": "find"}));
    call.lookup = Arc::new(Silent);
    assert_eq!(fault(worker.handle(call).await), Fault::Deadline { call_ms_max: 300 });
}

#[tokio::test]
async fn memory_is_bounded_and_its_end_is_told_apart_from_a_trap() {
    let house = House::new().guest("guest_acts");
    let worker = house.worker().await;
    assert_eq!(done(act(&worker, "eat", 40).await)["eaten"], 40);
    let over = Fault::Memory { memory_bytes_max: 64 << 20 };
    assert_eq!(fault(act(&worker, "eat", 70).await), over);

    let house = house.bounds(|bounds| bounds.memory_bytes_max = 96 << 20);
    assert_eq!(done(act(&house.worker().await, "eat", 70).await)["eaten"], 70);
}

#[tokio::test]
async fn a_guest_that_starts_with_too_much_memory_is_a_fault_when_it_is_loaded() {
    let pages = |pages| Wat { pages, ..Wat::default() }.worker();
    House::new().file("plain.wasm", pages(1024)).worker().await;
    let reason = House::new().file("plain.wasm", pages(1025)).fault("plain.wasm").await;
    assert!(reason.contains("exceeded its memory of 67108864 bytes"), "{reason}");
}

#[tokio::test]
async fn a_guest_that_is_denied_memory_and_goes_on_is_heard() {
    let handle = "(drop (memory.grow (i32.const 65535)))";
    let guest = Wat { handle, ..Wat::default() }.worker();
    let worker = House::new().file("plain.wasm", guest).worker().await;
    done(act(&worker, "", 0).await);
}

#[tokio::test]
async fn recursion_that_ends_is_work_and_without_end_a_trap() {
    let imports = "(func $deep (param i32)
        (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))";
    let deep = async |calls: i32| {
        let handle = format!("(call $deep (i32.const {calls}))");
        let guest = Wat { imports, handle: &handle, ..Wat::default() }.worker();
        act(&House::new().file("plain.wasm", guest).worker().await, "", 0).await
    };
    done(deep(4_000).await);
    // It counts down from there through all that a word can hold.
    let why = fault(deep(-1).await).to_string();
    assert!(why.starts_with("handler trapped: wasm trap: call stack exhausted"), "{why}");
    assert!(why.len() < 200, "{why}");

    // What a compiler keeps on a stack in linear memory ends there first.
    let worker = acts().await;
    assert_eq!(done(act(&worker, "recurse", 500).await)["depth"], 500);
    let why = fault(act(&worker, "recurse", 0).await).to_string();
    assert!(why.starts_with("handler trapped: wasm trap: out of bounds memory access"), "{why}");
}

#[tokio::test]
async fn a_trap_says_what_the_guest_said_last_and_is_of_bounded_length() {
    let worker = acts().await;
    let say = json!({"act": "panic", "say": "the boiler is cold"});
    let why = fault(worker.handle(call(say)).await).to_string();
    assert!(why.starts_with("handler trapped: wasm trap: wasm `unreachable`"), "{why}");
    assert!(why.contains("the boiler is cold") && why.contains("src/lib.rs"), "{why}");
    assert!(!why.contains("RUST_BACKTRACE"), "{why}");

    let say = json!({"act": "panic", "say": "boiler\n".repeat(10_000)});
    let why = fault(worker.handle(call(say)).await).to_string();
    assert!(why.len() < 2_000, "{} bytes", why.len());

    let why = fault(act(&worker, "exit", 0).await).to_string();
    assert_eq!(why, "handler trapped: it called exit(1)");
}

#[tokio::test]
async fn a_trap_names_the_functions_it_happened_in() {
    let imports = "(func $stoke unreachable) (func $fire (call $stoke))";
    let guest = Wat { handle: "(call $fire)", imports, ..Wat::default() }.worker();
    let worker = House::new().file("plain.wasm", guest).worker().await;
    let why = fault(act(&worker, "", 0).await).to_string();
    assert!(why.contains("in stoke < fire"), "{why}");
}

#[tokio::test]
async fn the_handles_a_guest_may_hold_are_bounded() {
    let imports = r#"(import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration"
        (func $timer (param i64) (result i32)))
        (global $left (mut i32) (i32.const COUNT))"#;
    let handle = "(loop (drop (call $timer (i64.const 0)))
        (global.set $left (i32.sub (global.get $left) (i32.const 1)))
        (br_if 0 (global.get $left)))";
    // A timer is two handles: itself and what it waits for.
    let hold = async |timers: &str| {
        let imports = imports.replace("COUNT", timers);
        let guest = Wat { imports: &imports, handle, ..Wat::default() }.worker();
        act(&House::new().file("plain.wasm", guest).worker().await, "", 0).await
    };
    done(hold("128").await);
    let why = fault(hold("129").await).to_string();
    assert!(why.contains("resource table has no free keys"), "{why}");
}

#[tokio::test]
async fn nothing_of_a_guest_outlives_a_call() {
    // The second call in the same memory would find what the first one wrote there.
    let handle = "(i32.load (i32.const 2048)) (if (then unreachable)) \
                  (i32.store (i32.const 2048) (i32.const 1))";
    let worker =
        House::new().file("plain.wasm", Wat { handle, ..Wat::default() }.worker()).worker().await;
    for _ in 0..10 {
        done(act(&worker, "", 0).await);
    }
}

#[tokio::test]
async fn more_calls_than_places_wait_for_one() {
    let mut house = House::new().guest("guest_acts");
    let settings = EngineSettings { instances_max: 2, ..EngineSettings::default() };
    house.engine = Engine::new(&settings).unwrap();
    let worker = Arc::new(house.worker().await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let worker = Arc::clone(&worker);
        calls.spawn(async move { act(&worker, "sleep", 5).await });
    }
    for answer in calls.join_all().await {
        done(answer);
    }
}

#[tokio::test]
async fn logged_lines_are_bounded_in_number_and_length() {
    let house = House::new().guest("guest_acts").bounds(|bounds| {
        bounds.log_lines_max = 3;
        bounds.log_line_bytes_max = 5;
    });
    let worker = house.worker().await;
    let (logs, _guard) = Logs::record();
    done(worker.handle(call(json!({"act": "log", "n": 3, "say": "short"}))).await);
    let lines = logs.lines();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines[0].contains("DEBUG") && lines[0].contains(" short"), "{}", lines[0]);
    assert!(lines[0].contains("plugin=\"guest_acts\""), "{}", lines[0]);
    assert!(lines[0].contains("job=\"create:guest_acts:port:p1:3:abcde\""), "{}", lines[0]);

    let (logs, _guard) = Logs::record();
    done(worker.handle(call(json!({"act": "log", "n": 100_000, "say": "too\nlong"}))).await);
    let lines = logs.lines();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[0].contains(" too\\n…"), "{}", lines[0]);
    assert!(lines[3].contains("… 99997 more lines dropped (log_lines_max)"), "{}", lines[3]);
}

#[tokio::test]
async fn standard_output_is_passed_on_line_by_line_and_bounded() {
    let house = House::new().guest("guest_acts").bounds(|bounds| bounds.stdout_bytes_max = 60);
    let worker = house.worker().await;
    let (logs, _guard) = Logs::record();
    done(act(&worker, "print", 2).await);
    for (stream, words) in
        [("stdout", "out 0"), ("stdout", "out 1"), ("stderr", "err 1"), ("stdout", "unended")]
    {
        let line = logs.line(words);
        assert!(line.contains("DEBUG") && line.contains(&format!("stream=\"{stream}\"")), "{line}");
        assert!(line.contains("plugin=\"guest_acts\""), "{line}");
    }

    let (logs, _guard) = Logs::record();
    done(act(&worker, "print", 10_000).await);
    let out: Vec<_> = logs.lines().into_iter().filter(|l| l.contains("\"stdout\"")).collect();
    assert_eq!(out.len(), 11, "ten lines of six bytes and the rest: {out:#?}");
    assert!(out[10].contains("more bytes dropped (stdout_bytes_max)"), "{}", out[10]);
}

#[tokio::test]
async fn what_is_reported_is_bounded_in_bytes() {
    let house = House::new().guest("guest_acts").bounds(|bounds| bounds.report_bytes_max = 1000);
    let worker = house.worker().await;
    let report = done(act(&worker, "big report", 900).await);
    assert_eq!(report["big"].as_str().unwrap().len(), 900);
    let over = Fault::Breach("it reported more than 1000 bytes (report_bytes_max)".to_owned());
    assert_eq!(fault(act(&worker, "big report", 1000).await), over);
    assert_eq!(fault(act(&worker, "many reports", 1000).await), over);

    let giant = fault(act(&worker, "big report", 4 << 20).await);
    assert_eq!(
        giant,
        Fault::Breach("it handed over more than 2098152 bytes at once".to_owned()),
        "a host call's arguments are bounded before they are read"
    );
}

#[tokio::test]
async fn malformed_json_is_a_breach_that_names_what_it_was() {
    let worker = acts().await;
    let mut again = call(json!({"act": "wait", "n": 20}));
    again.checkpoint = Some(json!({"seen": 1}));
    let table = [
        (act(&worker, "bad report", 0).await, "state field \"broken\" is not JSON: EOF"),
        (act(&worker, "bad output", 0).await, "value of output \"bad\" is not JSON: expected"),
        (act(&worker, "bad target", 0).await, "properties of target \"bad\" is not a JSON object"),
        (worker.handle(again).await, "checkpoint is not JSON: expected"),
    ];
    for (answer, expected) in table {
        let why = fault(answer);
        let Fault::Breach(what) = &why else { panic!("{why}") };
        assert!(what.starts_with(expected), "{what}");
    }
}

#[tokio::test]
async fn a_failures_words_are_cut() {
    let worker = acts().await;
    let failed = |answer: super::Answer| match answer.outcome {
        Ok(Verdict::Failed(Failure::Fatal(why))) => why.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(failed(act(&worker, "fatal", 8192).await), 8192);
    assert_eq!(failed(act(&worker, "fatal", 8193).await), 8192 + '…'.len_utf8());
}

#[tokio::test]
async fn what_a_guest_may_look_up_is_bounded() {
    let worker = acts().await;
    let call = call(json!({"act": "find many", "n": 1_000}));
    assert_eq!(done(worker.handle(call).await)["refused"], json!([0, null]));
    let known = Known::default();
    let asked = known.asked.clone();
    let call = call_with(json!({"act": "find many", "n": 2_000}), vec![], known);
    let why = "no more than 1000 resources can be looked up in one call";
    assert_eq!(done(worker.handle(call).await)["refused"], json!([1_000, why]));
    assert_eq!(asked.lock().unwrap().len(), 500, "what is not there is asked for each time");
}

#[tokio::test]
async fn what_is_too_long_to_be_a_resource_is_not_asked_for() {
    let worker = acts().await;
    let none = json!([[null, null], [null, null]]);
    assert_eq!(done(act(&worker, "find long", 512).await)["refused"], none);
    let known = Known::default();
    let asked = known.asked.clone();
    let call = call_with(json!({"act": "find long", "n": 513}), vec![], known);
    let why = "no kind or id is longer than 512 bytes";
    let refused = json!([[why, why], [why, why]]);
    assert_eq!(done(worker.handle(call).await)["refused"], refused);
    assert_eq!(*asked.lock().unwrap(), []);
}

#[tokio::test]
async fn a_failures_words_cannot_fake_a_line_or_paint_a_terminal() {
    let say = json!({"act": "retry with", "say": "gone\n2026 INFO well \u{1b}[2J"});
    let answer = acts().await.handle(call(say)).await;
    let why = "gone\\n2026 INFO well \\u{1b}[2J".to_owned();
    assert_eq!(answer.outcome, Ok(Verdict::Failed(Failure::Retry(why))));
}

#[tokio::test]
async fn a_call_that_is_given_up_frees_its_place() {
    let mut house = House::new().guest("guest_acts");
    let settings = EngineSettings { instances_max: 1, ..EngineSettings::default() };
    house.engine = Engine::new(&settings).unwrap();
    let worker = house.worker().await;
    let patience = Duration::from_millis(50);
    let given_up = tokio::time::timeout(patience, act(&worker, "sleep", 60_000)).await;
    assert!(given_up.is_err());
    done(act(&worker, "sleep", 1).await);
}
