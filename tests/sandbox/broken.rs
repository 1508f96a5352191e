//! Broken files: each is named with a reason that helps, and the others work.

use stokehold::domain::HandlerName;
use stokehold::plugin::{PluginGrants, Prober, load};

use super::component::{Wat, foreign};
use super::{House, Logs, act, done};

const WORLDS: &str = "package test:worlds;
    world sockets {
        include stokehold:worker/worker@0.1.0;
        import wasi:sockets/tcp-create-socket@0.2.12;
    }
    world files { include stokehold:worker/worker@0.1.0; import wasi:filesystem/preopens@0.2.12; }
    interface strange { f: func(); }
    world strange-world { include stokehold:worker/worker@0.1.0; import strange; }";

#[tokio::test]
async fn each_broken_file_is_named_with_its_reason() {
    let whole = Wat::default().worker();
    let core = wat::parse_str("(module (func (export \"handle\")))").unwrap();
    let bare = wat::parse_str("(component)").unwrap();
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "is empty"),
        ("text", b"(component)".to_vec(), "is not a WebAssembly component"),
        ("core", core, "is a core module, not a component: build it for wasm32-wasip2"),
        ("elf", b"\x7fELF whatever".to_vec(), "is machine code, which is never loaded"),
        ("head", whole[..6].to_vec(), "is cut short"),
        ("half", whole[..whole.len() / 2].to_vec(), "is not a valid component"),
        ("bare", bare, "exports neither stokehold:worker/handler@0.1.0 nor"),
        ("two words", whole.clone(), "is no name"),
        ("dash-ed", whole.clone(), "use lower case letters, digits and \"_\""),
        ("Upper", whole, "is no name"),
    ];
    for (name, bytes, expected) in table {
        let file = format!("{name}.wasm");
        let reason = House::new().file(&file, bytes).fault(&file).await;
        assert!(reason.contains(expected), "{name}: {reason}");
    }
}

#[tokio::test]
async fn another_version_of_the_contract_is_told_apart() {
    let wit = "package stokehold:worker@0.9.0;
        interface handler { describe: func() -> string; }
        world worker { export handler; }";
    let core = r#"(memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "stokehold:worker/handler@0.9.0#describe") (result i32) unreachable)"#;
    let reason =
        House::new().file("new.wasm", foreign(wit, "worker", core)).fault("new.wasm").await;
    assert_eq!(reason, "speaks stokehold:worker@0.9.0, this host speaks 0.1.0");
}

#[tokio::test]
async fn a_handler_without_all_its_exports_does_not_fit() {
    let wit = "package stokehold:worker@0.1.0;
        interface handler { handle: func() -> string; }
        world worker { export handler; }";
    let core = r#"(memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "stokehold:worker/handler@0.1.0#handle") (result i32) unreachable)"#;
    let reason =
        House::new().file("less.wasm", foreign(wit, "worker", core)).fault("less.wasm").await;
    assert!(reason.contains("does not fit this host") && reason.contains("describe"), "{reason}");
}

#[tokio::test]
async fn what_is_not_granted_cannot_be_imported_and_the_reason_teaches() {
    let clocks = r#"(import "wasi:http/types@0.2.12" "[constructor]fields" (func (result i32)))"#;
    let strange = r#"(import "test:worlds/strange" "f" (func))"#;
    let table = [
        (
            Wat { imports: clocks, ..Wat::default() },
            "imports wasi:http/types, which it was not granted: set `http = [\"host:port\"]` under \
             [plugins.plain] in stokehold.toml",
        ),
        (
            Wat { imports: strange, world: "strange-world", worlds: WORLDS, ..Wat::default() },
            "test:worlds/strange",
        ),
    ];
    for (guest, expected) in table {
        let reason = House::new().file("plain.wasm", guest.worker()).fault("plain.wasm").await;
        assert!(reason.contains(expected), "{reason}");
    }
    let reason = House::new().guest("guest_http").fault("guest_http.wasm").await;
    assert!(reason.starts_with("imports wasi:http/outgoing-handler, which it was not"), "{reason}");
}

#[tokio::test]
async fn files_are_linked_and_empty_because_programs_import_them_unasked() {
    let preopens = r#"(import "wasi:filesystem/preopens@0.2.12" "get-directories"
        (func $dirs (param i32)))"#;
    // Traps if the list has an element.
    let handle =
        "(call $dirs (i32.const 1024)) (i32.load (i32.const 1028)) (if (then unreachable))";
    let guest = Wat { imports: preopens, world: "files", worlds: WORLDS, handle, ..Wat::default() };
    let worker = House::new().file("plain.wasm", guest.worker()).worker().await;
    done(act(&worker, "", 0).await);
}

#[tokio::test]
async fn sockets_are_linked_and_denied_because_interpreters_import_them_unasked() {
    let create = r#"(import "wasi:sockets/tcp-create-socket@0.2.12" "create-tcp-socket"
        (func $create (param i32 i32)))"#;
    // Traps unless the result is an error, and that error is `access-denied`.
    let handle = "(call $create (i32.const 0) (i32.const 1024))
        (if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 1028)) (i32.const 1)) (then unreachable))";
    let guest = Wat { imports: create, world: "sockets", worlds: WORLDS, handle, ..Wat::default() };
    let worker = House::new().file("plain.wasm", guest.worker()).worker().await;
    done(act(&worker, "", 0).await);
}

#[tokio::test]
async fn a_plugin_that_misbehaves_in_describe_is_a_fault_and_not_a_crash() {
    let eat = "(loop (br_if 0 (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let report = r#"(import "stokehold:worker/monitor@0.1.0" "clear" (func $clear))"#;
    let table = [
        (
            "unreachable",
            "",
            "does not describe itself: handler trapped: wasm trap: wasm `unreachable`",
        ),
        ("(loop (br 0))", "", "does not describe itself within 2000 ms (describe_ms_max)"),
        (eat, "", "handler exceeded its memory of 67108864 bytes (memory_bytes_max)"),
        ("(call $clear)", report, "it called monitor.clear while there was no job"),
    ];
    for (describe, imports, expected) in table {
        let guest = Wat { imports, describe, ..Wat::default() };
        let house = House::new()
            .file("plain.wasm", guest.worker())
            .bounds(|bounds| bounds.describe_ms_max = 2_000);
        let reason = house.fault("plain.wasm").await;
        assert!(reason.contains(expected), "{reason}");
    }
}

#[tokio::test]
async fn the_name_of_a_plugin_is_the_name_of_its_file() {
    let plain = Wat::default().worker();
    let reason = House::new().file("other.wasm", &plain).fault("other.wasm").await;
    assert_eq!(reason, "calls itself plain: rename the file to plain.wasm");

    let house = House::new().file("other.wasm", &plain).file("plain.wasm", &plain);
    let reason = house.fault("other.wasm").await;
    assert_eq!(reason, "calls itself plain, and there is plain.wasm: one plugin per handler");
    assert!(house.load().await.workers.contains_key(&"plain".into()));
}

#[tokio::test]
async fn broken_plugins_leave_the_others_working() {
    let house = House::new()
        .file("a.wasm", "nonsense")
        .file("plain.wasm", Wat::default().worker())
        .file(
            "looker.wasm",
            Wat { name: "looker", world: "watcher", ..Wat::default() }.prober("vm"),
        )
        .file("ignored.txt", "not a plugin")
        .file(".half.wasm", "not yet a plugin")
        .file("z.wasm", "");
    let loaded = house.load().await;
    let files: Vec<_> =
        loaded.faults.iter().map(|fault| fault.file.file_name().unwrap().to_owned()).collect();
    assert_eq!(files, ["a.wasm", "z.wasm"]);
    assert_eq!(loaded.workers.keys().map(HandlerName::as_str).collect::<Vec<_>>(), ["plain"]);
    assert_eq!(loaded.probers.iter().map(Prober::name).collect::<Vec<_>>(), ["looker"]);
    done(act(&loaded.workers[&"plain".into()], "", 0).await);
}

#[tokio::test]
async fn two_probers_for_one_kind_are_a_fault_of_the_second() {
    let prober = |name| Wat { name, world: "watcher", ..Wat::default() }.prober("vm");
    let house = House::new().file("a.wasm", prober("a")).file("b.wasm", prober("b"));
    let reason = house.fault("b.wasm").await;
    assert_eq!(reason, "knows the kind \"vm\", and so does a: one prober per kind");
    assert_eq!(house.load().await.probers.len(), 1);
}

#[tokio::test]
async fn a_prober_cannot_import_what_is_for_handlers() {
    let worlds = "package test:worlds;
        world both { include stokehold:worker/watcher@0.1.0; import stokehold:worker/monitor@0.1.0; }";
    let imports = r#"(import "stokehold:worker/monitor@0.1.0" "clear" (func))"#;
    let guest = Wat { world: "both", worlds, imports, ..Wat::default() };
    let reason = House::new().file("plain.wasm", guest.prober("vm")).fault("plain.wasm").await;
    assert!(reason.contains("stokehold:worker/monitor@0.1.0"), "{reason}");
}

#[tokio::test]
async fn an_unreadable_grant_or_directory_is_a_fault() {
    let granted = PluginGrants { http: vec!["ftp://x".to_owned()], ..PluginGrants::default() };
    let house = House::new().file("plain.wasm", Wat::default().worker()).grant("plain", granted);
    let reason = house.fault("plain.wasm").await;
    assert!(reason.starts_with("cannot read http grant \"ftp://x\""), "{reason}");

    let absent = house.dir.path().join("absent");
    let loaded = load(&house.engine, &absent, &house.settings).await;
    assert_eq!(loaded.faults.len(), 1);
    assert_eq!(loaded.faults[0].file, absent);
    assert!(loaded.faults[0].reason.starts_with("cannot read plugin directory: "));
}

#[tokio::test]
async fn grants_for_a_plugin_that_is_not_there_are_a_warning() {
    let (logs, _guard) = Logs::record();
    let house = House::new().file("plain.wasm", Wat::default().worker());
    house.grant("plane", PluginGrants::default()).worker().await;
    let line = logs.line("[plugins.plane] in stokehold.toml: no plane.wasm in");
    assert!(line.contains("WARN"), "{line}");
}

#[tokio::test]
async fn what_a_component_is_made_of_is_bounded() {
    let instances = |n| {
        let text = format!(
            "(component (core module $m) {})",
            "(core instance (instantiate $m))".repeat(n)
        );
        wat::parse_str(text).unwrap()
    };
    let parts = |parts: &str| Wat { parts, ..Wat::default() }.worker();
    let reason = async |bytes: Vec<u8>| {
        let loaded = House::new().file("plain.wasm", bytes).load().await;
        loaded.faults.first().map(|fault| fault.reason.clone()).unwrap_or_default()
    };
    assert!(reason(instances(64)).await.starts_with("exports neither"));
    let why = reason(instances(65)).await;
    assert!(why.contains("65 core module instances"), "{why}");

    assert_eq!(reason(parts(&"(memory 1)".repeat(3))).await, "");
    let why = reason(parts(&"(memory 1)".repeat(4))).await;
    assert!(why.contains("memories count of 5 exceeds"), "{why}");

    assert_eq!(reason(parts(&"(table 1 funcref)".repeat(16))).await, "");
    let why = reason(parts(&"(table 1 funcref)".repeat(17))).await;
    assert!(why.contains("tables count of 17 exceeds"), "{why}");

    assert_eq!(reason(parts("(table 100000 funcref)")).await, "");
    let why = reason(parts("(table 100001 funcref)")).await;
    assert!(why.contains("100001") && why.contains("table"), "{why}");
}

#[tokio::test]
async fn what_is_asked_beyond_the_grants_is_a_warning() {
    let (logs, _guard) = Logs::record();
    let config = [("password".to_owned(), "opensesame".to_owned())].into();
    let granted = PluginGrants { config, ..PluginGrants::default() };
    House::new().guest("guest_acts").grant("guest_acts", granted).worker().await;
    for words in [
        "guest_acts asks for 18446744073709551615 memory-bytes, more than this host can give \
         (4294967296 at most)",
        "guest_acts asks for the limit \"bandwidth\", which does not exist",
    ] {
        assert!(logs.line(words).contains(" WARN "), "{words}");
    }
    let all = logs.lines().join("\n");
    assert!(!all.contains("password") && !all.contains("call-ms") && !all.contains("opensesame"));
    assert!(logs.line("guest_acts also reads ungranted").contains("DEBUG"));
    logs.line("--config guest_acts.KEY=VALUE");
}

#[tokio::test]
async fn a_setting_that_the_plugin_does_not_know_is_a_warning() {
    let (logs, _guard) = Logs::record();
    let config = [("pasword".to_owned(), "opensesame".to_owned())].into();
    let granted = PluginGrants { config, ..PluginGrants::default() };
    House::new().guest("guest_acts").grant("guest_acts", granted).worker().await;
    let line = logs.line(
        "config of [plugins.guest_acts] sets pasword, which guest_acts does not know; it knows \
         password, ungranted",
    );
    assert!(line.contains("WARN") && !line.contains("opensesame"), "{line}");
}
