//! The life of a network whose outputs `bare_worker` looks at: the host, its store and both plugins are real, Heat is
//! the simulator.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};
use stokehold_tests::example::put_templates;
use stokehold_tests::world::{Setup, World, parse};
use stokehold_tests::{guests, paths};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_without_the_sdk_reports_is_in_the_state_of_a_whole_workflow() -> Result<()> {
    let plugins = tempfile::tempdir()?;
    let mut world = world(plugins.path()).await?;
    let network = json!({"id": "n1", "tenant_id": "t1", "name": "one", "admin_state_up": true});
    world.config("/v2.0/networks/n1", &network, 1, false).await?;
    let state = world.state("/v2.0/networks/n1", 1).await?;
    ensure!(state["state"]["worker_state"] == "CREATE_COMPLETED", "{state}");
    let told = state["state"]["output_names"].as_str().context("the state has the names")?;
    let names: BTreeSet<String> = serde_json::from_str(told)?;
    ensure!(names == ["fq_name", "id"].map(str::to_owned).into(), "{state}");
    let waits = waits_for(&world, "create:bare_worker:network:n1:1:").await?;
    ensure!(waits.contains("create:heat_worker:network:n1:1:"), "{waits}");

    world.config("/v2.0/networks/n1", &network, 2, true).await?;
    let state = world.state("/v2.0/networks/n1", 2).await?;
    ensure!(state["state"]["worker_state"] == "DELETE_COMPLETED", "{state}");
    let waits = waits_for(&world, "logical_delete:heat_worker:network:n1:2:").await?;
    ensure!(waits.contains("logical_delete:bare_worker:network:n1:2:"), "{waits}");
    world.idle().await?;
    world.stop_host().await
}

/// The network example with one template more for networks, and one plugin.
async fn world(plugins: &Path) -> Result<World> {
    for entry in fs::read_dir(paths::handlers()?)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "wasm") {
            fs::copy(&path, plugins.join(path.file_name().context("a file has a name")?))?;
        }
    }
    fs::copy(guests::build("bare_worker"), plugins.join("bare_worker.wasm"))?;
    let text = fs::read_to_string(paths::root().join("examples/network/schemas.json"))?;
    let mut all: Json = serde_json::from_str(&text)?;
    let schemas = all["schemas"].as_array_mut().context("no list of schemas")?;
    let network = schemas.iter_mut().find(|schema| schema["id"] == "network");
    let network = network.context("no network")?;
    network["metadata"]["templates"] = json!({"bare_worker": "Cnetwork_bare"});
    let mut setup = Setup::new(serde_json::to_vec(&all)?)?;
    setup.handlers = plugins.to_owned();
    let world = World::start(setup).await?;
    put_templates(&world).await?;
    let template = json!({
        "id": "network_bare", "handler": "bare_worker", "template_file": "",
        "parameter_mappings": {},
    });
    world.config("/v2.0/heat_templates/network_bare", &template, 1, false).await?;
    Ok(world)
}

/// What the job whose id begins so waited for when it was posted.
async fn waits_for(world: &World, id: &str) -> Result<String> {
    let prefix = format!("/jobs/all/{id}");
    let posted = world.history().await?.into_iter().find_map(|event| {
        let value = event.value.filter(|_| event.key.starts_with(&prefix))?;
        Some(parse(&value)[1]["dependency"].to_string())
    });
    posted.with_context(|| format!("there was no job {id}"))
}
