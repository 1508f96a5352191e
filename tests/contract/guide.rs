//! The guide in `examples/README.md` shows what is there. Its Rust is compiled and run as documentation.

use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use stokehold_tests::{guests, paths};

/// The blocks of a document that are fenced in this language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let rest = document.split(begin.as_str()).skip(1);
    rest.filter_map(|block| Some(block.split_once("\n```")?.0.to_owned())).collect()
}

fn guide() -> String {
    std::fs::read_to_string(paths::root().join("examples/README.md")).unwrap()
}

#[test]
fn what_the_guide_shows_of_a_file_stands_there() {
    let shown = blocks(&guide(), "rs");
    assert!(!shown.is_empty());
    for block in shown {
        let (file, code) = block.split_once('\n').unwrap();
        let file = Path::new(file.strip_prefix("// ").unwrap());
        let text = std::fs::read_to_string(paths::root().join(file)).unwrap();
        assert!(text.contains(code), "{} is another than the guide shows", file.display());
    }
}

#[test]
fn the_json_and_toml_of_the_guide_can_be_read() {
    let guide = guide();
    let (json, toml) = (blocks(&guide, "json"), blocks(&guide, "toml"));
    assert!(json.len() >= 4 && toml.len() >= 2);
    for block in json {
        let read: Result<Json, _> = serde_json::from_str(&block);
        assert!(read.is_ok(), "{read:?}: {block}");
    }
    for block in toml {
        let read: Result<toml::Table, _> = toml::from_str(&block);
        assert!(read.is_ok(), "{read:?}: {block}");
    }
}

#[test]
fn a_job_of_the_dns_example_runs_without_a_server() {
    let output = Command::new(paths::program("stokehold").unwrap())
        .env("STOKEHOLD_CACHE", paths::cache().unwrap())
        .args(["plugin", "run"])
        .arg(guests::build("dns_worker"))
        .arg("--job")
        .arg(paths::root().join("examples/dns_worker/job.json"))
        .args(["--config", "dns_worker.dns_url=http://127.0.0.1:8053", "--until-done"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("completed") && told.contains("dns_record"), "{told}");
}
