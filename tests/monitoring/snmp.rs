//! The SNMP prober against a real agent. Where there is none, nothing is run, and a line says so.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use snmp_prober::SnmpProber;
use stokehold::domain::{self, Failure};
use stokehold::plugin::{PluginGrants, Subject as Registered};
use stokehold::store::embedded::Role;
use stokehold_sdk::testing::ScriptedHost;
use stokehold_sdk::{Prober, ResourceRef, Subject};
use stokehold_tests::paths;
use stokehold_tests::snmpd::Agent;
use stokehold_tests::world::{Setup, World};

use super::{register, shown};

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

/// How the subject is, from an agent at this port that answers, or refuses at once.
fn probed(port: u16, subject: &Subject) -> String {
    probed_within(10_000, port, subject)
}

fn probed_within(timeout_ms: u64, port: u16, subject: &Subject) -> String {
    let host = ScriptedHost::new().setting("snmp_port", &port.to_string());
    let host = host.setting("timeout_ms", &timeout_ms.to_string()).setting("tries", "2");
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
    ensure!(probed_within(500, agent.port(), &device("outside")) == "DOWN");
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

/// A world whose SNMP prober may talk to one port, and looks for agents at another or the same.
fn world(granted: u16, asked: u16) -> Result<World> {
    let schemas = std::fs::read(paths::root().join("examples/network/schemas.json"))?;
    let mut setup = Setup::new(schemas)?;
    let config = [("snmp_port", asked.to_string()), ("timeout_ms", "300".to_owned())];
    let config = config.into_iter().map(|(key, value)| (key.to_owned(), value));
    let grants = PluginGrants {
        udp: vec![format!("127.0.0.1:{granted}")],
        config: config.collect::<BTreeMap<_, _>>(),
        ..PluginGrants::default()
    };
    setup.granted.insert("snmp_prober".to_owned(), grants);
    World::without_host(setup, Role::Host)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_device_and_its_port_are_told_as_the_agent_tells_them() -> Result<()> {
    let Some(mut agent) = Agent::start(HERE, None, "")? else { return Ok(()) };
    let port = agent.port();
    let mut world = world(port, port)?;
    let target = |name: &str, of: Subject| {
        let Subject { kind, properties, .. } = of;
        json!({"name": name, "type": kind, "properties": properties, "interval_ms": 200})
    };
    let targets = [
        target("device", device("inside")),
        target("lo", interface("lo")),
        target("none", interface("ae0")),
        json!({"name": "session", "type": "bgp_session", "properties": {}}),
    ];
    register(&world, &targets).await?;
    world.start_host().await?;
    // There is no prober for the session: it is not told of.
    shown(&world, json!({"device": "UP", "lo": "UP", "none": "FAIL", "version": 4})).await?;
    agent.kill();
    shown(&world, json!({"device": "DOWN", "lo": "DOWN", "none": "DOWN", "version": 4})).await?;
    let Some(_agent) = Agent::start(HERE, Some(port), LO_IS_DOWN)? else { return Ok(()) };
    shown(&world, json!({"device": "UP", "lo": "DOWN", "none": "FAIL", "version": 4})).await?;
    world.stop_host().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_not_granted_is_not_asked() -> Result<()> {
    let Some(agent) = Agent::start(HERE, None, "")? else { return Ok(()) };
    let elsewhere = if agent.port() == 1161 { 1162 } else { 1161 };
    let world = world(elsewhere, agent.port())?;
    let loaded = world.plugins().await?;
    let prober = loaded.probers.iter().find(|prober| prober.name() == "snmp_prober");
    let of = domain::ResourceRef::new("port", "p1");
    let Subject { name, kind, properties, .. } = device("inside");
    let registered = Registered { of, name, kind, properties };
    let answer = prober.context("there is no snmp_prober")?.probe(registered).await;
    let Ok(Err(Failure::Fatal(why))) = answer else { anyhow::bail!("it says {answer:?}") };
    ensure!(why.starts_with(&format!("cannot ask agent 127.0.0.1:{}: ", agent.port())), "{why}");
    ensure!(why.ends_with("; grant it with udp under [plugins.snmp_prober]"), "{why}");
    Ok(())
}
