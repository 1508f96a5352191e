//! `contrail_prober`: whether virtual networks and interfaces are up, as Contrail's analytics knows.

#![forbid(unsafe_code)]

use stokehold_sdk::{
    Failure, Grant, Json, Method, Outside, Prober, Probing, Request, Subject, base_url,
    export_prober, path_segment,
};

/// The setting that says where analytics is.
const URL: &str = "analytics_url";
/// Milliseconds that analytics may take for a step of its answer.
const TIMEOUT_MS: u64 = 10_000;

/// Kinds of target, and how analytics calls them.
const KINDS: [(&str, &str); 2] = [
    ("virtual_machine_interface", "virtual-machine-interface"),
    ("virtual_network", "virtual-network"),
];

/// The prober.
pub struct ContrailProber;

impl Prober for ContrailProber {
    fn describe() -> Probing {
        Probing {
            name: "contrail_prober".to_owned(),
            kinds: KINDS.iter().map(|(kind, _)| (*kind).to_owned()).collect(),
            limits: Vec::new(),
            grants: vec![Grant::config(URL), Grant::http_of(URL)],
        }
    }

    fn probe(host: &dyn Outside, subject: &Subject) -> Result<String, Failure> {
        let url = url(host, subject)?;
        let request = Request::new(Method::Get, &url).header("accept", "application/json");
        let request = Request { timeout_ms: TIMEOUT_MS, ..request };
        let failed = |why: String| format!("cannot ask analytics at {url}: {why}");
        let response = host.http(&request).map_err(|e| Failure::from(e).reworded(failed))?;
        let status = match (response.status, response.json()) {
            (404, _) => "DOWN",
            // Analytics answers with an empty object for what it has never heard of.
            (200, Some(Json::Object(told))) => {
                if told.is_empty() {
                    "DOWN"
                } else {
                    "UP"
                }
            }
            (200, _) => return Err(Failure::Retry(failed("it answers no JSON object".to_owned()))),
            (status, _) => return Err(Failure::Retry(failed(format!("it answers {status}")))),
        };
        Ok(status.to_owned())
    }
}

fn url(host: &dyn Outside, subject: &Subject) -> Result<String, Failure> {
    let settings = host.settings(&[URL]);
    let base = settings.get(URL).ok_or_else(|| {
        Failure::fatal(format!(
            "setting {URL} of contrail_prober is missing (--config contrail_prober.{URL}=… or \
             config under [plugins.contrail_prober]): it is the address of Contrail's analytics, \
             as in http://127.0.0.1:8081"
        ))
    })?;
    let base = base_url("contrail_prober", URL, base)?;
    let kind = KINDS.iter().find(|(kind, _)| *kind == subject.kind).ok_or_else(|| {
        Failure::fatal(format!(
            "{} is of kind {}, which is unknown here",
            subject.name, subject.kind
        ))
    })?;
    let name = fq_name(&subject.properties).ok_or_else(|| {
        Failure::fatal(format!("{} of {} has no fq_name", subject.name, subject.of))
    })?;
    Ok(format!("{base}/analytics/uves/{}/{}?flat", kind.1, path_segment(&name)))
}

/// A full name is a text, or its parts.
fn fq_name(properties: &Json) -> Option<String> {
    let name = match properties.get("fq_name")? {
        Json::String(name) => name.clone(),
        Json::Array(parts) => parts.iter().map(Json::as_str).collect::<Option<Vec<_>>>()?.join(":"),
        _ => return None,
    };
    (!name.is_empty()).then_some(name)
}

export_prober!(ContrailProber);

#[cfg(test)]
mod tests;
