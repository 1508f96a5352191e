//! `stokehold plugin check --against`: the program as authors and keepers of the contract run it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use stokehold_tests::paths;

use super::kept::versions;

/// What the program printed and its exit code.
fn check(files: &[&Path], old: &Path, more: &[&str]) -> (String, String, i32) {
    let mut command = Command::new(paths::program("stokehold").unwrap());
    command.env("STOKEHOLD_CACHE", paths::cache().unwrap());
    command.args(["plugin", "check"]).args(files).arg("--against").arg(old).args(more);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

fn contract() -> std::path::PathBuf {
    paths::root().join("wit/worker@0.1.0")
}

/// The contract with one of its files changed.
fn changed(file: &str, from: &str, to: &str) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let place = to.join(path.file_name().unwrap());
            if path.is_dir() {
                fs::create_dir(&place).unwrap();
                copy(&path, &place);
            } else {
                fs::copy(&path, &place).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(&contract(), folder.path());
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} lacks {from}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    folder
}

#[test]
fn a_plugin_that_uses_what_its_contract_has_breaks_nothing() {
    for version in versions() {
        let kept = version.join("kept_worker.wasm");
        let (out, err, code) = check(&[&kept], &contract(), &[]);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        assert!(
            out.contains(&format!("nothing changed since {}\n", contract().display())),
            "{out}"
        );
    }
}

#[test]
fn each_change_of_a_contract_is_named_with_what_it_does_and_why() {
    let case = changed("types.wit", "        delete,\n", "        delete,\n        purge,\n");
    let (out, _, code) = check(&[case.path()], &contract(), &[]);
    assert_eq!(code, 1, "{out}");
    let line = "  breaking   interface stokehold:worker/types, enum action: case purge was added \
                (linking compares a type as a whole: take a type of another name and a function for it)";
    assert!(out.contains(line), "{out}");
    assert!(out.contains(", and breaks what was built before\n"), "{out}");

    let more = changed("log.wit", "    write: func", "    flush: func();\n    write: func");
    let (out, _, code) = check(&[more.path()], &contract(), &[]);
    assert_eq!(code, 0, "{out}");
    let line = "  compatible interface stokehold:worker/log, function flush: was added \
                (a component that was built before does not call it)";
    assert!(out.contains(line), "{out}");
    assert!(out.contains(", and breaks nothing\n"), "{out}");
}

#[test]
fn a_machine_gets_the_same_as_json() {
    let asks =
        changed("handler.wit", "    describe: func", "    ready: func();\n    describe: func");
    let kept = versions().remove(0).join("kept_worker.wasm");
    let (out, _, code) = check(&[&kept, asks.path()], &contract(), &["--json"]);
    assert_eq!(code, 1, "{out}");
    let told: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(told[0]["against"]["changes"], serde_json::json!([]));
    assert_eq!(told[0]["against"]["breaks"], false);
    let expected = serde_json::json!([{
        "effect": "breaking",
        "place": "interface stokehold:worker/handler, function ready",
        "what": "was added",
        "why": "a component that was built before does not have it",
    }]);
    assert_eq!(told[1]["against"]["changes"], expected);
}

#[test]
fn what_cannot_be_compared_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.wasm");
    fs::write(&file, "no component").unwrap();
    let (out, _, code) = check(&[&file], &contract(), &[]);
    assert_eq!(code, 1);
    assert!(out.contains("cannot be compared with"), "{out}");
    assert!(out.contains("is neither a component nor a folder of WIT"), "{out}");
    let (_, err, code) = check(&[&file], &folder.path().join("nowhere"), &[]);
    assert_ne!(code, 0);
    assert!(err.contains("cannot read") && err.contains("nowhere"), "{err}");
    let worlds = folder.path().join("worlds.wit");
    fs::write(&worlds, "package a:b; interface c { }").unwrap();
    let (_, err, _) = check(&[&file], &worlds, &[]);
    assert!(err.contains("it has no world: give the folder of the whole contract"), "{err}");
}
