//! A template: a config entry with the body `{handler, template_file, parameter_mappings, …}`.

use std::collections::BTreeMap;

use super::clauses;
use super::document::{self, Flaw};
use super::resource::config;
use crate::domain::{HandlerName, Json, Mapping, Template, TemplateId};

/// A flaw in a mapping is kept with the template, named by its param; any other makes the template unreadable.
pub(super) fn read(id: &TemplateId, document: Json) -> Result<Template, Flaw> {
    let mut body = config(document)?.body;
    let template = (|| {
        Ok(Template {
            id: id.clone(),
            handler: body.need("handler", handler)?,
            text: body.need("template_file", document::text)?,
            params: match body.may("parameter_mappings", document::free)? {
                None => Ok(BTreeMap::new()),
                Some(mappings) => {
                    params(mappings).map_err(|flaw| flaw.inside("parameter_mappings").to_string())
                }
            },
        })
    })();
    template.map_err(|flaw: Flaw| flaw.inside("body"))
}

fn handler(json: Json) -> Result<HandlerName, Flaw> {
    match document::text(json)? {
        name if name.is_empty() => Err(Flaw::new("must name a handler, but is empty")),
        name => Ok(HandlerName::new(name)),
    }
}

fn params(mappings: Json) -> Result<BTreeMap<String, Mapping>, Flaw> {
    let mappings = document::object(mappings)?.rest().into_iter();
    mappings
        .map(|(name, json)| match clauses::read(&json) {
            Ok(mapping) => Ok((name, mapping)),
            Err(flaw) => Err(flaw.inside(&name)),
        })
        .collect()
}
