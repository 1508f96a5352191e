//! A plugin directory with good and bad plugins: the bad ones are named, the good ones work. `siege` has plugins do to
//! a running host whatever of the following can be done in a call, all at once and again and again (the list is
//! `hostile/acts.rs`). Each act has a test of its own, from both sides of its bound:
//!
//! | what a stranger may try | where it is shown |
//! | --- | --- |
//! | endless loop, sleep | `sandbox/bounds.rs`: `a_guest_that_loops_for_ever_…`, `a_guest_that_sleeps_…` |
//! | endless loop inside the host's own work | `sandbox/limits.rs`: `a_guest_that_keeps_the_host_busy_…` |
//! | a host call that hangs | `sandbox/bounds.rs`: `a_host_call_that_hangs_…` |
//! | memory bomb | `sandbox/bounds.rs`: `memory_is_bounded_…`, `a_guest_that_starts_with_too_much_memory_…` |
//! | table bomb, too many modules | `sandbox/limits.rs`: `a_table_grows_…`, `the_modules_…`; `sandbox/broken.rs` |
//! | deep recursion | `sandbox/bounds.rs`: `recursion_that_ends_is_work_…` |
//! | log flood | `sandbox/bounds.rs`: `logged_lines_are_bounded_…`, `standard_output_…` |
//! | result of 100 MB | `sandbox/limits.rs`: `a_result_of_a_hundred_megabytes_…` |
//! | checkpoint of 10 MB | `sandbox/limits.rs`: `a_checkpoint_is_as_long_as_it_may_be_…` |
//! | not UTF-8 | `sandbox/limits.rs`: `text_that_is_not_utf_8_…` |
//! | not JSON | `sandbox/bounds.rs`: `malformed_json_is_a_breach_…` |
//! | reports for others, names with slashes and `..` | `sandbox/limits.rs`: `names_with_slashes_…`; `siege` |
//! | a refused host, method, scheme | `sandbox/network.rs`: `a_host_that_was_not_granted_…`; `sandbox/rules.rs` |
//! | redirect to a refused host | `sandbox/rules.rs`: `a_redirect_is_an_answer_…` |
//! | the metadata address | `sandbox/rules.rs`: `the_metadata_address_…`, both |
//! | a name that leads to this machine | `sandbox/rules.rs`: `a_name_that_leads_to_this_machine_…` |
//! | slow-loris body | `sandbox/rules.rs`: `a_body_that_drips_…`, both |
//! | datagrams and connections to others | `sandbox/sockets.rs` |
//! | a secret for itself or for others | `sandbox/secrets.rs` |
//! | trap in every export | `sandbox/limits.rs`: `a_trap_in_any_export_…`; `sandbox/broken.rs`, `sandbox/work.rs` |
//! | trap or endless loop in the dry call | `sandbox/trial.rs`; `swap/mod.rs`: `a_version_that_traps_in_its_dry_…` |
//! | more calls than places | `sandbox/limits.rs`: `calls_of_one_plugin_…`; `sandbox/bounds.rs` |

mod acts;
mod siege;

use std::fs;
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use stokehold::store::embedded::Role;
use stokehold_tests::world::{Setup, World};
use stokehold_tests::{guests, paths};

const CALL_MS_MAX: u64 = 5_000;
const MEMORY_BYTES_MAX: u64 = 16 << 20;

struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_plugins_are_named_with_their_fault_and_the_others_jobs_complete() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let handlers = folder.path().join("handlers");
    fs::create_dir(&handlers)?;
    for entry in fs::read_dir(paths::handlers()?)? {
        let path = entry?.path();
        fs::copy(&path, handlers.join(path.file_name().context("no name")?))?;
    }
    for guest in ["guest_loops", "guest_eats"] {
        fs::copy(guests::build(guest), handlers.join(format!("{guest}.wasm")))?;
    }
    fs::write(handlers.join("broken.wasm"), b"\0asm and then nothing of use")?;

    let mut setup = Setup::new(schemas()?)?;
    setup.handlers = handlers;
    setup.pace.attempts_max = 2;
    let world = World::without_host(setup, Role::Guest)?;
    let log = folder.path().join("log");
    let mut command = world.host_command()?;
    command.args(["--call-ms-max", &CALL_MS_MAX.to_string()]);
    command.args(["--memory-bytes-max", &MEMORY_BYTES_MAX.to_string()]);
    let command = command.stderr(Stdio::from(fs::File::create(&log)?));
    let host = Host(command.spawn().context("cannot start a host")?);

    stokehold_tests::example::put_templates(&world).await?;
    for handler in ["guest_loops", "guest_eats"] {
        let template = json!({
            "id": handler, "handler": handler, "template_file": "", "parameter_mappings": {},
        });
        world.config(&format!("/v2.0/heat_templates/{handler}"), &template, 1, false).await?;
        world.config(&format!("/v2.0/{handler}s/x"), &json!({"id": "x"}), 1, false).await?;
    }
    let network = json!({"id": "n1", "tenant_id": "t1", "name": "n", "admin_state_up": true});
    world.config("/v2.0/networks/n1", &network, 1, false).await?;

    let good = world.state("/v2.0/networks/n1", 1).await?;
    ensure!(good["state"]["worker_state"] == "CREATE_COMPLETED", "{good}");
    let faults = [
        ("guest_loops", format!("deadline of {CALL_MS_MAX} ms")),
        ("guest_eats", format!("memory of {MEMORY_BYTES_MAX} bytes")),
    ];
    for (handler, fault) in faults {
        let state = world.state(&format!("/v2.0/{handler}s/x"), 1).await?;
        ensure!(state["state"]["worker_state"] == "CREATE_FAILED", "{state}");
        let error = state["error"].as_str().unwrap_or_default();
        ensure!(error.contains(handler) && error.contains(&fault), "{error}");
    }
    let hosts = world.all("/stokehold/hosts/").await?;
    let told: Vec<&Json> =
        hosts.values().filter_map(|host| host["faults"].as_array()).flatten().collect();
    let [broken] = told.as_slice() else { anyhow::bail!("one fault is expected: {told:?}") };
    ensure!(broken["file"].as_str().is_some_and(|f| f.ends_with("broken.wasm")), "{broken}");
    ensure!(broken["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{broken}");
    drop(host);
    let log = fs::read_to_string(log)?;
    for words in ["broken.wasm", "deadline", "memory of"] {
        ensure!(log.contains(words), "the log does not say `{words}`:\n{log}");
    }
    Ok(())
}

/// The network example's schemas and a type for each bad handler.
fn schemas() -> Result<Vec<u8>> {
    let schemas = fs::read(paths::root().join("examples/network/schemas.json"))?;
    let mut schemas: Json = serde_json::from_slice(&schemas)?;
    let all = schemas["schemas"].as_array_mut().context("no schemas")?;
    for handler in ["guest_loops", "guest_eats"] {
        all.push(json!({
            "id": handler,
            "plural": format!("{handler}s"),
            "prefix": format!("/v2.0/{handler}s"),
            "metadata": {"templates": {handler: format!("C{handler}")}},
            "schema": {"properties": {"id": {"type": "string"}}},
        }));
    }
    Ok(serde_json::to_vec(&schemas)?)
}
