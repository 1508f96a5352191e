//! Hosts that differ in what they can do: jobs go where they can run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use heat_simulator::Options as HeatOptions;
use serde_json::{Value as Json, json};
use stokehold_tests::etcd::Cluster;
use stokehold_tests::example::put_templates;
use stokehold_tests::paths;
use stokehold_tests::world::{Setup, World};

const NETWORK: &str = "/v2.0/networks/n1";
const STACK: &str = "network_n1";

/// A world on etcd with the templates of the network example; `None` where there is no etcd.
async fn world(heat: HeatOptions) -> Result<Option<World>> {
    let Some(etcd) = Cluster::start(1)? else { return Ok(None) };
    let schemas = fs::read(paths::root().join("examples/network/schemas.json"))?;
    let setup = Setup { heat, ..Setup::new(schemas)? };
    let world = World::on_etcd(setup, etcd).await?;
    put_templates(&world).await?;
    Ok(Some(world))
}

/// A plugin directory without `heat_worker`.
fn without_heat(folder: &Path) -> Result<PathBuf> {
    let handlers = folder.join("handlers");
    fs::create_dir(&handlers)?;
    for entry in fs::read_dir(paths::handlers()?)? {
        let path = entry?.path();
        let name = path.file_name().context("no name")?;
        if name != "heat_worker.wasm" {
            fs::copy(&path, handlers.join(name))?;
        }
    }
    Ok(handlers)
}

async fn put_network(world: &World, version: u64) -> Result<()> {
    let body = json!({"id": "n1", "tenant_id": "t1", "name": "n", "admin_state_up": true});
    world.config(NETWORK, &body, version, false).await?;
    Ok(())
}

fn worker_state(state: &Json) -> &str {
    state["state"]["worker_state"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_go_to_the_host_that_has_their_handler_whoever_leads() -> Result<()> {
    let heat = HeatOptions::default();
    let Some(mut world) = world(heat).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let all = world.setup_mut().handlers.clone();
    world.setup_mut().handlers = without_heat(folder.path())?;
    world.start_host().await?;
    let leader = world.until("a leader", async || world.get("/stokehold/leader").await).await?;
    world.setup_mut().handlers = all;
    world.start_host().await?;
    put_network(&world, 1).await?;
    let state = world.state(NETWORK, 1).await?;
    ensure!(worker_state(&state) == "CREATE_COMPLETED", "{state}");
    ensure!(world.get("/stokehold/leader").await? == Some(leader), "the first host led all along");
    world.idle().await?;
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_no_host_can_do_says_so_and_runs_when_one_comes() -> Result<()> {
    let manual = HeatOptions { manual: true, ..HeatOptions::default() };
    let Some(mut world) = world(manual).await? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let all = world.setup_mut().handlers.clone();
    // It is posted while somebody has the handler, and waits for Heat when that host has gone.
    world.start_host().await?;
    put_network(&world, 1).await?;
    world.heat.wait_in_progress(STACK, Duration::from_mins(2)).await?;
    world.stop_host().await?;
    world.setup_mut().handlers = without_heat(folder.path())?;
    world.start_host().await?;
    let trouble = world
        .until("the job's trouble", async || {
            let steps = world.all("/stokehold/steps/").await?;
            let troubles = steps.values().filter_map(|step| step["trouble"].as_str());
            let named = |trouble: &&str| trouble.contains("no running host has handler");
            Ok(troubles.map(str::to_owned).find(|trouble| named(&trouble.as_str())))
        })
        .await?;
    ensure!(trouble.contains("`heat_worker`"), "{trouble}");
    world.setup_mut().handlers = all;
    world.start_host().await?;
    world.heat.finish(STACK)?;
    let state = world.state(NETWORK, 1).await?;
    ensure!(worker_state(&state) == "CREATE_COMPLETED", "{state}");
    world.idle().await?;
    world.stop_host().await
}
