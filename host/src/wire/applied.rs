//! What was last planned for a resource: `{"version", "body", "templates", "deleted", "before"}`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::content::bytes;
use super::document::{self, Flaw, Object};
use super::resource::version;
use crate::domain::{Applied, Base, HandlerName, Json, TemplateId};

pub(super) fn read(document: Json) -> Result<Applied, Flaw> {
    let mut document = document::object(document)?;
    Ok(Applied {
        deleted: document.may("deleted", document::flag)?.unwrap_or_default(),
        before: document.may("before", |json| base(&mut document::object(json)?))?,
        now: base(&mut document)?,
    })
}

fn base(document: &mut Object) -> Result<Base, Flaw> {
    Ok(Base {
        version: document.need("version", version)?,
        body: document.need("body", document::free)?,
        templates: document.need("templates", templates)?,
    })
}

fn templates(json: Json) -> Result<BTreeMap<HandlerName, TemplateId>, Flaw> {
    let templates = document::object(json)?.rest().into_iter();
    templates
        .map(|(handler, id)| match document::text(id) {
            Ok(id) => Ok((HandlerName::new(handler), TemplateId::new(id))),
            Err(flaw) => Err(flaw.inside(&handler)),
        })
        .collect()
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    now: BaseDocument<'a>,
    deleted: bool,
    before: Option<BaseDocument<'a>>,
}

#[derive(Serialize)]
struct BaseDocument<'a> {
    version: u64,
    body: &'a Json,
    templates: BTreeMap<&'a str, &'a str>,
}

pub(super) fn spell(applied: &Applied) -> Result<Vec<u8>, Flaw> {
    let before = applied.before.as_ref().map(|base| base_document(base, 2)).transpose();
    bytes(&Document {
        now: base_document(&applied.now, 1)?,
        deleted: applied.deleted,
        before: before.map_err(|flaw| flaw.inside("before"))?,
    })
}

fn base_document(base: &Base, above: usize) -> Result<BaseDocument<'_>, Flaw> {
    document::check_depth(&base.body, above).map_err(|flaw| flaw.inside("body"))?;
    let templates = base.templates.iter().map(|(handler, id)| (handler.as_str(), id.as_str()));
    Ok(BaseDocument { version: base.version.0, body: &base.body, templates: templates.collect() })
}
