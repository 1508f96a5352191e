//! The short spelling of mappings: one letter, then text.

use super::document::Flaw;
use crate::domain::{IdField, Json, Kind, Mapping, PathStep, Walk};

/// The forms, for messages.
pub(super) const LETTERS: &str = "P<field>, C<text>, V<anything>, O<key>:<key>, \
    F<type>+<id field>:<field>, M<type>:<id field>:<output key>, A<short>&<short>";

/// A mapping from its short spelling.
pub(super) fn read(text: &str) -> Result<Mapping, Flaw> {
    match text.strip_prefix('A') {
        Some(parts) => {
            let parts = parts.split('&').map(|part| {
                if part.starts_with('A') {
                    return Err(malformed("A within A", "P, C, V, O, F or M as parts"));
                }
                single(part)
            });
            Ok(Mapping::Concatenate(parts.collect::<Result<_, _>>()?))
        }
        None => single(text),
    }
}

fn single(text: &str) -> Result<Mapping, Flaw> {
    let mut letters = text.chars();
    let Some(letter) = letters.next() else {
        return Err(Flaw::new(format!("is an empty short mapping; expected one of {LETTERS}")));
    };
    let rest = letters.as_str();
    match letter {
        'P' => Ok(Mapping::Field { field: named(rest, "P<field>")?, walk: Walk::default() }),
        'C' => Ok(Mapping::Constant(Json::String(rest.to_owned()))),
        'V' => Ok(Mapping::Version),
        'O' => {
            let keys = rest.split(':').map(|key| named(key, "O<key>:<key>"));
            Ok(Mapping::Nested(keys.collect::<Result<_, _>>()?))
        }
        'F' => far(rest),
        'M' => output(rest),
        _ => Err(Flaw::new(format!(
            "begins with the unknown letter {letter:?}; expected one of {LETTERS}"
        ))),
    }
}

fn far(text: &str) -> Result<Mapping, Flaw> {
    const FORM: &str = "F<type>+<id field>:…:<field>";
    let (steps, field) = text.rsplit_once(':').ok_or_else(|| malformed("F", FORM))?;
    let steps = steps.split(':').map(|pair| {
        let (kind, id) = pair.split_once('+').ok_or_else(|| malformed("F", FORM))?;
        step(named(kind, FORM)?, named(id, FORM)?)
    });
    let walk = Walk { steps: steps.collect::<Result<_, _>>()?, ignore_missing: false };
    Ok(Mapping::Field { field: named(field, FORM)?, walk })
}

fn output(text: &str) -> Result<Mapping, Flaw> {
    const FORM: &str = "M<type>:<id field>:<output key>";
    let mut parts = text.split(':');
    let (Some(kind), Some(id), Some(key), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("M", FORM));
    };
    let steps = vec![step(named(kind, FORM)?, named(id, FORM)?)?];
    Ok(Mapping::Output { key: named(key, FORM)?, walk: Walk { steps, ignore_missing: false } })
}

#[allow(clippy::unnecessary_wraps, reason = "it ends chains of steps that may fail")]
fn step(kind: String, id: String) -> Result<PathStep, Flaw> {
    Ok(PathStep { id: IdField::Named(id), kind: Some(Kind::new(kind)) })
}

fn named(text: &str, form: &str) -> Result<String, Flaw> {
    match text {
        "" => Err(Flaw::new(format!("has an empty part; expected {form}"))),
        name => Ok(name.to_owned()),
    }
}

fn malformed(what: &str, form: &str) -> Flaw {
    Flaw::new(format!("is a malformed short mapping {what}; expected {form}"))
}
