//! What the mappings of a template make of a resource.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    HandlerName, Json, Mapping, Param, ParamValue, ResourceRef, TemplateId, Test, Version, Walk,
};

use super::catalog::Catalog;
use super::held::{Held, Want};
use super::pattern::Patterns;
use super::relation::{Arrival, Scope, id_text};

/// So many elements may all lists of one template have together.
pub(super) const ELEMENTS_MAX: usize = 10_000;
/// So much may all params of one template take together, roughly as JSON text.
pub(super) const PARAMS_BYTES_MAX: usize = 256 * 1024;

/// By name.
pub(super) type Params = BTreeMap<String, Param>;

/// Whose params they are.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) of: &'a ResourceRef,
    pub(super) body: &'a Json,
    pub(super) version: Version,
}

/// What a missing link means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// The resource is held back.
    Needed,
    /// The value is null: what is taken down must not wait for what will not come back.
    Optional,
}

/// Why a mapping has no value.
pub(super) enum Lack {
    /// It may come: what is needed.
    Missing(String),
    /// It will not, unless the template or the resource changes: the complaint.
    Wrong(String),
}

/// What a mapping yields.
struct Found {
    value: ParamValue,
    resources: Vec<ResourceRef>,
}

/// One evaluation, with what it may still use up.
pub(super) struct Resolver<'a, 'p> {
    pub(super) catalog: &'a Catalog,
    pub(super) links: Links,
    /// What was asked for on the way; a change of it may change the outcome.
    pub(super) asked: BTreeSet<Want>,
    patterns: &'p mut Patterns,
    subject: Subject<'a>,
    param: &'a str,
    elements_left: usize,
    bytes_left: usize,
}

/// All params that a template makes of a resource. A template that is gone or broken makes none
/// where links are optional.
pub(super) fn params<'a>(
    catalog: &'a Catalog,
    patterns: &mut Patterns,
    subject: Subject<'a>,
    template: &TemplateId,
    links: Links,
) -> Result<Params, Held> {
    let mappings = match catalog.template(template).map(|read| read.as_ref().map(|t| &t.params)) {
        Some(Ok(Ok(mappings))) => mappings,
        _ if links == Links::Optional => return Ok(Params::new()),
        Some(Ok(Err(complaint)) | Err(complaint)) => {
            return Err(unusable(template, complaint));
        }
        None => return Err(unusable(template, "it is not in /config")),
    };
    let mut resolver = Resolver::new(catalog, patterns, subject, links);
    let mut params = Params::new();
    for (name, mapping) in mappings {
        resolver.param = name;
        let found = match resolver.evaluate(mapping, resolver.start()) {
            Ok(found) => found,
            Err(_) if links == Links::Optional => Found::value(Json::Null),
            Err(lack) => {
                resolver.asked.insert(Want::Template(template.clone()));
                let what = format!("param `{name}` of template `{template}`");
                return Err(resolver.held(&what, lack));
            }
        };
        let Found { value, resources } = found;
        params.insert(name.clone(), Param { name: name.clone(), value, resources });
    }
    Ok(params)
}

/// The template that a schema's mapping chooses for a handler.
pub(super) fn template_id<'a>(
    catalog: &'a Catalog,
    patterns: &mut Patterns,
    subject: Subject<'a>,
    handler: &HandlerName,
    mapping: &Mapping,
) -> Result<Option<TemplateId>, Held> {
    let mut resolver = Resolver::new(catalog, patterns, subject, Links::Needed);
    let found = resolver.evaluate(mapping, resolver.start()).and_then(Found::plain);
    match found {
        Ok((id, _)) => Ok(id_text(&id).map(TemplateId::new)),
        Err(lack) => Err(resolver.held(&format!("the template for handler `{handler}`"), lack)),
    }
}

/// A template that cannot be used as it is.
pub(super) fn unusable(template: &TemplateId, complaint: &str) -> Held {
    Held {
        reason: format!("template `{template}` cannot be used: {complaint}"),
        wants: BTreeSet::from([Want::Template(template.clone())]),
    }
}

impl Found {
    fn value(value: Json) -> Self {
        Self { value: ParamValue::Value(value), resources: Vec::new() }
    }

    /// The value where only one that is known now will do.
    fn plain(self) -> Result<(Json, Vec<ResourceRef>), Lack> {
        match self.value {
            ParamValue::Value(value) => Ok((value, self.resources)),
            ParamValue::Output { key, of } => Err(Lack::Wrong(format!(
                "output `{key}` of {of} is known only when the job runs, so it can neither be \
                 joined nor compared"
            ))),
            ParamValue::List(_) => Err(Lack::Wrong(
                "a list of outputs is known only when the job runs, so it can neither be joined \
                 nor compared"
                    .to_owned(),
            )),
        }
    }
}

impl<'a, 'p> Resolver<'a, 'p> {
    fn new(
        catalog: &'a Catalog,
        patterns: &'p mut Patterns,
        subject: Subject<'a>,
        links: Links,
    ) -> Self {
        Self {
            catalog,
            links,
            asked: BTreeSet::new(),
            patterns,
            subject,
            param: "",
            elements_left: ELEMENTS_MAX,
            bytes_left: PARAMS_BYTES_MAX,
        }
    }

    fn start(&self) -> Scope<'a> {
        Scope { body: self.subject.body, of: Some(self.subject.of), element: None }
    }

    fn held(&mut self, what: &str, lack: Lack) -> Held {
        let reason = match lack {
            Lack::Missing(link) => format!("{what} needs {link}"),
            Lack::Wrong(complaint) => format!("{what} cannot be resolved: {complaint}"),
        };
        Held { reason, wants: std::mem::take(&mut self.asked) }
    }

    fn evaluate(&mut self, mapping: &Mapping, at: Scope<'a>) -> Result<Found, Lack> {
        match mapping {
            Mapping::Constant(value) => self.copy(value),
            Mapping::Version => Ok(Found::value(Json::from(self.subject.version.0))),
            Mapping::Field { field, walk } => self.field(field, walk, at),
            Mapping::Nested(keys) => {
                let found = keys.iter().try_fold(at.body, |body, key| body.get(key));
                self.copy(found.unwrap_or(&Json::Null))
            }
            Mapping::Output { key, walk } => self.output(key, walk, at),
            Mapping::Concatenate(parts) => {
                let (text, resources) = self.join(parts, at)?;
                Ok(Found { value: ParamValue::Value(Json::String(text)), resources })
            }
            Mapping::If { test, then, otherwise } => {
                let taken = if self.test(test, at)? { then } else { otherwise };
                self.evaluate(taken, at)
            }
            Mapping::For { field, walk, each } => self.each(field, walk, each, at),
        }
    }

    fn field(&mut self, field: &str, walk: &Walk, at: Scope<'a>) -> Result<Found, Lack> {
        let (end, mut resources) = match self.walk(walk, at)? {
            Arrival::At(end, passed) => (end, passed),
            Arrival::Nowhere(value) => return Ok(Found::value(value)),
        };
        let value = end.body.get(field).unwrap_or(&Json::Null);
        // A plain field that is a relation refers to its target; the end of a walk has been
        // counted.
        if let (true, Some(of)) = (walk.steps.is_empty(), at.of)
            && let Some(kind) = self.catalog.schemas().relation(&of.kind, field)
            && let Some(id) = id_text(value)
        {
            resources.push(ResourceRef { kind: kind.clone(), id: id.as_str().into() });
        }
        Ok(Found { resources, ..self.copy(value)? })
    }

    fn output(&mut self, key: &str, walk: &Walk, at: Scope<'a>) -> Result<Found, Lack> {
        let passed = match self.walk(walk, at)? {
            Arrival::At(_, passed) => passed,
            Arrival::Nowhere(value) => return Ok(Found::value(value)),
        };
        self.charge(key.len())?;
        let of = passed.last().unwrap_or(self.subject.of).clone();
        Ok(Found { value: ParamValue::Output { key: key.to_owned(), of }, resources: passed })
    }

    fn each(
        &mut self,
        field: &str,
        walk: &Walk,
        each: &Mapping,
        at: Scope<'a>,
    ) -> Result<Found, Lack> {
        let (end, mut resources) = match self.walk(walk, at)? {
            Arrival::At(end, passed) => (end, passed),
            Arrival::Nowhere(value) => return Ok(Found::value(value)),
        };
        let elements = match end.body.get(field) {
            None | Some(Json::Null) => &[][..],
            Some(Json::Array(elements)) => elements,
            Some(_) => return Err(Lack::Wrong(format!("`{field}` is no list"))),
        };
        self.elements_left = self.elements_left.checked_sub(elements.len()).ok_or_else(|| {
            Lack::Wrong(format!("the lists of the template have more than {ELEMENTS_MAX} elements"))
        })?;
        let element = end.of.and_then(|of| self.catalog.schemas().relation(&of.kind, field));
        let mut values = Vec::with_capacity(elements.len());
        for body in elements {
            let found = self.evaluate(each, Scope { body, of: None, element })?;
            self.charge(self.param.len())?;
            resources.extend(found.resources);
            values.push(found.value);
        }
        Ok(Found { value: self.list(values), resources })
    }

    /// A plain list, or one of params if an element is known only when the job runs.
    fn list(&self, values: Vec<ParamValue>) -> ParamValue {
        let is_plain = |value: &ParamValue| matches!(value, ParamValue::Value(_));
        if values.iter().all(is_plain) {
            let plain = values.into_iter().filter_map(|value| match value {
                ParamValue::Value(value) => Some(value),
                ParamValue::Output { .. } | ParamValue::List(_) => None,
            });
            return ParamValue::Value(plain.collect());
        }
        let name = self.param.to_owned();
        let entries = values.into_iter();
        ParamValue::List(
            entries
                .map(|value| Param { name: name.clone(), value, resources: Vec::new() })
                .collect(),
        )
    }

    fn test(&mut self, test: &Test, at: Scope<'a>) -> Result<bool, Lack> {
        let (Test::Equal(left, right) | Test::Matches { subject: left, pattern: right }) = test;
        let (left, _) = self.evaluate(left, at)?.plain()?;
        let (right, _) = self.evaluate(right, at)?.plain()?;
        match test {
            Test::Equal(..) => Ok(are_equal(&left, &right)),
            // What is not there matches nothing.
            Test::Matches { .. } if left.is_null() => Ok(false),
            Test::Matches { .. } => {
                self.patterns.matches(&text(&right), &text(&left)).map_err(Lack::Wrong)
            }
        }
    }

    /// All parts as one text, and what they refer to.
    pub(super) fn join(
        &mut self,
        parts: &[Mapping],
        at: Scope<'a>,
    ) -> Result<(String, Vec<ResourceRef>), Lack> {
        let mut joined = String::new();
        let mut resources = Vec::new();
        for part in parts {
            let (value, passed) = self.evaluate(part, at)?.plain()?;
            joined.push_str(&text(&value));
            resources.extend(passed);
        }
        Ok((joined, resources))
    }

    fn copy(&mut self, value: &Json) -> Result<Found, Lack> {
        self.charge(weight(value))?;
        Ok(Found::value(value.clone()))
    }

    /// Takes from what the params may still use up.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), Lack> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(|| {
            Lack::Wrong(format!(
                "the params of the template take more than {PARAMS_BYTES_MAX} bytes"
            ))
        })?;
        Ok(())
    }
}

/// Roughly how long a value is as JSON text.
pub(super) fn weight(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) => 5,
        Json::Number(_) => 8,
        Json::String(text) => text.len() + 3,
        Json::Array(items) => items.iter().map(weight).sum::<usize>() + 2,
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + 4 + weight(value)).sum::<usize>() + 2
        }
    }
}

/// As Python's `str` shows it, except that lists and objects are JSON text.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(_) | Json::Array(_) | Json::Object(_) => value.to_string(),
    }
}

/// Numbers are compared by value, however they are written.
fn are_equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => left == right,
    }
}
