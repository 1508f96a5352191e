//! What is watched, by whom, and how it is told.
//!
//! | what | test |
//! | --- | --- |
//! | virtual machines against a genuine Nova behind a genuine Keystone | `nova` |
//! | SNMP devices and ports against net-snmp's `snmpd` | `snmp` |
//! | thousands of targets, hosts that come and go, each change written once | `collector` |
//! | registrations told to a Kafka, against a broker (Tansu) | `kafka` |

mod collector;
mod kafka;
mod nova;
mod snmp;

use anyhow::Result;
use serde_json::{Value as Json, json};
use stokehold_tests::world::World;

const NETWORK: &str = "/v2.0/networks/n1";
/// Where the statuses of what is registered are told.
const STATUSES: &str = "/monitoring/v2.0/ports/p1";

async fn put_network(world: &World, version: u64, marked: bool) -> Result<()> {
    let body = json!({"id": "n1", "tenant_id": "t1", "name": "n", "admin_state_up": true});
    world.config(NETWORK, &body, version, marked).await?;
    Ok(())
}

/// Registers targets of a port, as its job would have.
async fn register(world: &World, targets: &[Json]) -> Result<()> {
    let state = json!({"version": 4, "error": "", "state": {"worker_state": "x"}});
    // Without a config it would be cleaned up.
    world.config("/v2.0/ports/p1", &json!({"id": "p1", "tenant_id": "t"}), 4, false).await?;
    world.put("/state/v2.0/ports/p1", &state).await?;
    let registration = json!({"version": 4, "targets": targets});
    world.put("/stokehold/monitored/v2.0/ports/p1", &registration).await?;
    Ok(())
}

/// Waits until they are told so.
async fn shown(world: &World, wanted: Json) -> Result<()> {
    let what = format!("{wanted} under /monitoring");
    let is_shown = async || Ok((world.get(STATUSES).await? == Some(wanted.clone())).then_some(()));
    world.until(&what, is_shown).await
}
