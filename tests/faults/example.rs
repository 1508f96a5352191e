//! The example of a cluster, run as its readers run it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use stokehold_tests::{etcd, paths};

#[test]
fn the_example_of_a_cluster_survives_the_death_of_its_leader() -> Result<()> {
    let Some(etcd) = etcd::program()? else { return Ok(()) };
    let _turn = super::TURN.blocking_lock();
    let program = paths::program("stokehold")?;
    paths::program("heat-simulator")?;
    let output = Command::new(paths::root().join("examples/cluster/run"))
        .arg("--programs")
        .arg(program.parent().unwrap_or(Path::new(".")))
        .arg("--handlers")
        .arg(paths::handlers()?)
        .arg("--cache")
        .arg(paths::target()?.join("handlers-cache"))
        .env(etcd::VARIABLE, etcd)
        .output()
        .context("cannot run examples/cluster/run; it needs Python 3")?;
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{told}\n{errors}");
    for words in ["killing host", "another host leads", "the change is done", "all held"] {
        ensure!(told.contains(words), "`{words}` is not in:\n{told}");
    }
    Ok(())
}
