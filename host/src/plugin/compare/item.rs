//! What two worlds import or export, item by item, function by function, type by type.

use std::collections::{BTreeMap, BTreeSet};

use wit_parser::{
    Function, Handle, InterfaceId, PackageName, Resolve, Type, TypeDef, TypeDefKind, TypeId,
    TypeOwner, WorldId, WorldItem,
};

use super::Items;
use super::effect::{self, Change, Direction, Effect, View};
use super::shape::{self, Same};

/// Two WITs that are compared.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) old: &'a Resolve,
    pub(super) new: &'a Resolve,
    /// Types that some function takes or gives, in either of them.
    pub(super) used: &'a BTreeSet<String>,
    pub(super) view: View,
}

impl Pair<'_> {
    /// All that two worlds have in one direction.
    pub(super) fn items(
        self,
        direction: Direction,
        old: &Items,
        new: &Items,
        changes: &mut Vec<Change>,
    ) {
        for (name, (old_version, before)) in old {
            let Some((new_version, after)) = new.get(name) else {
                self.item(direction, name, before, false, changes);
                continue;
            };
            self.version(name, old_version.as_deref(), new_version.as_deref(), changes);
            match (before, after) {
                (WorldItem::Interface { id: old, .. }, WorldItem::Interface { id: new, .. }) => {
                    self.interface(direction, name, *old, *new, changes);
                }
                (WorldItem::Function(old), WorldItem::Function(new)) => {
                    self.function(format!("function {name}"), old, new, changes);
                }
                (WorldItem::Type { id: old, .. }, WorldItem::Type { id: new, .. }) => {
                    self.named_type("", name, *old, *new, changes);
                }
                _ => {
                    self.item(direction, name, before, false, changes);
                    self.item(direction, name, after, true, changes);
                }
            }
        }
        for (name, (_, after)) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            self.item(direction, name, after, true, changes);
        }
    }

    /// The interfaces of two contracts that neither has in a world.
    pub(super) fn outside(
        self,
        old: &BTreeMap<String, (InterfaceId, bool)>,
        new: &BTreeMap<String, (InterfaceId, bool)>,
        changes: &mut Vec<Change>,
    ) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let mut told = Vec::new();
            match (old.get(name), new.get(name)) {
                (Some((old, false)), Some((new, false))) => {
                    self.interface(Direction::Import, name, *old, *new, &mut told);
                }
                (None, Some((_, false))) | (Some((_, false)), None) => {
                    let what = was(new.contains_key(name)).to_owned();
                    push(&mut told, format!("interface {name}"), what, effect::OUTSIDE);
                }
                // Its worlds have told of it.
                _ => {}
            }
            changes.extend(told.into_iter().map(|change| {
                let (effect, why) = effect::OUTSIDE;
                Change { effect, why, ..change }
            }));
        }
    }

    /// An item that only one of them has.
    fn item(
        self,
        direction: Direction,
        name: &str,
        item: &WorldItem,
        added: bool,
        changes: &mut Vec<Change>,
    ) {
        let resolve = if added { self.new } else { self.old };
        let (word, is_types) = match item {
            WorldItem::Interface { id, .. } => {
                let found = resolve.interfaces.get(*id);
                ("interface", found.is_none_or(|found| found.functions.is_empty()))
            }
            WorldItem::Function(_) => ("function", false),
            WorldItem::Type { .. } => ("type", true),
        };
        let Some(mut rule) = effect::come_or_gone(self.view, direction, added) else { return };
        if is_types {
            rule = (Effect::Compatible, "it has no function, and types are linked by their form");
        }
        let verb = match direction {
            Direction::Import => "imported",
            Direction::Export => "exported",
        };
        let what = if added { format!("is {verb} now") } else { format!("is not {verb} any more") };
        push(changes, format!("{word} {name}"), what, rule);
    }

    fn version(self, name: &str, old: Option<&str>, new: Option<&str>, changes: &mut Vec<Change>) {
        if old == new {
            return;
        }
        let track = |version: Option<&str>| {
            Some(PackageName::version_compat_track_string(&version?.parse().ok()?))
        };
        let is_same = track(old).is_some() && track(old) == track(new);
        // A component names the versions of its tools.
        if is_same && self.view.old_is_part != self.view.new_is_part {
            return;
        }
        let rule = if is_same { effect::SAME_TRACK } else { effect::OTHER_TRACK };
        let [before, after] = [old, new].map(|version| version.unwrap_or("none"));
        let what = format!("is version {after}, was {before}");
        push(changes, format!("interface {name}"), what, rule);
    }

    fn interface(
        self,
        direction: Direction,
        name: &str,
        old: InterfaceId,
        new: InterfaceId,
        changes: &mut Vec<Change>,
    ) {
        let (Some(before), Some(after)) =
            (self.old.interfaces.get(old), self.new.interfaces.get(new))
        else {
            return;
        };
        let place = format!("interface {name}, ");
        for (name, old) in &before.types {
            match after.types.get(name) {
                Some(new) => self.named_type(&place, name, *old, *new, changes),
                None => self.lone_type(direction, &place, self.old.types.get(*old), false, changes),
            }
        }
        for (_, new) in after.types.iter().filter(|(name, _)| !before.types.contains_key(*name)) {
            self.lone_type(direction, &place, self.new.types.get(*new), true, changes);
        }
        let lone = |name: &str, added: bool, changes: &mut Vec<Change>| {
            if let Some(rule) = effect::come_or_gone(self.view, direction, added) {
                push(changes, format!("{place}function {name}"), was(added).to_owned(), rule);
            }
        };
        for (name, old) in &before.functions {
            match after.functions.get(name) {
                Some(new) => self.function(format!("{place}function {name}"), old, new, changes),
                None => lone(name, false, changes),
            }
        }
        for name in after.functions.keys().filter(|name| !before.functions.contains_key(*name)) {
            lone(name, true, changes);
        }
    }

    /// A type that only one of them has. What functions make of it is told with them.
    fn lone_type(
        self,
        direction: Direction,
        place: &str,
        of: Option<&TypeDef>,
        added: bool,
        changes: &mut Vec<Change>,
    ) {
        let Some((of, name)) = of.and_then(|of| Some((of, of.name.as_ref()?))) else { return };
        let place = format!("{place}{} {name}", of.kind.as_str());
        if matches!(of.kind, TypeDefKind::Resource) {
            // Unlike other types, a resource is handed over when a component is linked.
            if let Some(rule) = effect::come_or_gone(self.view, direction, added) {
                push(changes, place, was(added).to_owned(), rule);
            }
            return;
        }
        // A component names the types it uses, and no others.
        let resolve = if added { self.new } else { self.old };
        let is_part = self.view.old_is_part || self.view.new_is_part;
        if !is_part && !self.used.contains(&full_name(resolve, of)) {
            push(changes, place, was(added).to_owned(), effect::type_changed(false));
        }
    }

    fn function(self, place: String, old: &Function, new: &Function, changes: &mut Vec<Change>) {
        let before = shape::signature(self.old, old);
        let after = shape::signature(self.new, new);
        if before == after {
            // What is new in a type of the same name is told of that type.
            return;
        }
        let rule = if self.same().functions(old, new) { effect::NAMES } else { effect::FUNCTION };
        push(changes, place, format!("is {after}, was {before}"), rule);
    }

    /// A type that both have under the same name.
    fn named_type(
        self,
        place: &str,
        name: &str,
        old: TypeId,
        new: TypeId,
        changes: &mut Vec<Change>,
    ) {
        let (Some(before), Some(after)) = (self.old.types.get(old), self.new.types.get(new)) else {
            return;
        };
        let is_used = [(self.old, before), (self.new, after)]
            .into_iter()
            .any(|(resolve, of)| self.used.contains(&full_name(resolve, of)));
        let rule = effect::type_changed(is_used);
        let place = format!("{place}{} {name}", before.kind.as_str());
        if before.kind.as_str() == after.kind.as_str() && shape::members(&before.kind).is_some() {
            for what in self.members(&before.kind, &after.kind) {
                push(changes, place.clone(), what, rule);
            }
            return;
        }
        let forms = [(self.old, before), (self.new, after)];
        let [before, after] = forms.map(|(resolve, of)| shape::form(resolve, &of.kind));
        if before != after && !self.same().types(&Type::Id(old), &Type::Id(new)) {
            push(changes, place, format!("is {after}, was {before}"), rule);
        }
    }

    /// What is different between fields, cases or flags.
    fn members(self, old: &TypeDefKind, new: &TypeDefKind) -> Vec<String> {
        let (Some((word, old)), Some((_, new))) = (shape::members(old), shape::members(new)) else {
            return Vec::new();
        };
        let names = |of: &[(&str, Option<&Type>)]| -> Vec<String> {
            of.iter().map(|(name, _)| (*name).to_owned()).collect()
        };
        let (old_names, new_names) = (names(&old), names(&new));
        let mut told = Vec::new();
        let lone = |name: &String, others: &[String]| !others.contains(name);
        let gone: Vec<_> = old_names.iter().filter(|name| lone(name, &new_names)).collect();
        let come: Vec<_> = new_names.iter().filter(|name| lone(name, &old_names)).collect();
        let at = |names: &[String], name: &String| names.iter().position(|other| other == name);
        let mut renamed = BTreeMap::new();
        if old_names.len() == new_names.len() {
            for (before, after) in gone.iter().zip(&come) {
                if at(&old_names, before) == at(&new_names, after) {
                    renamed.insert(*before, *after);
                }
            }
        }
        for (before, after) in &renamed {
            told.push(format!("{word} {before} is called {after} now"));
        }
        let new_names_of = |name: &&String| !renamed.values().any(|after| after == name);
        told.extend(
            gone.iter()
                .filter(|name| !renamed.contains_key(**name))
                .map(|name| format!("{word} {name} was removed")),
        );
        told.extend(
            come.iter()
                .filter(|name| new_names_of(name))
                .map(|name| format!("{word} {name} was added")),
        );
        for (name, before) in &old {
            if let Some((_, after)) = new.iter().find(|(other, _)| other == name) {
                told.extend(self.held(word, name, *before, *after));
            }
        }
        let kept = |names: &[String], lone: &[&String]| -> Vec<String> {
            names.iter().filter(|name| !lone.contains(name)).cloned().collect()
        };
        if kept(&old_names, &gone) != kept(&new_names, &come) {
            told.push(format!("the order of its {word}s was changed"));
        }
        told
    }

    /// What a field or case of the same name holds now, if that is another thing.
    fn held(
        self,
        word: &str,
        name: &str,
        old: Option<&Type>,
        new: Option<&Type>,
    ) -> Option<String> {
        let shown = |resolve, of: Option<&Type>| {
            of.map_or_else(|| "nothing".to_owned(), |of| shape::text(resolve, of))
        };
        let (before, after) = (shown(self.old, old), shown(self.new, new));
        if before == after {
            return None;
        }
        if let (Some(old), Some(new)) = (old, new)
            && self.same().types(old, new)
        {
            return None;
        }
        Some(format!("{word} {name} holds {after}, held {before}"))
    }

    fn same(&self) -> Same<'_> {
        Same { old: self.old, new: self.new, known: BTreeMap::new() }
    }
}

fn was(added: bool) -> &'static str {
    if added { "was added" } else { "was removed" }
}

fn push(changes: &mut Vec<Change>, place: String, what: String, rule: (Effect, &'static str)) {
    changes.push(Change { place, what, effect: rule.0, why: rule.1 });
}

/// The types that the functions of these worlds take or give, all the way down.
pub(super) fn used(resolve: &Resolve, worlds: &[WorldId]) -> BTreeSet<String> {
    let mut left: Vec<TypeId> = Vec::new();
    for world in worlds.iter().filter_map(|world| resolve.worlds.get(*world)) {
        for item in world.imports.values().chain(world.exports.values()) {
            match item {
                WorldItem::Interface { id, .. } => {
                    let functions = resolve.interfaces.get(*id).map(|found| &found.functions);
                    left.extend(functions.into_iter().flat_map(|all| all.values()).flat_map(ids));
                }
                WorldItem::Function(function) => left.extend(ids(function)),
                WorldItem::Type { .. } => {}
            }
        }
    }
    let mut seen = BTreeSet::new();
    let mut names = BTreeSet::new();
    while let Some(id) = left.pop() {
        let Some(of) = resolve.types.get(id).filter(|_| seen.insert(id.index())) else { continue };
        if of.name.is_some() {
            names.insert(full_name(resolve, of));
        }
        left.extend(parts(&of.kind));
    }
    names
}

fn ids(function: &Function) -> impl Iterator<Item = TypeId> {
    let types = function.params.iter().map(|param| &param.ty).chain(&function.result);
    types.filter_map(id)
}

fn id(of: &Type) -> Option<TypeId> {
    if let Type::Id(id) = of { Some(*id) } else { None }
}

/// The types a type is made of.
fn parts(kind: &TypeDefKind) -> Vec<TypeId> {
    if let Some((_, members)) = shape::members(kind) {
        return members.into_iter().filter_map(|(_, of)| id(of?)).collect();
    }
    let all = |types: &[Option<&Type>]| types.iter().filter_map(|of| id((*of)?)).collect();
    match kind {
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => vec![*id],
        TypeDefKind::Tuple(tuple) => tuple.types.iter().filter_map(id).collect(),
        TypeDefKind::Option(of)
        | TypeDefKind::List(of)
        | TypeDefKind::FixedLengthList(of, _)
        | TypeDefKind::Type(of) => all(&[Some(of)]),
        TypeDefKind::Map(key, value) => all(&[Some(key), Some(value)]),
        TypeDefKind::Result(of) => all(&[of.ok.as_ref(), of.err.as_ref()]),
        TypeDefKind::Future(of) | TypeDefKind::Stream(of) => all(&[of.as_ref()]),
        _ => Vec::new(),
    }
}

/// A type with where it stands, whatever the version.
fn full_name(resolve: &Resolve, of: &TypeDef) -> String {
    let owner = match of.owner {
        TypeOwner::Interface(id) => resolve.id_of(id).unwrap_or_default(),
        TypeOwner::World(_) | TypeOwner::None => String::new(),
    };
    let owner = owner.split('@').next().unwrap_or_default();
    format!("{owner}/{}", of.name.as_deref().unwrap_or_default())
}
