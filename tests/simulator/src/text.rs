//! Texts as Python and Heat spell them: parameters are shown by `str`, times without fractions.

use serde_json::Value as Json;
use std::time::{SystemTime, UNIX_EPOCH};

/// A field of a JSON object; null where there is none.
pub(crate) fn field<'a>(of: &'a Json, pointer: &str) -> &'a Json {
    of.pointer(pointer).unwrap_or(&Json::Null)
}

/// Python's `str(value)`.
pub(crate) fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => repr(other),
    }
}

/// Python's `repr(value)`.
fn repr(value: &Json) -> String {
    match value {
        Json::Null => "None".into(),
        Json::Bool(true) => "True".into(),
        Json::Bool(false) => "False".into(),
        Json::Number(number) => number.to_string(),
        Json::String(text) if text.contains('\'') && !text.contains('"') => format!("\"{text}\""),
        Json::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Json::Array(items) => {
            format!("[{}]", items.iter().map(repr).collect::<Vec<_>>().join(", "))
        }
        Json::Object(map) => {
            let pairs = map.iter().map(|(key, value)| {
                format!("{}: {}", repr(&Json::String(key.clone())), repr(value))
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Python's `json.dumps(value)`: a blank after each comma and colon.
pub(crate) fn dumped(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            format!("[{}]", items.iter().map(dumped).collect::<Vec<_>>().join(", "))
        }
        Json::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Json::String(key.clone()), dumped(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The name of the value's type in Python.
pub(crate) fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}

/// Python's words for a text that is not JSON.
pub(crate) fn not_json(text: &str, error: &serde_json::Error) -> String {
    let at_end = error.is_eof();
    let column = error.column() + usize::from(at_end);
    let before: usize =
        text.lines().take(error.line().saturating_sub(1)).map(|l| l.len() + 1).sum();
    let place = before + column.saturating_sub(1);
    let expected = if error.to_string().starts_with("key must be a string")
        || text.trim_end().ends_with('{')
    {
        "Expecting property name enclosed in double quotes"
    } else {
        "Expecting value"
    };
    format!("{expected}: line {} column {column} (char {place})", error.line().max(1))
}

/// A time as Heat shows it: `2026-11-23T15:24:05Z`.
pub(crate) fn time(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar counted in eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A time as the reason of a deletion has it: `2026-11-23T15:24:05.050196`.
pub(crate) fn micros(at: SystemTime) -> String {
    let micros = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_micros());
    format!("{}.{micros:06}", time(at).trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_value_is_shown_as_python_shows_it() {
        let table = [
            (json!("a"), "a"),
            (json!(true), "True"),
            (json!(null), "None"),
            (json!(["a", 1, null]), "['a', 1, None]"),
            (json!([{"start": "x"}]), "[{'start': 'x'}]"),
            (json!(["q'"]), "[\"q'\"]"),
            (json!(["q'\""]), "['q\\'\"']"),
            (json!(1.5), "1.5"),
        ];
        for (value, expected) in table {
            assert_eq!(shown(&value), expected, "{value}");
        }
        assert_eq!(dumped(&json!({"a": [1, {"b": "c\""}]})), r#"{"a": [1, {"b": "c\""}]}"#);
    }

    #[test]
    fn a_time_is_shown_to_the_second() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_447_445, "2026-11-23T15:24:05Z"),
        ];
        for (seconds, expected) in table {
            assert_eq!(time(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn what_is_not_json_is_named_in_pythons_words() {
        let table = [
            ("{\"stack_name\": ", "Expecting value: line 1 column 16 (char 15)"),
            ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("x", "Expecting value: line 1 column 1 (char 0)"),
        ];
        for (text, expected) in table {
            let error = serde_json::from_str::<Json>(text).unwrap_err();
            assert_eq!(not_json(text, &error), expected, "{text}");
        }
    }
}
