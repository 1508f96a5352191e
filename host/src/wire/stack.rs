//! A stack record, in the orchestrator's own words.

use serde::Serialize;

use super::content::bytes;
use super::document::{self, Flaw};
use crate::domain::{Json, Output, ResourceRef, Stack};

pub(super) fn read(of: &ResourceRef, document: Json) -> Result<Stack, Flaw> {
    let mut document = document::object(document)?;
    if document.may("id", document::text)?.is_some_and(|id| id != of.to_string()) {
        return Err(Flaw::new(format!("must be {of}, as the key says")).inside("id"));
    }
    Ok(Stack {
        stack_id: document.need("stack_id", document::text)?,
        tenant_id: document.may("tenant_id", document::text)?.unwrap_or_default(),
        status: document.need("stack_status", document::text)?,
        status_reason: document.may("status_reason", document::text)?.unwrap_or_default(),
        outputs: document
            .may("output", |json| document::each(json, read_output))?
            .unwrap_or_default(),
    })
}

fn read_output(document: Json) -> Result<Output, Flaw> {
    let mut document = document::object(document)?;
    Ok(Output {
        key: document.need("output_key", document::text)?,
        value: document.may("output_value", document::free)?.unwrap_or_default(),
        description: document.may("description", document::text)?.unwrap_or_default(),
        error: document.may("output_error", document::text)?,
    })
}

#[derive(Serialize)]
struct Document<'a> {
    id: String,
    stack_id: &'a str,
    tenant_id: &'a str,
    stack_status: &'a str,
    status_reason: &'a str,
    output: Vec<OutputDocument<'a>>,
}

#[derive(Serialize)]
struct OutputDocument<'a> {
    output_key: &'a str,
    output_value: &'a Json,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_error: Option<&'a str>,
}

pub(super) fn spell(of: &ResourceRef, stack: &Stack) -> Result<Vec<u8>, Flaw> {
    let mut output = Vec::with_capacity(stack.outputs.len());
    for it in &stack.outputs {
        document::check_depth(&it.value, 3)
            .map_err(|flaw| flaw.inside("output_value").at(output.len()).inside("output"))?;
        output.push(OutputDocument {
            output_key: &it.key,
            output_value: &it.value,
            description: &it.description,
            output_error: it.error.as_deref(),
        });
    }
    bytes(&Document {
        id: of.to_string(),
        stack_id: &stack.stack_id,
        tenant_id: &stack.tenant_id,
        stack_status: &stack.status,
        status_reason: &stack.status_reason,
        output,
    })
}
