//! The dry call of a version that is to take over: whatever it does, it is a reason and no more.

use stokehold::plugin::Loader;

use super::component::Wat;
use super::{House, act, done};

/// A handler of this name whose dry call does this, and ends well if it ends.
pub(crate) fn tried(name: &str, attempt: &str) -> Vec<u8> {
    let parts = format!(
        r#"(func (export "stokehold:worker/trial@0.1.0#attempt") (result i32)
          {attempt} (i32.const 700))"#
    );
    Wat { name, world: "worker-with-trial", parts: &parts, ..Wat::default() }.worker()
}

#[tokio::test]
async fn a_trial_that_traps_or_does_not_end_is_a_reason_not_to_take_over() {
    let eat = "(loop (br_if 0 (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let table = [
        ("", None),
        ("unreachable", Some("does not stand its trial: handler trapped: wasm trap: wasm `unrea")),
        ("(loop (br 0))", Some("does not end its trial within 4000 ms (call_ms_max)")),
        (eat, Some("does not stand its trial: handler exceeded its memory of 67108864 bytes")),
    ];
    for (attempt, expected) in table {
        let house = House::new()
            .file("plain.wasm", tried("plain", attempt))
            .bounds(|bounds| bounds.call_ms_max = 4_000);
        let loader = Loader::new(&house.engine, house.dir.path(), &house.settings);
        let why = loader.load_and_try(&house.dir.path().join("plain.wasm")).await.err();
        match expected {
            None => assert_eq!(why, None),
            Some(words) => {
                assert!(why.as_ref().is_some_and(|why| why.starts_with(words)), "{why:?}");
            }
        }
        // Where there is nothing to fall back to nobody asks for a trial, and jobs are another matter.
        done(act(&house.worker().await, "", 0).await);
    }
}
