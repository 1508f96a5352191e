//! What must be so in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use heat_simulator::{Progress, Snapshot};
use serde_json::Value as Json;
use stokehold_tests::world::World;

use super::history::{Step, View, under};
use super::recorder::Recorder;
use super::rules;

const KINDS: [&str; 3] = ["network", "subnet", "port"];
const READ: Duration = Duration::from_mins(1);

/// Waits until nothing is left to do.
pub(super) async fn settled(recorder: &Recorder, within: Duration) -> Result<()> {
    let waited = recorder
        .until("the end of all work", within, |book| unsettled(&book.view).is_none().then_some(()));
    if let Err(error) = waited.await {
        let why = recorder.look(|book| unsettled(&book.view));
        return Err(error.context(why.unwrap_or_default()));
    }
    Ok(())
}

/// What is still to be done.
fn unsettled(view: &View) -> Option<String> {
    for family in ["/jobs/", "/stokehold/steps/", "/esi-worker/job_state/"] {
        if let Some((rest, kept)) = under(view, family).next() {
            return Some(format!("{family}{rest} is left: {}", kept.value));
        }
    }
    for (resource, config) in under(view, "/config") {
        let state = view.get(&format!("/state{resource}")).map(|state| &state.value["version"]);
        let is_template = resource.starts_with("/v2.0/heat_templates/");
        if !is_template && state != Some(&config.value["version"]) {
            return Some(format!("{resource} is not answered: {state:?}"));
        }
    }
    let orphan = under(view, "/state").find(|(of, _)| !view.contains_key(&format!("/config{of}")));
    orphan.map(|(resource, _)| format!("/state{resource} outlives its config"))
}

/// The history once everything up to now is in it, held to all rules.
pub(super) async fn judged(world: &World, recorder: &Recorder) -> Result<Vec<Step>> {
    let now = world.store.list("/", None, 1).await?.revision;
    recorder.reach(now, READ).await?;
    let history = recorder.history()?;
    let broken = rules::check(&history);
    if !broken.is_empty() {
        let told: Vec<String> = broken.iter().map(|broken| broken.tell(&history)).collect();
        bail!("{}", told.join("\n"));
    }
    let failed = history.iter().find_map(|step| {
        let mut failed = step.puts("/state").filter(|(_, _, state)| {
            let told = state["state"]["worker_state"].as_str().unwrap_or_default();
            told.ends_with("_FAILED")
        });
        failed.next().map(|(_, _, state)| (step.revision, state))
    });
    if let Some((revision, state)) = failed {
        bail!(
            "a fault failed a job at {revision}: {state}\n{}",
            super::history::around(&history, revision)
        );
    }
    Ok(history)
}

/// Heat has the stacks that the configs want, as they want them, and no others.
pub(super) fn compare_stacks(world: &World, view: &View) -> Result<()> {
    let mut wanted: BTreeMap<String, Json> = BTreeMap::new();
    for kind in KINDS {
        for (id, config) in under(view, &format!("/config/v2.0/{kind}s/")) {
            let body = config.value["body"].as_str().context("a body is no text")?;
            if config.value["marked_for_deletion"] != true {
                wanted.insert(format!("{kind}_{id}"), serde_json::from_str(body)?);
            }
        }
    }
    let stacks: Vec<Snapshot> =
        world.heat.stacks().into_iter().filter(|stack| !stack.deleted).collect();
    let names: BTreeSet<&str> = stacks.iter().map(|stack| stack.name.as_str()).collect();
    let expected: BTreeSet<&str> = wanted.keys().map(String::as_str).collect();
    ensure!(names.len() == stacks.len(), "two stacks have one name: {names:?}");
    let surplus: Vec<_> = names.difference(&expected).collect();
    let missing: Vec<_> = expected.difference(&names).collect();
    ensure!(surplus.is_empty() && missing.is_empty(), "surplus {surplus:?}, missing {missing:?}");
    for stack in &stacks {
        let body = &wanted[&stack.name];
        ensure!(stack.status.progress == Progress::Complete, "{} is {}", stack.name, stack.status);
        ensure!(Some(stack.tenant.as_str()) == body["tenant_id"].as_str(), "{stack:?}");
        for flag in ["admin_state_up", "enable_dhcp"] {
            let (has, wants) = (&stack.parameters[flag], &body[flag]);
            ensure!(has == wants, "{}: {flag} is {has}, {wants} is wanted", stack.name);
        }
    }
    Ok(())
}

/// Every stack record says what its stack is.
pub(super) fn compare_records(view: &View) -> Result<()> {
    for (resource, record) in under(view, "/esi-worker/heat_stacks") {
        let status = record.value["stack_status"].as_str().unwrap_or_default();
        let config = view.get(&format!("/config{resource}")).context("a record without config")?;
        let marked = config.value["marked_for_deletion"] == true;
        ensure!(
            status.ends_with("_COMPLETE") && marked == (status == "DELETE_COMPLETE"),
            "{resource}: {}",
            record.value
        );
    }
    Ok(())
}
