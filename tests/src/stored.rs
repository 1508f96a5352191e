//! What lies in a store.

use serde_json::Value as Json;

/// A stored value: JSON, or the bare text.
pub fn parse(value: &[u8]) -> Json {
    serde_json::from_slice(value)
        .unwrap_or_else(|_| Json::String(String::from_utf8_lossy(value).into_owned()))
}
