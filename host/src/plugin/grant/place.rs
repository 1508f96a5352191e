//! One grant of `udp` or `tcp`: which addresses and ports.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::http_client::{Near, plain};

/// Addresses and ports that may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    whom: Whom,
    ports: RangeInclusive<u16>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    Net(IpNet),
    /// Lower case; whatever it leads to when it is used, but nothing near.
    Name(String),
}

impl Place {
    /// Reads `host:port`, `network/bits:port`, `[network/bits]:port`, each also with `port-port`.
    pub(crate) fn read(kind: &str, text: &str) -> Result<Self, String> {
        read(text).ok_or_else(|| {
            format!(
                "cannot read {kind} grant \"{text}\": write \"10.0.0.0/8:161\", \"[fd00::/8]:161\" \
                 or \"name:161\"; ports may be a range, as 161-162"
            )
        })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether this very address is granted. What is near (this machine, the same wire) needs a network that is all
    /// of that kind, a metadata service its own address.
    pub(crate) fn has(&self, ip: IpAddr, port: u16) -> bool {
        let Whom::Net(net) = &self.whom else { return false };
        let ip = plain(ip);
        let near = Near::of(ip);
        let meant = near.is_none()
            || (Near::of(net.network()) == near && Near::of(net.broadcast()) == near);
        self.ports.contains(&port) && net.contains(&ip) && meant
    }

    /// The name that stands for addresses, if it is one, and the port fits.
    pub(crate) fn name(&self, port: u16) -> Option<&str> {
        match &self.whom {
            Whom::Name(name) if self.ports.contains(&port) => Some(name),
            _ => None,
        }
    }

    /// Whether a guest may look up this name.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        matches!(&self.whom, Whom::Name(own) if *own == lower(name))
    }

    /// Whether all that `other` has is here, too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let ports =
            self.ports.contains(other.ports.start()) && self.ports.contains(other.ports.end());
        ports
            && match (&self.whom, &other.whom) {
                (Whom::Net(own), Whom::Net(net)) => own.contains(net),
                (own, other) => own == other,
            }
    }

    /// Whether it has anything at this port.
    pub(crate) fn has_port(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }
}

fn read(text: &str) -> Option<Place> {
    let (whom, ports) = text.rsplit_once(':')?;
    let ports = match ports.split_once('-') {
        None => {
            let port: u16 = ports.parse().ok()?;
            port..=port
        }
        Some((first, last)) => first.parse().ok()?..=last.parse().ok()?,
    };
    if *ports.start() == 0 || ports.is_empty() {
        return None;
    }
    let bracketed = whom.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let bare = bracketed.unwrap_or(whom);
    // Without brackets nobody sees where an address of version 6 ends.
    if bare.contains(':') != bracketed.is_some() {
        return None;
    }
    let whom = if let Ok(ip) = bare.parse::<IpAddr>() {
        Whom::Net(IpNet::from(plain(ip)))
    } else if bare.contains('/') {
        Whom::Net(bare.parse::<IpNet>().ok()?.trunc())
    } else {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let numbers = bare.chars().all(|c| c.is_ascii_digit() || c == '.');
        if bare.is_empty() || numbers || !bare.chars().all(fits) {
            return None;
        }
        Whom::Name(lower(bare))
    };
    Some(Place { whom, ports, text: text.to_owned() })
}

fn lower(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn only_granted_addresses_and_ports_are_allowed() {
        for (grant, ip, port, allowed) in [
            ("10.0.0.0/8:161", "10.1.2.3", 161, true),
            ("10.0.0.0/8:161", "10.1.2.3", 162, false),
            ("10.0.0.0/8:161", "11.1.2.3", 161, false),
            ("10.0.0.0/8:161-162", "10.1.2.3", 162, true),
            ("10.0.0.0/8:161", "::ffff:10.1.2.3", 161, true),
            ("10.0.0.1:161", "10.0.0.1", 161, true),
            ("10.0.0.1:161", "10.0.0.2", 161, false),
            ("[fd00::/8]:161", "fd12::1", 161, true),
            ("[2001:db8::1]:161", "2001:db8::1", 161, true),
            // Near addresses have to be meant.
            ("0.0.0.0/0:161", "8.8.8.8", 161, true),
            ("0.0.0.0/0:161", "127.0.0.1", 161, false),
            ("0.0.0.0/0:161", "169.254.169.254", 161, false),
            ("127.0.0.0/8:161", "127.0.0.1", 161, true),
            ("127.0.0.1:161", "127.0.0.1", 161, true),
            ("169.254.0.0/16:80", "169.254.1.1", 80, true),
            ("169.254.0.0/16:80", "169.254.169.254", 80, false),
            ("169.254.169.254:80", "169.254.169.254", 80, true),
            ("[fd00::/8]:80", "fd00:ec2::254", 80, false),
            ("[::/0]:80", "::1", 80, false),
            ("switch1:161", "10.0.0.1", 161, false),
        ] {
            let place = Place::read("udp", grant).unwrap();
            assert_eq!(place.has(ip.parse().unwrap(), port), allowed, "{grant} for {ip}:{port}");
        }
    }

    #[test]
    fn a_name_stands_for_itself_and_its_ports() {
        let place = Place::read("udp", "Switch1.example:161-162").unwrap();
        assert_eq!(place.name(162), Some("switch1.example"));
        assert_eq!(place.name(163), None);
        assert!(place.is_named("SWITCH1.example.") && !place.is_named("switch2.example"));
    }

    #[test]
    fn one_grant_covers_another() {
        let covers = |own: &str, other: &str| {
            Place::read("udp", own).unwrap().covers(&Place::read("udp", other).unwrap())
        };
        assert!(covers("10.0.0.0/8:161", "10.1.0.0/16:161"));
        assert!(!covers("10.1.0.0/16:161", "10.0.0.0/8:161"));
        assert!(!covers("10.0.0.0/8:161", "10.1.0.0/16:161-162"));
        assert!(covers("a:1-9", "A:2") && !covers("a:1", "b:1") && !covers("10.0.0.0/8:1", "a:1"));
    }

    #[test]
    fn an_unreadable_grant_says_how_to_write_it() {
        for bad in [
            "",
            "10.0.0.1",
            "10.0.0.1:0",
            "10.0.0.1:9-3",
            "10.0.0.1:x",
            "10.0.0.0/33:1",
            "::1:1",
            "fd00::/8:1",
            "[10.0.0.1]:1",
            "[a]:1",
            "a b:1",
            "udp://a:1",
            "10.0.1:1",
            ":1",
        ] {
            let why = Place::read("udp", bad).err().unwrap_or_else(|| panic!("{bad} was read"));
            assert!(why.starts_with(&format!("cannot read udp grant \"{bad}\": write ")), "{why}");
        }
    }
}
