//! Who may know whom, and what the thinking rooms must not do.

use std::collections::BTreeSet;
use std::path::Path;

use super::source::{code, files, is_test, rust, text, words};

/// Each room and the rooms it may import. A new room is a new line here and in ARCHITECTURE.md.
const ROOMS: [(&str, &[&str]); 16] = [
    (
        "cli",
        &[
            "admin",
            "domain",
            "flow",
            "http_client",
            "kafka",
            "plan",
            "plugin",
            "queue",
            "rollout",
            "settings",
            "settle",
            "store",
            "wire",
        ],
    ),
    ("admin", &["domain", "store", "wire"]),
    (
        "flow",
        &[
            "admin",
            "domain",
            "http_client",
            "kafka",
            "plan",
            "plugin",
            "queue",
            "rollout",
            "schedule",
            "settle",
            "store",
            "wire",
        ],
    ),
    ("plan", &["domain"]),
    ("queue", &["domain"]),
    ("schedule", &["domain"]),
    // What comes of an answer depends on who waits for it: one thought reads what the other keeps.
    ("settle", &["domain", "queue"]),
    ("rollout", &["domain"]),
    ("wire", &["domain", "store"]),
    ("store", &[]),
    ("plugin", &["domain", "http_client"]),
    ("http_client", &[]),
    ("kafka", &[]),
    ("settings", &["domain"]),
    ("domain", &[]),
    ("lib", &[]),
];

/// Of the store, `wire` knows the envelopes.
const ENVELOPES: [&str; 7] = ["Batch", "Compare", "Event", "KeyValue", "LeaseId", "Txn", "Write"];

const PURE: [&str; 8] =
    ["domain", "plan", "queue", "rollout", "schedule", "settings", "settle", "wire"];

/// Words that a room without effects has no use for.
const EFFECTS: [&str; 16] = [
    "async",
    "await",
    "Instant",
    "SystemTime",
    "env",
    "fs",
    "net",
    "process",
    "thread",
    "rand",
    "getrandom",
    "uuid",
    "tokio",
    "tracing",
    "println",
    "eprintln",
];

/// The room of a file of the host: `plan` of `host/src/plan/relation.rs`.
fn room(path: &Path) -> Option<String> {
    let first = path.strip_prefix("host/src").ok()?.components().next()?;
    let name = first.as_os_str().to_string_lossy().into_owned();
    Some(name.strip_suffix(".rs").map_or(name.clone(), str::to_owned))
}

/// Every path that begins with `crate::` and goes on with a room; grouped imports one by one.
fn imports(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest: String = code[at + "crate::".len()..].chars().take_while(|c| *c != ';').collect();
        for path in flat(&rest) {
            let mut names = path.split("::").map(str::to_owned);
            let room = names.next().unwrap_or_default();
            found.push((room, names.next().unwrap_or_default()));
        }
    }
    found
}

/// `a::{b, c::{d}}` → `a::b`, `a::c::d`; whatever follows the path is left out.
fn flat(tree: &str) -> Vec<String> {
    let head: String =
        tree.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
    let Some(group) = tree[head.len()..].strip_prefix('{') else {
        return vec![head];
    };
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for letter in group.chars() {
        match letter {
            '}' if depth == 0 => break,
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            letter => {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                part.push(letter);
            }
        }
    }
    parts.push(part);
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.flat_map(flat).map(|rest| format!("{head}{rest}")).collect()
}

#[test]
fn grouped_imports_are_told_apart() {
    let said = imports("use crate::{a::B, c::{D, e::F}}; let x = crate::store::Txn::new();");
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(said, [pair("a", "B"), pair("c", "D"), pair("c", "e"), pair("store", "Txn")]);
}

#[test]
fn a_room_imports_only_what_it_may_know() {
    let mut wrong = Vec::new();
    for (path, text) in rust("host/src").iter().filter(|(path, _)| !is_test(path)) {
        let Some(own) = room(path).filter(|room| room != "main") else { continue };
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == own) else {
            panic!("{} is of no known room; ROOMS and ARCHITECTURE.md need a line", path.display());
        };
        for (room, item) in imports(&code(text)) {
            let known = ROOMS.iter().any(|(name, _)| *name == room);
            let through = own != "wire" || room != "store" || ENVELOPES.contains(&item.as_str());
            if known && room != own && !(allowed.contains(&&*room) && through) {
                wrong.push(format!("{}: {own} must not import {room}::{item}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_path_leaves_its_room_through_super() {
    for (path, text) in rust("host/src").iter().filter(|(path, _)| !is_test(path)) {
        let below = path.strip_prefix("host/src").unwrap();
        let inside = below.components().count() - usize::from(below.ends_with("mod.rs"));
        let climbs = "super::".repeat(inside);
        assert!(!code(text).contains(&climbs), "{} leaves its room by super", path.display());
    }
}

#[test]
fn the_thinking_rooms_have_no_effects() {
    let mut wrong = Vec::new();
    for (path, text) in rust("host/src").iter().filter(|(path, _)| !is_test(path)) {
        let pure = room(path).is_some_and(|room| PURE.contains(&room.as_str()));
        let code = code(text);
        let found: BTreeSet<_> = words(&code).filter(|word| EFFECTS.contains(word)).collect();
        if pure && !found.is_empty() {
            wrong.push(format!("{}: {found:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn etcd_is_known_to_one_folder_and_wasmtime_to_one_room() {
    let with = |word: &str| {
        let files = rust("host/src").into_iter();
        let found = files.filter(|(_, text)| words(&code(text)).any(|w| w.starts_with(word)));
        found.map(|(path, _)| path).collect::<Vec<_>>()
    };
    for path in ["etcd_client", "tonic"].into_iter().flat_map(with) {
        assert!(path.starts_with("host/src/store/etcd"), "etcd is known to {}", path.display());
    }
    for path in with("rskafka") {
        assert!(path == Path::new("host/src/kafka.rs"), "rskafka occurs in {}", path.display());
    }
    for path in with("wasmtime") {
        assert!(path.starts_with("host/src/plugin"), "wasmtime occurs in {}", path.display());
    }
}

#[test]
fn host_and_guests_share_nothing_but_the_contract() {
    let manifests = files(".").into_iter().filter(|path| path.ends_with("Cargo.toml"));
    for path in manifests {
        let manifest = text(&path).unwrap();
        let depends_on = |name: &str| {
            let lines = manifest.lines().map(str::trim_start);
            lines.filter(|line| line.contains('=')).any(|line| {
                line.split(['.', ' ', '=']).next().is_some_and(|dependency| dependency == name)
            })
        };
        let guest = ["plugins", "examples", "tests/guests"].iter().any(|of| path.starts_with(of));
        assert!(!guest || !depends_on("stokehold"), "{} depends on the host", path.display());
        let host = path.starts_with("host");
        assert!(!host || !depends_on("stokehold-sdk"), "the host depends on the SDK");
    }
}
