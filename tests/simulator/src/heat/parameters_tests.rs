#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::json;

/// Takes `given` (null is nothing) for a parameter of this schema: value and shown text, or the
/// refusal's words.
fn take(schema: &Json, given: &Json) -> Result<(Json, String), String> {
    let read = Schema::read("a", schema).map_err(|refusal| format!("{refusal:?}"))?;
    read.take("a", Some(given))
        .map(|parameter| (parameter.value, parameter.text))
        .map_err(|refusal| format!("{refusal:?}"))
}

#[test]
fn each_type_takes_and_shows_what_heat_takes_and_shows() {
    let table = [
        ("string", json!(12), json!("12"), "12"),
        ("string", json!(true), json!("True"), "True"),
        ("string", json!([{"a": "b"}]), json!("[{'a': 'b'}]"), "[{'a': 'b'}]"),
        ("number", json!("12"), json!(12), "12"),
        ("number", json!("1.50"), json!(1.5), "1.5"),
        ("boolean", json!("yes"), json!(true), "True"),
        ("boolean", json!(0), json!(false), "False"),
        ("comma_delimited_list", json!("a, b"), json!(["a", " b"]), "a, b"),
        ("comma_delimited_list", json!(["a", 1, null]), json!(["a", "1", "None"]), "a,1,None"),
        ("comma_delimited_list", json!(""), json!([]), ""),
        ("json", json!("[1,2]"), json!([1, 2]), "[1, 2]"),
        ("json", json!({"a": [null]}), json!({"a": [null]}), "{\"a\": [null]}"),
        ("json", json!(""), json!(""), "\"\""),
    ];
    for (kind, given, value, text) in table {
        assert_eq!(take(&json!({"type": kind}), &given), Ok((value, text.to_owned())), "{kind}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_the_parameters_name() {
    let table = [
        ("number", json!("x"), "could not convert string to float: 'x'"),
        ("number", json!([]), "a real number, not 'list'"),
        ("boolean", json!("perhaps"), "Unrecognized value 'perhaps', acceptable values are: '0'"),
        ("comma_delimited_list", json!(12), "'int' object has no attribute 'split'"),
        ("json", json!("x"), "Value must be valid JSON: Expecting value: line 1 column 1 (char 0)"),
        ("string", json!(null), "The Parameter (a) was not provided."),
    ];
    for (kind, given, why) in table {
        let refusal = take(&json!({"type": kind}), &given).unwrap_err();
        assert!(refusal.contains(why), "{kind}: {refusal}");
    }
}

#[test]
fn null_takes_the_default() {
    let schema = json!({"type": "string", "default": "0.0.0.0"});
    assert_eq!(take(&schema, &json!(null)).unwrap().0, "0.0.0.0");
}

#[test]
fn a_hidden_value_is_never_shown() {
    let taken = take(&json!({"type": "string", "hidden": true}), &json!("secret"));
    assert_eq!(taken, Ok((json!("secret"), "******".into())));
}

#[test]
fn constraints_are_held() {
    let table = [
        (json!({"length": {"min": 3, "max": 5}}), "length (1) is out of range (min: 3, max: 5)"),
        (json!({"allowed_values": ["a"]}), "\\\"x\\\" is not an allowed value [\\\"a\\\"]"),
        (json!({"allowed_values": ["a"], "description": "only a"}), "is invalid: only a"),
    ];
    for (constraint, why) in table {
        let schema = json!({"type": "string", "constraints": [constraint]});
        let refusal = take(&schema, &json!("x")).unwrap_err();
        assert!(refusal.contains(why), "{refusal}");
    }
    let schema = json!({"type": "number", "constraints": [{"range": {"min": 3, "max": 5}}]});
    assert!(take(&schema, &json!(7)).unwrap_err().contains("7 is out of range (min: 3, max: 5)"));
    assert!(take(&schema, &json!(4)).is_ok());
}

#[test]
fn a_schema_that_makes_no_sense_is_refused() {
    let table = [
        (json!("x"), "Invalid parameter (a), expected a mapping"),
        (json!({}), "Missing parameter type for parameter: a"),
        (json!({"type": "foo"}), "Invalid type (foo)"),
        (json!({"type": "string", "foo": 1}), "Invalid key 'foo' for parameter (a)"),
    ];
    for (schema, why) in table {
        assert!(take(&schema, &json!(null)).unwrap_err().contains(why));
    }
}
