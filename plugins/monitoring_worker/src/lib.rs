//! `monitoring_worker`: registers what is to be watched about a resource.
//!
//! The rendered template is YAML: object name → `{type, properties…}`, and `db_mappings`.

#![forbid(unsafe_code)]

mod kinds;
mod plan;
mod yaml;

use stokehold_sdk::{
    Action, Description, Failure, Host, Job, Json, Level, Next, UpdateStyle, Verdict, Worker,
    export_worker, jinja,
};

use plan::Plan;

/// The handler.
pub struct MonitoringWorker;

impl Worker for MonitoringWorker {
    fn describe() -> Description {
        Description::new("monitoring_worker").after("heat_worker").update(UpdateStyle::Recreate)
    }

    fn handle(host: &dyn Host, job: &Job, _checkpoint: Option<Json>) -> Verdict {
        match job.action {
            // An update takes down and puts up; a `modify` in between can only mean the new state.
            Action::Create | Action::Modify => register(host, &plan(host, job)?),
            Action::Delete | Action::LogicalDelete => unregister(host, plan(host, job)),
        }
        Ok(Next::Completed)
    }
}

/// What the job's template asks for, checked.
fn plan(host: &dyn Host, job: &Job) -> Result<Plan, Failure> {
    let params = host.resolve_all()?;
    let failed = |what: &str, why| {
        Failure::fatal(format!("cannot {what} template {}: {why}", job.template_id))
    };
    let text = jinja::render(&job.template, &params).map_err(|why| failed("render", why))?;
    let document = yaml::read(&text).map_err(|why| failed("read what comes of", why))?;
    Plan::of(document).map_err(|why| failed("follow", why))
}

fn register(host: &dyn Host, plan: &Plan) {
    host.clear();
    for target in &plan.targets {
        host.register(target);
    }
    for mapping in &plan.mappings {
        host.add_mapping(mapping);
    }
    host.report("state_monitoring", &Json::Object(plan.statuses.clone()));
}

fn unregister(host: &dyn Host, plan: Result<Plan, Failure>) {
    match plan {
        Ok(plan) => {
            for target in &plan.targets {
                host.unregister(&target.name);
            }
            for mapping in &plan.mappings {
                host.remove_mapping(mapping);
            }
        }
        Err(failure) => {
            let why = failure.words();
            host.log(Level::Warn, &format!("unregistering all, whatever it was: {why}"));
        }
    }
    // The template may say something else than when it was registered: nothing is left behind.
    host.clear();
}

export_worker!(MonitoringWorker);

#[cfg(test)]
mod tests;
