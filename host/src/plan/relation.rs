//! The way from a resource to another, along the fields that hold ids.

use std::borrow::Cow;

use crate::domain::{IdField, Json, Kind, PathStep, ResourceRef, Walk};

use super::held::Want;
use super::resolve::{Lack, Links, Resolver};

/// Where a mapping looks for fields: in a resource, or in an element of a list.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// What holds the fields; an element may be a plain value.
    pub(super) body: &'a Json,
    /// The resource, of which the schema knows relations; `None` in an element.
    pub(super) of: Option<&'a ResourceRef>,
    /// The type that the element's id has if the path does not say.
    pub(super) element: Option<&'a Kind>,
}

impl Scope<'_> {
    fn whose(&self) -> String {
        self.of.map_or_else(|| "the element".to_owned(), ToString::to_string)
    }
}

/// Where a walk ended.
pub(super) enum Arrival<'a> {
    /// Here, past these resources, the last of which is the end.
    At(Scope<'a>, Vec<ResourceRef>),
    /// A link was missing, and that yields this.
    Nowhere(Json),
}

impl<'a> Resolver<'a, '_> {
    /// Walks to the end, or says what is missing where that matters.
    pub(super) fn walk(&mut self, walk: &Walk, from: Scope<'a>) -> Result<Arrival<'a>, Lack> {
        let mut at = from;
        let mut passed = Vec::with_capacity(walk.steps.len());
        for step in &walk.steps {
            match self.step(step, at) {
                Ok((next, scope)) => {
                    self.charge(next.kind.as_str().len() + next.id.as_str().len())?;
                    passed.push(next);
                    at = scope;
                }
                Err(Lack::Missing(_)) if walk.ignore_missing => {
                    return Ok(Arrival::Nowhere(Json::String(String::new())));
                }
                Err(Lack::Missing(_)) if self.links == Links::Optional => {
                    return Ok(Arrival::Nowhere(Json::Null));
                }
                Err(lack) => return Err(lack),
            }
        }
        Ok(Arrival::At(at, passed))
    }

    /// One link: the resource that the field points at, and its fields.
    fn step(&mut self, step: &PathStep, at: Scope<'a>) -> Result<(ResourceRef, Scope<'a>), Lack> {
        let (id, field) = match &step.id {
            IdField::Element => (Some(at.body), Cow::Borrowed("")),
            IdField::Named(field) => (at.body.get(field), Cow::Borrowed(field.as_str())),
            IdField::Computed(parts) => {
                let (name, _) = self.join(parts, at)?;
                (at.body.get(&name), Cow::Owned(name))
            }
        };
        let Some(id) = id.and_then(id_text) else {
            let field = if field.is_empty() { "the id".into() } else { format!("`{field}`") };
            return Err(Lack::Missing(format!("{field} of {}, which is empty", at.whose())));
        };
        let related = match at.of {
            Some(of) => self.catalog.schemas().relation(&of.kind, &field),
            None => at.element,
        };
        let Some(kind) = step.kind.as_ref().or(related) else {
            return Err(Lack::Wrong(format!(
                "`{field}` of {} is no relation in its schema, so the path must name the type",
                at.whose()
            )));
        };
        let next = ResourceRef { kind: kind.clone(), id: id.as_str().into() };
        self.asked.insert(Want::Resource(next.clone()));
        match self.catalog.config(&next).map(|config| &config.read) {
            Some(Ok(found)) => {
                Ok((next, Scope { body: &found.body, of: Some(&found.of), element: None }))
            }
            Some(Err(_)) => {
                Err(Lack::Missing(format!("{next}, whose entry in /config cannot be read")))
            }
            None => Err(Lack::Missing(format!("{next}, which is not in /config"))),
        }
    }
}

/// An id as a reference has it; `None` for what cannot be one.
pub(super) fn id_text(id: &Json) -> Option<String> {
    match id {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
