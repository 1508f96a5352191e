//! What the template engine leaves to be done as Python does it.

use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// The most characters a text is padded to.
const PAD_CHARS_MAX: usize = 65_536;

/// A method of a text, list or dict.
pub(super) fn method(
    state: &mut State,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match (value.as_str(), name) {
        (Some(text), "index") => {
            let (part,): (&str,) = from_args(args)?;
            let at = text.find(part).ok_or_else(|| invalid("substring not found"))?;
            Ok(Value::from(text.get(..at).unwrap_or_default().chars().count()))
        }
        (Some(text), "partition" | "rpartition") => {
            let (mark,): (&str,) = from_args(args)?;
            Ok(partition(text, mark, name == "rpartition"))
        }
        (Some(text), "rsplit") => {
            let (mark, splits_max): (Option<&str>, Option<i64>) = from_args(args)?;
            Ok(split_from_the_right(text, mark, splits_max))
        }
        (Some(text), "ljust" | "rjust" | "center" | "zfill") => {
            let (width, fill): (usize, Option<&str>) = from_args(args)?;
            pad(text, name, width, fill)
        }
        (Some(text), "swapcase") => {
            let () = from_args(args)?;
            Ok(Value::from(text.chars().flat_map(swap_case).collect::<String>()))
        }
        (None, "index") if value.kind() == ValueKind::Seq => {
            let (item,): (&Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|i| i == *item);
            at.map(Value::from).ok_or_else(|| invalid("item is not in the list"))
        }
        _ => pycompat::unknown_method_callback(state, value, name, args),
    }
}

fn partition(text: &str, mark: &str, from_the_right: bool) -> Value {
    let parts = if from_the_right { text.rsplit_once(mark) } else { text.split_once(mark) };
    let parts = match parts {
        Some((before, after)) => [before, mark, after],
        None if from_the_right => ["", "", text],
        None => [text, "", ""],
    };
    Value::from(Tuple::from(parts.map(Value::from)))
}

fn split_from_the_right(text: &str, mark: Option<&str>, splits_max: Option<i64>) -> Value {
    let pieces_max = splits_max
        .and_then(|max| usize::try_from(max).ok())
        .map_or(usize::MAX, |max| max.saturating_add(1));
    let Some(mark) = mark else {
        let pieces = text.trim_end().rsplitn(pieces_max, char::is_whitespace).map(str::trim_end);
        let pieces: Vec<&str> = pieces.filter(|piece| !piece.is_empty()).collect();
        return pieces.into_iter().rev().map(Value::from).collect();
    };
    let pieces: Vec<&str> = text.rsplitn(pieces_max, mark).collect();
    pieces.into_iter().rev().map(Value::from).collect()
}

fn pad(text: &str, how: &str, width: usize, fill: Option<&str>) -> Result<Value, Error> {
    if width > PAD_CHARS_MAX {
        return Err(invalid("the width is too large"));
    }
    let missing = width.saturating_sub(text.chars().count());
    let fill = |count| fill.unwrap_or(" ").repeat(count);
    Ok(Value::from(match how {
        "ljust" => format!("{text}{}", fill(missing)),
        "rjust" => format!("{}{text}", fill(missing)),
        "zfill" => {
            let digits = text.trim_start_matches(['+', '-']);
            let sign = text.strip_suffix(digits).unwrap_or_default();
            format!("{sign}{}{digits}", "0".repeat(missing))
        }
        _ => {
            // CPython's own rounding: the odd one goes left when text and width are both odd.
            let left = missing / 2 + (missing & width & 1);
            format!("{}{text}{}", fill(left), fill(missing - left))
        }
    }))
}

fn swap_case(letter: char) -> Vec<char> {
    if letter.is_uppercase() {
        letter.to_lowercase().collect()
    } else {
        letter.to_uppercase().collect()
    }
}

/// Filter `int`: what cannot be read is the default.
pub(super) fn int(value: &Value, default: Option<Value>, base: Option<u32>) -> Value {
    let read = |text: &str| {
        let text = text.trim().replace('_', "");
        let whole = i64::from_str_radix(&text, base.unwrap_or(10)).ok();
        whole.or_else(|| truncated(text.parse().ok()?))
    };
    let number = match value.as_str() {
        Some(text) => read(text).map(Value::from),
        None if value.is_integer() => Some(value.clone()),
        None => number(value).and_then(truncated).map(Value::from),
    };
    number.or(default).unwrap_or_else(|| Value::from(0))
}

/// Filter `float`: what cannot be read is the default.
pub(super) fn float(value: &Value, default: Option<Value>) -> Value {
    let number = match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => number(value),
    };
    number.map(Value::from).or(default).unwrap_or_else(|| Value::from(0.0))
}

fn number(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation)] // The bounds are checked.
fn truncated(number: f64) -> Option<i64> {
    (number.abs() < 9e18).then_some(number as i64)
}

/// Filter `string`, which the engine has, but not for large and small numbers.
pub(super) fn string(value: &Value) -> Value {
    match fraction(value) {
        Some(text) => Value::from(text),
        None if value.kind() == ValueKind::String => value.clone(),
        None => Value::from(value.to_string()),
    }
}

/// Filter `escape`, with the references that Jinja2 uses.
pub(super) fn escape(value: &Value) -> Value {
    let text = value.to_string();
    if value.is_safe() {
        return value.clone();
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Value::from_safe_string(text.replace('\'', "&#39;").replace('"', "&#34;"))
}

/// Test `sequence`: whatever has a length and items.
pub(super) fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String)
}

/// A number that is no integer, as Python shows it: the shortest digits that tell it from its
/// neighbours, with an exponent from 1e16 on and below 1e-4.
pub(super) fn fraction(value: &Value) -> Option<String> {
    if value.kind() != ValueKind::Number || value.is_integer() {
        return None;
    }
    let number = f64::try_from(value.clone()).ok()?;
    if !number.is_finite() {
        return Some(if number.is_nan() { "nan".to_owned() } else { format!("{number}") });
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    Some(if number != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    } else {
        format!("{number:?}")
    })
}

fn invalid(words: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, words)
}
