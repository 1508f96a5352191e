#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;

/// Written by `expect.py` with the genuine Jinja2.
const CASES: &str = include_str!("cases.json");

#[test]
fn templates_render_as_the_genuine_jinja2_renders_them() {
    let cases: Vec<Json> = serde_json::from_str(CASES).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let template = &case["template"];
        let rendered = render(template.as_str().unwrap(), &case["context"]);
        let is = |expected: &Json| match &rendered {
            Ok(text) => expected.as_str() == Some(text),
            Err(_) => expected.is_null(),
        };
        match case.get("known") {
            Some(_) if is(&case["expected"]) => {
                wrong.push(format!("{template} is no longer a known difference"));
            }
            known if !is(known.unwrap_or(&case["expected"])) => {
                wrong.push(format!("{template} should be {}, is {rendered:?}", case["expected"]));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 200, "the table has only {} cases", cases.len());
}

#[test]
fn a_faulty_template_says_what_is_wrong_and_where() {
    let check = |template: &str, words: &str| {
        assert_eq!(render(template, &serde_json::json!({"d": {}})).unwrap_err(), words);
    };
    check("a\n{{ d.x.y }}\n", "`d.x` is undefined (line 2)");
    check("{{ 'a' | nofilter }}", "filter nofilter is unknown (line 1)");
    check("\n\n{% if %}", "unexpected end of block (line 3)");
    let unclosed = "found open group without closing ')' (line 1)";
    let words = format!("cannot read the pattern of match: {unclosed}");
    check("{{ 'a' | match('(') }}", &words);
}
