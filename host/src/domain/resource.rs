//! What the API server wants to be there.

use std::fmt;

use super::{Json, Kind, ResourceId, Version};

/// Points at one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceRef {
    /// Its type.
    pub kind: Kind,
    /// Its id within the type.
    pub id: ResourceId,
}

impl ResourceRef {
    /// A reference to the resource `id` of type `kind`.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: Kind::new(kind), id: ResourceId::new(id) }
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

/// One config entry, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Which resource.
    pub of: ResourceRef,
    /// The desired fields, a JSON object.
    pub body: Json,
    /// Grows with every change.
    pub version: Version,
    /// The first step of a deletion: take down, but keep the entry.
    pub marked_for_deletion: bool,
}
