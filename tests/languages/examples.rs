//! The examples in other languages, in the workflow of a port.

use anyhow::Result;
use stokehold_tests::{dns_life, paths};

use super::{TURN, shell, toolchain};

async fn takes_part(handler: &str) -> Result<()> {
    let Some(component) = toolchain(&format!("{handler}.wasm")) else { return Ok(()) };
    let _turn = TURN.lock().await;
    dns_life::live(handler, &component).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_in_python_joins_after_heat_worker() -> Result<()> {
    takes_part("python_dns_worker").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_in_javascript_joins_after_heat_worker() -> Result<()> {
    takes_part("javascript_dns_worker").await
}

#[tokio::test]
async fn the_examples_own_tests_pass() {
    let Some(venv) = toolchain("python") else { return };
    let Some(_) = toolchain("javascript") else { return };
    let _turn = TURN.lock().await;
    let programs = [venv.join("bin")];
    let examples = paths::root().join("examples");
    // -B: the checkout stays as it is.
    let python = "PYTHONPATH=src python3 -B -m unittest discover --start-directory tests";
    shell(python, &examples.join("python_dns_worker"), &programs);
    let said = shell("npm test", &examples.join("javascript_dns_worker"), &programs);
    assert!(said.contains("# pass 5") && said.contains("# fail 0"), "{said}");
}
