//! The simulator from outside: against recorded exchanges, against its contract and a real Heat,
//! and its failures on demand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod contract;
mod faults;
mod manual;
mod neighbours;
mod program;
mod session;
mod values;

use heat_simulator::{Client, Simulator};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// More than anything here takes; who waits longer has found a defect.
const BOUND: Duration = Duration::from_mins(1);

/// A network whose name is the parameter.
const NETWORK: &str = "
heat_template_version: 2013-05-23
parameters:
  name: {type: string, default: net}
resources:
  network: {type: OS::Contrail::VirtualNetwork, properties: {name: {get_param: name}}}
outputs:
  name: {description: d, value: {get_attr: [network, name]}}
  fq_name: {value: {get_attr: [network, fq_name]}}
";

/// A client of the simulator's Heat for one tenant.
fn client(heat: &Simulator) -> Client {
    Client::new(&format!("{}/a-tenant", heat.url())).bound(BOUND)
}

/// Asks for a stack: `/stacks/{name}/{id}`.
async fn post(client: &Client, name: &str, more: Json) -> String {
    let mut body = json!({"stack_name": name, "template": NETWORK, "disable_rollback": true});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let reply = client.send("POST", "/stacks", Some(&body)).await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.body);
    format!("/stacks/{name}/{}", reply.body["stack"]["id"].as_str().unwrap())
}

/// What a stack shows.
async fn shown(client: &Client, path: &str) -> Json {
    client.get(path).await.unwrap().body["stack"].clone()
}

/// Looks until a stack has this status, and gives what it shows then.
async fn until(client: &Client, path: &str, status: &str) -> Json {
    let looks = async {
        loop {
            let stack = shown(client, path).await;
            if stack["stack_status"] == status {
                return stack;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(BOUND, looks).await.unwrap_or_else(|_| panic!("never {status}"))
}
