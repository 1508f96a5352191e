//! What a handler has put up.

use super::Json;

/// The record of one resource's stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    /// Its name; empty after a deletion.
    pub stack_id: String,
    /// The project it lives in.
    pub tenant_id: String,
    /// In the orchestrator's words: `CREATE_COMPLETE`.
    pub status: String,
    /// Its reason; may be empty.
    pub status_reason: String,
    /// What came out of it.
    pub outputs: Vec<Output>,
}

/// One output of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its key.
    pub key: String,
    /// Its value; null where it could not be computed.
    pub value: Json,
    /// What the template says of it.
    pub description: String,
    /// Why it could not be computed.
    pub error: Option<String>,
}
