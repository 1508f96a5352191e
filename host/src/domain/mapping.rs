//! The mapping language: how a param gets its value from a resource and those it refers to.

use super::{Json, Kind};

/// One mapping, whichever way it was spelled.
#[derive(Clone, Debug, PartialEq)]
pub enum Mapping {
    /// This value.
    Constant(Json),
    /// The config version, a number.
    Version,
    /// A field of the resource at the end of the walk.
    Field {
        /// Name of a field at the top of the body.
        field: String,
        /// The way there; without steps the resource itself.
        walk: Walk,
    },
    /// A value deep in the resource's own body, key by key.
    Nested(Vec<String>),
    /// An output of the stack of the resource at the end of the walk, resolved when the job runs.
    Output {
        /// The output's key.
        key: String,
        /// The way there; without steps the resource itself.
        walk: Walk,
    },
    /// All parts joined as text.
    Concatenate(Vec<Mapping>),
    /// One of two mappings.
    If {
        /// What decides.
        test: Test,
        /// Taken when the test holds.
        then: Box<Mapping>,
        /// Taken otherwise.
        otherwise: Box<Mapping>,
    },
    /// One value for each element of a list.
    For {
        /// The field that holds the list.
        field: String,
        /// The way to the resource that has the field.
        walk: Walk,
        /// What is made of an element.
        each: Box<Mapping>,
    },
}

/// A way from resource to resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Walk {
    /// Step by step; none stays at the start.
    pub steps: Vec<PathStep>,
    /// A missing link yields an empty text instead of holding the workflow back.
    pub ignore_missing: bool,
}

/// One step of a walk: from a resource to the one that a field points at.
#[derive(Clone, Debug, PartialEq)]
pub struct PathStep {
    /// Where the id of the next resource stands.
    pub id: IdField,
    /// Its type; `None` takes the type from the schema's relation of the field.
    pub kind: Option<Kind>,
}

/// Where the id of the next resource stands.
#[derive(Clone, Debug, PartialEq)]
pub enum IdField {
    /// In this field.
    Named(String),
    /// The element of the surrounding `For` is the id.
    Element,
    /// In the field whose name these parts make, joined as text.
    Computed(Vec<Mapping>),
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Both sides have the same value.
    Equal(Box<Mapping>, Box<Mapping>),
    /// The subject matches the pattern from its start, as Python's `re.match` does.
    Matches {
        /// The text looked at.
        subject: Box<Mapping>,
        /// A regular expression.
        pattern: Box<Mapping>,
    },
}
