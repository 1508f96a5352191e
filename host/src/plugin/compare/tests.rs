//! Small WITs, and what changed between them.

use super::{Change, Wit, compare};

/// A contract with these items in an interface that is imported and one that is exported.
fn contract(imported: &str, exported: &str) -> String {
    format!(
        "package a:b@0.1.0;
        interface needs {{ {imported} }}
        interface gives {{ {exported} }}
        world worker {{ import needs; export gives; }}"
    )
}

fn lines(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|c| format!("{} {}: {}", c.effect.word(), c.place, c.what)).collect()
}

fn between(old: &str, new: &str) -> Vec<String> {
    lines(&compare(&Wit::parse(old), &Wit::parse(new)))
}

/// What is told when only the imported interface changes.
fn imported(old: &str, new: &str) -> Vec<String> {
    between(&contract(old, "run: func();"), &contract(new, "run: func();"))
}

/// What is told when only the exported interface changes.
fn exported(old: &str, new: &str) -> Vec<String> {
    between(&contract("log: func();", old), &contract("log: func();", new))
}

#[test]
fn the_same_again_is_no_change() {
    let text = contract("enum e { x, y } f: func(a: e) -> result<list<e>, string>;", "g: func();");
    assert_eq!(between(&text, &text), [""; 0]);
}

#[test]
fn a_host_may_offer_more_and_not_less() {
    let (less, more) = ("f: func();", "f: func(); g: func();");
    let place = "interface a:b/needs, function g";
    assert_eq!(imported(less, more), [format!("compatible {place}: was added")]);
    assert_eq!(imported(more, less), [format!("breaking {place}: was removed")]);
}

#[test]
fn a_component_may_be_asked_for_less_and_not_for_more() {
    let (less, more) = ("f: func();", "f: func(); g: func();");
    let place = "interface a:b/gives, function g";
    assert_eq!(exported(less, more), [format!("breaking {place}: was added")]);
    assert_eq!(exported(more, less), [format!("compatible {place}: was removed")]);
}

#[test]
fn whole_interfaces_and_functions_of_a_world_go_by_the_same_rule() {
    let world = |items: &str| {
        format!(
            "package a:b; interface i {{ f: func(); }} interface t {{ type x = u8; }} world w {{ {items} }}"
        )
    };
    for (old, new, told) in [
        ("", "import i;", "compatible interface a:b/i: is imported now"),
        ("import i;", "", "breaking interface a:b/i: is not imported any more"),
        ("", "export i;", "breaking interface a:b/i: is exported now"),
        ("export i;", "", "compatible interface a:b/i: is not exported any more"),
        ("import t;", "", "compatible interface a:b/t: is not imported any more"),
        ("", "import g: func();", "compatible function g: is imported now"),
        ("", "export g: func();", "breaking function g: is exported now"),
        (
            "import g: func();",
            "import g: func() -> u8;",
            "breaking function g: is func() -> u8, was func()",
        ),
    ] {
        assert_eq!(between(&world(old), &world(new)), [told], "{old} → {new}");
    }
}

#[test]
fn a_type_that_functions_use_changes_for_everybody() {
    let cases = [
        ("enum t { x }", "enum t { x, y }", "enum t: case y was added"),
        ("enum t { x, y }", "enum t { x }", "enum t: case y was removed"),
        ("enum t { x, y }", "enum t { x, z }", "enum t: case y is called z now"),
        ("enum t { x, y }", "enum t { y, x }", "enum t: the order of its cases was changed"),
        ("record t { a: u8 }", "record t { a: u8, b: u8 }", "record t: field b was added"),
        ("record t { a: u8, b: u8 }", "record t { b: u8 }", "record t: field a was removed"),
        ("record t { a: u8 }", "record t { b: u8 }", "record t: field a is called b now"),
        ("record t { a: u8 }", "record t { a: u16 }", "record t: field a holds u16, held u8"),
        ("variant t { x }", "variant t { x, y(u8) }", "variant t: case y was added"),
        ("variant t { x }", "variant t { x(u8) }", "variant t: case x holds u8, held nothing"),
        ("flags t { a }", "flags t { a, b }", "flags t: flag b was added"),
        ("enum t { x }", "variant t { x }", "enum t: is variant, was enum"),
        ("type t = string;", "type t = list<u8>;", "type t: is list<u8>, was string"),
    ];
    for (old, new, told) in cases {
        let with = |of: &str| format!("{of} f: func() -> option<t>;");
        let expected =
            |interface: &str| vec![format!("breaking interface a:b/{interface}, {told}")];
        assert_eq!(imported(&with(old), &with(new)), expected("needs"));
        assert_eq!(exported(&with(old), &with(new)), expected("gives"));
    }
}

#[test]
fn a_type_that_no_function_uses_harms_nobody() {
    let told = imported("enum t { x } f: func();", "enum t { x, y } record s { a: u8 } f: func();");
    let expected = [
        "compatible interface a:b/needs, enum t: case y was added",
        "compatible interface a:b/needs, record s: was added",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_change_deep_inside_is_told_where_it_was_made_and_once() {
    let with = |cases: &str| {
        format!(
            "package a:b; interface types {{ enum e {{ {cases} }} record r {{ all: list<e> }} }}
            interface i {{ use types.{{r}}; f: func(of: r); g: func() -> r; }}
            world one {{ import i; }} world two {{ import i; }}"
        )
    };
    let told = between(&with("x"), &with("x, y"));
    assert_eq!(told, ["breaking interface a:b/types, enum e: case y was added"]);
}

#[test]
fn a_functions_form_is_compared_and_its_names_are_not() {
    let place = "interface a:b/needs, function f";
    let cases = [
        ("f: func(a: u8);", "f: func(b: u8);", "compatible", "is func(b: u8), was func(a: u8)"),
        ("f: func(a: u8);", "f: func();", "breaking", "is func(), was func(a: u8)"),
        ("f: func();", "f: func() -> u8;", "breaking", "is func() -> u8, was func()"),
        ("f: func(a: u8);", "f: func(a: s8);", "breaking", "is func(a: s8), was func(a: u8)"),
    ];
    for (old, new, effect, what) in cases {
        assert_eq!(imported(old, new), [format!("{effect} {place}: {what}")]);
    }
    let told = imported("enum t { x } f: func(a: t);", "enum s { x } f: func(a: s);");
    assert_eq!(told, [format!("compatible {place}: is func(a: s), was func(a: t)")]);
    let told = imported("enum t { x } f: func(a: t);", "enum s { y } f: func(a: s);");
    assert_eq!(told, [format!("breaking {place}: is func(a: s), was func(a: t)")]);
}

#[test]
fn resources_are_handed_over_and_count_as_functions_do() {
    let told = imported("f: func();", "resource r { m: func(); } f: func();");
    let expected = [
        "compatible interface a:b/needs, resource r: was added",
        "compatible interface a:b/needs, function [method]r.m: was added",
    ];
    assert_eq!(told, expected);
    let told = imported("resource r; f: func(of: borrow<r>);", "resource r; f: func(of: r);");
    let what = "is func(of: r), was func(of: borrow<r>)";
    assert_eq!(told, [format!("breaking interface a:b/needs, function f: {what}")]);
}

#[test]
fn versions_of_one_track_are_one_and_others_are_not() {
    let with = |version: &str| {
        format!("package a:b@{version}; interface i {{ f: func(); }} world w {{ import i; }}")
    };
    let told = between(&with("0.1.0"), &with("0.1.7"));
    assert_eq!(told, ["compatible interface a:b/i: is version 0.1.7, was 0.1.0"]);
    let told = between(&with("0.1.0"), &with("0.2.0"));
    assert_eq!(told, ["breaking interface a:b/i: is version 0.2.0, was 0.1.0"]);
    assert_eq!(between(&with("1.2.0"), &with("1.9.3")).len(), 1);
    assert!(between(&with("1.2.0"), &with("2.0.0"))[0].starts_with("breaking"));
}

#[test]
fn worlds_may_come_and_not_go() {
    let one = "package a:b; world one { }";
    let two = "package a:b; world one { } world two { }";
    assert_eq!(between(one, two), ["compatible world two: was added"]);
    assert_eq!(between(two, one), ["breaking world two: was removed"]);
}

#[test]
fn an_interface_that_no_world_has_is_told_of_and_harms_nobody() {
    let with = |interfaces: &str| {
        format!(
            "package a:b@0.1.0; interface i {{ f: func(); }} {interfaces} world w {{ import i; }}"
        )
    };
    let (less, more) = (with(""), with("interface trial { attempt: func(); }"));
    assert_eq!(between(&less, &more), ["compatible interface a:b/trial: was added"]);
    assert_eq!(between(&more, &less), ["compatible interface a:b/trial: was removed"]);
    let other = with("interface trial { attempt: func() -> u8; }");
    let what = "function attempt: is func() -> u8, was func()";
    assert_eq!(between(&more, &other), [format!("compatible interface a:b/trial, {what}")]);
    assert_eq!(between(&more, &more), [""; 0]);
    // Once a world has it, that world tells of it.
    let exported = more.replace("import i;", "import i; export trial;");
    assert_eq!(between(&less, &exported), ["breaking interface a:b/trial: is exported now"]);
    assert_eq!(between(&more, &exported), ["breaking interface a:b/trial: is exported now"]);
}

/// A contract with two worlds, and components for them.
const WORLDS: &str = "package a:b@0.1.0;
    interface log { write: func(); flush: func(); }
    interface work { run: func(); }
    interface look { see: func(); }
    world worker { import log; export work; }
    world watcher { import log; export look; }
    world bare { export work; }
    world both { import log; export work; export look; }
    world neither { import log; }";

#[test]
fn a_newer_component_may_need_less_and_not_more() {
    let world = |name: &str| Wit::component(WORLDS, name);
    let told = |old, new| lines(&compare(&world(old), &world(new)));
    assert_eq!(told("bare", "worker"), ["breaking interface a:b/log: is imported now"]);
    assert_eq!(told("worker", "bare"), ["compatible interface a:b/log: is not imported any more"]);
    assert_eq!(told("worker", "both"), ["compatible interface a:b/look: is exported now"]);
    assert_eq!(told("both", "worker"), ["breaking interface a:b/look: is not exported any more"]);
}

#[test]
fn a_component_is_held_to_the_world_it_was_built_for() {
    let contract = Wit::parse(WORLDS);
    let told = |of: &str| lines(&compare(&contract, &Wit::component(WORLDS, of)));
    assert_eq!(told("worker"), [""; 0]);
    assert_eq!(told("watcher"), [""; 0]);
    assert_eq!(told("bare"), [""; 0], "what it does not use is no news");
    let nothing = "breaking the component: exports nothing that a world of the contract exports";
    assert_eq!(told("neither"), [nothing]);
    let newer = WORLDS.replace("flush: func();", "flush: func(); sync: func();");
    let told = lines(&compare(&contract, &Wit::component(&newer, "worker")));
    assert_eq!(told, ["breaking interface a:b/log, function sync: was added"]);
}

#[test]
fn a_newer_contract_is_looked_at_by_what_a_component_uses() {
    let old = Wit::component(WORLDS, "worker");
    let told = |text: &str| lines(&compare(&old, &Wit::parse(text)));
    assert_eq!(told(&WORLDS.replace("flush: func();", "flush: func(); sync: func();")), [""; 0]);
    let told_less = told(&WORLDS.replace("flush: func();", ""));
    assert_eq!(told_less, ["breaking interface a:b/log, function flush: was removed"]);
    let told_more = told(&WORLDS.replace("run: func();", "run: func(); stop: func();"));
    assert_eq!(told_more, ["breaking interface a:b/work, function stop: was added"]);
}

#[test]
fn what_a_language_needs_beside_the_contract_is_no_matter_of_the_contract() {
    let built = "package c:d;
        world built { import wasi:cli/stdout@0.2.6; import a:b/log@0.1.0; export a:b/work@0.1.0; }";
    let wasi = "package wasi:cli@0.2.6; interface stdout { get: func(); }";
    let resolve = || {
        let mut resolve = wit_parser::Resolve::default();
        resolve.push_str("wasi.wit", wasi).unwrap();
        resolve.push_str("worlds.wit", WORLDS).unwrap();
        let package = resolve.push_str("built.wit", built).unwrap();
        let world = resolve.select_world(&[package], Some("built")).unwrap();
        Wit { resolve, source: super::Source::Component(world) }
    };
    let contract = || Wit::parse(WORLDS);
    assert_eq!(lines(&compare(&resolve(), &contract())), [""; 0]);
    assert_eq!(lines(&compare(&contract(), &resolve())), [""; 0]);
}

#[test]
fn every_change_says_why() {
    let old = Wit::parse(&contract("f: func();", "run: func();"));
    let new = Wit::parse(&contract("f: func();", "run: func(); stop: func();"));
    let told: Vec<_> = compare(&old, &new).iter().map(ToString::to_string).collect();
    let why = "a component that was built before does not have it";
    assert_eq!(told, [format!("interface a:b/gives, function stop: was added ({why})")]);
}
