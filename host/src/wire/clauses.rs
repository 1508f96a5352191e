//! The mapping language: a short text, or an object whose clauses say how a value is found.
//!
//! One clause gives an object its form (`field`, `if_mapping`, …), further ones belong to it; anything else is an
//! error that lists what would be understood.

use serde_json::Map;

use super::document::Flaw;
use super::letters;
use crate::domain::{IdField, Json, Kind, Mapping, PathStep, Test, Walk};

/// How deep mappings may stand in one another.
pub const MAPPING_DEPTH_MAX: usize = 16;

type Clauses = Map<String, Json>;

/// The clause that gives a form its name, and those it may have beside it.
const FORMS: [(&str, &[&str]); 8] = [
    ("field", &["path", "ignore_missing"]),
    ("output_key", &["path", "ignore_missing"]),
    ("constant", &[]),
    ("version", &[]),
    ("nested", &[]),
    ("concatenate", &[]),
    ("if_mapping", &["then_mapping", "else_mapping"]),
    ("for_field", &["for_mapping"]),
];

/// A mapping from either spelling.
///
/// # Errors
/// Where the mapping is malformed, what was expected there, and the forms that are known.
pub fn mapping(json: &Json) -> Result<Mapping, String> {
    read(json).map_err(|flaw| flaw.to_string())
}

pub(super) fn read(json: &Json) -> Result<Mapping, Flaw> {
    nested(json, MAPPING_DEPTH_MAX)
}

/// `levels` are left for this mapping and those within.
fn nested(json: &Json, levels: usize) -> Result<Mapping, Flaw> {
    let Some(within) = levels.checked_sub(1) else {
        return Err(Flaw::new(format!(
            "is nested in more than {MAPPING_DEPTH_MAX} levels of mappings"
        )));
    };
    match json {
        Json::String(text) => letters::read(text),
        Json::Object(clauses) => object(clauses, within),
        _ => Err(Flaw::new(format!("must be a mapping: {}", forms()))),
    }
}

fn object(clauses: &Clauses, levels: usize) -> Result<Mapping, Flaw> {
    let known = FORMS
        .iter()
        .find_map(|(form, beside)| clauses.get(*form).map(|value| (*form, *beside, value)));
    let Some((form, beside, value)) = known else {
        return Err(Flaw::new(format!("is no mapping; expected {}", forms())));
    };
    if let Some(odd) = clauses.keys().find(|key| *key != form && !beside.contains(&key.as_str())) {
        let allowed = if beside.is_empty() { "nothing else".to_owned() } else { beside.join(", ") };
        return Err(Flaw::new(format!(
            "has the unknown key {odd:?} beside {form}, which may have {allowed}; a mapping is {}",
            forms()
        )));
    }
    let inside = |flaw: Flaw| flaw.inside(form);
    match form {
        "field" => {
            let field = name(value).map_err(inside)?;
            Ok(Mapping::Field { field, walk: walk(clauses, levels)? })
        }
        "output_key" => {
            let key = name(value).map_err(inside)?;
            Ok(Mapping::Output { key, walk: walk(clauses, levels)? })
        }
        "constant" => Ok(Mapping::Constant(value.clone())),
        "version" => Ok(Mapping::Version),
        "nested" => keys(value).map(Mapping::Nested).map_err(inside),
        "concatenate" => parts(value, levels).map(Mapping::Concatenate).map_err(inside),
        "if_mapping" => Ok(Mapping::If {
            test: test(value, levels).map_err(inside)?,
            then: branch(clauses, "then_mapping", levels)?,
            otherwise: branch(clauses, "else_mapping", levels)?,
        }),
        _ => {
            let (field, walk) = elements(value, levels).map_err(inside)?;
            Ok(Mapping::For { field, walk, each: branch(clauses, "for_mapping", levels)? })
        }
    }
}

fn forms() -> String {
    let objects: Vec<_> = FORMS.iter().map(|(form, _)| *form).collect();
    format!("a short text ({}) or an object with one of {}", letters::LETTERS, objects.join(", "))
}

fn branch(clauses: &Clauses, clause: &str, levels: usize) -> Result<Box<Mapping>, Flaw> {
    let mapping = match clauses.get(clause) {
        Some(json) => nested(json, levels),
        None => Err(Flaw::new("is missing; for no value, write {\"constant\": null}")),
    };
    mapping.map(Box::new).map_err(|flaw| flaw.inside(clause))
}

/// The list that a `for` goes through: a field's name, or a `field` form.
fn elements(json: &Json, levels: usize) -> Result<(String, Walk), Flaw> {
    const EXPECTED: &str = "must be a field's name or an object with field and path";
    match json {
        Json::String(_) => Ok((name(json)?, Walk::default())),
        Json::Object(_) => match nested(json, levels)? {
            Mapping::Field { field, walk } => Ok((field, walk)),
            _ => Err(Flaw::new(EXPECTED)),
        },
        _ => Err(Flaw::new(EXPECTED)),
    }
}

fn test(json: &Json, levels: usize) -> Result<Test, Flaw> {
    let mut tests = json.as_object().into_iter().flatten();
    let (Some((test, json)), None) = (tests.next(), tests.next()) else {
        return Err(Flaw::new("must be an object with either equal or regexp"));
    };
    if !["equal", "regexp"].contains(&test.as_str()) {
        return Err(Flaw::new(format!("has the unknown test {test:?}; expected equal or regexp")));
    }
    let sides = parts(json, levels).and_then(|sides| {
        <[Mapping; 2]>::try_from(sides).map_err(|_| Flaw::new("must have two elements"))
    });
    let [left, right] = sides.map_err(|flaw| flaw.inside(test))?.map(Box::new);
    Ok(match test.as_str() {
        "equal" => Test::Equal(left, right),
        _ => Test::Matches { subject: left, pattern: right },
    })
}

/// Mappings among which bare texts, numbers and truth values stand for themselves.
fn parts(json: &Json, levels: usize) -> Result<Vec<Mapping>, Flaw> {
    let parts = list(json)?.iter().enumerate().map(|(index, json)| {
        let part = match json {
            Json::Object(_) => nested(json, levels),
            Json::Array(_) => Err(Flaw::new("must be a constant or a mapping, but is a list")),
            constant => Ok(Mapping::Constant(constant.clone())),
        };
        part.map_err(|flaw| flaw.at(index))
    });
    parts.collect()
}

fn keys(json: &Json) -> Result<Vec<String>, Flaw> {
    let keys = list(json)?;
    if keys.is_empty() {
        return Err(Flaw::new("must name at least one key"));
    }
    let keys = keys.iter().enumerate();
    keys.map(|(index, key)| name(key).map_err(|flaw| flaw.at(index))).collect()
}

fn walk(clauses: &Clauses, levels: usize) -> Result<Walk, Flaw> {
    let ignore_missing = match clauses.get("ignore_missing") {
        None => false,
        Some(Json::Bool(flag)) => *flag,
        Some(_) => return Err(Flaw::new("must be true or false").inside("ignore_missing")),
    };
    let steps = clauses.get("path").map(|path| steps(path, levels)).transpose();
    let steps = steps.map_err(|flaw| flaw.inside("path"))?.unwrap_or_default();
    Ok(Walk { steps, ignore_missing })
}

fn steps(path: &Json, levels: usize) -> Result<Vec<PathStep>, Flaw> {
    let steps = list(path)?.iter().enumerate();
    steps.map(|(index, json)| step(json, levels).map_err(|flaw| flaw.at(index))).collect()
}

fn step(json: &Json, levels: usize) -> Result<PathStep, Flaw> {
    const EXPECTED: &str =
        "must be the name of an id field, {\"type\", \"id\"} or {\"concatenate\"}";
    if json.is_string() {
        return Ok(PathStep { id: IdField::Named(name(json)?), kind: None });
    }
    let clauses = json.as_object().ok_or_else(|| Flaw::new(EXPECTED))?;
    match (clauses.get("type"), clauses.get("id"), clauses.get("concatenate"), clauses.len()) {
        (Some(kind), Some(id), None, 2) => {
            let kind = name(kind).map_err(|flaw| flaw.inside("type"))?;
            let id = match id.as_str() {
                Some("") => IdField::Element,
                _ => IdField::Named(name(id).map_err(|flaw| flaw.inside("id"))?),
            };
            Ok(PathStep { id, kind: Some(Kind::new(kind)) })
        }
        (None, None, Some(concatenate), 1) => {
            let parts = parts(concatenate, levels).map_err(|flaw| flaw.inside("concatenate"))?;
            Ok(PathStep { id: IdField::Computed(parts), kind: None })
        }
        _ => Err(Flaw::new(EXPECTED)),
    }
}

fn name(json: &Json) -> Result<String, Flaw> {
    match json.as_str() {
        Some("") => Err(Flaw::new("must be a name, but is empty")),
        Some(name) => Ok(name.to_owned()),
        None => Err(Flaw::new("must be a name")),
    }
}

fn list(json: &Json) -> Result<&[Json], Flaw> {
    json.as_array().map(Vec::as_slice).ok_or_else(|| Flaw::new("must be a list"))
}

#[cfg(test)]
mod tests;
