//! What a handler makes of a resource, as the operator wrote it.

use std::collections::BTreeMap;

use super::{HandlerName, Mapping, TemplateId};

/// One template entry, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// The handler that it is for.
    pub handler: HandlerName,
    /// The text that the handler renders.
    pub text: String,
    /// Param → how it gets its value. An unreadable mapping is its complaint, so that only the workflows
    /// that use this template are held back.
    pub params: Result<BTreeMap<String, Mapping>, String>,
}
