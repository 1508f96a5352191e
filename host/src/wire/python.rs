//! JSON text as Python's `json.dumps` writes it: the API server's clients compare state fields as texts.

use std::fmt::Write as _;

use serde_json::Number;

use crate::domain::Json;

/// The value as `json.dumps` spells it: `", "` and `": "` between the pieces, all but printable ASCII escaped.
/// Keys come in the order of the value's map.
pub fn python_json(json: &Json) -> String {
    let mut out = String::new();
    value(json, &mut out);
    out
}

fn value(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) => out.push_str(&digits(number)),
        Json::String(text) => quoted(text, out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                value(item, out);
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                quoted(key, out);
                out.push_str(": ");
                value(item, out);
            }
            out.push('}');
        }
    }
}

/// Python's `repr`: a float keeps its point, very large and very small ones get a signed two-digit exponent.
fn digits(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let shortest = format!("{float:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float == 0.0 || (-4..16).contains(&exponent) {
        let plain = float.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    // Writing to a `String` cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_spelled_as_python_spells_them() {
        // Each text is what Python's `json.dumps` gives for the value.
        let table = [
            (json!(null), "null"),
            (json!([true, false, -7, u64::MAX]), "[true, false, -7, 18446744073709551615]"),
            (json!({}), "{}"),
            (json!([]), "[]"),
            (json!({"vmi": "ACTIVE", "x": [{"a": 1}]}), r#"{"vmi": "ACTIVE", "x": [{"a": 1}]}"#),
            (json!("a\"b\\c/\n\r\t\u{8}\u{c}\u{1}\u{7f}"), r#""a\"b\\c/\n\r\t\b\f\u0001\u007f""#),
            (json!("é日😀"), r#""\u00e9\u65e5\ud83d\ude00""#),
            (json!([1.0, -0.5, 0.0, -0.0, 0.1]), "[1.0, -0.5, 0.0, -0.0, 0.1]"),
            (json!([1e15, 1e16, 1.5e300]), "[1000000000000000.0, 1e+16, 1.5e+300]"),
            (json!([0.0001, 0.00001, 2.5e-10]), "[0.0001, 1e-05, 2.5e-10]"),
        ];
        for (value, expected) in table {
            assert_eq!(python_json(&value), expected);
            assert_eq!(serde_json::from_str::<Json>(expected).unwrap(), value);
        }
    }
}
