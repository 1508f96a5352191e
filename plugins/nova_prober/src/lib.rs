//! `nova_prober`: whether virtual machines run, as OpenStack's Nova knows.

#![forbid(unsafe_code)]

use stokehold_sdk::{
    Failure, Grant, Json, Method, Outside, Prober, Probing, Request, Subject, base_url,
    export_prober, path_segment,
};

/// The setting that says where Nova is.
const URL: &str = "nova_url";
/// The setting with a token for it.
const TOKEN: &str = "nova_token";
/// Milliseconds that Nova may take for a step of its answer.
const TIMEOUT_MS: u64 = 10_000;

const KIND: &str = "nova_vm";

/// The prober.
pub struct NovaProber;

impl Prober for NovaProber {
    fn describe() -> Probing {
        Probing {
            name: "nova_prober".to_owned(),
            kinds: vec![KIND.to_owned()],
            limits: Vec::new(),
            grants: vec![Grant::config(URL), Grant::config(TOKEN), Grant::http_of(URL)],
        }
    }

    fn probe(host: &dyn Outside, subject: &Subject) -> Result<String, Failure> {
        let url = url(host, subject)?;
        let mut request = Request::new(Method::Get, &url).header("accept", "application/json");
        // Without one, whoever sends the request on may add it.
        if let Some(token) = host.settings(&[TOKEN]).get(TOKEN) {
            request = request.header("x-auth-token", token);
        }
        let request = Request { timeout_ms: TIMEOUT_MS, ..request };
        let failed = |why: String| format!("cannot ask Nova at {url}: {why}");
        let response = host.http(&request).map_err(|e| Failure::from(e).reworded(failed))?;
        let told = response.json().unwrap_or_default();
        let status = told.pointer("/server/status").and_then(Json::as_str);
        let why = match (response.status, status) {
            (200, Some("ACTIVE")) => return Ok("UP".to_owned()),
            // Nova has given up on it.
            (200, Some("ERROR")) => return Ok("FAIL".to_owned()),
            (200, Some(_)) => return Ok("DOWN".to_owned()),
            // Nova itself says so, and not somebody who knows nothing of servers.
            (404, _) if told.get("itemNotFound").is_some() => return Ok("DOWN".to_owned()),
            (200, None) => "its answer has no status".to_owned(),
            (status @ (300 | 404), _) => {
                format!("it answers {status}, as where no servers are; {URL} wants its version")
            }
            (status @ (401 | 403), _) => {
                format!("it answers {status}; {TOKEN}, or the host's login, is missing or not good")
            }
            (status, _) => format!("it answers {status}"),
        };
        Err(Failure::Retry(failed(why)))
    }
}

fn url(host: &dyn Outside, subject: &Subject) -> Result<String, Failure> {
    let settings = host.settings(&[URL]);
    let base = settings.get(URL).ok_or_else(|| {
        Failure::fatal(format!(
            "setting {URL} of nova_prober is missing (--config nova_prober.{URL}=… or config under \
             [plugins.nova_prober]): it is the address of Nova, as in http://127.0.0.1:8774/v2.1"
        ))
    })?;
    let base = base_url("nova_prober", URL, base)?;
    let Subject { name, kind, of, properties } = subject;
    if kind != KIND {
        let words = format!("{name} is of kind {kind}, which is unknown here");
        return Err(Failure::fatal(words));
    }
    let id = match properties.get("server_id") {
        Some(Json::String(id)) if !id.is_empty() => id,
        _ => return Err(Failure::fatal(format!("{name} of {of} has no server_id"))),
    };
    Ok(format!("{base}/servers/{}", path_segment(id)))
}

export_prober!(NovaProber);

#[cfg(test)]
mod tests;
