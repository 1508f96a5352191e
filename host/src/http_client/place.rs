//! Addresses that are near: those no name in the DNS should lead to unless somebody meant it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

/// What is special about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Near {
    /// This machine.
    #[error("this machine itself")]
    Loopback,
    /// Whoever is on the same wire.
    #[error("a link-local address")]
    LinkLocal,
    /// Where clouds hand out a machine's credentials.
    #[error("a metadata service")]
    Metadata,
    /// No address of a host: unspecified, a group, or everybody.
    #[error("no address of a single host")]
    Nobody,
}

/// Where clouds answer with a machine's credentials, beyond the link-local one.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

impl Near {
    /// What is special about `ip`; `None` is an address like any other.
    pub fn of(ip: IpAddr) -> Option<Self> {
        let ip = plain(ip);
        if METADATA.contains(&ip) {
            return Some(Self::Metadata);
        }
        let (link_local, nobody) = match ip {
            IpAddr::V4(v4) => {
                (v4.is_link_local(), v4.is_broadcast() || v4.octets().starts_with(&[0]))
            }
            IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.is_unspecified()),
        };
        if ip.is_loopback() {
            Some(Self::Loopback)
        } else if link_local {
            Some(Self::LinkLocal)
        } else if nobody || ip.is_multicast() {
            Some(Self::Nobody)
        } else {
            None
        }
    }
}

/// An address of version 4 that is wrapped in one of version 6 is that of version 4.
pub fn plain(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let embedded = match v6.segments() {
        // Mapped, compatible, and as a translator (NAT64) spells it.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => (high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => (high, low),
        _ => return ip,
    };
    let ([a, b], [c, d]) = (embedded.0.to_be_bytes(), embedded.1.to_be_bytes());
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// How far a name may lead. A literal address leads where it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: the operator's own addresses.
    Anywhere,
    /// To this machine, too.
    Local,
    /// To addresses that are not near.
    Afar,
}

impl Reach {
    /// Whether `name` may stand for `ip`.
    ///
    /// # Errors
    /// What is special about the address.
    pub fn check(self, name: &str, ip: IpAddr) -> Result<(), Near> {
        match (self, Near::of(ip)) {
            (Self::Anywhere, _) | (_, None) | (Self::Local, Some(Near::Loopback)) => Ok(()),
            (Self::Afar, Some(Near::Loopback)) if is_localhost(name) => Ok(()),
            (_, Some(near)) => Err(near),
        }
    }
}

/// The names that mean this machine.
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// A name led where it must not.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to {ip}, which is {near}")]
pub struct Astray {
    /// Where to.
    pub ip: IpAddr,
    /// What is special about that.
    pub near: Near,
}

/// The system's resolver, with every address looked at. What it gives is what is connected to: nobody asks the DNS
/// a second time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver(pub(super) Reach);

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self(reach) = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            sift(reach, name.as_str(), found).map_err(io::Error::other).map(Vec::into_iter)
        })
    }
}

/// All addresses, if each may be reached: a name with one foot inside is not trusted with the other.
fn sift(
    reach: Reach,
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, Astray> {
    found
        .map(|address| match reach.check(name, address.ip()) {
            Ok(()) => Ok(address),
            Err(near) => Err(Astray { ip: address.ip(), near }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn near_addresses_are_known_in_every_spelling() {
        for (ip, near) in [
            ("127.0.0.1", Some(Near::Loopback)),
            ("127.255.0.3", Some(Near::Loopback)),
            ("::1", Some(Near::Loopback)),
            ("::ffff:127.0.0.1", Some(Near::Loopback)),
            ("64:ff9b::7f00:1", Some(Near::Loopback)),
            ("::7f00:1", Some(Near::Loopback)),
            ("169.254.1.1", Some(Near::LinkLocal)),
            ("fe80::1", Some(Near::LinkLocal)),
            ("169.254.169.254", Some(Near::Metadata)),
            ("::ffff:169.254.169.254", Some(Near::Metadata)),
            ("64:ff9b::a9fe:a9fe", Some(Near::Metadata)),
            ("fd00:ec2::254", Some(Near::Metadata)),
            ("fd20:ce::254", Some(Near::Metadata)),
            ("100.100.100.200", Some(Near::Metadata)),
            ("0.0.0.0", Some(Near::Nobody)),
            ("0.1.2.3", Some(Near::Nobody)),
            ("::", Some(Near::Nobody)),
            ("255.255.255.255", Some(Near::Nobody)),
            ("224.0.0.1", Some(Near::Nobody)),
            ("ff02::1", Some(Near::Nobody)),
            ("10.0.0.1", None),
            ("192.168.1.1", None),
            ("8.8.8.8", None),
            ("fd00::1", None),
            ("2001:db8::1", None),
        ] {
            assert_eq!(Near::of(ip.parse().unwrap()), near, "{ip}");
        }
    }

    #[test]
    fn a_name_leads_as_far_as_it_may() {
        let may = |reach: Reach, name: &str, ip: &str| reach.check(name, ip.parse().unwrap());
        assert_eq!(may(Reach::Afar, "heat.example", "10.0.0.1"), Ok(()));
        assert_eq!(may(Reach::Afar, "heat.example", "127.0.0.1"), Err(Near::Loopback));
        assert_eq!(may(Reach::Afar, "localhost", "127.0.0.1"), Ok(()));
        assert_eq!(may(Reach::Afar, "A.Localhost.", "::1"), Ok(()));
        assert_eq!(may(Reach::Afar, "localhost", "169.254.169.254"), Err(Near::Metadata));
        assert_eq!(may(Reach::Afar, "notlocalhost", "127.0.0.1"), Err(Near::Loopback));
        assert_eq!(may(Reach::Local, "heat.example", "127.0.0.1"), Ok(()));
        assert_eq!(may(Reach::Local, "heat.example", "169.254.169.254"), Err(Near::Metadata));
        assert_eq!(may(Reach::Local, "heat.example", "fe80::1"), Err(Near::LinkLocal));
        assert_eq!(may(Reach::Anywhere, "gohan", "127.0.0.1"), Ok(()));
    }

    #[test]
    fn a_name_with_one_address_that_is_near_leads_nowhere() {
        let mixed = ["10.0.0.1:0", "127.0.0.1:0"].map(|text| text.parse().unwrap());
        let why = sift(Reach::Afar, "heat.example", mixed.into_iter()).unwrap_err();
        assert_eq!(why.to_string(), "its name leads to 127.0.0.1, which is this machine itself");
        assert_eq!(sift(Reach::Local, "heat.example", mixed.into_iter()).unwrap().len(), 2);
    }
}
