//! A call in a file, as authors write it and as hosts record it.
//!
//! Three spellings of the job are read: the stored one, its inner object alone, and a short one in which all has a
//! default but the resource. What the call needs beside the job stands in the same object: template, checkpoint,
//! stacks and states of others, and what the network answers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, json};

use super::document::{self, Flaw, Object};
use super::{exchange, job, stack};
use crate::domain::{
    HandlerName, Job, JobId, Json, OnFailure, Param, ParamValue, Posted, Recording, ResourceRef,
    TemplateId, Version,
};

const KEYS: &str = "job, or the keys of a job: id, action, resource_type, resource_id, version, params, input, \
                    attempts; and template_id, template, checkpoint, stacks, states, answers";

/// The call of a file. `handler` is whose job it is where the file does not say.
///
/// # Errors
/// Where the file makes no sense, and what was expected there.
pub fn read_recording(bytes: &[u8], handler: &HandlerName) -> Result<Recording, String> {
    let call = document::parse(bytes).and_then(|document| read(document, handler));
    call.map_err(|flaw| flaw.to_string())
}

fn read(document: Json, handler: &HandlerName) -> Result<Recording, Flaw> {
    if document.is_array() {
        return Ok(bare(stored(document)?));
    }
    let mut document = document::object(document)?;
    let nested = document.may("job", |json| match json {
        stored_job @ Json::Array(_) => stored(stored_job),
        other => {
            let mut inner = document::object(other)?;
            let posted = short(&mut inner, handler)?;
            exchange::nothing_else(inner, KEYS)?;
            Ok(posted)
        }
    })?;
    let posted = match nested {
        Some(posted) => posted,
        None => short(&mut document, handler)?,
    };
    let mut call = bare(posted);
    call.template_id =
        TemplateId::new(document.may("template_id", document::text)?.unwrap_or_default());
    call.template = document.may("template", document::text)?;
    call.checkpoint = document.may("checkpoint", document::free)?;
    call.stacks =
        document.may("stacks", |json| by_resource(json, stack::read))?.unwrap_or_default();
    call.states =
        document.may("states", |json| by_resource(json, |_, it| Ok(it)))?.unwrap_or_default();
    call.answers = document.may("answers", exchange::read)?;
    call.at_ms = document.may("recorded_ms", document::count)?.unwrap_or_default();
    call.outcome = document.may("outcome", document::text)?.unwrap_or_default();
    exchange::nothing_else(document, KEYS)?;
    Ok(call)
}

/// The job alone; all else is left open.
fn bare(posted: Posted) -> Recording {
    Recording {
        posted,
        template_id: TemplateId::new(""),
        template: None,
        checkpoint: None,
        stacks: BTreeMap::new(),
        states: BTreeMap::new(),
        answers: None,
        at_ms: 0,
        outcome: String::new(),
    }
}

/// `[handler, {job}, attempts]`, whose id stands in it.
fn stored(document: Json) -> Result<Posted, Flaw> {
    let id = document.get(1).and_then(|job| job.get("id")).and_then(Json::as_str);
    let id = id.ok_or_else(|| Flaw::new("is missing").inside("id").at(1))?;
    job::read(&JobId::new(id), document)
}

fn short(document: &mut Object, handler: &HandlerName) -> Result<Posted, Flaw> {
    let target = ResourceRef::new(
        document.need("resource_type", document::text)?,
        document.need("resource_id", document::text)?,
    );
    let handler =
        document.may("handler", document::text)?.map_or_else(|| handler.clone(), HandlerName::new);
    let action = document.may("action", job::action)?.unwrap_or(crate::domain::Action::Create);
    let version = Version(document.may("version", document::count)?.unwrap_or(1));
    let id = document.may("id", document::text)?;
    let id = id.unwrap_or_else(|| format!("{action}:{handler}:{target}:{version}:local"));
    let input = document.may("input", document::free)?;
    let input = match document.may("resource_input", document::free)? {
        Some(other) if input.is_none() => Some(other),
        Some(_) => {
            return Err(Flaw::new("is given beside input: one of them").inside("resource_input"));
        }
        None => input,
    };
    let attempts = document.may("attempts", document::count)?.unwrap_or_default();
    let dependency = document.may("dependency", |json| document::each(json, document::text))?;
    let job = Job {
        id: JobId::new(id),
        action,
        handler,
        target,
        version,
        is_first: document.may("is_first", document::flag)?.unwrap_or(true),
        is_last: document.may("is_last", document::flag)?.unwrap_or(true),
        on_failure: document.may("on_failure", job::on_failure)?.unwrap_or(OnFailure::Fail),
        dependency: dependency
            .unwrap_or_default()
            .into_iter()
            .map(JobId::new)
            .collect::<BTreeSet<_>>(),
        params: document.may("params", params)?.unwrap_or_default(),
        input: input.unwrap_or_else(|| json!({})),
    };
    // The stored spelling says the name a second time.
    document.may("job_name", document::text)?;
    let attempts = u32::try_from(attempts)
        .map_err(|_| Flaw::new("must be less than 2 to the power of 32").inside("attempts"))?;
    Ok(Posted { job, attempts })
}

/// `{"name": value}`, or the stored list with looked up outputs.
fn params(json: Json) -> Result<Vec<Param>, Flaw> {
    if json.is_array() {
        return document::each(json, job::read_param);
    }
    Ok(document::object(json)?.rest().into_iter().map(|(name, value)| plain(name, value)).collect())
}

fn plain(name: String, value: Json) -> Param {
    Param { name, value: ParamValue::Value(value), resources: Vec::new() }
}

/// The params with these values in their place, or beside them.
///
/// # Errors
/// The text is no object.
pub fn overlay_params(params: &mut Vec<Param>, bytes: &[u8]) -> Result<(), String> {
    let values =
        document::parse(bytes).and_then(document::object).map_err(|flaw| flaw.to_string())?;
    for (name, value) in values.rest() {
        params.retain(|param| param.name != name);
        params.push(plain(name, value));
    }
    Ok(())
}

/// `{"network:n1": …}`.
fn by_resource<T>(
    json: Json,
    read: impl Fn(&ResourceRef, Json) -> Result<T, Flaw>,
) -> Result<BTreeMap<ResourceRef, T>, Flaw> {
    let mut all = BTreeMap::new();
    for (name, value) in document::object(json)?.rest() {
        let Some((kind, id)) = name.split_once(':') else {
            return Err(Flaw::new("must be named type:id, as network:n1").inside(&name));
        };
        let of = ResourceRef::new(kind, id);
        let value = read(&of, value).map_err(|flaw| flaw.inside(&name))?;
        all.insert(of, value);
    }
    Ok(all)
}

/// The file of a recorded call.
///
/// # Errors
/// A value of it is nested too deeply to be read again.
pub fn spell_recording(call: &Recording) -> Result<String, String> {
    let spelled = |bytes: Result<Vec<u8>, Flaw>| {
        bytes.and_then(|bytes| document::parse(&bytes)).map_err(|flaw| flaw.to_string())
    };
    let mut document = Map::new();
    let mut put = |name: &str, value: Json| document.insert(name.to_owned(), value);
    put("recorded_ms", json!(call.at_ms));
    put("outcome", json!(call.outcome));
    put("job", spelled(job::spell(&call.posted))?);
    put("template_id", json!(call.template_id.as_str()));
    put("template", json!(call.template));
    put("checkpoint", json!(call.checkpoint));
    let mut stacks = Map::new();
    for (of, stack) in &call.stacks {
        stacks.insert(of.to_string(), spelled(stack::spell(of, stack))?);
    }
    put("stacks", Json::Object(stacks));
    let states = call.states.iter().map(|(of, state)| (of.to_string(), state.clone()));
    put("states", Json::Object(states.collect()));
    put("answers", call.answers.as_deref().map_or(Json::Null, exchange::spell));
    Ok(format!("{:#}\n", Json::Object(document)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::{Action, Exchange, Message, Stack};

    fn call(text: &str) -> Result<Recording, String> {
        read_recording(text.as_bytes(), &HandlerName::new("echo_worker"))
    }

    #[test]
    fn a_short_job_needs_no_more_than_its_resource() {
        let said = call(r#"{"resource_type": "port", "resource_id": "p1"}"#).unwrap();
        let job = &said.posted.job;
        assert_eq!(job.id.as_str(), "create:echo_worker:port:p1:1:local");
        assert_eq!(
            (job.action, job.version, said.posted.attempts),
            (Action::Create, Version(1), 0)
        );
        assert_eq!((job.input.clone(), said.answers), (json!({}), None));
    }

    #[test]
    fn a_short_job_may_say_everything() {
        let said = call(
            r#"{"resource_type": "port", "resource_id": "p1", "action": "logical_delete",
                "version": 3, "attempts": 2, "params": {"a": [1]}, "input": {"name": "n"},
                "template": "t", "checkpoint": {"seen": 1},
                "stacks": {"network:n1": {"stack_id": "s", "stack_status": "CREATE_COMPLETE"}},
                "states": {"network:n1": {"version": 1}}, "answers": [{"url": "http://a/"}]}"#,
        )
        .unwrap();
        assert_eq!(said.posted.job.action, Action::LogicalDelete);
        assert_eq!(said.posted.job.params, [plain("a".to_owned(), json!([1]))]);
        assert_eq!(said.posted.job.input, json!({"name": "n"}));
        let network = ResourceRef::new("network", "n1");
        assert_eq!(said.stacks[&network].stack_id, "s");
        assert_eq!(said.states[&network], json!({"version": 1}));
        assert_eq!(said.answers.unwrap().len(), 1);
    }

    #[test]
    fn a_recorded_call_is_read_again_as_it_was() {
        let mut said = call(r#"{"resource_type": "port", "resource_id": "p1"}"#).unwrap();
        said.template = Some("t".to_owned());
        said.checkpoint = Some(json!({"a": 1}));
        said.at_ms = 7;
        said.outcome = "completed".to_owned();
        said.stacks.insert(ResourceRef::new("a", "b:c"), Stack::default());
        said.states.insert(ResourceRef::new("a", "b"), json!(1));
        said.answers = Some(vec![Exchange {
            method: "GET".to_owned(),
            url: "u".to_owned(),
            request: Message::default(),
            status: Ok(200),
            answer: Message::default(),
            repeats: false,
        }]);
        assert_eq!(call(&spell_recording(&said).unwrap()).unwrap(), said);
    }

    #[test]
    fn the_stored_spelling_is_read_with_and_without_its_wrapping() {
        let said = call(r#"{"resource_type": "port", "resource_id": "p1"}"#).unwrap();
        let stored = String::from_utf8(job::spell(&said.posted).unwrap()).unwrap();
        assert_eq!(call(&stored).unwrap(), said);
        let inner: Json = serde_json::from_str(&stored).unwrap();
        assert_eq!(call(&inner[1].to_string()).unwrap(), said);
    }

    #[test]
    fn a_wrong_call_is_told_with_its_place() {
        for (text, expected) in [
            ("7", "the value must be an object"),
            ("{}", "resource_type is missing"),
            (
                r#"{"resource_type": "a", "resource_id": "b", "parms": {}}"#,
                "parms is no key of this",
            ),
            (
                r#"{"resource_type": "a", "resource_id": "b", "action": "make"}"#,
                "action must be create",
            ),
            (r#"{"job": {"resource_type": "a"}}"#, "job.resource_id is missing"),
            (r#"["h", {}, 0]"#, "[1].id is missing"),
            (
                r#"{"resource_type": "a", "resource_id": "b", "stacks": {"n1": {}}}"#,
                "stacks.n1 must be named type:id, as network:n1",
            ),
            (
                r#"{"resource_type": "a", "resource_id": "b", "input": 1, "resource_input": 1}"#,
                "resource_input is given beside input",
            ),
        ] {
            let why = call(text).unwrap_err();
            assert!(why.contains(expected), "{text} gave: {why}");
        }
    }

    #[test]
    fn params_of_a_file_replace_those_of_the_job() {
        let mut params = vec![plain("a".to_owned(), json!(1)), plain("b".to_owned(), json!(2))];
        overlay_params(&mut params, br#"{"b": 3, "c": 4}"#).unwrap();
        let all: Vec<_> = params.iter().map(|param| param.name.as_str()).collect();
        assert_eq!(all, ["a", "b", "c"]);
        assert!(params.contains(&plain("b".to_owned(), json!(3))));
        assert!(overlay_params(&mut params, b"[]").unwrap_err().contains("must be an object"));
    }
}
