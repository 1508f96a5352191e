//! Calls of a running host are recorded, and `stokehold job replay` makes them again.

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use heat_simulator::Pace;
use serde_json::json;
use stokehold::store::embedded::Role;
use stokehold_tests::world::{Setup, World};
use stokehold_tests::{example, paths};

use super::{Bench, Said};

/// A host that ends with the test, whatever happens.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn replay(bench: &Bench, world: &World, args: &[&str]) -> Result<Said> {
    let handlers = paths::handlers()?;
    let (store, kept) = (world.folder().join("store"), world.folder().join("kept"));
    let places = [("--handlers", &handlers), ("--store", &store), ("--recordings", &kept)];
    let places: Vec<_> = places.map(|(flag, path)| (flag, path.display().to_string())).into();
    let places = places.iter().flat_map(|(flag, path)| [*flag, path.as_str()]);
    let settings = world.heat_settings();
    let settings = settings.iter().map(String::as_str);
    let all: Vec<&str> = ["job"].into_iter().chain(args.iter().copied()).chain(places).collect();
    bench.stokehold(&all.into_iter().chain(settings).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_job_is_replayed_from_what_was_recorded_and_commits_nothing() -> Result<()> {
    let mut setup = Setup::new(fs::read(paths::root().join("examples/network/schemas.json"))?)?;
    setup.heat.pace = Pace::even(Duration::from_millis(10));
    let world = World::without_host(setup, Role::Guest)?;
    let mut command = world.host_command()?;
    command.args(["--record-calls", "heat_worker"]).arg("--recordings");
    command.arg(world.folder().join("kept")).stderr(Stdio::null());
    let host = Host(command.spawn().context("cannot start a host")?);
    example::put_templates(&world).await?;
    let network = json!({"id": "n1", "tenant_id": "t1", "name": "n", "admin_state_up": true});
    world.config("/v2.0/networks/n1", &network, 1, false).await?;
    let state = world.state("/v2.0/networks/n1", 1).await?;
    ensure!(state["state"]["worker_state"] == "CREATE_COMPLETED", "{state}");
    world.idle().await?;
    drop(host);

    let bench = Bench::new()?;
    let listed =
        replay(&bench, &world, &["list"])?.with(0, &["create:heat_worker:network:n1:1:"])?;
    ensure!(!listed.out.contains("monitoring_worker"), "more was recorded: {}", listed.out);
    let id = listed.out.split_whitespace().nth(1).context("no id")?.to_owned();
    let kept = async || {
        let mut all = Vec::new();
        for prefix in ["/state/", "/jobs/", "/esi-worker/", "/monitoring/"] {
            all.push(world.all(prefix).await?);
        }
        anyhow::Ok(all)
    };
    let before = kept().await?;
    let words = [
        "call 1: pending",
        "recorded   pending",
        "(the same)",
        "recorded   completed (the same)",
        "http       POST",
    ];
    let said = replay(&bench, &world, &["replay", &id])?.with(0, &words)?;
    ensure!(!said.out.contains("DIFFERS") && !said.out.contains("no answer"), "{}", said.out);
    ensure!(kept().await? == before, "a replay changed the store");

    // Another component comes out otherwise, and that is told.
    bench.file("http.json", "[]")?;
    let none = replay(&bench, &world, &["replay", &id, "--answers", "http.json"])?;
    none.with(1, &["DIFFERS", "no answer  to "])?;
    bench.guest("echo_worker")?;
    let other = replay(&bench, &world, &["replay", &id, "--plugin", "echo_worker.wasm"])?;
    let words = "note: echo_worker.wasm is the handler echo_worker, and the job is heat_worker's";
    ensure!(
        other.with(1, &["call 1: ", "otherwise  ", " is not asked for"])?.err.contains(words),
        "no `{words}`"
    );
    bench.guest("contrail_prober")?;
    let prober = replay(&bench, &world, &["replay", &id, "--plugin", "contrail_prober.wasm"])?;
    let prober = prober.with(2, &[])?;
    let words =
        "contrail_prober.wasm is the prober contrail_prober: a job is replayed by a handler";
    ensure!(prober.err.contains(words), "{}", prober.err);
    let gone = replay(&bench, &world, &["replay", "create:heat_worker:port:x:1:abcde"])?;
    let gone = gone.with(1, &[])?;
    for words in ["no call of it is recorded in", "and it is not open any more"] {
        ensure!(gone.err.contains(words), "{}", gone.err);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_recording_the_setting_that_makes_one_is_named() -> Result<()> {
    let setup = Setup::new(fs::read(paths::root().join("examples/network/schemas.json"))?)?;
    let world = World::without_host(setup, Role::Guest)?;
    let said = replay(&Bench::new()?, &world, &["list"])?.with(1, &[])?;
    ensure!(said.err.contains("name handlers with the setting record_calls"), "{}", said.err);
    Ok(())
}
