#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fmt::Write as _;

use super::*;

/// Written by `expect.py` with the genuine `PyYAML`.
const CASES: &str = include_str!("cases.json");

#[test]
fn documents_are_read_as_the_genuine_pyyaml_reads_them() {
    let cases: Vec<Json> = serde_json::from_str(CASES).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let value = read(case["text"].as_str().unwrap());
        let same = match (&value, case.get("known")) {
            (Ok(value), Some(known)) => value == known,
            (Err(_), Some(known)) => known == "error",
            (Ok(value), None) => case.get("expected") == Some(value),
            (Err(_), None) => case.get("error").is_some(),
        };
        if !same {
            wrong.push(format!("{case}\n  is read as {value:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 100, "the table has only {} cases", cases.len());
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let alias = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{alias}]").unwrap();
    }
    assert_eq!(read(&text).unwrap_err(), "it has more than 100000 nodes");
}

#[test]
fn depth_without_end_is_refused() {
    let text = "[".repeat(100);
    assert_eq!(read(&text).unwrap_err(), "it is nested more than 64 levels deep");
}
