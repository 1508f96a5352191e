//! Laws about `/jobs`.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Moment, Rule};
use crate::history::{View, under};

const JOBS: &str = "/jobs/all/";
const WORKING: &str = "/jobs/working/";
const PLAN: &str = "/stokehold/plan";

/// The key of a job's resource, behind its family. The kinds of the tests have regular plurals.
pub(super) fn target(job: &Json) -> String {
    let word = |name: &str| job[name].as_str().unwrap_or_default();
    format!("/v2.0/{}s/{}", word("resource_type"), word("resource_id"))
}

/// A result is written once, by whom the job belongs to.
#[derive(Default)]
pub(super) struct OneResult {
    ended: BTreeSet<String>,
}

impl OneResult {
    /// A job that nobody has claimed goes when a newer version takes its place, or when what it
    /// depends on has failed.
    fn is_dropped(now: &Moment<'_>, id: &str) -> bool {
        let Some(job) = now.before.get(&format!("{JOBS}{id}")).map(|kept| &kept.value[1]) else {
            return false;
        };
        let target = target(job);
        let newer = now.step.put(&format!("/stokehold/applied{target}"));
        let superseded =
            newer.is_some_and(|newer| newer["version"].as_u64() > job["version"].as_u64());
        let failed = now.step.put(PLAN).is_some_and(Json::is_string)
            || now.step.puts("/state").any(|(_, _, state)| {
                let word = state["state"]["worker_state"].as_str();
                word.is_some_and(|word| word.ends_with("_FAILED"))
            });
        superseded || failed
    }
}

impl Rule for OneResult {
    fn law(&self) -> &'static str {
        "a job ends once, in the transaction that ends its claim, and never comes again"
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), String> {
        for (id, change, _) in now.step.puts(JOBS) {
            if self.ended.contains(id) && !now.before.contains_key(&change.key) {
                return Err(format!("{id} came again after its end"));
            }
        }
        for id in now.step.removals(JOBS) {
            if !self.ended.insert(id.to_owned()) {
                return Err(format!("{id} ended twice"));
            }
            let claim = format!("{WORKING}{id}");
            if !now.before.contains_key(&claim) && !Self::is_dropped(now, id) {
                return Err(format!("{id} ended though nobody had claimed it"));
            }
            if now.after.contains_key(&claim) {
                return Err(format!("{id} ended, but its claim is left"));
            }
        }
        Ok(())
    }
}

/// A job begins when all it depends on has ended.
pub(super) struct DependenciesHold;

impl Rule for DependenciesHold {
    fn law(&self) -> &'static str {
        "no job is claimed before all it depends on has ended"
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), String> {
        for (id, ..) in now.step.puts(WORKING) {
            let Some(posted) = now.after.get(&format!("{JOBS}{id}")) else {
                return Err(format!("{id} is claimed, but there is no such job"));
            };
            let Some(dependency) = posted.value[1]["dependency"].as_array() else {
                return Err(format!("{id} does not say what it depends on"));
            };
            let open = |id: &&str| now.after.contains_key(&format!("{JOBS}{id}"));
            if let Some(other) = dependency.iter().filter_map(Json::as_str).find(open) {
                return Err(format!("{id} is claimed, but {other} has not ended"));
            }
        }
        Ok(())
    }
}

/// In the end nothing is open.
pub(super) struct NothingLeft;

impl Rule for NothingLeft {
    fn law(&self) -> &'static str {
        "in the end no job, mark, claim, step or job state is left"
    }

    fn see(&mut self, _: &Moment<'_>) -> Result<(), String> {
        Ok(())
    }

    fn end(&mut self, left: &View) -> Result<(), String> {
        for family in ["/jobs/", "/stokehold/steps/", "/esi-worker/job_state/"] {
            if let Some((rest, _)) = under(left, family).next() {
                return Err(format!("{family}{rest} is left"));
            }
        }
        Ok(())
    }
}
