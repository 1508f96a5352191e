//! What a scalar of YAML 1.1 stands for.

use serde_json::json;
use stokehold_sdk::Json;

/// The value of a scalar; `plain` is without quotes, `tag` is the name of a standard tag.
pub(super) fn value(text: &str, plain: bool, tag: Option<&str>) -> Result<Json, String> {
    let wrong = |tag| format!("{text:?} is no !!{tag}");
    match tag {
        None if plain => Ok(looks_like(text)),
        None | Some("str") => Ok(json!(text)),
        Some("null") => Ok(Json::Null),
        Some(tag @ "bool") => truth(text).map(Json::Bool).ok_or_else(|| wrong(tag)),
        Some(tag @ "int") => integer(text).ok_or_else(|| wrong(tag)),
        Some(tag @ "float") => {
            let number = float(text).or_else(|| Some(json!(integer(text)?.as_f64()?)));
            number.ok_or_else(|| wrong(tag))
        }
        Some(tag) => Err(format!("it has the unknown tag !!{tag}")),
    }
}

fn looks_like(text: &str) -> Json {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Json::Null;
    }
    if let Some(truth) = truth(text) {
        return Json::Bool(truth);
    }
    integer(text).or_else(|| float(text)).unwrap_or_else(|| json!(text))
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// `12`, `-1_000`, `0x1F`, `017`, `0b11`, and `1:30` to the base of sixty.
fn integer(text: &str) -> Option<Json> {
    let (negative, digits) = sign(text);
    let number = if digits.contains(':') {
        sixties(digits)?
    } else if let Some(digits) = digits.strip_prefix("0b") {
        radix(digits, 2)?
    } else if let Some(digits) = digits.strip_prefix("0x") {
        radix(digits, 16)?
    } else if digits.len() > 1 && digits.starts_with('0') {
        radix(digits, 8)?
    } else {
        let starts_well = digits.starts_with(|c: char| c.is_ascii_digit());
        starts_well.then(|| radix(digits, 10))??
    };
    match (negative, u64::try_from(number)) {
        (false, Ok(number)) => Some(json!(number)),
        (true, _) => Some(json!(i64::try_from(-number).ok()?)),
        (false, Err(_)) => None,
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn radix(digits: &str, radix: u32) -> Option<i128> {
    let fits = digits.chars().all(|c| c == '_' || c.is_digit(radix));
    let digits = digits.replace('_', "");
    (fits && !digits.is_empty()).then(|| i128::from_str_radix(&digits, radix).ok())?
}

fn sixties(digits: &str) -> Option<i128> {
    let mut parts = digits.split(':');
    let first = parts.next()?;
    if !first.starts_with(|c: char| ('1'..='9').contains(&c)) {
        return None;
    }
    parts.try_fold(radix(first, 10)?, |sum, part| {
        let fits = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
        let part: i128 = fits.then(|| part.parse().ok())??;
        (part < 60).then(|| sum.checked_mul(60)?.checked_add(part))?
    })
}

/// `1.5`, `1.`, `.5`, `1.5e+3`; an exponent needs its sign. Infinities stay texts: JSON has none.
fn float(text: &str) -> Option<Json> {
    let (negative, number) = sign(text);
    let (mantissa, exponent) = match number.find(['e', 'E']) {
        Some(at) => number.split_at_checked(at).map(|(m, e)| (m, Some(e)))?,
        None => (number, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |part: &str| part.chars().all(|c| c == '_' || c.is_ascii_digit());
    let starts_well = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    if whole.contains(':') && exponent.is_none() && digits(fraction) {
        return sixties_and_parts(negative, whole, fraction);
    }
    // PyYAML takes no sign before a bare point.
    let unsigned = text.len() == number.len();
    let shaped = (starts_well(whole) || (whole.is_empty() && unsigned && starts_well(fraction)))
        && digits(whole)
        && digits(fraction);
    let exponent = match exponent {
        None => "",
        Some(exponent) => {
            let figures = exponent.get(2..).filter(|f| !f.is_empty())?;
            let signed = matches!(exponent.as_bytes().get(1), Some(b'+' | b'-'));
            (signed && figures.bytes().all(|b| b.is_ascii_digit())).then_some(exponent)?
        }
    };
    if !shaped {
        return None;
    }
    let plain = format!("{}.{}0{exponent}", whole.replace('_', ""), fraction.replace('_', ""));
    let plain = if plain.starts_with('.') { format!("0{plain}") } else { plain };
    let number: f64 = plain.parse().ok()?;
    number.is_finite().then(|| json!(if negative { -number } else { number }))
}

fn sixties_and_parts(negative: bool, whole: &str, fraction: &str) -> Option<Json> {
    let mut parts = whole.split(':');
    let first = radix(parts.next()?, 10)?;
    let whole = parts.try_fold(first, |sum, part| {
        let fits = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
        let part: i128 = fits.then(|| part.parse().ok())??;
        (part < 60).then(|| sum.checked_mul(60)?.checked_add(part))?
    })?;
    let number: f64 = format!("{whole}.{}0", fraction.replace('_', "")).parse().ok()?;
    Some(json!(if negative { -number } else { number }))
}
