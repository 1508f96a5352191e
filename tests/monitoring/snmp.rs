//! The SNMP prober against a real agent. Where there is none, nothing is run, and a line says so.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use serde_json::{Value as Json, json};
use snmp_prober::SnmpProber;
use stokehold_sdk::testing::ScriptedHost;
use stokehold_sdk::{Prober, ResourceRef, Subject};
use stokehold_tests::snmpd::Agent;

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// `ifOperStatus` of the first interface, `lo`, as the agent is told to tell it: down.
const LO_IS_DOWN: &str = "override .1.3.6.1.2.1.2.2.1.8.1 integer 2";

fn device(community: &str) -> Subject {
    let properties = json!({"ip": "127.0.0.1", "community_name": community, "mibs": []});
    subject("switch", properties)
}

fn interface(name: &str) -> Subject {
    let properties = json!({"device_ip": "127.0.0.1", "community_name": "inside", "name": name});
    subject("physical_port", properties)
}

fn subject(kind: &str, properties: Json) -> Subject {
    let of = ResourceRef::new("ese_device", "d1");
    Subject { of, name: "it".to_owned(), kind: kind.to_owned(), properties }
}

/// How the subject is, from an agent at this port; a silent one gets half a second a try.
fn probed(port: u16, subject: &Subject) -> String {
    let host = ScriptedHost::new().setting("snmp_port", &port.to_string());
    let host = host.setting("timeout_ms", "500").setting("tries", "2");
    SnmpProber::probe(&host, subject).unwrap()
}

#[test]
fn a_device_that_answers_is_up_and_one_that_is_gone_is_down() -> Result<()> {
    let Some(mut agent) = Agent::start(HERE, None, "")? else { return Ok(()) };
    ensure!(probed(agent.port(), &device("inside")) == "UP");
    agent.kill();
    ensure!(probed(agent.port(), &device("inside")) == "DOWN");
    ensure!(probed(agent.port(), &interface("lo")) == "DOWN");
    Ok(())
}

#[test]
fn an_agent_keeps_silent_to_a_wrong_community() -> Result<()> {
    let Some(agent) = Agent::start(HERE, None, "")? else { return Ok(()) };
    ensure!(probed(agent.port(), &device("outside")) == "DOWN");
    ensure!(probed(agent.port(), &device("inside")) == "UP", "and goes on for others");
    Ok(())
}

#[test]
fn an_interface_is_up_down_or_not_there() -> Result<()> {
    let Some(agent) = Agent::start(HERE, None, "")? else { return Ok(()) };
    ensure!(probed(agent.port(), &interface("lo")) == "UP");
    ensure!(probed(agent.port(), &interface("ae0.1025")) == "FAIL");
    let Some(agent) = Agent::start(HERE, None, LO_IS_DOWN)? else { return Ok(()) };
    ensure!(probed(agent.port(), &interface("lo")) == "DOWN");
    Ok(())
}

#[test]
fn a_device_that_hides_its_interfaces_does_not_have_them() -> Result<()> {
    let lines = "view few included .1.3.6.1.2.1.1\nrocommunity narrow 127.0.0.0/8 -V few";
    let Some(agent) = Agent::start(HERE, None, lines)? else { return Ok(()) };
    let mut narrow = interface("lo");
    narrow.properties["community_name"] = json!("narrow");
    ensure!(probed(agent.port(), &narrow) == "FAIL");
    ensure!(probed(agent.port(), &device("narrow")) == "UP");
    Ok(())
}
