//! `dns_worker`: a record in the DNS for each resource whose stack is there, over HTTP. The server keeps a record under
//! an id of ours, `PUT` and `DELETE <dns_url>/records/<id>`, and shows it by `GET` once everybody can see it.

mod settings;

use serde::{Deserialize, Serialize};
use stokehold_sdk::{
    Description, Failure, Grant, Host, Job, Json, Level, Next, Outside, Request, Response, Trial,
    Verdict, Worker, export_trial, export_worker, json, path_segment, read_checkpoint,
};

use settings::Settings;

/// The handler.
pub struct DnsWorker;

/// What a template's mapping gives: `values` most often comes from an output of the resource's stack.
#[derive(Deserialize)]
struct Params {
    name: String,
    #[serde(rename = "type", default = "address")]
    kind: String,
    values: Values,
}

/// One value may come without a list around it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "it is neither a text nor a list of texts")]
enum Values {
    One(String),
    Many(Vec<String>),
}

/// What is remembered from call to call.
#[derive(Serialize, Deserialize)]
struct Waiting {
    /// The record that was sent, as the server has to show it.
    record: Json,
    /// How long it has been waited for, by the pauses that were asked for.
    waited_ms: u64,
}

impl Worker for DnsWorker {
    fn describe() -> Description {
        Description::new("dns_worker")
            .after("heat_worker")
            .grant(Grant::http_of(settings::URL))
            .grant(Grant::config(settings::URL))
            .grant(Grant::config(settings::POLL))
            .grant(Grant::config(settings::WAIT))
    }

    fn handle(host: &dyn Host, job: &Job, checkpoint: Option<Json>) -> Verdict {
        let settings = settings::read(host)?;
        // The id is the resource's, so that a second call meets the record of the first.
        let id = path_segment(&job.target.resource_id);
        let url = format!("{}/records/{id}", settings.url);
        if job.action.takes_down() {
            return take_down(host, &url);
        }
        match read_checkpoint::<Waiting>(checkpoint.as_ref())? {
            None => publish(host, &url, &settings),
            Some(waiting) => look(host, &url, &settings, waiting),
        }
    }
}

/// Sends the whole record. The same again changes nothing.
fn publish(host: &dyn Host, url: &str, settings: &Settings) -> Verdict {
    let record = record(host.params()?)?;
    let request = Request::put(url).json(&record);
    ask(host, &request)?.success(&request)?;
    host.log(Level::Info, &format!("{url} was sent"));
    Next::pending(settings.poll_ms, &Waiting { record, waited_ms: settings.poll_ms })
}

/// Whether everybody can see the record that was sent. One call is one look: nobody waits inside a call.
fn look(host: &dyn Host, url: &str, settings: &Settings, waiting: Waiting) -> Verdict {
    let request = Request::get(url);
    let response = ask(host, &request)?;
    let shown = match response.status {
        404 => None,
        _ => Some(response.success(&request)?.read::<Json>(&request)?),
    };
    if shown.is_some_and(|shown| shows(&shown, &waiting.record)) {
        host.report("dns_record", &waiting.record);
        return Ok(Next::Completed);
    }
    if waiting.waited_ms >= settings.wait_ms_max {
        // Another try sends the record again, in case the server has lost it.
        let ms = waiting.waited_ms;
        return Err(Failure::retry(format!("{url} does not show its record after {ms} ms")));
    }
    let waited_ms = waiting.waited_ms.saturating_add(settings.poll_ms);
    Next::pending(settings.poll_ms, &Waiting { waited_ms, ..waiting })
}

/// What is not there is taken down already. Params are not asked for: the outputs may be gone.
fn take_down(host: &dyn Host, url: &str) -> Verdict {
    let request = Request::delete(url);
    let response = ask(host, &request)?;
    if response.status != 404 {
        response.success(&request)?;
    }
    Ok(Next::Completed)
}

fn ask(host: &dyn Host, request: &Request) -> Result<Response, Failure> {
    let words = |why: String| format!("cannot ask the DNS server at {}: {why}", request.url);
    host.http(request).map_err(|why| Failure::from(why).reworded(words))
}

/// The record as the server wants it.
fn record(params: Params) -> Result<Json, Failure> {
    let mut values = match params.values {
        Values::One(value) => vec![value],
        Values::Many(values) => values,
    };
    values.sort();
    values.dedup();
    if params.name.is_empty() || values.is_empty() {
        let what = if values.is_empty() { "values" } else { "name" };
        let words = format!("param {what} is empty: a record needs a name and a value");
        return Err(Failure::fatal(words));
    }
    Ok(json!({"name": params.name, "type": params.kind, "values": values}))
}

/// Whether the server's answer has what was sent, beside fields of its own.
fn shows(answer: &Json, record: &Json) -> bool {
    let fields = record.as_object().into_iter().flatten();
    fields.into_iter().all(|(name, value)| answer.get(name) == Some(value))
}

fn address() -> String {
    "A".to_owned()
}

/// A new version, or new settings, come into service only when they can be read.
impl Trial for DnsWorker {
    fn attempt(host: &dyn Outside) -> Result<(), Failure> {
        settings::read(host).map(drop)
    }
}

export_worker!(DnsWorker);
export_trial!(DnsWorker);

#[cfg(test)]
mod tests;
