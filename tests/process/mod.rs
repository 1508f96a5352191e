//! The program as its users run it: a host in a process of its own, and commands beside it.

mod doctor;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use heat_simulator::{Fault, Pace, Schemas as ServedSchemas};
use http::HeaderMap;
use serde_json::{Value as Json, json};
use stokehold::http_client::HttpClient;
use stokehold::store::embedded::Role;
use stokehold_tests::etcd::Cluster;
use stokehold_tests::world::{Setup, World};
use stokehold_tests::{paths, ports};
use tokio::task::block_in_place;

/// A host that ends with the test, whatever happens.
struct Host {
    process: Child,
    log: PathBuf,
}

impl Host {
    fn start(world: &World, more: &[&str]) -> Result<Self> {
        let log = world.folder().join("log");
        let mut command = world.host_command()?;
        command.args(more).stderr(Stdio::from(File::create(&log)?));
        let process = command.spawn().context("cannot start a host")?;
        Ok(Self { process, log })
    }

    fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// Asks it to end, by a signal, and waits for the end.
    async fn end_by(&mut self, signal: &str) -> Result<ExitStatus> {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status()?;
        ensure!(sent.success(), "cannot send SIG{signal}");
        for _ in 0..6000 {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the host did not end:\n{}", self.log()?)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn setup() -> Result<Setup> {
    Setup::new(fs::read(paths::root().join("examples/network/schemas.json"))?)
}

fn network(id: &str) -> Json {
    json!({"id": id, "tenant_id": "t1", "name": "n", "admin_state_up": true})
}

/// One command beside the host.
fn stokehold(world: &World, args: &[&str]) -> Result<Output> {
    let mut command = Command::new(paths::program("stokehold")?);
    command.current_dir(world.folder()).args(args).arg("--store").arg(world.folder().join("store"));
    command.output().context("cannot run stokehold")
}

/// What a command that must succeed prints.
fn told(world: &World, args: &[&str]) -> Result<String> {
    let output = stokehold(world, args)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "{args:?}: {}{}", text(&output.stdout), text(&output.stderr));
    Ok(text(&output.stdout))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_asked_to_end_gives_its_jobs_back_and_ends_well() -> Result<()> {
    gives_its_jobs_back_and_ends_well("TERM").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_interrupted_gives_its_jobs_back_and_ends_well() -> Result<()> {
    gives_its_jobs_back_and_ends_well("INT").await
}

async fn gives_its_jobs_back_and_ends_well(signal: &str) -> Result<()> {
    let mut setup = setup()?;
    setup.pace.shutdown_ms_max = 300;
    let world = World::without_host(setup, Role::Guest)?;
    // Heat takes the request and never answers: the call is still running when the end comes.
    world.heat.set_faults(vec![Fault::hang(Duration::from_mins(1))]);
    stokehold_tests::example::put_templates(&world).await?;
    world.config("/v2.0/networks/n1", &network("n1"), 1, false).await?;
    let mut host = Host::start(&world, &[])?;
    world
        .until("a claim", async || {
            Ok((!world.all("/jobs/working/").await?.is_empty()).then_some(()))
        })
        .await?;
    let status = host.end_by(signal).await?;
    ensure!(status.success(), "{status}:\n{}", host.log()?);
    ensure!(world.all("/jobs/working/").await?.is_empty(), "a claim is left");
    ensure!(world.all("/jobs/ready/").await?.len() == 1, "the job was not given back");
    let jobs = world.all("/jobs/all/").await?;
    ensure!(jobs.values().all(|job| job[2] == 0), "giving back counts as a try: {jobs:?}");

    world.heat.set_faults(Vec::new());
    let _next = Host::start(&world, &[])?;
    let state = world.state("/v2.0/networks/n1", 1).await?;
    ensure!(state["state"]["worker_state"] == "CREATE_COMPLETED", "{state}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_json_is_json_and_never_holds_a_secret() -> Result<()> {
    const SECRET: &str = "s3cret-t0ken-of-heat";
    let mut setup = setup()?;
    setup.heat.token = Some(SECRET.to_owned());
    setup.heat_config.insert("heat_token".into(), SECRET.into());
    let world = World::without_host(setup, Role::Guest)?;
    let host = Host::start(&world, &["--log", "trace", "--log-format", "json"])?;
    stokehold_tests::example::put_templates(&world).await?;
    world.config("/v2.0/networks/n1", &network("n1"), 1, false).await?;
    let state = world.state("/v2.0/networks/n1", 1).await?;
    ensure!(state["state"]["worker_state"] == "CREATE_COMPLETED", "{state}");
    let log = host.log()?;
    let whole_lines = log.rsplit_once('\n').map(|(lines, _)| lines).unwrap_or_default();
    for line in whole_lines.lines() {
        let _: Json = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
    }
    ensure!(log.contains("completed"), "the log says nothing of the job:\n{log}");
    ensure!(!log.contains(SECRET), "the log holds the secret");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_asked_for_again_until_the_api_server_answers() -> Result<()> {
    let mut setup = setup()?;
    setup.heat.schemas = Some(ServedSchemas {
        file: paths::root().join("examples/network/schemas.json"),
        failures: 1,
        token: Some("gohan-token".into()),
    });
    let world = World::without_host(setup, Role::Guest)?;
    let url = world.heat.origin();
    let host = Host::start(&world, &["--schemas", &url, "--gohan-token", "gohan-token"])?;
    stokehold_tests::example::put_templates(&world).await?;
    world.config("/v2.0/networks/n1", &network("n1"), 1, false).await?;
    world.state("/v2.0/networks/n1", 1).await?;
    let log = host.log()?;
    ensure!(log.contains("503") && log.contains("asking again in 1 s"), "{log}");
    ensure!(!log.contains("gohan-token"), "the log holds the token:\n{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_are_asked_for_again_while_the_answer_is_none() -> Result<()> {
    let mut setup = setup()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("schemas.json");
    fs::write(&file, "<html>starting</html>")?;
    setup.heat.schemas = Some(ServedSchemas { file: file.clone(), ..ServedSchemas::default() });
    let world = World::without_host(setup, Role::Guest)?;
    let url = world.heat.origin();
    let mut host = Host::start(&world, &["--schemas", &url])?;
    let told = world
        .until("a complaint", async || {
            ensure!(host.process.try_wait()?.is_none(), "the host ended:\n{}", host.log()?);
            Ok(Some(host.log()?).filter(|log| log.contains("asking again in 1 s")))
        })
        .await?;
    ensure!(told.contains("cannot get schemas") && told.contains("/schemas"), "{told}");
    ensure!(!told.contains("starting"), "the log holds the body:\n{told}");
    // In one piece, so that no half of it is served.
    let whole = folder.path().join("whole");
    fs::copy(paths::root().join("examples/network/schemas.json"), &whole)?;
    fs::rename(&whole, &file)?;
    stokehold_tests::example::put_templates(&world).await?;
    world.config("/v2.0/networks/n1", &network("n1"), 1, false).await?;
    world.state("/v2.0/networks/n1", 1).await?;
    Ok(())
}

async fn status(url: &str) -> Result<u16> {
    let within = Duration::from_mins(1);
    let (status, _) = HttpClient::new()?.get(url, &HeaderMap::new(), within, 1 << 20).await?;
    Ok(status.as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_waits_for_the_etcd_that_is_not_there_yet() -> Result<()> {
    let Some(etcd) = Cluster::start(1)? else { return Ok(()) };
    let world = World::on_etcd(setup()?, etcd).await?;
    let etcd = world.etcd().context("the world has no etcd")?;
    stokehold_tests::example::put_templates(&world).await?;
    world.config("/v2.0/networks/n1", &network("n1"), 1, false).await?;
    etcd.member(0).kill();
    let [port] = ports::free()?;
    let watched = format!("127.0.0.1:{port}");
    let begin = async |timeout_ms: &str| -> Result<(Host, String)> {
        let more = ["--etcd-timeout-ms", timeout_ms, "--metrics", &watched];
        let mut host = Host::start(&world, &more)?;
        for _ in 0..6000 {
            let told = host.log()?;
            ensure!(host.process.try_wait()?.is_none(), "the host ended:\n{told}");
            if told.contains("asking again in 2 s") {
                return Ok((host, told));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("the host does not say that it waits:\n{}", host.log()?)
    };
    let (mut host, told) = begin("300").await?;
    let address = etcd.address();
    ensure!(told.contains(&format!("cannot use the store {address}: ")), "{told}");
    ensure!(host.end_by("TERM").await?.success(), "{}", host.log()?);
    let (_host, _) = begin("3000").await?;
    ensure!(status(&format!("http://{watched}/healthz")).await? == 200, "it is alive");
    ensure!(status(&format!("http://{watched}/readyz")).await? == 503, "and not ready");
    block_in_place(|| etcd.member(0).start())?;
    world.state("/v2.0/networks/n1", 1).await?;
    ensure!(status(&format!("http://{watched}/readyz")).await? == 200, "it is ready now");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_do_what_they_say_beside_a_host() -> Result<()> {
    let mut setup = setup()?;
    setup.heat.pace = Pace::even(Duration::from_millis(10));
    let world = World::without_host(setup, Role::Guest)?;
    let _host = Host::start(&world, &[])?;
    world.until("the host's schemas", async || world.get("/stokehold/schemas").await).await?;
    let templates = paths::root().join("examples/network/templates.json");
    told(&world, &["apply", &templates.to_string_lossy()])?;
    let file = world.folder().join("network.json");
    fs::write(&file, json!({"network": network("n1")}).to_string())?;
    let file = file.to_string_lossy().into_owned();

    let applied = told(&world, &["apply", &file, "--wait"])?;
    ensure!(applied.contains("network:n1 version 1 CREATE_COMPLETED"), "{applied}");
    let again = told(&world, &["apply", &file])?;
    ensure!(again.contains("unchanged"), "{again}");
    let state = told(&world, &["get", "/state/v2.0/networks/n1"])?;
    let state: Json = serde_json::from_str(&state)?;
    ensure!(state["version"] == 1, "{state}");
    let none = stokehold(&world, &["get", "/state/v2.0/networks/none"])?;
    ensure!(!none.status.success(), "a key that is not there is no success");
    let all = told(&world, &["watch", "/state/", "--json", "--after", "0", "--count", "1"])?;
    let change: Json = serde_json::from_str(all.trim())?;
    ensure!(change["key"] == "/state/v2.0/networks/n1", "{change}");
    let status = told(&world, &["status"])?;
    for words in ["heat_worker, monitoring_worker", "contrail_prober", "no open jobs"] {
        ensure!(status.contains(words), "`{words}` is not in:\n{status}");
    }
    let deleted = told(&world, &["delete", "network", "n1", "--wait"])?;
    ensure!(deleted.contains("DELETE_COMPLETED"), "{deleted}");
    told(&world, &["delete", "network", "n1", "--purge", "--wait"])?;
    ensure!(world.get("/state/v2.0/networks/n1").await?.is_none(), "the state is left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_on_the_same_folder_is_refused() -> Result<()> {
    let world = World::without_host(setup()?, Role::Host)?;
    let mut host = Host::start(&world, &[])?;
    let status = host.process.wait()?;
    ensure!(!status.success(), "two hosts run on one folder");
    let log = host.log()?;
    ensure!(log.contains("host"), "{log}");
    Ok(())
}
