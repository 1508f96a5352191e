//! A host under siege: every hostile act as a job, round after round, and then it works as if nothing was.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use stokehold::store::embedded::Role;
use stokehold_tests::paths;
use stokehold_tests::world::{Setup, World};

use super::Host;
use super::acts::{self, Act, End, FLOOD, LOG_LINES_MAX, Network, TRIED};

/// Rounds before the memory is measured, and after.
const WARM_UP: u64 = 2;
const ROUNDS: u64 = 3;
/// Bytes by which the host's memory may differ afterwards: what the store keeps of the jobs, and pages that the
/// allocator has not given back yet. One hostile round alone takes several times as much.
const MARGIN_BYTES: u64 = 24 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn after_every_hostile_act_the_next_job_runs_and_the_memory_is_where_it_was() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let handlers = folder.path().join("handlers");
    fs::create_dir(&handlers)?;
    acts::install(&handlers)?;
    let network = Network::start().await;
    let mut setup = Setup::new(schemas()?)?;
    setup.handlers.clone_from(&handlers);
    setup.pace.attempts_max = 1;
    setup.granted.insert("guest_http".to_owned(), network.grants());
    let world = World::without_host(setup, Role::Guest)?;
    let log = folder.path().join("log");
    let host = start(&world, &log)?;

    for handler in acts::handlers() {
        let template = json!({
            "id": handler, "handler": handler, "template_file": "", "parameter_mappings": {},
        });
        world.config(&format!("/v2.0/heat_templates/{handler}"), &template, 1, false).await?;
    }
    let all = acts::all(&network);
    let mut before = 0;
    for round in 0..WARM_UP + ROUNDS {
        besiege(&world, &all, round).await?;
        refuse(&world, &handlers, round).await?;
        work(&world, round).await?;
        if round + 1 == WARM_UP {
            before = resident(&host)?;
        }
    }
    let told = world.all("/").await?;
    let astray: Vec<_> = told.keys().filter(|key| key.contains("..")).collect();
    ensure!(astray.is_empty(), "a guest's name became a key: {astray:?}");
    let hosts = world.all("/stokehold/hosts/").await?;
    let faults = hosts.values().map(|host| host["faults"].to_string()).collect::<String>();
    for file in ["broken.wasm", "traps_in_describe.wasm"] {
        ensure!(faults.contains(file), "{file} is not named: {faults}");
    }
    ensure!(world.get("/state/v2.0/networks/n1").await?.is_none(), "a guest reported for others");
    ensure!(network.refused.accepted() == 0, "a guest got where it was refused");
    let floods = fs::read_to_string(&log)?.matches(FLOOD).count() as u64;
    ensure!(floods == LOG_LINES_MAX * (WARM_UP + ROUNDS), "{floods} lines of the flood are logged");

    // What was freed a moment ago may be given back a moment later.
    let mut after = resident(&host)?;
    for _ in 0..50 {
        if after <= before + MARGIN_BYTES {
            println!("{before} bytes before, {after} bytes after");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = resident(&host)?;
    }
    anyhow::bail!("{before} bytes before, {after} bytes after")
}

fn start(world: &World, log: &Path) -> Result<Host> {
    let mut command = world.host_command()?;
    command.args(["--call-ms-max", "6000", "--memory-bytes-max", "67108864"]);
    command.args(["--log-lines-max", &LOG_LINES_MAX.to_string(), "--stdout-bytes-max", "1000"]);
    // More acts than a plugin has places; and no pause for faults, so that there are as many as can be.
    command.args(["--calls-max", "4", "--breaker-faults-max", "0"]);
    command.args(["--log", "info,stokehold::plugin=debug"]);
    let command = command.stderr(Stdio::from(fs::File::create(log)?));
    Ok(Host(command.spawn().context("cannot start a host")?))
}

/// All acts at once, each as a resource of its own.
async fn besiege(world: &World, all: &[Act], round: u64) -> Result<()> {
    let key = |act: &Act, nth: usize| format!("/v2.0/{}s/{round}-{nth}", act.handler);
    for (nth, act) in all.iter().enumerate() {
        let mut body = act.input.clone();
        body["id"] = json!(format!("{round}-{nth}"));
        world.config(&key(act, nth), &body, 1, false).await?;
    }
    for (nth, act) in all.iter().enumerate() {
        let state = world.state(&key(act, nth), 1).await?;
        let (error, came) = (state["error"].as_str().unwrap_or_default(), &state["state"]["came"]);
        let (is_so, ended) = match act.end {
            End::Fails(words) => (error.contains(words), "CREATE_FAILED"),
            End::Completes => (true, "CREATE_COMPLETED"),
            End::Reports(text) => (came == &json!(text), "CREATE_COMPLETED"),
        };
        let is_so = is_so && state["state"]["worker_state"] == ended;
        ensure!(is_so, "{} with {}: {state}", act.handler, act.input);
    }
    Ok(())
}

/// Versions that trap in their trial, or do not end it, do not take over.
async fn refuse(world: &World, handlers: &Path, round: u64) -> Result<()> {
    for (attempt, reason) in [
        ("unreachable", "does not stand its trial: handler trapped"),
        ("(loop (br 0))", "does not end its trial within 6000 ms"),
    ] {
        // Each round's are other bytes: the same again would not be tried.
        acts::put_tried(handlers, &format!("(drop (i64.const {round})) {attempt}"))?;
        world
            .until(reason, async || {
                let hosts = world.all("/stokehold/hosts/").await?;
                let plugins = hosts.values().filter_map(|host| host["plugins"].as_array());
                let tried = plugins.flatten().find(|plugin| plugin["name"] == TRIED);
                let refused = tried.and_then(|tried| tried["refused"].as_str());
                Ok(refused.filter(|why| why.contains(reason)).map(|_| ()))
            })
            .await?;
    }
    Ok(())
}

/// The plugins that did all this do as well as any.
async fn work(world: &World, round: u64) -> Result<()> {
    for (handler, act) in [("guest_acts", "echo"), (TRIED, "")] {
        let key = format!("/v2.0/{handler}s/{round}-well");
        let body = json!({"id": format!("{round}-well"), "act": act});
        world.config(&key, &body, 1, false).await?;
        let state = world.state(&key, 1).await?;
        ensure!(state["state"]["worker_state"] == "CREATE_COMPLETED", "{handler}: {state}");
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
    for handler in acts::handlers() {
        all.push(json!({
            "id": handler, "plural": format!("{handler}s"), "prefix": format!("/v2.0/{handler}s"),
            "metadata": {"templates": {handler: format!("C{handler}")}},
            "schema": {"properties": {"id": {"type": "string"}}},
        }));
    }
    Ok(serde_json::to_vec(&schemas)?)
}
