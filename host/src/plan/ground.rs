//! What a new version is planned on: what is there already, or is about to be.

use crate::domain::{Applied, Base, Entry, Json, Resource, ResourceRef, State, Version};

use super::HELD_BACK;
use super::catalog::{Catalog, Config};
use super::supersede::{Dropped, droppable};

/// What was put up before.
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// This.
    Known(Base),
    /// Something of this version, by another hand: a store taken over from elsewhere.
    Unknown(Version),
}

/// Where a new version starts from.
pub(super) struct Ground {
    pub(super) before: Before,
    /// The older workflow that gives way.
    pub(super) dropped: Dropped,
    /// What is left of an earlier life and must not be taken for this one's.
    pub(super) clear: Vec<Entry>,
}

/// Whether what is remembered of a resource belongs to this life of its config entry.
#[derive(PartialEq, Eq)]
enum Life {
    /// It does.
    This,
    /// It tells of a deletion, but the config is wanted again.
    Undeleted,
    /// The config entry came into being after it.
    Earlier,
}

/// The ground for the present version; `None` where there is nothing to do, or nothing yet.
pub(super) fn ground(catalog: &Catalog, config: &Config, resource: &Resource) -> Option<Ground> {
    let of = &resource.of;
    let applied = catalog.applied(of);
    let state = catalog.state(of);
    let life = life(catalog, of, config);
    if life == Life::This {
        let is_done = state.is_some_and(|state| state.version >= resource.version);
        let is_planned = catalog.jobs().of(of).any(|job| job.version == resource.version);
        if is_done || is_planned {
            return None;
        }
    }
    let gives_way =
        |applied: &&Applied| life != Life::Earlier && applied.now.version < resource.version;
    let dropped = applied.filter(gives_way).and_then(|a| droppable(catalog, of, a.now.version));
    if let (Some(dropped), Some(applied)) = (dropped, applied) {
        let before = applied.before.clone().map_or_else(|| untold(state), Before::Known);
        return Some(Ground { before, dropped, clear: Vec::new() });
    }
    if life != Life::This && catalog.jobs().of(of).next().is_some() {
        return None;
    }
    let (before, clear) = match (applied, life) {
        (Some(_), Life::Undeleted) => (Before::Nothing, traces(of)),
        (Some(applied), Life::Earlier) if applied.deleted => (Before::Nothing, traces(of)),
        (Some(applied), Life::Earlier) => {
            (Before::Known(applied.now.clone()), vec![Entry::State(of.clone())])
        }
        (Some(applied), Life::This) => (Before::Known(applied.now.clone()), Vec::new()),
        (None, _) => (untold(state), Vec::new()),
    };
    Some(Ground { before, dropped: Dropped::default(), clear })
}

/// Whether `/state` speaks of an earlier life than the config does.
pub(super) fn is_state_stale(catalog: &Catalog, of: &ResourceRef) -> bool {
    catalog.config(of).is_some_and(|config| life(catalog, of, config) != Life::This)
}

/// Everything that is kept of a resource besides its config and what was planned for it.
pub(super) fn traces(of: &ResourceRef) -> Vec<Entry> {
    [Entry::State, Entry::Stack, Entry::JobState, Entry::Monitoring, Entry::Registration]
        .map(|entry| entry(of.clone()))
        .to_vec()
}

fn life(catalog: &Catalog, of: &ResourceRef, config: &Config) -> Life {
    let Some(applied) = catalog.applied(of) else { return Life::This };
    // Every plan is committed on the condition that the config entry is there, so what was planned
    // for this life is younger than the entry.
    if catalog.revision(&Entry::Applied(of.clone())).is_some_and(|at| at < config.created) {
        return Life::Earlier;
    }
    let is_wanted = config.read.as_ref().is_ok_and(|resource| !resource.marked_for_deletion);
    if applied.deleted && is_wanted { Life::Undeleted } else { Life::This }
}

/// What a state tells where nothing of ours does. One that only says that its resource is held back
/// tells nothing.
fn untold(state: Option<&State>) -> Before {
    let is_only_held = |state: &State| {
        state.version == Version(0)
            && state.fields.get(State::WORKER_STATE).and_then(Json::as_str) == Some(HELD_BACK)
    };
    match state {
        Some(state) if !is_only_held(state) => Before::Unknown(state.version),
        Some(_) | None => Before::Nothing,
    }
}
