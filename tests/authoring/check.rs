//! `stokehold plugin check` and `inspect`.

use anyhow::{Result, ensure};

use super::Bench;
use crate::sandbox::component::{Wat, foreign};

const WORLDS: &str = "package test:worlds;
    world both { include stokehold:worker/worker@0.1.0; export stokehold:worker/prober@0.1.0; }
    interface strange { f: func(); }
    world strange-world { include stokehold:worker/worker@0.1.0; import strange; }";

#[test]
fn a_sound_plugin_is_told_what_it_still_needs() -> Result<()> {
    let bench = Bench::new()?;
    bench.guest("guest_http")?;
    bench.guest("echo_worker")?;
    let words = [
        "guest_http.wasm: can be used, but needs a word of the operator",
        "ok     world     a handler for stokehold:worker@0.1.0",
        "ok     describe  handler guest_http, after guest_acts",
        "needs  grants    imports wasi:http, which has to be granted: http = [\"HOST:PORT\"] under \
         [plugins.guest_http] in stokehold.toml, or --grant-http guest_http=HOST:PORT",
        "asks for http never.granted:1: add http = [\"never.granted:1\"] under [plugins.guest_http]",
        "echo_worker.wasm: can be used\n",
    ];
    bench
        .stokehold(&["plugin", "check", "guest_http.wasm", "echo_worker.wasm"])?
        .with(0, &words)?;
    Ok(())
}

#[test]
fn what_the_operator_does_not_grant_fails_and_what_he_grants_does_not() -> Result<()> {
    let bench = Bench::new()?;
    bench.guest("guest_http")?;
    let check = |grants: &[&str]| {
        bench.stokehold(&[&["plugin", "check", "guest_http.wasm"], grants].concat())
    };
    let other = ["--grant-http", "guest_http=other:1"];
    check(&other)?.with(1, &["needs  grants    asks for http never.granted:1"])?;
    let all = [
        "--grant-http",
        "guest_http=never.granted:1",
        "--grant-http",
        "guest_http=a:80",
        "--config",
        "guest_http.url=http://a:80/",
    ];
    check(&all)?.with(0, &["asks for http a:80 (its setting url), and has it"])?;
    check(&["--config", "guest_http.utl=x"])?
        .with(1, &["is given config utl, but never asks for it: is the name right?"])?;
    Ok(())
}

#[test]
fn grants_are_read_beside_the_file_unless_another_folder_is_named() -> Result<()> {
    let bench = Bench::new()?;
    std::fs::create_dir(bench.path().join("build"))?;
    std::fs::create_dir(bench.path().join("handlers"))?;
    bench.guest("guest_http")?;
    std::fs::rename(
        bench.path().join("guest_http.wasm"),
        bench.path().join("build/guest_http.wasm"),
    )?;
    let check = |more: &[&str]| {
        let check = ["plugin", "check", "build/guest_http.wasm", "--call-ms-max", "30000"];
        bench.stokehold(&[&check[..], more].concat())
    };
    let needs = ["needs  grants    imports wasi:http, which has to be granted"];
    check(&[])?.with(1, &needs)?;
    bench.file("handlers/guest_http.toml", "http = [\"other:1\"]")?;
    check(&[])?.with(1, &needs)?;
    check(&["--handlers", "handlers"])?
        .with(1, &["needs  grants    asks for http never.granted"])?;
    bench.file("build/guest_http.toml", "http = [\"never.granted:1\"]")?;
    check(&[])?.with(0, &["asks for http never.granted:1, and has it"])?;
    check(&["--handlers", "handlers"])?
        .with(1, &["needs  grants    asks for http never.granted"])?;
    Ok(())
}

#[test]
fn a_trial_is_called_once_there_are_settings_for_it() -> Result<()> {
    let with_trial = |data: &str| {
        let parts = format!(
            r#"(func (export "stokehold:worker/trial@0.1.0#attempt") (result i32)
              (i32.const 700)) {data}"#
        );
        Wat { world: "worker-with-trial", parts: &parts, ..Wat::default() }.worker()
    };
    let bench = Bench::new()?;
    let check = ["plugin", "check", "plain.wasm"];
    let held = [&check[..], &["--call-ms-max", "30000"]].concat();
    // A result is its case, and of an error the text.
    let refuses = r#"(data (i32.const 700) "\01\00\00\00\d0\02\00\00\07\00\00\00")
        (data (i32.const 720) "no Heat")"#;
    bench.file("plain.wasm", with_trial(refuses))?;
    let said = bench.stokehold(&check)?.with(0, &["plain.wasm: can be used\n"])?;
    ensure!(!said.out.contains("trial"), "tried with nothing: {}", said.out);
    let words = [
        "plain.wasm: cannot be used",
        "fails  trial     says that it cannot work: no Heat; a running host keeps the version",
    ];
    bench.stokehold(&held)?.with(1, &words)?;
    bench.file("plain.wasm", with_trial(""))?;
    bench.stokehold(&held)?.with(0, &["ok     trial     stands its trial"])?;
    Ok(())
}

#[test]
fn a_limit_that_no_setting_can_give_is_a_remark() -> Result<()> {
    // The limits of a description lie from byte 84 on.
    let parts = r#"(data (i32.const 84) "\20\03\00\00\02\00\00\00")
        (data (i32.const 800) "\40\03\00\00\09\00\00\00\05\00\00\00\00\00\00\00")
        (data (i32.const 816) "\50\03\00\00\0c\00\00\00\ff\ff\ff\ff\ff\ff\ff\ff")
        (data (i32.const 832) "bandwidth") (data (i32.const 848) "memory-bytes")"#;
    let bench = Bench::new()?;
    bench.file("plain.wasm", Wat { parts, ..Wat::default() }.worker())?;
    let check = ["plugin", "check", "plain.wasm", "--call-ms-max", "30000"];
    let words = [
        "plain.wasm: can be used\n",
        "note   limits    asks for 5 bandwidth, a limit that this host does not know",
        "note   limits    asks for 18446744073709551615 memory-bytes: more than this host can give \
         (4294967296 at most)",
    ];
    bench.stokehold(&check)?.with(0, &words)?;
    let json = bench.stokehold(&[&check[..], &["--json"]].concat())?.with(0, &[])?.json()?;
    ensure!(json[0]["verdict"] == "ok", "{json:#}");
    Ok(())
}

#[test]
fn a_file_that_cannot_be_used_is_told_why_in_plain_words() -> Result<()> {
    let bench = Bench::new()?;
    let good = Wat::default().worker();
    let strange = r#"(import "test:worlds/strange" "f" (func))"#;
    let newer = "package stokehold:worker@0.2.0;
        interface handler { handle: func(); } world worker { export handler; }";
    let program = "package acme:tool@1.0.0; interface handlr { run: func(); }
        world tool { export handlr; }";
    let core = |name: &str| {
        format!(
            r#"(memory (export "memory") 1) (func (export "cabi_realloc") (param i32 i32 i32 i32)
            (result i32) unreachable) (func (export "{name}"))"#
        )
    };
    let table: [(&str, Vec<u8>, &str); 11] = [
        ("empty.wasm", Vec::new(), "fails  file      is empty"),
        ("cut.wasm", good[..good.len() / 2].to_vec(), "is cut short: it ends at byte"),
        ("core.wasm", wat::parse_str("(module)")?, "is a core module, not a component"),
        ("Big-Name.wasm", good.clone(), "\"Big-Name\" is no name of a plugin"),
        ("other.wasm", good.clone(), "calls itself plain: rename the file to plain.wasm"),
        (
            "strange.wasm",
            Wat { imports: strange, world: "strange-world", worlds: WORLDS, ..Wat::default() }
                .worker(),
            "imports test:worlds/strange, which this host does not offer",
        ),
        (
            "newer.wasm",
            foreign(newer, "worker", &core("stokehold:worker/handler@0.2.0#handle")),
            "speaks stokehold:worker@0.2.0, this host speaks stokehold:worker@0.1",
        ),
        (
            "tool.wasm",
            foreign(program, "tool", &core("acme:tool/handlr@1.0.0#run")),
            "exports neither stokehold:worker/handler nor stokehold:worker/prober, but acme:tool/handlr",
        ),
        (
            "trap.wasm",
            Wat { name: "trap", describe: "unreachable", ..Wat::default() }.worker(),
            "fails  describe  does not describe itself: handler trapped",
        ),
        (
            "large.wasm",
            Wat { name: "large", pages: 2000, ..Wat::default() }.worker(),
            "fails  describe  does not describe itself: handler exceeded its memory",
        ),
        ("text.wasm", b"#!/bin/sh".to_vec(), "is not a WebAssembly component"),
    ];
    for (name, bytes, reason) in table {
        bench.file(name, bytes)?;
        bench.stokehold(&["plugin", "check", name])?.with(1, &["cannot be used", reason])?;
    }
    bench.stokehold(&["plugin", "check", "none.wasm"])?.with(1, &["cannot be read"])?;
    Ok(())
}

#[test]
fn a_check_for_machines_says_the_same() -> Result<()> {
    let bench = Bench::new()?;
    bench.file("plain.wasm", Wat::default().worker())?;
    bench.file("empty.wasm", "")?;
    let said = bench.stokehold(&["plugin", "check", "--json", "plain.wasm", "empty.wasm"])?;
    let json = said.with(1, &[])?.json()?;
    ensure!(json[0]["verdict"] == "ok" && json[1]["verdict"] == "fails", "{json:#}");
    ensure!(json[1]["findings"][0]["text"] == "is empty", "{json:#}");
    ensure!(json[0]["digest"].as_str().is_some_and(|digest| digest.len() == 64), "{json:#}");
    Ok(())
}

#[test]
fn an_inspection_shows_what_a_file_is_without_the_operator() -> Result<()> {
    let bench = Bench::new()?;
    bench.guest("guest_http")?;
    let words = [
        "name         guest_http",
        "after        guest_acts",
        "update       recreate: delete, then create",
        "asks for     http never.granted:1, http config:url, config url",
        "kind         handler",
        "contract     0.1.0",
        "languages    Rust",
        "tools        ",
        "debug lines  no",
        "wasi:http/outgoing-handler@0.2.12",
        "from the host, with a grant of http",
        "export stokehold:worker/handler@0.1.0;",
    ];
    bench.stokehold(&["plugin", "inspect", "guest_http.wasm"])?.with(0, &words)?;
    let wit = ["package stokehold:worker@0.1.0", "record job {", "handle: func(job: job"];
    bench.stokehold(&["plugin", "inspect", "guest_http.wasm", "--wit"])?.with(0, &wit)?;
    let json = bench.stokehold(&["plugin", "inspect", "guest_http.wasm", "--json"])?.json()?;
    ensure!(json["about"]["name"] == "guest_http" && json["kind"] == "handler", "{json:#}");
    let core = bench.file("core.wasm", wat::parse_str("(module)")?)?;
    let said = bench.stokehold(&["plugin", "inspect", &core.to_string_lossy()])?.with(1, &[])?;
    ensure!(said.err.contains("is a core module, not a component"), "{}", said.err);
    Ok(())
}
