//! Two states of a WIT → what changed between them, and whether what was built for the older one goes on working.
//!
//! What is compared is a folder of WIT, which is a contract, or a component, which holds the world it was built for.
//! The direction decides: what a world imports a host offers, so that more of it harms nobody; what it exports each
//! component has to have, so that more of it shuts out those that were built before. Of a newer component it is the
//! other way round. Nothing here reads a file but `read`.

mod effect;
mod item;
mod read;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use wit_parser::{InterfaceId, Resolve, WorldId, WorldItem, WorldKey};

pub use effect::{Change, Effect};
use effect::{Direction, Side, View};
use item::Pair;
pub use read::read;

/// A WIT, read.
pub struct Wit {
    resolve: Resolve,
    source: Source,
}

/// Where a WIT comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// A folder with worlds.
    Contract(Vec<WorldId>),
    /// A component, which has one.
    Component(WorldId),
}

impl Wit {
    fn worlds(&self) -> &[WorldId] {
        match &self.source {
            Source::Contract(worlds) => worlds,
            Source::Component(world) => std::slice::from_ref(world),
        }
    }

    fn is_component(&self) -> bool {
        matches!(self.source, Source::Component(_))
    }
}

/// What changed from the old one to the new one, in the order of the worlds; nothing twice.
pub fn compare(old: &Wit, new: &Wit) -> Vec<Change> {
    let view = View {
        of: if new.is_component() { Side::Component } else { Side::Contract },
        // A component names what it uses and no more.
        old_is_part: old.is_component(),
        new_is_part: new.is_component(),
    };
    let used: BTreeSet<String> =
        [old, new].into_iter().flat_map(|wit| item::used(&wit.resolve, wit.worlds())).collect();
    let mut changes = Vec::new();
    for (old_world, new_world) in pairs(old, new, &mut changes) {
        let pair = Pair { old: &old.resolve, new: &new.resolve, used: &used, view };
        for direction in [Direction::Import, Direction::Export] {
            let mut before = items(&old.resolve, old_world, direction);
            let mut after = items(&new.resolve, new_world, direction);
            match (old.is_component(), new.is_component()) {
                (true, false) => keep_own(&new.resolve, new_world, &mut before, &after),
                (false, true) => keep_own(&old.resolve, old_world, &mut after, &before),
                _ => {}
            }
            pair.items(direction, &before, &after, &mut changes);
        }
    }
    if let (Source::Contract(before), Source::Contract(after)) = (&old.source, &new.source) {
        let pair = Pair { old: &old.resolve, new: &new.resolve, used: &used, view };
        let (before, after) = (outside(&old.resolve, before), outside(&new.resolve, after));
        pair.outside(&before, &after, &mut changes);
    }
    let mut seen = BTreeSet::new();
    changes.retain(|change| seen.insert(change.clone()));
    changes
}

/// Which world to compare with which: those of a name, or the one a component was built for.
fn pairs(old: &Wit, new: &Wit, changes: &mut Vec<Change>) -> Vec<(WorldId, WorldId)> {
    match (&old.source, &new.source) {
        (Source::Component(old), Source::Component(new)) => vec![(*old, *new)],
        (Source::Contract(worlds), Source::Component(only)) => {
            let nearest = nearest(&old.resolve, worlds, &new.resolve, *only);
            if nearest.is_none() {
                changes.push(effect::no_world());
            }
            nearest.map(|world| (world, *only)).into_iter().collect()
        }
        (Source::Component(only), Source::Contract(worlds)) => {
            let nearest = nearest(&new.resolve, worlds, &old.resolve, *only);
            if nearest.is_none() {
                changes.push(effect::no_world());
            }
            nearest.map(|world| (*only, world)).into_iter().collect()
        }
        (Source::Contract(before), Source::Contract(after)) => {
            let named = |resolve: &Resolve, worlds: &[WorldId]| -> BTreeMap<String, WorldId> {
                let name = |id: &WorldId| Some((resolve.worlds.get(*id)?.name.clone(), *id));
                worlds.iter().filter_map(name).collect()
            };
            let (before, after) = (named(&old.resolve, before), named(&new.resolve, after));
            for name in before.keys().filter(|name| !after.contains_key(*name)) {
                changes.push(effect::world(name, Side::Contract, false));
            }
            for name in after.keys().filter(|name| !before.contains_key(*name)) {
                changes.push(effect::world(name, Side::Contract, true));
            }
            let both = before.iter().filter_map(|(name, id)| Some((*id, *after.get(name)?)));
            both.collect()
        }
    }
}

/// The world that has most of a component's exports.
fn nearest(
    contract: &Resolve,
    worlds: &[WorldId],
    component: &Resolve,
    only: WorldId,
) -> Option<WorldId> {
    let exported = items(component, only, Direction::Export);
    let common = |world: &WorldId| {
        let offered = items(contract, *world, Direction::Export);
        offered.keys().filter(|name| exported.contains_key(*name)).count()
    };
    // Of equals the first one, in the order of the contract.
    let mut best: Option<(usize, WorldId)> = None;
    for world in worlds {
        let count = common(world);
        if count > best.map_or(0, |(most, _)| most) {
            best = Some((count, *world));
        }
    }
    best.map(|(_, world)| world)
}

/// The interfaces of a contract, by name without version, and whether a world has them.
fn outside(resolve: &Resolve, worlds: &[WorldId]) -> BTreeMap<String, (InterfaceId, bool)> {
    let all = worlds.iter().filter_map(|world| resolve.worlds.get(*world));
    let package = all.clone().find_map(|world| resolve.packages.get(world.package?));
    let used: BTreeSet<InterfaceId> = all
        .flat_map(|world| world.imports.keys().chain(world.exports.keys()))
        .filter_map(|key| if let WorldKey::Interface(id) = key { Some(*id) } else { None })
        .collect();
    let named = |id: &InterfaceId| {
        let name = resolve.id_of(*id)?;
        let plain = name.split('@').next().unwrap_or_default().to_owned();
        Some((plain, (*id, used.contains(id))))
    };
    package.into_iter().flat_map(|it| it.interfaces.values()).filter_map(named).collect()
}

/// What a world imports or exports, by name without version, with the version.
type Items<'a> = BTreeMap<String, (Option<String>, &'a WorldItem)>;

fn items(resolve: &Resolve, world: WorldId, direction: Direction) -> Items<'_> {
    let Some(world) = resolve.worlds.get(world) else { return BTreeMap::new() };
    let all = match direction {
        Direction::Import => &world.imports,
        Direction::Export => &world.exports,
    };
    let mut items = BTreeMap::new();
    for (key, item) in all {
        let name = match key {
            WorldKey::Name(name) => name.clone(),
            WorldKey::Interface(id) => resolve.id_of(*id).unwrap_or_default(),
        };
        let (plain, version) = match name.split_once('@') {
            Some((plain, version)) => (plain.to_owned(), Some(version.to_owned())),
            None => (name.clone(), None),
        };
        // Two versions of an interface beside each other are two.
        let plain = if items.contains_key(&plain) { name } else { plain };
        items.insert(plain, (version, item));
    }
    items
}

/// Of a component, leaves what is a matter of the contract: its own package, and what it names of others. What a
/// language's library needs beside it, the host offers or does not.
fn keep_own(contract: &Resolve, world: WorldId, component: &mut Items, named: &Items) {
    let package = contract.worlds.get(world).and_then(|world| world.package);
    let package = package.and_then(|id| contract.packages.get(id));
    let own = package.map(|it| format!("{}:{}/", it.name.namespace, it.name.name));
    component.retain(|name, _| {
        let foreign = name.contains('/') && !own.as_ref().is_some_and(|own| name.starts_with(own));
        !foreign || named.contains_key(name)
    });
}

#[cfg(test)]
mod tests;
