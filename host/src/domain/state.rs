//! What the API server reads.

use std::collections::BTreeMap;

use super::{Json, Version};

/// Reported fields, by name.
pub type Fields = BTreeMap<String, Json>;

/// One `/state` entry.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The config version it speaks of.
    pub version: Version,
    /// Empty when all is well.
    pub error: String,
    /// `worker_state` and what the handlers reported. Strings stay strings, all else is spelled as JSON text.
    pub fields: Fields,
}

impl State {
    /// The one field that is always there.
    pub const WORKER_STATE: &'static str = "worker_state";

    /// A state with this `worker_state` and nothing else.
    pub fn new(version: Version, worker_state: impl Into<String>) -> Self {
        let fields =
            Fields::from([(Self::WORKER_STATE.to_owned(), Json::String(worker_state.into()))]);
        Self { version, error: String::new(), fields }
    }

    /// The word of the one field that is always there; empty where it is missing after all.
    pub fn worker_state(&self) -> &str {
        self.fields.get(Self::WORKER_STATE).and_then(Json::as_str).unwrap_or_default()
    }

    /// Whether the workflow of this version failed for good.
    pub fn failed(&self) -> bool {
        self.worker_state().ends_with("_FAILED")
    }
}
