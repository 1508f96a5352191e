//! Which template each handler gets.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{HandlerName, TemplateId};

use super::catalog::Catalog;
use super::held::{Held, Want};
use super::pattern::Patterns;
use super::resolve::{Subject, template_id, unusable};

/// Handler → template.
pub(super) type Templates = BTreeMap<HandlerName, TemplateId>;

/// What the schema's mappings choose for this resource. A handler whose mapping yields null, or the
/// id of a template that is not there or not its own, has none.
pub(super) fn choose(
    catalog: &Catalog,
    patterns: &mut Patterns,
    subject: Subject<'_>,
) -> Result<Templates, Held> {
    let mut chosen = Templates::new();
    let Some(schema) = catalog.schemas().get(&subject.of.kind) else { return Ok(chosen) };
    for (handler, mapping) in &schema.templates {
        let Some(id) = template_id(catalog, patterns, subject, handler, mapping)? else { continue };
        match catalog.template(&id) {
            Some(Ok(template)) if template.handler == *handler => {
                chosen.insert(handler.clone(), id);
            }
            Some(Err(complaint)) => return Err(unusable(&id, complaint)),
            Some(Ok(_)) | None => {}
        }
    }
    loaded(catalog, &chosen)?;
    Ok(chosen)
}

/// Every handler that has a template must be there to do its work.
pub(super) fn loaded(catalog: &Catalog, templates: &Templates) -> Result<(), Held> {
    for (handler, template) in templates {
        if catalog.handlers().get(handler).is_none() {
            let reason = format!(
                "no plugin for handler `{handler}` is loaded, which template `{template}` is for"
            );
            let wants =
                BTreeSet::from([Want::Handler(handler.clone()), Want::Template(template.clone())]);
            return Err(Held { reason, wants });
        }
    }
    Ok(())
}
