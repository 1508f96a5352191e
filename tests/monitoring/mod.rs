//! What is watched, by whom, and how it is told.
//!
//! | what | test |
//! | --- | --- |
//! | SNMP devices and ports against net-snmp's `snmpd` | `snmp` |
//! | thousands of targets, hosts that come and go, each change written once | `collector` |
//! | registrations told to a Kafka, against a broker (Tansu) | `kafka` |

mod collector;
mod kafka;
mod snmp;

use anyhow::Result;
use serde_json::json;
use stokehold_tests::world::World;

const NETWORK: &str = "/v2.0/networks/n1";

async fn put_network(world: &World, version: u64, marked: bool) -> Result<()> {
    let body = json!({"id": "n1", "tenant_id": "t1", "name": "n", "admin_state_up": true});
    world.config(NETWORK, &body, version, marked).await?;
    Ok(())
}
