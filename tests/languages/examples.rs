//! The examples in other languages, in the workflow of a port.

use anyhow::Result;
use serde_json::json;
use stokehold_tests::{dns_life, paths, ports};

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
async fn an_exception_that_nobody_catches_is_shown_with_its_text_and_its_place() -> Result<()> {
    let programs = [paths::program("stokehold")?.parent().unwrap().to_path_buf()];
    let room = tempfile::tempdir()?;
    let job = json!({
        "action": "create", "resource_type": "port", "resource_id": "p1", "version": 1,
        "answers": [{
            "method": "GET", "url": "http://dns/records/p1", "status": 200, "headers": {},
            "body": {},
        }],
    });
    std::fs::write(room.path().join("job.json"), job.to_string())?;
    for (handler, text, place) in [
        ("python_dns_worker", "KeyError: 'record'", "dns.py\", line "),
        ("javascript_dns_worker", "can't convert undefined to object", "@src/dns.js:"),
    ] {
        let Some(component) = toolchain(&format!("{handler}.wasm")) else { continue };
        let _turn = TURN.lock().await;
        // A checkpoint that the handler never gave.
        let line = format!(
            "! stokehold plugin run {} --job job.json --checkpoint '{{}}' --config \
             {handler}.dns_url=http://dns",
            component.display()
        );
        let said = shell(&line, room.path(), &programs);
        assert!(said.contains(text) && said.contains(place), "{handler} said\n{said}");
        // That is what a host logs, and what stands in the resource's state.
        let fault = said.lines().next().unwrap_or_default();
        assert!(fault.contains("; it said: ") && fault.contains(text), "{handler} said\n{said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_away_or_not_granted_is_no_fault() -> Result<()> {
    let programs = [paths::program("stokehold")?.parent().unwrap().to_path_buf()];
    let room = tempfile::tempdir()?;
    // The request has a body, which nobody takes.
    let job = json!({
        "action": "create", "resource_type": "port", "resource_id": "p1", "version": 1,
        "params": {"name": "h1", "values": ["10.0.0.1"]},
    });
    std::fs::write(room.path().join("job.json"), job.to_string())?;
    let [port, other] = ports::free()?;
    for handler in ["python_dns_worker", "javascript_dns_worker"] {
        let Some(component) = toolchain(&format!("{handler}.wasm")) else { continue };
        let _turn = TURN.lock().await;
        for granted in [port, other] {
            let line = format!(
                "stokehold plugin run {} --job job.json --config {handler}.dns_url=http://127.0.0.1:{port} \
                 --grant-http {handler}=127.0.0.1:{granted} || true",
                component.display()
            );
            for _ in 0..10 {
                let said = shell(&line, room.path(), &programs);
                let is_so = said.contains("to be tried again: cannot ask the DNS server at ")
                    || (granted == other && said.contains("failed for good: "));
                assert!(is_so, "{handler} said\n{said}");
            }
        }
    }
    Ok(())
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
    assert!(said.contains("pass 5"), "{said}");
}
