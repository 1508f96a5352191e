//! `stokehold doctor` and `stokehold leader`, and the commands where the store is away.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;
use stokehold::store::embedded::Role;
use stokehold_tests::etcd::Cluster;
use stokehold_tests::paths;
use stokehold_tests::world::World;

use super::{Host, setup};

/// Nobody listens at the first port.
const DEAD_ETCD: &str = "etcd://127.0.0.1:1";

/// A command with the settings of the world's hosts; some replaced, some added.
fn beside(
    world: &World,
    words: &[&str],
    instead: &[(&str, &str)],
    more: &[&str],
) -> Result<Output> {
    let host = world.host_command()?;
    let mut args: Vec<_> = host.get_args().skip(1).map(std::ffi::OsStr::to_owned).collect();
    for (flag, value) in instead {
        let at = args.iter().position(|arg| arg == flag).context("no such flag")?;
        args[at + 1] = value.into();
    }
    let mut command = Command::new(paths::program("stokehold")?);
    command.args(words).args(args).args(more).current_dir(world.folder());
    // What is said to the tests is nothing to a host.
    for (name, _) in std::env::vars_os().filter(|(name, _)| of_tests(name)) {
        command.env_remove(name);
    }
    command.envs(host.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.output().context("cannot run stokehold")
}

fn of_tests(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("STOKEHOLD_"))
}

/// What the doctor finds, and whether it is content.
struct Checkup {
    content: bool,
    findings: Vec<Json>,
}

impl Checkup {
    fn of(world: &World, instead: &[(&str, &str)], more: &[&str]) -> Result<Self> {
        let output = beside(world, &["doctor", "--json"], instead, more)?;
        let told: Json = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let content = output.status.success();
        ensure!(told["ok"] == content, "the exit code differs from {told}");
        Ok(Self { content, findings: told["findings"].as_array().cloned().unwrap_or_default() })
    }

    /// A finding of this check and mark that says this, and what to do about it.
    fn has(&self, check: &str, mark: &str, what: &str) -> Result<&str> {
        let found = self.findings.iter().find(|finding| {
            finding["check"] == check
                && finding["mark"] == mark
                && finding["what"].as_str().is_some_and(|text| text.contains(what))
        });
        let found = found.with_context(|| format!("no {mark} {check} {what}: {self:#?}"));
        Ok(found?["do"].as_str().unwrap_or_default())
    }

    /// What is not as it should be; that the disk is slow says nothing about the world.
    fn bad(&self) -> Vec<&Json> {
        let slow = |finding: &&Json| finding["check"] == "writing" && finding["mark"] == "warning";
        let bad = self.findings.iter().filter(|finding| finding["mark"] != "ok");
        bad.filter(|finding| !slow(finding)).collect()
    }
}

impl std::fmt::Debug for Checkup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.findings).finish()
    }
}

async fn with_leader(world: &World) -> Result<Host> {
    let host = Host::start(world, &[])?;
    world.until("a leader", async || world.get("/stokehold/leader").await).await?;
    world
        .until("a host", async || {
            Ok((!world.all("/stokehold/hosts/").await?.is_empty()).then_some(()))
        })
        .await?;
    Ok(host)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_is_content_with_a_world_that_is_well() -> Result<()> {
    let world = World::without_host(setup()?, Role::Guest)?;
    let _host = with_leader(&world).await?;
    stokehold_tests::example::put_templates(&world).await?;
    let checkup = Checkup::of(&world, &[], &[])?;
    ensure!(checkup.content && checkup.bad().is_empty(), "{checkup:#?}");
    for (check, what) in [
        ("settings", "can be read"),
        ("store", "embedded, in the folder "),
        ("store", " has it"),
        ("leases", "granted, kept and ended"),
        ("hosts", "1 host is running; "),
        ("handlers", "every handler that is asked for (2)"),
        ("clock", "ahead of this machine's clock"),
        ("schemas", "types are known from the file "),
        ("plugins", "handler heat_worker can be loaded"),
        ("plugins", "prober contrail_prober can be loaded, for "),
        ("network", "the heat_url of heat_worker, answers ("),
        ("network", "the analytics_url of contrail_prober, answers ("),
    ] {
        checkup.has(check, "ok", what)?;
    }
    let written = checkup.has("writing", "ok", "written, read and removed in ");
    written.or_else(|_| checkup.has("writing", "warning", "which is slow"))?;
    ensure!(world.all("/stokehold/doctor/").await?.is_empty(), "the doctor left something");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_etcd_the_doctor_names_members_and_hosts_and_leader_tells_who_leads() -> Result<()> {
    let Some(etcd) = Cluster::start(3)? else { return Ok(()) };
    let world = World::on_etcd(setup()?, etcd).await?;
    let _host = with_leader(&world).await?;
    let checkup = Checkup::of(&world, &[], &[])?;
    // Some releases are not to be recommended, but good enough for a test.
    let of_release = |finding: &&Json| finding["do"] == "take 3.5.3 or a newer one";
    let well = checkup.content && checkup.bad().iter().all(of_release);
    ensure!(well, "{checkup:#?}");
    checkup.has("etcd", "ok", "leads in term ")?;
    checkup.has("etcd", "ok", "3 members answered")?;
    checkup.has("etcd", "ok", "MiB of 2048 MiB, its quota")?;
    checkup.has("hosts", "ok", "1 host is running; ")?;

    let etcd = world.etcd().context("the world has no etcd")?;
    let address = etcd.address();
    let leader = Command::new(paths::program("stokehold")?)
        .args(["leader", "--json", "--store", &address])
        .output()?;
    ensure!(leader.status.success(), "{}", String::from_utf8_lossy(&leader.stderr));
    let told: Json = serde_json::from_slice(&leader.stdout)?;
    ensure!(told["leader"]["handlers"][0] == "heat_worker", "{told}");
    ensure!(told["hosts"].as_array().is_some_and(|hosts| hosts.len() == 1), "{told}");

    etcd.member(1).kill();
    etcd.leader().await?;
    let checkup = Checkup::of(&world, &[], &[])?;
    ensure!(checkup.content, "the loss of one of three is no problem: {checkup:#?}");
    let remedy = checkup.has("etcd", "warning", "cannot be reached")?;
    ensure!(remedy.contains("start it again"), "{remedy}");

    etcd.member(2).kill();
    let checkup = Checkup::of(&world, &[], &["--etcd-timeout-ms", "1000"])?;
    ensure!(!checkup.content, "{checkup:#?}");
    checkup.has("store", "problem", "the etcd cannot be used")?;
    for nth in [1, 2] {
        let said = format!("member http://{} cannot be reached", etcd.member(nth).endpoint());
        checkup.has("etcd", "problem", &said)?;
    }
    checkup.has("plugins", "ok", "handler heat_worker can be loaded")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_etcd_is_named_and_keeps_nothing_else_from_being_checked() -> Result<()> {
    let world = World::without_host(setup()?, Role::Guest)?;
    let instead = [("--store", DEAD_ETCD)];
    let begun = Instant::now();
    let checkup = Checkup::of(&world, &instead, &["--etcd-timeout-ms", "500"])?;
    ensure!(!checkup.content, "{checkup:#?}");
    ensure!(begun.elapsed() < Duration::from_mins(3), "it took {:?}", begun.elapsed());
    let remedy = checkup.has("store", "problem", "the etcd cannot be used")?;
    ensure!(remedy.contains("`store`"), "{remedy}");
    let remedy = checkup.has("etcd", "problem", "member http://127.0.0.1:1 cannot be reached")?;
    ensure!(remedy.contains("start it"), "{remedy}");
    checkup.has("hosts", "warning", "not checked")?;
    checkup.has("plugins", "ok", "handler heat_worker can be loaded")?;
    checkup.has("network", "ok", "answers")?;
    checkup.has("schemas", "ok", "types are known")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_plugin_is_named_and_so_is_what_to_do() -> Result<()> {
    let world = World::without_host(setup()?, Role::Guest)?;
    let _host = with_leader(&world).await?;
    let folder = world.folder().join("plugins");
    fs::create_dir(&folder)?;
    for entry in fs::read_dir(paths::handlers()?)? {
        let entry = entry?;
        fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    fs::write(folder.join("broken.wasm"), "no component")?;
    let folder = folder.to_string_lossy().into_owned();
    let checkup = Checkup::of(&world, &[("--handlers", &folder)], &[])?;
    ensure!(!checkup.content && checkup.bad().len() == 1, "{checkup:#?}");
    let remedy = checkup.has("plugins", "problem", "broken.wasm is not used: ")?;
    ensure!(remedy.contains("put a working plugin in its place"), "{remedy}");
    checkup.has("plugins", "ok", "handler heat_worker can be loaded")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heat_out_of_reach_is_named_and_so_is_what_to_do() -> Result<()> {
    let world = World::without_host(setup()?, Role::Guest)?;
    let _host = with_leader(&world).await?;
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let (url, grant) =
        (format!("heat_worker.heat_url=http://{free}/v1"), format!("heat_worker={free}"));
    let more = ["--config", &url, "--grant-http", &grant];
    let unknown = ["--grant-http", "heat_worker=heat.invalid:8004"];
    let checkup = Checkup::of(&world, &[], &[&more[..], &unknown[..]].concat())?;
    ensure!(!checkup.content && checkup.bad().len() == 2, "{checkup:#?}");
    let said = format!("{free}, the heat_url of heat_worker, cannot be reached: ");
    let remedy = checkup.has("network", "problem", &said)?;
    ensure!(remedy.contains("correct heat_url"), "{remedy}");
    let said = "heat.invalid:8004, granted to heat_worker, has a name that cannot be resolved";
    checkup.has("network", "problem", said)?;

    let checkup = Checkup::of(&world, &[], &more[..2])?;
    let remedy = checkup.has("network", "problem", "is not granted")?;
    ensure!(remedy.contains(&format!("--grant-http heat_worker={free}")), "{remedy}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_make_no_sense_are_a_finding_and_the_store_is_looked_at() -> Result<()> {
    let world = World::without_host(setup()?, Role::Guest)?;
    let _host = with_leader(&world).await?;
    let checkup = Checkup::of(&world, &[], &["--config", "nonsense"])?;
    ensure!(!checkup.content, "{checkup:#?}");
    checkup.has("settings", "problem", "--config must be plugin.key=value")?;
    checkup.has("hosts", "ok", "1 host is running; ")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leads_is_told_and_that_nobody_does_is_exit_code_1() -> Result<()> {
    let world = World::without_host(setup()?, Role::Guest)?;
    let store = world.folder().join("store").display().to_string();
    let ask = || {
        let mut command = Command::new(paths::program("stokehold")?);
        command.args(["leader", "--store", &store]).output().context("cannot run stokehold")
    };
    let none = ask()?;
    ensure!(none.status.code() == Some(1), "{none:?}");
    let said = String::from_utf8_lossy(&none.stdout).into_owned();
    ensure!(said.starts_with("nobody leads: no host is running"), "{said}");

    let mut host = with_leader(&world).await?;
    let said = String::from_utf8_lossy(&ask()?.stdout).into_owned();
    let process = format!("as process {}, version ", host.process.id());
    for words in ["leads since revision ", &process, "handlers: heat_worker, monitoring_worker"] {
        ensure!(said.contains(words), "`{words}` is not in:\n{said}");
    }

    host.process.kill()?;
    host.process.wait()?;
    let dead = ask()?;
    let said = String::from_utf8_lossy(&dead.stdout).into_owned();
    ensure!(dead.status.code() == Some(1), "{said}");
    ensure!(said.contains("ended without a word"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_etcd_is_away_every_command_says_so_in_time() -> Result<()> {
    let schemas = paths::root().join("examples/network/schemas.json").display().to_string();
    let network = paths::root().join("examples/network/network.json").display().to_string();
    let commands: [&[&str]; 6] = [
        &["get", "/state/"],
        &["watch", "/state/", "--count", "1"],
        &["status"],
        &["leader"],
        &["apply", &network, "--wait"],
        &["delete", "network", "1"],
    ];
    let away = ["--store", DEAD_ETCD, "--etcd-timeout-ms", "500", "--schemas", &schemas];
    for words in commands {
        let begun = Instant::now();
        let output = Command::new(paths::program("stokehold")?).args(words).args(away).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(1), "{words:?}: {said}");
        ensure!(begun.elapsed() < Duration::from_mins(1), "{words:?}: {:?}", begun.elapsed());
        let told = format!("error: cannot use the store {DEAD_ETCD}: ");
        ensure!(said.starts_with(&told) && said.contains("out of reach"), "{words:?}: {said}");
        ensure!(!said.contains("embedded"), "{words:?}: {said}");
    }
    Ok(())
}
