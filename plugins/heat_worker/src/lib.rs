//! `heat_worker`: renders a Jinja2 template and has Heat make a stack of it.
//!
//! A call does one step and returns: whether the stack is ready is asked again later, by whichever
//! host.

#![forbid(unsafe_code)]

mod answer;
mod body;
mod checkpoint;
mod heat;
mod secrets;
mod settings;
mod work;

use secrets::Secrets;
use settings::Settings;
use stokehold_sdk::{
    Description, Failure, Grant, Host, Job, Json, Outside, Trial, Verdict, Worker, export_trial,
    export_worker,
};

/// The handler.
pub struct HeatWorker;

impl Worker for HeatWorker {
    fn describe() -> Description {
        let known = settings::KEYS.iter().map(|key| Grant::config(key));
        known
            .chain([Grant::http_of("heat_url")])
            .fold(Description::new("heat_worker"), Description::grant)
    }

    fn handle(host: &dyn Host, job: &Job, checkpoint: Option<Json>) -> Verdict {
        let secrets = Secrets::default();
        let verdict = work::step(host, &secrets, job, checkpoint.as_ref());
        if verdict.is_err() {
            // After trouble of the moment they count when it was the last try.
            host.report("heat_outputs", &Json::Array(Vec::new()));
            let state = format!("{}_ERROR", job.action.state_word());
            host.report("orchestration_state", &Json::String(state));
        }
        // Whoever answers may repeat what was sent.
        verdict.map_err(|failure| failure.reworded(|words| secrets.hide(&words)))
    }
}

/// Settings that cannot be used are told before they come into service. Heat is not asked: that it
/// is away for a moment says nothing about them.
impl Trial for HeatWorker {
    fn attempt(host: &dyn Outside) -> Result<(), Failure> {
        Settings::read(host).map(drop)
    }
}

export_worker!(HeatWorker);
export_trial!(HeatWorker);

#[cfg(test)]
mod tests;
