//! What the API server says about its resource types.

use std::collections::BTreeMap;

use super::{HandlerName, Kind, Mapping};

/// One resource type.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Its name, singular.
    pub kind: Kind,
    /// Its plural, as registrations name it.
    pub plural: String,
    /// The path its entries have in every family, without a final slash: `/v2.0/ports`.
    pub prefix: String,
    /// Field → the type its id points at. Only fields at the top of the body.
    pub relations: BTreeMap<String, Kind>,
    /// Handler → the mapping that yields the id of the handler's template.
    pub templates: BTreeMap<HandlerName, Mapping>,
}

/// All resource types.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schemas {
    by_kind: BTreeMap<Kind, Schema>,
    by_prefix: BTreeMap<String, Kind>,
}

impl Schemas {
    /// Of two schemas with the same kind or prefix the later one counts.
    pub fn new(schemas: impl IntoIterator<Item = Schema>) -> Self {
        let mut all = Self::default();
        for schema in schemas {
            all.by_prefix.insert(schema.prefix.clone(), schema.kind.clone());
            all.by_kind.insert(schema.kind.clone(), schema);
        }
        all
    }

    /// The schema of a kind.
    pub fn get(&self, kind: &Kind) -> Option<&Schema> {
        self.by_kind.get(kind)
    }

    /// The kind whose entries lie under this prefix, given without a final slash.
    pub fn kind_at(&self, prefix: &str) -> Option<&Kind> {
        self.by_prefix.get(prefix)
    }

    /// The type that `field` of a `kind` points at.
    pub fn relation(&self, kind: &Kind, field: &str) -> Option<&Kind> {
        self.by_kind.get(kind)?.relations.get(field)
    }

    /// All schemas, ordered by kind.
    pub fn iter(&self) -> impl Iterator<Item = &Schema> {
        self.by_kind.values()
    }
}
