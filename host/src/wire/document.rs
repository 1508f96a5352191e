//! A document being taken apart: each piece by its name and type, and where it went wrong.

use std::fmt;

use serde_json::Map;

use crate::domain::Json;

/// Levels of lists and objects in one spelled document; the reader gives up at 128.
pub(super) const DOCUMENT_DEPTH_MAX: usize = 120;

/// Where a document is not what it should be, and what was expected there. Values are never quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// `params[2].value`; empty for the whole document.
    at: String,
    /// A verb phrase about that place.
    what: String,
}

impl Flaw {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { at: String::new(), what: what.into() }
    }

    fn expected(what: &str, found: &Json) -> Self {
        Self::new(format!("must be {what}, but is {}", type_of(found)))
    }

    /// The same flaw, seen from around the field `name`.
    pub(super) fn inside(mut self, name: &str) -> Self {
        self.at = match self.at.chars().next() {
            None => name.to_owned(),
            Some('[') => format!("{name}{}", self.at),
            Some(_) => format!("{name}.{}", self.at),
        };
        self
    }

    /// The same flaw, seen from around the list in which it is the element `index`.
    pub(super) fn at(self, index: usize) -> Self {
        self.inside(&format!("[{index}]"))
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "the value" } else { &self.at };
        write!(f, "{at} {}", self.what)
    }
}

impl std::error::Error for Flaw {}

fn type_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

/// The document that these bytes spell.
pub(super) fn parse(bytes: &[u8]) -> Result<Json, Flaw> {
    serde_json::from_slice(bytes).map_err(|error| Flaw::new(format!("is not JSON: {error}")))
}

/// Whether lists and objects are nested in at most `levels` levels.
pub(super) fn fits(json: &Json, levels: usize) -> bool {
    match json {
        Json::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
        Json::Object(map) => levels > 0 && map.values().all(|value| fits(value, levels - 1)),
        _ => true,
    }
}

/// Refuses a free value that, spelled `above` levels deep in a document, could not be read again.
pub(super) fn check_depth(json: &Json, above: usize) -> Result<(), Flaw> {
    let levels = DOCUMENT_DEPTH_MAX.saturating_sub(above);
    if fits(json, levels) {
        return Ok(());
    }
    Err(Flaw::new(format!("is nested in more than {levels} levels")))
}

pub(super) fn text(json: Json) -> Result<String, Flaw> {
    match json {
        Json::String(text) => Ok(text),
        other => Err(Flaw::expected("a text", &other)),
    }
}

pub(super) fn count(json: Json) -> Result<u64, Flaw> {
    json.as_u64().ok_or_else(|| match json {
        Json::Number(_) => Flaw::new("must not be negative, fractional or beyond 64 bits"),
        other => Flaw::expected("a non-negative whole number", &other),
    })
}

pub(super) fn flag(json: Json) -> Result<bool, Flaw> {
    match json {
        Json::Bool(flag) => Ok(flag),
        other => Err(Flaw::expected("true or false", &other)),
    }
}

pub(super) fn list(json: Json) -> Result<Vec<Json>, Flaw> {
    match json {
        Json::Array(items) => Ok(items),
        other => Err(Flaw::expected("a list", &other)),
    }
}

pub(super) fn object(json: Json) -> Result<Object, Flaw> {
    match json {
        Json::Object(map) => Ok(Object(map)),
        other => Err(Flaw::expected("an object", &other)),
    }
}

/// Any value.
#[allow(clippy::unnecessary_wraps, reason = "it stands beside `text` and `count` as a way to read")]
pub(super) fn free(json: Json) -> Result<Json, Flaw> {
    Ok(json)
}

/// A list whose elements are all read by `read`.
pub(super) fn each<T>(
    json: Json,
    mut read: impl FnMut(Json) -> Result<T, Flaw>,
) -> Result<Vec<T>, Flaw> {
    let items = list(json)?.into_iter().enumerate();
    items.map(|(index, item)| read(item).map_err(|flaw| flaw.at(index))).collect()
}

/// An object from which pieces are moved out.
pub(super) struct Object(Map<String, Json>);

impl Object {
    /// A field that must be there.
    pub(super) fn need<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Json) -> Result<T, Flaw>,
    ) -> Result<T, Flaw> {
        let value = self.0.remove(name).ok_or_else(|| Flaw::new("is missing").inside(name))?;
        read(value).map_err(|flaw| flaw.inside(name))
    }

    /// A field that may be absent or null.
    pub(super) fn may<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Json) -> Result<T, Flaw>,
    ) -> Result<Option<T>, Flaw> {
        match self.0.remove(name) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => read(value).map(Some).map_err(|flaw| flaw.inside(name)),
        }
    }

    /// What was not taken.
    pub(super) fn rest(self) -> Map<String, Json> {
        self.0
    }
}
