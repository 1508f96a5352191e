//! What the host has last made work of: the other half of every update.

use std::collections::BTreeMap;

use super::{HandlerName, Json, TemplateId, Version};

/// The version of a resource that jobs were last planned for.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// What was planned.
    pub now: Base,
    /// It was planned for deletion.
    pub deleted: bool,
    /// What was there before: the ground to plan on anew if a newer version comes before this one began.
    pub before: Option<Base>,
}

/// One version of a resource and the templates chosen for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    /// The version.
    pub version: Version,
    /// Its body.
    pub body: Json,
    /// Handler → template; empty for a resource that is not workable.
    pub templates: BTreeMap<HandlerName, TemplateId>,
}
