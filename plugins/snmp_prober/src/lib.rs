//! `snmp_prober`: whether switches and routers answer, and whether their ports are up, over SNMP v2c.

#![forbid(unsafe_code)]

pub mod agent;
mod ber;
mod look;
mod message;
mod udp;

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use stokehold_sdk::{Failure, Grant, Json, Outside, Prober, Probing, Subject, export_prober};

use agent::{Agent, Link, Patience};

/// The port that agents listen on.
const PORT: &str = "snmp_port";
/// Milliseconds that an agent gets to answer a try.
const TIMEOUT_MS: &str = "timeout_ms";
/// How often a request is sent before the agent counts as dead.
const TRIES: &str = "tries";

/// Types of target that are a device of its own.
const DEVICES: [&str; 2] = ["router", "switch"];
/// Types of target that are an interface of a device.
const PORTS: [&str; 2] = ["logical_port", "physical_port"];

/// Characters of a community; the protocol has no bound.
const COMMUNITY_BYTES_MAX: usize = 255;

/// The prober.
pub struct SnmpProber;

impl Prober for SnmpProber {
    fn describe() -> Probing {
        Probing {
            name: "snmp_prober".to_owned(),
            kinds: PORTS.iter().chain(&DEVICES).map(|kind| (*kind).to_owned()).collect(),
            limits: Vec::new(),
            grants: vec![
                Grant::config(PORT),
                Grant::config(TIMEOUT_MS),
                Grant::config(TRIES),
                // Which agents there are only the operator knows.
                Grant::udp("*:161"),
            ],
        }
    }

    fn probe(host: &dyn Outside, subject: &Subject) -> Result<String, Failure> {
        // Asked here and nowhere else: what this plugin never calls is not among its imports.
        let settings = [PORT, TIMEOUT_MS, TRIES].map(|key| (key, host.config(key)));
        let asked = Asked::of(&settings, subject)?;
        let mut link = udp::Udp::to(asked.agent).map_err(|trouble| asked.failure(&trouble))?;
        look(&asked, &mut link)
    }
}

/// The settings, each as it was granted.
type Settings = [(&'static str, Option<String>)];

/// What is to be asked, and whom.
struct Asked {
    agent: SocketAddr,
    community: String,
    /// The interface, unless the device itself is meant.
    interface: Option<String>,
    patience: Patience,
}

/// How the subject is, as its agent tells over this link.
fn look(asked: &Asked, link: &mut dyn Link) -> Result<String, Failure> {
    let mut agent = Agent::new(link, asked.community.as_bytes(), asked.patience);
    let status = match &asked.interface {
        None => look::device(&mut agent),
        Some(name) => look::interface(&mut agent, name),
    };
    status.map(str::to_owned).map_err(|trouble| asked.failure(&trouble))
}

impl Asked {
    fn of(settings: &Settings, subject: &Subject) -> Result<Self, Failure> {
        let kind = subject.kind.as_str();
        let (address, interface) = if DEVICES.contains(&kind) {
            (text(subject, "ip")?, None)
        } else if PORTS.contains(&kind) {
            (text(subject, "device_ip")?, Some(text(subject, "name")?))
        } else {
            let Subject { name, kind, .. } = subject;
            return Err(Failure::fatal(format!("{name} is of kind {kind}, which is unknown here")));
        };
        let community = text(subject, "community_name")?;
        if community.len() > COMMUNITY_BYTES_MAX {
            return Err(wrong(subject, "community_name", "is longer than 255 bytes"));
        }
        let port = number(settings, PORT, 161, (1, 65_535))?;
        let timeout_ms = number(settings, TIMEOUT_MS, 1_000, (10, 60_000))?;
        let tries = number(settings, TRIES, 3, (1, 20))?;
        let port = u16::try_from(port).unwrap_or(161);
        let mut found = (address.as_str(), port)
            .to_socket_addrs()
            .map_err(|error| Failure::Retry(format!("cannot look up agent {address}: {error}")))?;
        let none = || Failure::Retry(format!("cannot look up agent {address}: it has no address"));
        Ok(Self {
            agent: found.next().ok_or_else(none)?,
            community,
            interface,
            patience: Patience {
                timeout: Duration::from_millis(timeout_ms),
                tries: u32::try_from(tries).unwrap_or(1),
            },
        })
    }

    /// What kept the agent from being asked. The community is a secret of sorts: it is not named.
    fn failure(&self, trouble: &agent::Trouble) -> Failure {
        let words = format!("cannot ask agent {}: {trouble}", self.agent);
        match trouble {
            agent::Trouble::Refused(_) => Failure::Fatal(words),
            agent::Trouble::Link(_) | agent::Trouble::Garbled(_) => Failure::Retry(words),
        }
    }
}

/// A property that must be a text with something in it, or a number: in YAML, port `24` is one.
fn text(subject: &Subject, property: &str) -> Result<String, Failure> {
    match subject.properties.get(property) {
        Some(Json::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Json::Number(number)) => Ok(number.to_string()),
        None | Some(Json::Null) => Err(wrong(subject, property, "is missing")),
        Some(_) => Err(wrong(subject, property, "is no text")),
    }
}

fn wrong(subject: &Subject, property: &str, what: &str) -> Failure {
    Failure::fatal(format!("{property} of {} of {} {what}", subject.name, subject.of))
}

fn number(
    settings: &Settings,
    key: &str,
    default: u64,
    (least, most): (u64, u64),
) -> Result<u64, Failure> {
    let set = settings.iter().find(|(known, _)| *known == key);
    let text = set.and_then(|(_, text)| text.as_deref()).map(str::trim);
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(default) };
    let fits = |number: &u64| (least..=most).contains(number);
    text.parse().ok().filter(fits).ok_or_else(|| {
        Failure::fatal(format!(
            "setting {key} of snmp_prober must be a whole number from {least} to {most}, not {text}"
        ))
    })
}

export_prober!(SnmpProber);

#[cfg(test)]
mod tests;
