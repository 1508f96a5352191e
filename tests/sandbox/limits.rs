//! Bounds that a single plugin may have for itself, and hostile components that no compiler makes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use stokehold::domain::{Failure, Fault, Verdict};

use super::component::Wat;
use super::{Answer, House, act, call, done, fault};

const WRITE: &str = r#"(import "stokehold:worker/log@0.1.0" "write"
    (func $write (param i32 i32 i32)))"#;

async fn run(guest: &Wat<'_>, house: House) -> Answer {
    act(&house.file("plain.wasm", guest.worker()).worker().await, "", 0).await
}

/// The verdict `failed`, with a text that stands here.
fn failed(at: u32, length: u32) -> String {
    format!(
        "(i32.store8 (i32.const 256) (i32.const 2)) (i32.store (i32.const 264) (i32.const 0))
         (i32.store (i32.const 268) (i32.const {at})) (i32.store (i32.const 272) (i32.const {length}))"
    )
}

/// The verdict `pending`, with a checkpoint of this many bytes: spaces before a number.
fn pending(bytes: u32) -> String {
    format!(
        "(memory.fill (i32.const 65536) (i32.const 32) (i32.const {bytes}))
         (i32.store8 (i32.const {}) (i32.const 49))
         (i32.store8 (i32.const 256) (i32.const 1)) (i64.store (i32.const 264) (i64.const 7))
         (i32.store (i32.const 272) (i32.const 65536)) (i32.store (i32.const 276) (i32.const {bytes}))",
        65535 + bytes
    )
}

#[tokio::test]
async fn a_table_grows_to_its_bound_and_no_further() {
    let grow = |elements: u32| {
        format!(
            "(if (i32.eq (i32.const -1) (table.grow $t (ref.null func) (i32.const {elements})))
               (then unreachable))"
        )
    };
    let house = || House::new().bounds(|bounds| bounds.table_elements_max = 1_000);
    let parts = "(table $t 1 funcref)";
    done(run(&Wat { parts, handle: &grow(999), ..Wat::default() }, house()).await);
    let why = fault(run(&Wat { parts, handle: &grow(1_000), ..Wat::default() }, house()).await);
    assert!(why.to_string().contains("unreachable"), "{why}");

    // A bomb that takes no for an answer does no harm.
    let bomb = "(loop (br_if 0 (i32.ne (i32.const -1)
        (table.grow $t (ref.null func) (i32.const 10000)))))";
    done(run(&Wat { parts, handle: bomb, ..Wat::default() }, House::new()).await);
}

#[tokio::test]
async fn the_modules_a_plugin_is_put_together_from_are_bounded() {
    // Imports that hand over a text come with modules of their own.
    let guest = || Wat { imports: WRITE, ..Wat::default() }.worker();
    House::new().file("plain.wasm", guest()).worker().await;
    let house = House::new().bounds(|bounds| bounds.modules_max = 1);
    let reason = house.file("plain.wasm", guest()).fault("plain.wasm").await;
    assert!(reason.contains("instance count too high"), "{reason}");
}

#[tokio::test]
async fn a_guest_that_keeps_the_host_busy_is_ended_at_its_deadline_and_lets_others_work() {
    let busy = Wat {
        name: "busy",
        imports: WRITE,
        pages: 64,
        handle: "(loop (call $write (i32.const 0) (i32.const 65536) (i32.const 2000000)) (br 0))",
        ..Wat::default()
    };
    let house = House::new()
        .file("busy.wasm", busy.worker())
        .file("plain.wasm", Wat::default().worker())
        .bounds(|bounds| bounds.call_ms_max = 5_000);
    let loaded = house.load().await;
    let (busy, plain) = (&loaded.workers[&"busy".into()], &loaded.workers[&"plain".into()]);
    let begin = Instant::now();
    // One thread for both.
    let (busy, other) = tokio::join!(act(busy, "", 0), async {
        done(act(plain, "", 0).await);
        begin.elapsed()
    });
    assert_eq!(fault(busy), Fault::Deadline { call_ms_max: 5_000 });
    assert!(other < Duration::from_secs(5), "{other:?}");
}

#[tokio::test]
async fn text_that_is_not_utf_8_ends_the_call_wherever_it_is_handed_over() {
    let store = |bytes: &str| format!("(i32.store16 (i32.const 2048) (i32.const {bytes}))");
    for (bytes, is_text) in [("0x6b6f", true), ("0xffff", false)] {
        let handle = format!("{} {}", store(bytes), failed(2048, 2));
        let said = run(&Wat { handle: &handle, ..Wat::default() }, House::new()).await;
        let log =
            format!("{} (call $write (i32.const 2) (i32.const 2048) (i32.const 2))", store(bytes));
        let wrote =
            run(&Wat { imports: WRITE, handle: &log, ..Wat::default() }, House::new()).await;
        if is_text {
            let verdict = Verdict::Failed(Failure::Retry("ok".to_owned()));
            assert_eq!(said.outcome, Ok(verdict));
            done(wrote);
        } else {
            for why in [fault(said), fault(wrote)] {
                assert!(why.to_string().contains("utf-8"), "{why}");
            }
        }
    }
}

#[tokio::test]
async fn a_result_of_a_hundred_megabytes_is_never_read() {
    let roomy = || House::new().bounds(|bounds| bounds.memory_bytes_max = 128 << 20);
    let handle = failed(65536, 100_000_000);
    let guest = Wat { pages: 1_600, handle: &handle, ..Wat::default() };
    let why = fault(run(&guest, roomy()).await);
    assert_eq!(why, Fault::Breach("it handed over more than 3145728 bytes at once".to_owned()));
    // The same guest with a short one is heard.
    let handle = failed(65536, 3);
    let answer = run(&Wat { pages: 1_600, handle: &handle, ..Wat::default() }, roomy()).await;
    assert!(matches!(answer.outcome, Ok(Verdict::Failed(_))), "{answer:?}");
}

#[tokio::test]
async fn a_checkpoint_is_as_long_as_it_may_be_and_no_longer() {
    let give = async |bytes: u32| {
        let guest = Wat { pages: 200, handle: &pending(bytes), ..Wat::default() };
        run(&guest, House::new()).await
    };
    let kept = Verdict::Pending { after_ms: 7, checkpoint: json!(1) };
    assert_eq!(give(1 << 20).await.outcome, Ok(kept));
    let why = fault(give((1 << 20) + 1).await);
    let over = "its checkpoint is longer than 1048576 bytes (report_bytes_max)";
    assert_eq!(why, Fault::Breach(over.to_owned()));
    let why = fault(give(10_000_000).await);
    assert_eq!(why, Fault::Breach("it handed over more than 3145728 bytes at once".to_owned()));
}

#[tokio::test]
async fn a_trap_in_any_export_is_a_fault_of_that_call_alone() {
    let after = r#"(func (export "cabi_post_stokehold:worker/handler@0.1.0#handle") (param i32)
        unreachable)"#;
    let endless = Wat { realloc: "(loop (br 0))", ..Wat::default() };
    let traps = [
        Wat { handle: "unreachable", ..Wat::default() },
        Wat { realloc: "unreachable", ..Wat::default() },
        Wat { parts: after, ..Wat::default() },
    ];
    for guest in &traps {
        let house = House::new().file("plain.wasm", guest.worker());
        let worker = house.worker().await;
        for _ in 0..2 {
            let why = fault(act(&worker, "", 0).await).to_string();
            assert!(why.starts_with("handler trapped: wasm trap: wasm `unreachable`"), "{why}");
        }
    }
    let house = House::new().bounds(|bounds| bounds.call_ms_max = 200);
    assert_eq!(fault(run(&endless, house).await), Fault::Deadline { call_ms_max: 200 });
    done(run(&Wat::default(), House::new()).await);
}

#[tokio::test]
async fn names_with_slashes_and_dots_are_data_and_lead_nowhere() {
    let answer = super::acts().await.handle(call(json!({"act": "odd names"}))).await;
    assert_eq!(answer.outcome, Ok(Verdict::Completed));
    let names: Vec<_> = answer.report.fields.keys().map(String::as_str).collect();
    let odd = ["", "..", "../../jobs/ready/x", "/state/v2.0/networks/n1", "a/b"];
    assert_eq!(names, odd, "as they were given, beside each other");
}

#[tokio::test]
async fn calls_of_one_plugin_beyond_its_places_wait_and_take_none_from_others() {
    let places = async |calls_max: u64, patience: Duration| {
        let house = House::new()
            .guest("guest_acts")
            .file("plain.wasm", Wat::default().worker())
            .bounds(|bounds| bounds.calls_max = calls_max);
        let mut loaded = house.load().await;
        let acts = Arc::new(loaded.workers.remove(&"guest_acts".into()).unwrap());
        let long = Arc::clone(&acts);
        let long = tokio::spawn(async move { act(&long, "sleep", 20_000).await });
        // It has its place as soon as it was polled.
        tokio::task::yield_now().await;
        let second = tokio::time::timeout(patience, act(&acts, "sleep", 1)).await;
        done(act(&loaded.workers[&"plain".into()], "", 0).await);
        long.abort();
        assert!(long.await.unwrap_err().is_cancelled());
        done(act(&acts, "sleep", 1).await);
        second.is_ok()
    };
    assert!(!places(1, Duration::from_millis(500)).await, "the second call did not wait");
    assert!(places(2, Duration::from_secs(15)).await, "the second call waited");
}
