#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::heat::catalogue;
use serde_json::json;

fn version(name: &str) -> Version {
    Version::of(&json!({ "heat_template_version": name })).unwrap()
}

/// Resolves a value where `net` exists with some properties and `later` does not exist yet.
fn resolve(value: &Json, name: &str) -> Result<Json, String> {
    let overrides = Overrides::default();
    let kind = catalogue::kind("OS::Contrail::VirtualNetwork", &overrides).unwrap();
    let properties = json!({"name": "n", "route_targets": ["a", "b"]});
    let files = json!({"f": "content"});
    let scope = Scope {
        version: version(name),
        parameters: &BTreeMap::new(),
        pseudo: BTreeMap::from([("OS::stack_name", "s")]),
        resources: BTreeMap::from([
            ("net", Seen { kind: &kind, id: Some("id"), properties: properties.as_object() }),
            ("later", Seen { kind: &kind, id: None, properties: None }),
        ]),
        overrides: &overrides,
        files: files.as_object().unwrap(),
    };
    scope.resolve(value)
}

#[test]
fn functions_give_what_heats_give() {
    let table = [
        (json!({"get_resource": "net"}), json!("id")),
        (json!({"get_resource": "later"}), json!("later")),
        (json!({"get_attr": ["later", "name"]}), json!(null)),
        (json!({"get_attr": ["net", "route_targets", -1]}), json!("b")),
        (json!({"get_attr": ["net", "route_targets", "x"]}), json!(null)),
        (json!({"get_attr": ["net", "fq_name"]}), json!("default-domain:admin:n")),
        (json!({"get_param": "OS::stack_name"}), json!("s")),
        (json!({"get_file": "f"}), json!("content")),
        (json!({"list_join": [",", {"get_attr": ["net", "route_targets"]}]}), json!("a,b")),
        (json!({"str_replace": {"template": "xyx", "params": {"x": "y", "y": "x"}}}), json!("yxy")),
        (json!({"str_replace": {"template": "ab", "params": {"": "!", "a": 1.5}}}), json!("1.5b")),
        (
            json!([{"get_param": "OS::stack_name", "other": 1}]),
            json!([{"get_param": "OS::stack_name", "other": 1}]),
        ),
        (json!({"str_split": [",", "a"]}), json!({"str_split": [",", "a"]})),
    ];
    for (value, wanted) in table {
        assert_eq!(resolve(&value, "2013-05-23"), Ok(wanted), "{value}");
    }
    let later = [
        (json!({"str_split": [",", "a,b", 1]}), json!("b")),
        (json!({"map_merge": [{"a": 1}, null, {"a": 2, "b": 3}]}), json!({"a": 2, "b": 3})),
    ];
    for (value, wanted) in later {
        assert_eq!(resolve(&value, "wallaby"), Ok(wanted), "{value}");
    }
}

#[test]
fn a_function_that_cannot_be_computed_says_why() {
    let table = [
        (
            json!({"get_file": "g"}),
            "No content found in the \"files\" section for get_file path: g",
        ),
        (
            json!({"get_attr": ["zz", "name"]}),
            "The specified reference \"zz\" (in unknown) is incorrect.",
        ),
        (json!({"list_join": [1, []]}), "\"list_join\" delimiter must be a string"),
        (
            json!({"str_replace": {"template": "a", "params": []}}),
            "\"str_replace\" params must be a map",
        ),
        (json!({"repeat": {}}), "the simulator does not compute the function repeat"),
    ];
    for (value, why) in table {
        assert_eq!(resolve(&value, "wallaby").unwrap_err(), why, "{value}");
    }
}

#[test]
fn references_are_found_with_their_paths() {
    let value = json!([{"k": {"str_replace": {"template": "t", "params": {
        "a": {"get_resource": "r"}, "b": {"get_attr": ["s", "x"]}, "c": {"get_param": ["p", 1]},
    }}}}]);
    let found = references(&value, version("2013-05-23"));
    let path = |end: &str| format!("[0].k.str_replace.params.{end}");
    let wanted = [
        (path("a"), Ok(Reference::Resource("r"))),
        (path("b"), Ok(Reference::Attribute("s", Some("x")))),
        (path("c"), Ok(Reference::Parameter("p"))),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_call_that_cannot_work_is_found_before_it_is_made() {
    let table = [
        (json!({"get_attr": "x"}), "2013-05-23", "Argument to \"get_attr\" must be a list"),
        (json!({"get_attr": ["x"]}), "2013-05-23", "must be of the form [resource_name, attribute"),
        (json!({"list_join": ["-"]}), "2013-05-23", "Incorrect arguments to \"list_join\""),
        (json!({"str_replace": {"template": "a"}}), "2013-05-23", "syntax should be"),
        (json!({"Ref": "x"}), "2014-10-16", "The function Ref is not supported in this version"),
        (
            json!({"repeat": {}}),
            "wallaby",
            "the simulator does not compute the function repeat; it knows",
        ),
    ];
    for (value, name, why) in table {
        let found = references(&value, version(name));
        let said = found.iter().find_map(|(_, found)| found.as_ref().err()).unwrap();
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(
        references(&json!({"get_attr": ["x"]}), version("pike"))[0].1,
        Ok(Reference::Attribute("x", None))
    );
}
