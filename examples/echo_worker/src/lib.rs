//! The smallest useful handler: it reports its params back, so that `/state` shows what a mapping
//! yields.

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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stokehold_sdk::testing::{ScriptedHost, job};
    use stokehold_sdk::{Action, ResourceRef};

    use super::*;

    fn reported(action: Action) -> Option<Json> {
        let host = ScriptedHost::new().param("a", 1).param("b", json!(["x"]));
        let job = job(action, ResourceRef::new("port", "p1"), "");
        assert_eq!(EchoWorker::handle(&host, &job, None), Ok(Next::Completed));
        host.finish().reports.remove("echo")
    }

    #[test]
    fn what_is_put_up_is_echoed_and_what_is_taken_down_is_not() {
        let params = json!({"a": 1, "b": ["x"]});
        assert_eq!(reported(Action::Create), Some(params.clone()));
        assert_eq!(reported(Action::Modify), Some(params));
        assert_eq!(reported(Action::Delete), None);
        assert_eq!(reported(Action::LogicalDelete), None);
    }
}
