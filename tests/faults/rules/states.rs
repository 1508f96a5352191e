//! Laws about `/state`: what the API server is told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{Moment, Rule};
use crate::history::{View, under};

const CONFIG: &str = "/config";
const STATE: &str = "/state";
const JOBS: &str = "/jobs/all/";
const APPLIED: &str = "/stokehold/applied";
/// Templates are wanted, but nobody answers for them.
const TEMPLATES: &str = "/v2.0/heat_templates/";
/// What is kept of a resource.
const TRACES: [&str; 6] = [
    STATE,
    APPLIED,
    "/monitoring",
    "/stokehold/monitored",
    "/esi-worker/heat_stacks",
    "/esi-worker/job_state",
];

/// The lives of the resources: each begins when its config comes into being.
#[derive(Default)]
struct Lives(BTreeMap<String, u64>);

impl Lives {
    fn see(&mut self, now: &Moment<'_>) {
        for change in &now.step.changes {
            let Some(resource) = change.key.strip_prefix(CONFIG) else { continue };
            let begun = change.value.is_some() && !now.before.contains_key(&change.key);
            if begun {
                self.0.insert(resource.to_owned(), now.step.revision);
            }
        }
    }

    fn of(&self, resource: &str) -> u64 {
        self.0.get(resource).copied().unwrap_or_default()
    }
}

fn version(value: &Json) -> Result<u64, String> {
    value["version"].as_u64().ok_or_else(|| format!("no version in {value}"))
}

/// Whether a state says what became of its version.
fn is_final(state: &Json) -> bool {
    let word = state["state"]["worker_state"].as_str().unwrap_or_default();
    word == "READ_COMPLETE" || word.ends_with("_COMPLETED") || word.ends_with("_FAILED")
}

/// A version of a resource, in which of its lives.
type Asked = (String, u64, u64);

/// Each version is answered once, and only what was asked for is answered. What went without a mark
/// is taken down under its last version, which may have been answered before.
#[derive(Default)]
pub(super) struct OneAnswer {
    lives: Lives,
    asked: BTreeSet<Asked>,
    answered: BTreeSet<(Asked, bool)>,
}

impl Rule for OneAnswer {
    fn law(&self) -> &'static str {
        "a version is answered once in a life, and none that was not asked for"
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), String> {
        self.lives.see(now);
        for (resource, _, config) in now.step.puts(CONFIG) {
            self.asked.insert((resource.to_owned(), self.lives.of(resource), version(config)?));
        }
        for (resource, _, state) in now.step.puts(STATE).filter(|(_, _, state)| is_final(state)) {
            let answer = (resource.to_owned(), self.lives.of(resource), version(state)?);
            if !self.asked.contains(&answer) {
                return Err(format!("{resource}: version {} was not asked for", answer.2));
            }
            let is_wanted = now.after.contains_key(&format!("{CONFIG}{resource}"));
            let word = state["state"]["worker_state"].as_str().unwrap_or_default();
            let vanished = !is_wanted && word.starts_with("DELETE_");
            let otherwise = vanished || !self.answered.contains(&(answer.clone(), !vanished));
            if !self.answered.insert((answer, vanished)) || !otherwise {
                return Err(format!("{resource}: {state} answers a second time"));
            }
        }
        Ok(())
    }
}

/// In the end every newest version has its answer, and what is gone has left no traces.
pub(super) struct Answered;

impl Rule for Answered {
    fn law(&self) -> &'static str {
        "in the end each resource is answered for, or is gone without a trace"
    }

    fn see(&mut self, _: &Moment<'_>) -> Result<(), String> {
        Ok(())
    }

    fn end(&mut self, left: &View) -> Result<(), String> {
        for (resource, config) in under(left, CONFIG) {
            if resource.starts_with(TEMPLATES) {
                continue;
            }
            let Some(state) = left.get(&format!("{STATE}{resource}")) else {
                return Err(format!("{resource} was never answered"));
            };
            if version(&state.value)? != version(&config.value)? || !is_final(&state.value) {
                return Err(format!("{resource}: {} is no answer to its config", state.value));
            }
        }
        for family in TRACES {
            for (resource, _) in under(left, family) {
                if !left.contains_key(&format!("{CONFIG}{resource}")) {
                    return Err(format!("{family}{resource} outlived its config"));
                }
            }
        }
        Ok(())
    }
}

/// A state goes forward.
#[derive(Default)]
pub(super) struct Forward {
    lives: Lives,
    /// Resource → life and version of its last state.
    last: BTreeMap<String, (u64, u64)>,
}

impl Rule for Forward {
    fn law(&self) -> &'static str {
        "the version of a state never goes down within a life"
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), String> {
        self.lives.see(now);
        for (resource, _, state) in now.step.puts(STATE) {
            let told = (self.lives.of(resource), version(state)?);
            let last = self.last.insert(resource.to_owned(), told);
            if let Some(last) = last.filter(|last| last.0 == told.0 && last.1 > told.1) {
                return Err(format!("{resource}: from version {} to {}", last.1, told.1));
            }
        }
        Ok(())
    }
}

/// An answer is written by whom it belongs to.
pub(super) struct ByItsJob;

impl Rule for ByItsJob {
    fn law(&self) -> &'static str {
        "an answer comes with the end of its workflow's last, claimed job, or with a plan"
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), String> {
        for (resource, _, state) in now.step.puts(STATE).filter(|(_, _, state)| is_final(state)) {
            let word = state["state"]["worker_state"].as_str().unwrap_or_default();
            let planned = now.step.put(&format!("{APPLIED}{resource}")).is_some();
            if word.ends_with("_FAILED") || planned {
                continue;
            }
            let version = version(state)?;
            let mut ended = now.step.removals(JOBS).filter(|id| {
                let claimed = now.before.contains_key(&format!("/jobs/working/{id}"));
                let job = now.before.get(&format!("{JOBS}{id}")).map(|kept| &kept.value[1]);
                job.is_some_and(|job| {
                    claimed
                        && job["is_last"] == true
                        && job["version"] == version
                        && super::jobs::target(job) == resource
                })
            });
            if ended.next().is_none() {
                return Err(format!("{resource}: {state} was written by no job's end"));
            }
        }
        Ok(())
    }
}
