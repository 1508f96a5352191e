//! A job's step: `{"template": id, "checkpoint": any or null, "wake_ms": N, "trouble": ""}`.

use serde::Serialize;

use super::content::bytes;
use super::document::{self, Flaw};
use crate::domain::{Json, Step, TemplateId};

pub(super) fn read(document: Json) -> Result<Step, Flaw> {
    let mut document = document::object(document)?;
    Ok(Step {
        template: TemplateId::new(document.need("template", document::text)?),
        checkpoint: document.may("checkpoint", document::free)?,
        wake_ms: document.may("wake_ms", document::count)?.unwrap_or_default(),
        trouble: document.may("trouble", document::text)?.unwrap_or_default(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    template: &'a str,
    checkpoint: Option<&'a Json>,
    wake_ms: u64,
    trouble: &'a str,
}

/// A checkpoint that is null is spelled like none: nothing was left behind in either case.
pub(super) fn spell(step: &Step) -> Result<Vec<u8>, Flaw> {
    if let Some(checkpoint) = &step.checkpoint {
        document::check_depth(checkpoint, 1).map_err(|flaw| flaw.inside("checkpoint"))?;
    }
    bytes(&Document {
        template: step.template.as_str(),
        checkpoint: step.checkpoint.as_ref(),
        wake_ms: step.wake_ms,
        trouble: &step.trouble,
    })
}
