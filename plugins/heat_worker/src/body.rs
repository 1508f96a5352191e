//! What is asked of Heat for a job.

use serde_json::{Map, json};
use stokehold_sdk::{Failure, Job, Json, jinja};

use crate::settings::Settings;

/// The body of an update; a creation has the stack's name besides. Params that begin with `jinja_`
/// are the template's variables, `heat_timeout` is the minutes that Heat may take, all others are
/// the stack's parameters.
pub(crate) fn of(
    job: &Job,
    params: Json,
    settings: &Settings,
) -> Result<Map<String, Json>, Failure> {
    let mut variables = Map::new();
    let mut parameters = Map::new();
    let mut timeout = Json::Null;
    let Json::Object(params) = params else {
        return Err(Failure::fatal("the params are no JSON object"));
    };
    for (name, value) in params {
        if name == "heat_timeout" {
            timeout = value;
        } else if name.starts_with("jinja_") {
            variables.insert(name, value);
        } else {
            parameters.insert(name, value);
        }
    }
    let template = jinja::render(&job.template, &Json::Object(variables)).map_err(|why| {
        Failure::fatal(format!("cannot render template {}: {why}", job.template_id))
    })?;
    let mins = minutes(&timeout)?.unwrap_or(settings.timeout_mins);
    let mut body = Map::new();
    body.insert("template".to_owned(), Json::String(template));
    body.insert("parameters".to_owned(), Json::Object(parameters));
    body.insert("timeout_mins".to_owned(), json!(mins));
    body.insert("disable_rollback".to_owned(), json!(!settings.rollback));
    Ok(body)
}

/// What the param `heat_timeout` means; `None` where it says nothing.
pub(crate) fn minutes(timeout: &Json) -> Result<Option<u64>, Failure> {
    let number = match timeout {
        Json::Null => return Ok(None),
        Json::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    number.map(Some).ok_or_else(|| {
        Failure::fatal(format!("param heat_timeout is {timeout}: it wants a number of minutes"))
    })
}
