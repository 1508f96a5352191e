//! The smallest useful handler: it reports its params back, so that `/state` shows what a mapping yields.

use stokehold_sdk::{Description, Host, Job, Json, Next, Verdict, Worker, export_worker};

/// Echoes.
pub struct EchoWorker;

impl Worker for EchoWorker {
    fn describe() -> Description {
        Description::new("echo_worker").after("heat_worker")
    }

    fn handle(host: &dyn Host, job: &Job, _checkpoint: Option<Json>) -> Verdict {
        if !job.action.takes_down() {
            host.report("echo", &host.resolve_all()?);
        }
        Ok(Next::Completed)
    }
}

export_worker!(EchoWorker);
