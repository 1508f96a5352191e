//! Components that say they were built for another version than the host's.

use std::collections::BTreeMap;

use stokehold::domain::{Action, Failure, Verdict};
use stokehold::plugin::PluginGrants;

use super::kept::versions;
use super::{Known, call, load_all};

/// The kept worker, as if it had been built for this version of the contract.
fn of_version(version: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(versions().remove(0).join("kept_worker.wasm")).unwrap();
    let mut patched = 0;
    let name = b"stokehold:worker/";
    for at in 0..bytes.len() {
        if !bytes[at..].starts_with(name) {
            continue;
        }
        let rest = &bytes[at + name.len()..];
        let letters = rest.iter().take_while(|byte| byte.is_ascii_lowercase() || **byte == b'-');
        let end = at + name.len() + letters.count();
        if bytes[end..].starts_with(b"@0.1.0") {
            bytes[end + 1..end + 6].copy_from_slice(version.as_bytes());
            patched += 1;
        }
    }
    assert!(patched > 5, "{patched}");
    bytes
}

fn granted() -> BTreeMap<String, PluginGrants> {
    let http = vec!["127.0.0.1:1".to_owned()];
    BTreeMap::from([("kept_worker".to_owned(), PluginGrants { http, ..PluginGrants::default() })])
}

#[tokio::test]
async fn a_later_version_of_the_same_track_runs_as_long_as_it_calls_nothing_new() {
    let loaded = load_all(&[("kept_worker", of_version("0.1.3"))], granted()).await;
    assert_eq!(loaded.faults, []);
    let worker = loaded.workers.into_values().next().expect("a worker");
    let answer = worker.handle(call("kept_worker", Action::Delete, Vec::new(), Known::default()));
    let fatal = Verdict::Failed(Failure::Fatal("for good".to_owned()));
    assert_eq!(answer.await.outcome, Ok(fatal));
}

#[tokio::test]
async fn another_track_is_refused_by_its_version() {
    let loaded = load_all(&[("kept_worker", of_version("0.2.0"))], granted()).await;
    let [fault] = loaded.faults.as_slice() else { panic!("{:?}", loaded.faults) };
    let words = "speaks stokehold:worker@0.2.0, this host speaks ";
    assert!(fault.reason.contains(words), "{}", fault.reason);
}
