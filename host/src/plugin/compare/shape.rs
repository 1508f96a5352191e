//! Types as texts, and whether two are linked as one.

use std::collections::BTreeMap;

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind, TypeId};

/// Letters of a type that are shown.
const SHOWN_MAX: usize = 300;

/// A type as WIT writes it: a named one by its name, any other by its form.
pub(super) fn text(resolve: &Resolve, of: &Type) -> String {
    let plain = match of {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(id) => {
            let Some(found) = resolve.types.get(*id) else { return "?".to_owned() };
            return match &found.name {
                Some(name) => name.clone(),
                None => form(resolve, &found.kind),
            };
        }
    };
    plain.to_owned()
}

/// A type's form, one level deep.
pub(super) fn form(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let text = |of: &Type| text(resolve, of);
    let maybe = |of: &Option<Type>| of.as_ref().map_or_else(|| "_".to_owned(), text);
    let named = |id: TypeId| text(&Type::Id(id));
    match kind {
        TypeDefKind::Handle(Handle::Own(id)) => named(*id),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", named(*id)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<_> = tuple.types.iter().map(text).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Option(of) => format!("option<{}>", text(of)),
        TypeDefKind::Result(of) => format!("result<{}, {}>", maybe(&of.ok), maybe(&of.err)),
        TypeDefKind::List(of) => format!("list<{}>", text(of)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", text(key), text(value)),
        TypeDefKind::FixedLengthList(of, length) => format!("list<{}, {length}>", text(of)),
        TypeDefKind::Future(of) => format!("future<{}>", maybe(of)),
        TypeDefKind::Stream(of) => format!("stream<{}>", maybe(of)),
        TypeDefKind::Type(of) => text(of),
        other => other.as_str().to_owned(),
    }
}

/// A function as WIT writes it, without its name.
pub(super) fn signature(resolve: &Resolve, of: &Function) -> String {
    let params = of.params.iter().map(|p| format!("{}: {}", p.name, text(resolve, &p.ty)));
    let params = params.collect::<Vec<_>>().join(", ");
    let word = if of.kind.is_async() { "async func" } else { "func" };
    let mut all = match &of.result {
        Some(result) => format!("{word}({params}) -> {}", text(resolve, result)),
        None => format!("{word}({params})"),
    };
    if let Some((end, _)) = all.char_indices().nth(SHOWN_MAX) {
        all.truncate(end);
        all.push('…');
    }
    all
}

/// Fields, cases or flags, with what they hold.
pub(super) type Members<'a> = Vec<(&'a str, Option<&'a Type>)>;

/// What a type's members are called, and which they are; `None` for a type that has none.
pub(super) fn members(kind: &TypeDefKind) -> Option<(&'static str, Members<'_>)> {
    Some(match kind {
        TypeDefKind::Record(record) => {
            ("field", record.fields.iter().map(|f| (f.name.as_str(), Some(&f.ty))).collect())
        }
        TypeDefKind::Variant(variant) => {
            ("case", variant.cases.iter().map(|c| (c.name.as_str(), c.ty.as_ref())).collect())
        }
        TypeDefKind::Enum(cases) => {
            ("case", cases.cases.iter().map(|c| (c.name.as_str(), None)).collect())
        }
        TypeDefKind::Flags(flags) => {
            ("flag", flags.flags.iter().map(|f| (f.name.as_str(), None)).collect())
        }
        _ => return None,
    })
}

/// Compares types of two WITs as linking does: by their forms, all the way down, whatever they are called.
pub(super) struct Same<'a> {
    pub(super) old: &'a Resolve,
    pub(super) new: &'a Resolve,
    /// What is known already; types may share parts many times over.
    pub(super) known: BTreeMap<(usize, usize), bool>,
}

impl Same<'_> {
    /// Whether two functions are linked as one.
    pub(super) fn functions(&mut self, old: &Function, new: &Function) -> bool {
        old.kind.is_async() == new.kind.is_async()
            && old.params.len() == new.params.len()
            && old.params.iter().zip(&new.params).all(|(old, new)| self.types(&old.ty, &new.ty))
            && self.maybe(old.result.as_ref(), new.result.as_ref())
    }

    /// Whether two types are linked as one.
    pub(super) fn types(&mut self, old: &Type, new: &Type) -> bool {
        match (aliased(self.old, *old), aliased(self.new, *new)) {
            (Type::Id(old), Type::Id(new)) => {
                let key = (old.index(), new.index());
                if let Some(known) = self.known.get(&key) {
                    return *known;
                }
                let same = self.named(old, new);
                self.known.insert(key, same);
                same
            }
            (old, new) => old == new,
        }
    }

    fn maybe(&mut self, old: Option<&Type>, new: Option<&Type>) -> bool {
        match (old, new) {
            (Some(old), Some(new)) => self.types(old, new),
            (None, None) => true,
            _ => false,
        }
    }

    fn named(&mut self, old: TypeId, new: TypeId) -> bool {
        let (Some(before), Some(after)) = (self.old.types.get(old), self.new.types.get(new)) else {
            return false;
        };
        if let (Some((_, old)), Some((_, new))) = (members(&before.kind), members(&after.kind)) {
            return before.kind.as_str() == after.kind.as_str()
                && old.len() == new.len()
                && old.iter().zip(&new).all(|(o, n)| o.0 == n.0 && self.maybe(o.1, n.1));
        }
        match (&before.kind, &after.kind) {
            (TypeDefKind::Resource, TypeDefKind::Resource) => before.name == after.name,
            (TypeDefKind::Handle(Handle::Own(old)), TypeDefKind::Handle(Handle::Own(new)))
            | (
                TypeDefKind::Handle(Handle::Borrow(old)),
                TypeDefKind::Handle(Handle::Borrow(new)),
            ) => self.types(&Type::Id(*old), &Type::Id(*new)),
            (TypeDefKind::Tuple(old), TypeDefKind::Tuple(new)) => {
                old.types.len() == new.types.len()
                    && old.types.iter().zip(&new.types).all(|(old, new)| self.types(old, new))
            }
            (TypeDefKind::Option(old), TypeDefKind::Option(new))
            | (TypeDefKind::List(old), TypeDefKind::List(new)) => self.types(old, new),
            (TypeDefKind::Result(old), TypeDefKind::Result(new)) => {
                self.maybe(old.ok.as_ref(), new.ok.as_ref())
                    && self.maybe(old.err.as_ref(), new.err.as_ref())
            }
            (TypeDefKind::Map(a, b), TypeDefKind::Map(c, d)) => {
                self.types(a, c) && self.types(b, d)
            }
            (TypeDefKind::FixedLengthList(old, a), TypeDefKind::FixedLengthList(new, b)) => {
                a == b && self.types(old, new)
            }
            (TypeDefKind::Future(old), TypeDefKind::Future(new))
            | (TypeDefKind::Stream(old), TypeDefKind::Stream(new)) => {
                self.maybe(old.as_ref(), new.as_ref())
            }
            _ => false,
        }
    }
}

/// What a type is another name for, in the end.
fn aliased(resolve: &Resolve, mut of: Type) -> Type {
    while let Type::Id(id) = of {
        match resolve.types.get(id).map(|found| &found.kind) {
            Some(TypeDefKind::Type(next)) => of = *next,
            _ => break,
        }
    }
    of
}
