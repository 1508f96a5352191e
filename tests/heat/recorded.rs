//! The recorded scenario on the real Heat.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use heat_simulator::Client;
use serde_json::Value as Json;
use stokehold_tests::world::{Setup, World, parse};
use stokehold_tests::{paths, real_heat};

use super::place::by_key;
use crate::replay::compare::without_suffix;
use crate::replay::recording::{Line, Recording};

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_stack_comes_up_on_the_real_heat() -> Result<()> {
    let Some(folder) = paths::shared("recordings/common_function_gateway", "recordings") else {
        return Ok(());
    };
    let Some(heat) = real_heat::shared().await? else { return Ok(()) };
    let recording = Recording::read(&folder)?;
    let mut setup = Setup::new(recording.schemas.clone())?;
    setup.heat_config.insert("poll_ms".into(), "50".into());
    setup.heat_config.insert("heat_url".into(), heat.url().to_owned());
    setup.patience = Duration::from_secs(100);
    let world = World::start(setup).await?;
    for line in &recording.timeline {
        follow(&world, line).await?;
    }
    world.idle().await?;
    let mut done: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for event in world.history().await? {
        done.entry(event.key).or_default().extend(event.value.map(|value| parse(&value)));
    }
    let mut stacks = 0;
    for (key, recorded) in &recording.stacks {
        let records = done.get(key).map(Vec::as_slice).unwrap_or_default();
        let law = || format!("{key}: {records:?}");
        stacks += came_up(recorded, records).with_context(law)?;
        let last = records.last().context("no record")?;
        as_heat_shows(heat.url(), last).await.with_context(law)?;
        let path = key.strip_prefix("/esi-worker/heat_stacks").unwrap_or_default();
        told(&done, path, last).with_context(law)?;
    }
    println!("{stacks} recorded stacks came up");
    ensure!(stacks == 12, "{stacks} recorded stacks came up, and not 12");
    Ok(())
}

/// What a stack may be where the recording has this. On a busy machine Heat may answer a creation too late: the next
/// try finds the stack and updates it.
fn is_as(recorded: &Json, status: &Json) -> bool {
    recorded == status || (recorded == "CREATE_COMPLETE" && status == "UPDATE_COMPLETE")
}

/// The same statuses one after the other, and the same outputs by name. Their values are drawn by lot.
fn came_up(recorded: &[Option<Json>], records: &[Json]) -> Result<usize> {
    let recorded: Vec<&Json> = recorded.iter().flatten().collect();
    ensure!(recorded.len() == records.len(), "{} records, not {}", records.len(), recorded.len());
    for (recorded, record) in recorded.iter().zip(records) {
        for field in ["id", "stack_id", "tenant_id"] {
            ensure!(recorded[field] == record[field], "{field} is not {}", recorded[field]);
        }
        let status = &recorded["stack_status"];
        ensure!(is_as(status, &record["stack_status"]), "stack_status is not {status}");
        let keys = |record: &Json| -> Vec<String> {
            let outputs = by_key(&record["output"]);
            outputs.as_object().map(|outputs| outputs.keys().cloned().collect()).unwrap_or_default()
        };
        ensure!(keys(recorded) == keys(record), "other outputs than {:?}", keys(recorded));
    }
    Ok(records.len())
}

/// Heat itself shows the stack as its record says.
async fn as_heat_shows(heat: &str, record: &Json) -> Result<()> {
    let text = |field: &str| record[field].as_str().unwrap_or_default();
    let client = Client::new(&format!("{heat}/{}", text("tenant_id")));
    let reply = client.get(&format!("/stacks/{}", text("stack_id"))).await?;
    let shown = client.get(&reply.location.context("Heat does not know it")?).await?.body;
    let shown = &shown["stack"];
    ensure!(shown["stack_status"] == record["stack_status"], "Heat shows {shown}");
    ensure!(by_key(&shown["outputs"]) == by_key(&record["output"]), "Heat shows {shown}");
    Ok(())
}

/// The outputs were in the job state, and are in the state.
fn told(done: &BTreeMap<String, Vec<Json>>, path: &str, record: &Json) -> Result<()> {
    let outputs = by_key(&record["output"]);
    let all = |family: &str| done.get(&format!("{family}{path}")).cloned().unwrap_or_default();
    let reported = all("/esi-worker/job_state");
    let reported = reported.iter().any(|fields| by_key(&fields["heat_outputs"]) == outputs);
    ensure!(reported, "the job state never had {outputs}");
    let state = all("/state").last().cloned().context("no state")?;
    ensure!(state["error"] == "", "{state}");
    let told: Json =
        serde_json::from_str(state["state"]["heat_outputs"].as_str().unwrap_or("null"))?;
    ensure!(by_key(&told) == outputs, "the state tells {told}");
    Ok(())
}

/// Does what the recording's line did from outside, or waits for the host, or Heat, to have done it.
async fn follow(world: &World, line: &Line) -> Result<()> {
    match line {
        Line::Config { key, value: Some(value) } => {
            world.put(key, value).await?;
        }
        Line::Config { key, value: None } => {
            world.remove(key).await?;
        }
        Line::Job { id } => {
            let id = without_suffix(id);
            world
                .until(&format!("job {id}"), async || {
                    let history = world.history().await?;
                    let mut ids = history.iter().filter_map(|e| e.key.strip_prefix("/jobs/all/"));
                    Ok(ids.any(|posted| without_suffix(posted) == id).then_some(()))
                })
                .await?;
        }
        Line::Stack { key, value } => {
            let status = &value["stack_status"];
            world
                .until(&format!("{key} {status}"), async || {
                    let record = world.get(key).await?;
                    Ok(record.filter(|record| is_as(status, &record["stack_status"])).map(|_| ()))
                })
                .await?;
        }
        Line::State { key, version } => {
            world.state(key.strip_prefix("/state").unwrap_or(key), *version).await?;
        }
    }
    Ok(())
}
