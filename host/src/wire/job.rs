//! A job as posted: `[handler, {job}, attempts]`, the job an object of exactly thirteen keys.

use serde::Serialize;

use super::content::bytes;
use super::document::{self, Flaw};
use super::resource::version;
use crate::domain::{
    Action, HandlerName, Job, JobId, Json, OnFailure, Param, ParamValue, Posted, ResourceRef,
};

const ACTIONS: [Action; 4] =
    [Action::Create, Action::Modify, Action::Delete, Action::LogicalDelete];

/// Keys beyond the thirteen are ignored; what the job says twice must agree.
pub(super) fn read(id: &JobId, document: Json) -> Result<Posted, Flaw> {
    let parts = <[Json; 3]>::try_from(document::list(document)?);
    let [handler, job, attempts] = parts
        .map_err(|_| Flaw::new("must have three elements: the handler, the job, the attempts"))?;
    let handler = HandlerName::new(document::text(handler).map_err(|flaw| flaw.at(0))?);
    let job = read_job(id, handler, job).map_err(|flaw| flaw.at(1))?;
    let attempts = document::count(attempts).and_then(|count| {
        u32::try_from(count).map_err(|_| Flaw::new("must be less than 2 to the power of 32"))
    });
    Ok(Posted { job, attempts: attempts.map_err(|flaw| flaw.at(2))? })
}

fn read_job(id: &JobId, handler: HandlerName, json: Json) -> Result<Job, Flaw> {
    let mut document = document::object(json)?;
    let target = ResourceRef::new(
        document.need("resource_type", document::text)?,
        document.need("resource_id", document::text)?,
    );
    let job = Job {
        id: id.clone(),
        action: document.need("action", action)?,
        handler,
        target,
        version: document.need("version", version)?,
        is_first: document.need("is_first", document::flag)?,
        is_last: document.need("is_last", document::flag)?,
        on_failure: document.need("on_failure", on_failure)?,
        dependency: document
            .need("dependency", |json| document::each(json, document::text))?
            .into_iter()
            .map(JobId::new)
            .collect(),
        params: document.need("params", |json| document::each(json, read_param))?,
        input: document.need("resource_input", document::free)?,
    };
    document.need("id", |json| same(json, id.as_str()))?;
    document.need("handler", |json| same(json, job.handler.as_str()))?;
    document.need("job_name", |json| same(json, &job.name()))?;
    Ok(job)
}

fn same(json: Json, expected: &str) -> Result<(), Flaw> {
    if document::text(json)? == expected {
        return Ok(());
    }
    Err(Flaw::new(format!("must be {expected}, as the rest of the entry says")))
}

pub(super) fn action(json: Json) -> Result<Action, Flaw> {
    let word = document::text(json)?;
    let action = ACTIONS.into_iter().find(|action| action.word() == word);
    action.ok_or_else(|| Flaw::new("must be create, modify, delete or logical_delete"))
}

pub(super) fn on_failure(json: Json) -> Result<OnFailure, Flaw> {
    match document::text(json)?.as_str() {
        "fail" => Ok(OnFailure::Fail),
        "ignore" => Ok(OnFailure::Ignore),
        _ => Err(Flaw::new("must be fail or ignore")),
    }
}

pub(super) fn read_param(json: Json) -> Result<Param, Flaw> {
    let mut document = document::object(json)?;
    let shape = document.need("type", document::text)?;
    Ok(Param {
        name: document.need("param", document::text)?,
        value: document.need("value", |json| match shape.as_str() {
            "value" => Ok(ParamValue::Value(json)),
            "output_key" => read_output(json),
            "list" => document::each(json, read_param).map(ParamValue::List),
            _ => Err(Flaw::new("has a type that is none of value, output_key and list")),
        })?,
        resources: document.need("resources", |json| document::each(json, read_reference))?,
    })
}

fn read_output(json: Json) -> Result<ParamValue, Flaw> {
    let mut document = document::object(json)?;
    let key = document.need("output_key", document::text)?;
    Ok(ParamValue::Output { key, of: read_reference(Json::Object(document.rest()))? })
}

fn read_reference(json: Json) -> Result<ResourceRef, Flaw> {
    let mut document = document::object(json)?;
    Ok(ResourceRef::new(
        document.need("resource_type", document::text)?,
        document.need("resource_id", document::text)?,
    ))
}

#[derive(Serialize)]
struct Document<'a> {
    id: &'a str,
    job_name: String,
    action: &'static str,
    handler: &'a str,
    resource_type: &'a str,
    resource_id: &'a str,
    version: u64,
    is_first: bool,
    is_last: bool,
    on_failure: &'static str,
    dependency: Vec<&'a str>,
    params: Vec<ParamDocument<'a>>,
    resource_input: &'a Json,
}

#[derive(Serialize)]
struct ParamDocument<'a> {
    param: &'a str,
    #[serde(rename = "type")]
    shape: &'static str,
    value: ValueDocument<'a>,
    resources: Vec<Reference<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ValueDocument<'a> {
    Value(&'a Json),
    Output {
        output_key: &'a str,
        #[serde(flatten)]
        of: Reference<'a>,
    },
    List(Vec<ParamDocument<'a>>),
}

#[derive(Serialize)]
struct Reference<'a> {
    resource_type: &'a str,
    resource_id: &'a str,
}

pub(super) fn spell(posted: &Posted) -> Result<Vec<u8>, Flaw> {
    let job = &posted.job;
    document::check_depth(&job.input, 2).map_err(|flaw| flaw.inside("resource_input").at(1))?;
    let params = spell_params(&job.params, 3).map_err(|flaw| flaw.inside("params").at(1))?;
    let document = Document {
        id: job.id.as_str(),
        job_name: job.name(),
        action: job.action.word(),
        handler: job.handler.as_str(),
        resource_type: job.target.kind.as_str(),
        resource_id: job.target.id.as_str(),
        version: job.version.0,
        is_first: job.is_first,
        is_last: job.is_last,
        on_failure: match job.on_failure {
            OnFailure::Fail => "fail",
            OnFailure::Ignore => "ignore",
        },
        dependency: job.dependency.iter().map(JobId::as_str).collect(),
        params,
        resource_input: &job.input,
    };
    bytes(&(job.handler.as_str(), document, posted.attempts))
}

/// `above` is the depth at which the list of params stands in the job.
fn spell_params(params: &[Param], above: usize) -> Result<Vec<ParamDocument<'_>>, Flaw> {
    let spelled = params.iter().enumerate().map(|(index, param)| {
        spell_param(param, above + 1).map_err(|flaw| flaw.inside("value").at(index))
    });
    spelled.collect()
}

fn spell_param(param: &Param, above: usize) -> Result<ParamDocument<'_>, Flaw> {
    let (shape, value) = match &param.value {
        ParamValue::Value(json) => {
            document::check_depth(json, above)?;
            ("value", ValueDocument::Value(json))
        }
        ParamValue::Output { key, of } => {
            ("output_key", ValueDocument::Output { output_key: key, of: reference(of) })
        }
        ParamValue::List(_) if above + 4 > document::DOCUMENT_DEPTH_MAX => {
            return Err(Flaw::new("is a list nested in too many others"));
        }
        ParamValue::List(items) => ("list", ValueDocument::List(spell_params(items, above + 1)?)),
    };
    let resources = param.resources.iter().map(reference).collect();
    Ok(ParamDocument { param: &param.name, shape, value, resources })
}

fn reference(of: &ResourceRef) -> Reference<'_> {
    Reference { resource_type: of.kind.as_str(), resource_id: of.id.as_str() }
}
