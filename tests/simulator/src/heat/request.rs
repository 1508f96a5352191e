//! The body of a request that makes or changes a stack.

use super::yaml::{self, Read};
use crate::answer::Refusal;
use crate::text;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Heat's `json_max_body_size`.
const BODY_BYTES_MAX: usize = 1_048_576;

/// What a body asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// The name, of whatever type it is.
    pub(crate) name: Option<Json>,
    pub(crate) read: Option<Read>,
    /// Parameters given.
    pub(crate) given: BTreeMap<String, Json>,
    /// Defaults given in the environment.
    pub(crate) defaults: BTreeMap<String, Json>,
    pub(crate) files: Map<String, Json>,
    pub(crate) disable_rollback: Option<bool>,
    pub(crate) timeout_mins: Option<u64>,
}

/// The kind of request, which says what a body must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// POST: a name and a template.
    Create,
    /// PUT and validate: a template.
    Replace,
    /// PATCH: nothing.
    Patch,
}

/// Parses a body; an empty one is null.
pub(crate) fn json(bytes: &[u8]) -> Result<Json, Refusal> {
    if bytes.len() > BODY_BYTES_MAX {
        return Err(Refusal::bad(
            "RequestLimitExceeded",
            format!(
                "Request limit exceeded: JSON body size ({} bytes) exceeds maximum allowed size \
                 ({BODY_BYTES_MAX} bytes).",
                bytes.len()
            ),
        ));
    }
    let text = String::from_utf8_lossy(bytes);
    if text.is_empty() {
        return Ok(Json::Null);
    }
    serde_json::from_str(&text).map_err(|error| Refusal::request(text::not_json(&text, &error)))
}

/// Reads a body, with Heat's refusals in Heat's order.
pub(crate) fn read(body: &Json, form: Form) -> Result<Wanted, Refusal> {
    let Json::Object(body) = body else { return Err(Refusal::malformed()) };
    let timeout_mins = match body.get("timeout_mins") {
        None | Some(Json::Null) => None,
        Some(given) => Some(whole(given, "timeout_mins")?),
    };
    let name = body.get("stack_name").cloned();
    if form == Form::Create && name.is_none() {
        return Err(Refusal::request("No stack name specified"));
    }
    let read = match body.get("template") {
        None | Some(Json::Null) if form == Form::Patch => None,
        template => Some(yaml::read(template.unwrap_or(&Json::Null))?),
    };
    let mut wanted = Wanted { name, read, timeout_mins, ..Wanted::default() };
    if let Some(environment) = body.get("environment") {
        environ(environment, &mut wanted)?;
    }
    match body.get("parameters") {
        None => {}
        Some(Json::Object(given)) => wanted.given.extend(given.clone()),
        Some(Json::Array(given)) if given.is_empty() => {}
        Some(Json::String(_)) => return Err(Refusal::wordless("ValueError")),
        Some(_) => return Err(Refusal::malformed()),
    }
    if let Some(Json::Object(files)) = body.get("files") {
        wanted.files.clone_from(files);
    }
    wanted.disable_rollback = match body.get("disable_rollback") {
        None => None,
        Some(given) => match given {
            Json::Bool(given) => Some(*given),
            Json::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Json::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => return Err(Refusal::wordless("ValueError")),
        },
    };
    Ok(wanted)
}

fn environ(environment: &Json, wanted: &mut Wanted) -> Result<(), Refusal> {
    let invalid = |why: &str| Refusal::request(format!("Environment not in valid format: {why}"));
    let parsed = match environment {
        Json::String(text) => yaml::value(text).map_err(|why| invalid(&why))?,
        other => other.clone(),
    };
    let sections = match parsed {
        Json::Object(sections) => sections,
        Json::Null => return Ok(()),
        _ => return Err(invalid("The environment is not a valid YAML mapping data type.")),
    };
    for (section, body) in sections {
        let entries = || body.as_object().cloned().unwrap_or_default();
        match section.as_str() {
            "parameters" => wanted.given.extend(entries()),
            "parameter_defaults" => wanted.defaults.extend(entries()),
            "resource_registry"
            | "encrypted_param_names"
            | "event_sinks"
            | "parameter_merge_strategies" => {}
            _ => return Err(invalid(&format!("environment has wrong section \"{section}\""))),
        }
    }
    Ok(())
}

/// A whole number that is not negative, as a number or a text.
pub(crate) fn whole(given: &Json, name: &str) -> Result<u64, Refusal> {
    let number = match given {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.trim().parse::<i64>().ok(),
        _ => None,
    };
    let Some(number) = number else {
        return Err(Refusal::request(format!("Only integer is acceptable by '{name}'.")));
    };
    u64::try_from(number).map_err(|_| {
        Refusal::request(format!(
            "Value '{number}' is invalid for '{name}' which only accepts non-negative integer."
        ))
    })
}

/// Whether Heat takes the text as a stack's name.
pub(crate) fn name(given: &Json) -> Result<String, Refusal> {
    let Json::String(name) = given else {
        return Err(Refusal::invalid(format!(
            "Invalid stack name {}, must be a string",
            text::shown(given)
        )));
    };
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|first| first.is_ascii_alphabetic());
    let goes_on = letters.all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
    if begins && goes_on && name.len() <= 255 {
        return Ok(name.clone());
    }
    Err(Refusal::invalid(format!(
        "Invalid stack name {name} must contain only alphanumeric or \"_-.\" characters, must \
         start with alpha and must be 255 characters or less."
    )))
}
