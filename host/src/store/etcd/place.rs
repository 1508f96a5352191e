//! Where an etcd is and how to reach it: addresses, credentials, certificates. Texts and files, no
//! connection.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

const PORT: u16 = 2379;
const FORM: &str = "it must look like etcd://host:2379,other:2379, or etcds://… for TLS";

/// The members of one etcd: `etcd://a:2379,b:2379`, or `etcds://a:2379` for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether they speak TLS.
    pub tls: bool,
    /// `host:port` of each, none twice.
    pub members: Vec<String>,
}

/// Why a text is no address. It quotes nothing that could be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAddress(String);

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let refuse = |why: &str| Err(NoAddress(format!("{why}; {FORM}")));
        let (tls, rest) = match text.split_once("://") {
            Some(("etcd", rest)) => (false, rest),
            Some(("etcds", rest)) => (true, rest),
            _ => return refuse("this is no address of an etcd"),
        };
        if rest.contains('@') {
            return refuse("user and password have settings of their own");
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return refuse("there is something behind the members");
        }
        let mut members = Vec::new();
        for part in rest.split(',') {
            let member = member(part)?;
            if members.contains(&member) {
                return refuse(&format!("{member} is named twice"));
            }
            members.push(member);
        }
        Ok(Self { tls, members })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "etcds" } else { "etcd" };
        write!(f, "{scheme}://{}", self.members.join(","))
    }
}

/// `host`, `host:port` or `[v6]:port`, with the port filled in.
fn member(text: &str) -> Result<String, NoAddress> {
    let refuse = |why: String| Err(NoAddress(format!("{why}; {FORM}")));
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let letter = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let known = bare
        .map_or_else(|| host.chars().all(letter), |v6| v6.parse::<std::net::Ipv6Addr>().is_ok());
    if host.is_empty() {
        return refuse("a member has no host".to_owned());
    }
    if !known {
        return refuse(format!("{host} is no host"));
    }
    match port.map(str::parse::<u16>) {
        None => Ok(format!("{host}:{PORT}")),
        Some(Ok(port)) if port > 0 => Ok(format!("{host}:{port}")),
        Some(_) => refuse(format!("the port of {host} is none")),
    }
}

/// A password; it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Its text, for the one place that sends it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// How an etcd is reached.
#[derive(Clone, Debug)]
pub struct EtcdOptions {
    /// Its members.
    pub address: Address,
    /// Who this is, if the etcd asks for it; the user needs to read and write all keys.
    pub user: Option<(String, Password)>,
    /// PEM file with the certificates of those who sign the members'; TLS needs it.
    pub ca_file: Option<PathBuf>,
    /// PEM file with this side's certificate, if the etcd asks for one; goes with `key_file`.
    pub cert_file: Option<PathBuf>,
    /// PEM file with the key of `cert_file`.
    pub key_file: Option<PathBuf>,
    /// How long a request waits for its answer, all tries together.
    pub request_timeout: Duration,
}

impl EtcdOptions {
    /// The defaults: no credentials, five seconds.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            user: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            request_timeout: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_names_its_members() {
        let cases = [
            ("etcd://a:2379,b:2380", "etcd://a:2379,b:2380"),
            ("etcd://a,10.0.0.1", "etcd://a:2379,10.0.0.1:2379"),
            ("etcds://etcd-0.etcd_x:1/", "etcds://etcd-0.etcd_x:1"),
            ("etcd://[::1]:7,[fe80::1]", "etcd://[::1]:7,[fe80::1]:2379"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_address_is_told_why() {
        let cases = [
            ("", "this is no address of an etcd"),
            ("http://a:2379", "this is no address of an etcd"),
            ("etcd:a", "this is no address of an etcd"),
            ("etcd://", "a member has no host"),
            ("etcd://a,,b", "a member has no host"),
            ("etcd://:2379", "a member has no host"),
            ("etcd://a:", "the port of a is none"),
            ("etcd://a:0", "the port of a is none"),
            ("etcd://a:70000", "the port of a is none"),
            ("etcd://a b", "a b is no host"),
            ("etcd://::1", ": is no host"),
            ("etcd://a,a:2379", "a:2379 is named twice"),
            ("etcd://a/keys", "there is something behind the members"),
            ("etcd://a?x=y", "there is something behind the members"),
            ("etcd://me:hush@a", "user and password have settings of their own"),
        ];
        for (text, expected) in cases {
            let told = text.parse::<Address>().unwrap_err().to_string();
            assert_eq!(told, format!("{expected}; {FORM}"), "{text}");
            assert!(!told.contains("hush"));
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let mut options = EtcdOptions::new("etcd://a".parse().unwrap());
        options.user = Some(("me".to_owned(), "hush".to_owned().into()));
        assert!(!format!("{options:?}").contains("hush"));
    }
}
