//! The steps of a scenario.

use anyhow::Result;
use heat_simulator::Fault;
use serde::Deserialize;
use serde_json::Value as Json;
use stokehold_tests::world::World;

/// A `script.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    /// What it shows, for the reader.
    #[serde(rename = "about")]
    _about: String,
    /// Failed tries after which a job fails, if not the usual.
    pub(super) attempts_max: Option<u32>,
    /// How long Heat works on a stack: longer where a later step has to find it at work.
    #[serde(default = "heat_ms")]
    pub(super) heat_ms: u64,
    /// What happens.
    pub(super) steps: Vec<Step>,
}

fn heat_ms() -> u64 {
    200
}

/// One step.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Step {
    /// Gohan writes a config.
    Config {
        /// `/v2.0/networks/n1`.
        key: String,
        version: u64,
        #[serde(default)]
        marked: bool,
        body: Json,
    },
    /// Somebody writes this value as it is, whatever it is.
    Put { key: String, value: Json },
    /// Somebody removes a key.
    Remove { key: String },
    /// Wait for a state.
    State { key: String, version: u64, worker_state: String },
    /// Wait for a key, or for its end.
    Key { key: String, there: bool },
    /// Wait for the end of all jobs.
    Idle,
    /// From now on Heat misbehaves so and not otherwise, in the simulator's own words.
    Faults(Vec<Fault>),
    /// The host ends and another one starts.
    Restart,
}

pub(super) async fn perform(world: &mut World, step: &Step) -> Result<()> {
    match step {
        Step::Config { key, version, marked, body } => {
            world.config(key, body, *version, *marked).await?;
        }
        Step::Put { key, value } => {
            world.put(key, value).await?;
        }
        Step::Remove { key } => {
            world.remove(key).await?;
        }
        Step::State { key, version, worker_state } => {
            let what = format!("{key} at version {version} to be {worker_state}");
            let key = format!("/state{key}");
            world
                .until(&what, async || {
                    let state = world.get(&key).await?.unwrap_or_default();
                    let there = state["version"] == *version
                        && state["state"]["worker_state"] == *worker_state;
                    Ok(there.then_some(()))
                })
                .await?;
        }
        Step::Key { key, there } => {
            let what = format!("{key} to be {}", if *there { "there" } else { "gone" });
            world
                .until(
                    &what,
                    async || Ok((world.get(key).await?.is_some() == *there).then_some(())),
                )
                .await?;
        }
        Step::Idle => world.idle().await?,
        Step::Faults(faults) => world.heat.set_faults(faults.clone()),
        Step::Restart => {
            world.stop_host().await?;
            world.start_host().await?;
        }
    }
    Ok(())
}
