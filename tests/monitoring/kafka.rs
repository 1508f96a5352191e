//! Registrations told to a Kafka. Where there is no broker, nothing is run, and a line says so.

use std::time::Duration;

use anyhow::{Result, ensure};
use heat_simulator::Options as HeatOptions;
use serde_json::{Value as Json, json};
use stokehold::store::embedded::Role;
use stokehold_tests::example::put_templates;
use stokehold_tests::kafka::Broker;
use stokehold_tests::world::{Setup, World, parse};
use stokehold_tests::{paths, ports, process};

use super::{NETWORK, put_network};

const TOPIC: &str = "monitor_virtual_network";

async fn world(broker: String) -> Result<World> {
    let schemas = std::fs::read(paths::root().join("examples/network/schemas.json"))?;
    let setup = Setup { kafka: Some(broker), ..Setup::new(schemas)? };
    let mut world = World::without_host(setup, Role::Host)?;
    world.start_host().await?;
    put_templates(&world).await?;
    Ok(world)
}

/// What the broker was told. A message comes again when its acknowledgement came too late.
async fn heard(broker: &Broker) -> Result<Vec<(String, Json)>> {
    let mut told = broker.messages().await?;
    told.dedup();
    Ok(told)
}

fn message(action: &str, version: u64, properties: &Json) -> (String, Json) {
    let message = json!({
        "action": action,
        "gohan_id": "n1",
        "gohan_resource_type": "networks",
        "name": "network",
        "tenant_id": "t1",
        "version": version,
        "properties": properties,
    });
    (TOPIC.to_owned(), message)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_registered_and_what_no_more_is_told_before_the_state_says_so() -> Result<()> {
    let Some(broker) = Broker::start(None)? else { return Ok(()) };
    let mut world = world(broker.address()).await?;
    put_network(&world, 1, false).await?;
    world.state(NETWORK, 1).await?;
    let told = heard(&broker).await?;
    ensure!(told.len() == 1, "{told:?}");
    let properties = told[0].1["properties"].clone();
    ensure!(properties["fq_name"].is_string(), "{properties}");
    ensure!(told == [message("create", 1, &properties)], "{told:?}");
    put_network(&world, 2, true).await?;
    world.state(NETWORK, 2).await?;
    let told = heard(&broker).await?;
    let wanted = [message("create", 1, &properties), message("delete", 2, &properties)];
    ensure!(told == wanted, "{told:?}");
    world.idle().await?;
    let probed = world.history().await?;
    ensure!(probed.iter().all(|event| !event.key.starts_with("/monitoring/")), "nobody probes");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_registration_cannot_be_told_is_tried_again_and_says_why() -> Result<()> {
    if process::program(stokehold_tests::kafka::VARIABLE, "kafka")?.is_none() {
        return Ok(());
    }
    let [port] = ports::free()?;
    let mut world = world(format!("127.0.0.1:{port}")).await?;
    put_network(&world, 1, false).await?;
    let trouble = world
        .until("the job's trouble", async || {
            let steps = world.all("/stokehold/steps/").await?;
            let troubles = steps.values().filter_map(|step| step["trouble"].as_str());
            let mut named = troubles.filter(|trouble| trouble.contains("kafka"));
            Ok(named.next().map(str::to_owned))
        })
        .await?;
    let words = format!("cannot deliver to kafka 127.0.0.1:{port}: ");
    ensure!(trouble.starts_with(&words), "{trouble}");
    ensure!(world.get(&format!("/state{NETWORK}")).await?.is_none(), "it is not done");
    ensure!(world.all("/stokehold/monitored/").await?.is_empty(), "nor registered");
    let Some(broker) = Broker::start(Some(port))? else { return Ok(()) };
    let state = world.state(NETWORK, 1).await?;
    ensure!(state["state"]["worker_state"] == "CREATE_COMPLETED", "{state}");
    let told = broker.messages().await?;
    ensure!(told.iter().all(|(_, told)| told["action"] == "create"), "{told:?}");
    ensure!(!told.is_empty() && world.all("/stokehold/monitored/").await?.len() == 1);
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_deletion_is_lost_to_a_broker_that_is_away_for_longer_than_a_job_may_fail() -> Result<()>
{
    let Some(mut broker) = Broker::start(None)? else { return Ok(()) };
    let schemas = std::fs::read(paths::root().join("examples/network/schemas.json"))?;
    let mut setup = Setup { kafka: Some(broker.address()), ..Setup::new(schemas)? };
    (setup.pace.attempts_max, setup.pace.backoff_ms_max) = (1, 200);
    let mut world = World::without_host(setup, Role::Host)?;
    world.start_host().await?;
    put_templates(&world).await?;
    put_network(&world, 1, false).await?;
    world.state(NETWORK, 1).await?;
    broker.kill();
    put_network(&world, 2, true).await?;
    let held = async || {
        let history = world.history().await?;
        let steps = history.iter().filter(|event| event.key.starts_with("/stokehold/steps/"));
        let steps = steps.filter_map(|event| Some(parse(event.value.as_ref()?)));
        let troubles = steps.filter(|step| {
            step["trouble"].as_str().is_some_and(|trouble| trouble.contains("cannot deliver"))
        });
        Ok((troubles.count() >= 3).then_some(()))
    };
    world.until("the third try", held).await?;
    let state = world.get(&format!("/state{NETWORK}")).await?.unwrap_or_default();
    ensure!(state["version"] == 1, "it is not down: {state}");
    ensure!(world.all("/stokehold/monitored/").await?.len() == 1, "it is registered still");
    let Some(broker) = Broker::start(Some(broker.port()))? else { return Ok(()) };
    let state = world.state(NETWORK, 2).await?;
    ensure!(state["state"]["worker_state"] == "DELETE_COMPLETED", "{state}");
    let told = broker.messages().await?;
    ensure!(told.iter().any(|(_, told)| told["action"] == "delete"), "{told:?}");
    ensure!(world.all("/stokehold/monitored/").await?.is_empty(), "it is watched no more");
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_left_registered_is_taken_back_with_the_last_job() -> Result<()> {
    const PATIENCE: Duration = Duration::from_mins(2);
    const STACK: &str = "network_n1";
    let Some(broker) = Broker::start(None)? else { return Ok(()) };
    let schemas = std::fs::read(paths::root().join("examples/network/schemas.json"))?;
    let heat = HeatOptions { manual: true, ..HeatOptions::default() };
    let setup = Setup { kafka: Some(broker.address()), heat, ..Setup::new(schemas)? };
    let mut world = World::without_host(setup, Role::Host)?;
    world.start_host().await?;
    put_templates(&world).await?;
    put_network(&world, 1, false).await?;
    world.heat.wait_in_progress(STACK, PATIENCE).await?;
    world.heat.finish(STACK)?;
    world.state(NETWORK, 1).await?;
    put_network(&world, 2, true).await?;
    // Its worker has taken back what it knew; this is what it would have forgotten.
    world.heat.wait_in_progress(STACK, PATIENCE).await?;
    ensure!(world.all("/stokehold/monitored/").await?.is_empty());
    let target = json!({"name": "left", "type": "nova_vm", "topic": "monitor_nova_vm",
        "properties": {}});
    let left = json!({"version": 1, "tenant_id": "t1", "targets": [target]});
    world.put(&format!("/stokehold/monitored{NETWORK}"), &left).await?;
    world.heat.finish(STACK)?;
    world.state(NETWORK, 2).await?;
    ensure!(world.all("/stokehold/monitored/").await?.is_empty(), "it is watched no more");
    let told = heard(&broker).await?;
    let of_left = told.iter().filter(|(topic, _)| topic == "monitor_nova_vm");
    let actions: Vec<_> = of_left.map(|(_, told)| told["action"].clone()).collect();
    ensure!(actions == ["delete"], "{told:?}");
    world.stop_host().await
}
