//! What a change means, and why: the rules of the contract in words.

use std::fmt;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Where: `interface stokehold:worker/types, enum action`.
    pub place: String,
    /// What is different there: `case purge was added`.
    pub what: String,
    /// Whether it harms anybody.
    pub effect: Effect,
    /// Why that is so.
    pub why: &'static str,
}

/// Whether what was built before goes on working.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It does.
    Compatible,
    /// It does not.
    Breaking,
}

impl Effect {
    /// As it is shown: `breaking`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.what, self.why)
    }
}

/// Which way an item of a world goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The component calls the host.
    Import,
    /// The host calls the component.
    Export,
}

/// What a newer WIT is the WIT of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The contract: those who were built for the old one meet the new one.
    Contract,
    /// A component: it meets those hosts which the old one met.
    Component,
}

/// From where the change is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Whose WIT the newer one is.
    pub(super) of: Side,
    /// The old one names only what one component uses.
    pub(super) old_is_part: bool,
    /// The new one names only what one component uses.
    pub(super) new_is_part: bool,
}

/// What becomes of an item of a world, or of a function in an interface of it. `None` is no news: what a component
/// does not use of a contract.
pub(super) fn come_or_gone(
    view: View,
    direction: Direction,
    added: bool,
) -> Option<(Effect, &'static str)> {
    let rule = match (view.of, direction, added) {
        (Side::Contract, Direction::Import, true) => {
            (Effect::Compatible, "a component that was built before does not call it")
        }
        (Side::Contract, Direction::Import, false) => {
            (Effect::Breaking, "a component that calls it cannot be linked any more")
        }
        (Side::Contract, Direction::Export, true) => {
            (Effect::Breaking, "a component that was built before does not have it")
        }
        (Side::Contract, Direction::Export, false) | (Side::Component, Direction::Export, true) => {
            (Effect::Compatible, "a host need not call what a component has")
        }
        (Side::Component, Direction::Import, true) => {
            (Effect::Breaking, "a host that does not offer it cannot load the component")
        }
        (Side::Component, Direction::Import, false) => {
            (Effect::Compatible, "a host may offer what nobody calls")
        }
        (Side::Component, Direction::Export, false) => {
            (Effect::Breaking, "a host that calls it cannot use the component")
        }
    };
    // What a component leaves out of a contract's imports was never asked of it, nor what the contract has beyond it.
    let unused = direction == Direction::Import
        && ((view.old_is_part && !view.new_is_part && added)
            || (view.new_is_part && !view.old_is_part && !added));
    (!unused).then_some(rule)
}

/// A type is other than it was.
pub(super) fn type_changed(is_used: bool) -> (Effect, &'static str) {
    if is_used {
        let why =
            "linking compares a type as a whole: take a type of another name and a function for it";
        (Effect::Breaking, why)
    } else {
        (Effect::Compatible, "no function takes or gives it")
    }
}

/// A function's own form is other than it was.
pub(super) const FUNCTION: (Effect, &str) =
    (Effect::Breaking, "linking compares all a function takes and gives: add another function");

/// Only names of types or params are other.
pub(super) const NAMES: (Effect, &str) =
    (Effect::Compatible, "linking compares forms, not these names; sources need the new ones");

/// Another version of the same track.
pub(super) const SAME_TRACK: (Effect, &str) =
    (Effect::Compatible, "versions that differ in the last number only are linked as one");

/// Another track.
pub(super) const OTHER_TRACK: (Effect, &str) =
    (Effect::Breaking, "a host has to offer both versions as long as the older one is in use");

/// A world that came or went.
pub(super) fn world(name: &str, of: Side, added: bool) -> Change {
    let (effect, why) = match (of, added) {
        (_, true) => (Effect::Compatible, "nothing was built for it before"),
        (_, false) => (Effect::Breaking, "what was built for it fits nowhere"),
    };
    let what = if added { "was added" } else { "was removed" }.to_owned();
    Change { place: format!("world {name}"), what, effect, why }
}

/// What becomes of an interface that no world has.
pub(super) const OUTSIDE: (Effect, &str) =
    (Effect::Compatible, "no world of the contract has the interface");

/// A component and a contract that have nothing in common.
pub(super) fn no_world() -> Change {
    Change {
        place: "the component".to_owned(),
        what: "exports nothing that a world of the contract exports".to_owned(),
        effect: Effect::Breaking,
        why: "a host finds nothing to call",
    }
}
