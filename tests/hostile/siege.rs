//! A host under siege: every hostile act as a job, round after round, and then it works as if nothing was.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use stokehold::store::embedded::Role;
use stokehold_tests::world::{Setup, World};
use stokehold_tests::{guests, paths};

use super::Host;

/// Rounds before the memory is measured, and after.
const WARM_UP: u64 = 2;
const ROUNDS: u64 = 3;
/// Bytes by which the host's memory may differ afterwards: what the store keeps of the jobs, and pages that the
/// allocator has not given back yet. One hostile round alone takes several times as much.
const MARGIN_BYTES: u64 = 24 << 20;

/// What is done, with how much, and what the host says of it.
const ACTS: [(&str, u64, &str); 12] = [
    ("spin", 0, "deadline of 1500 ms"),
    ("spin in the host", 2_000_000, "deadline of 1500 ms"),
    ("sleep", 60_000, "deadline of 1500 ms"),
    ("eat", 100, "memory of 67108864 bytes"),
    ("recurse", 0, "handler trapped"),
    ("panic", 0, "the boiler is cold"),
    ("exit", 0, "it called exit(1)"),
    ("big report", 8_000_000, "it handed over more than"),
    ("big checkpoint", 10_000_000, "it handed over more than"),
    ("fatal", 12_000_000, "it handed over more than"),
    ("many reports", 1_000_000, "it reported more than"),
    ("bad report", 0, "is not JSON"),
];

#[tokio::test(flavor = "multi_thread")]
async fn after_every_hostile_act_the_next_job_runs_and_the_memory_is_where_it_was() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let handlers = folder.path().join("handlers");
    fs::create_dir(&handlers)?;
    fs::copy(guests::build("guest_acts"), handlers.join("guest_acts.wasm"))?;
    let mut setup = Setup::new(schemas()?)?;
    setup.handlers = handlers;
    setup.pace.attempts_max = 1;
    let world = World::without_host(setup, Role::Guest)?;
    let mut command = world.host_command()?;
    command.args(["--call-ms-max", "1500", "--memory-bytes-max", "67108864"]);
    let host = command.stderr(Stdio::null()).spawn().context("cannot start a host")?;
    let host = Host(host);

    let template = json!({
        "id": "acts", "handler": "guest_acts", "template_file": "", "parameter_mappings": {},
    });
    world.config("/v2.0/heat_templates/acts", &template, 1, false).await?;
    let mut before = 0;
    for round in 0..WARM_UP + ROUNDS {
        besiege(&world, round).await?;
        if round + 1 == WARM_UP {
            before = resident(&host)?;
        }
    }
    let told = world.all("/").await?;
    let astray: Vec<_> = told.keys().filter(|key| key.contains("..")).collect();
    ensure!(astray.is_empty(), "a guest's name became a key: {astray:?}");
    ensure!(world.get("/state/v2.0/networks/n1").await?.is_none(), "a guest reported for others");

    // What was freed a moment ago may be given back a moment later.
    let mut after = resident(&host)?;
    for _ in 0..50 {
        if after <= before + MARGIN_BYTES {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = resident(&host)?;
    }
    anyhow::bail!("{before} bytes before, {after} bytes after")
}

/// All acts at once, each as a resource of its own; then two good ones.
async fn besiege(world: &World, round: u64) -> Result<()> {
    let key = |nth: usize| format!("/v2.0/acts/{round}-{nth}");
    for (nth, (act, n, _)) in ACTS.iter().enumerate() {
        let body = json!({"id": format!("{round}-{nth}"), "act": act, "n": n, "say": "the boiler is cold"});
        world.config(&key(nth), &body, 1, false).await?;
    }
    for (nth, (act, _, expected)) in ACTS.iter().enumerate() {
        let state = world.state(&key(nth), 1).await?;
        ensure!(state["state"]["worker_state"] == "CREATE_FAILED", "{act}: {state}");
        let error = state["error"].as_str().unwrap_or_default();
        ensure!(error.contains(expected), "{act}: {error}");
    }
    for (nth, act) in ["odd names", "echo"].into_iter().enumerate() {
        let key = key(ACTS.len() + nth);
        let id = format!("{round}-{}", ACTS.len() + nth);
        world.config(&key, &json!({"id": id, "act": act}), 1, false).await?;
        let state = world.state(&key, 1).await?;
        ensure!(state["state"]["worker_state"] == "CREATE_COMPLETED", "{act}: {state}");
    }
    Ok(())
}

/// Bytes of the host's memory that are in the machine's.
fn resident(host: &Host) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", host.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let text = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(text.context("no resident memory")?.parse::<u64>()? * 1024)
}

fn schemas() -> Result<Vec<u8>> {
    let schemas = fs::read(paths::root().join("examples/network/schemas.json"))?;
    let mut schemas: Json = serde_json::from_slice(&schemas)?;
    let all = schemas["schemas"].as_array_mut().context("no schemas")?;
    let text = json!({"type": "string"});
    all.push(json!({
        "id": "act", "plural": "acts", "prefix": "/v2.0/acts",
        "metadata": {"templates": {"guest_acts": "Cacts"}},
        "schema": {"properties": {"id": text, "act": text, "say": text, "n": {"type": "number"}}},
    }));
    Ok(serde_json::to_vec(&schemas)?)
}
