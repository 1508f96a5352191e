//! One grant of `http`: which requests may go to which host.

use std::net::IpAddr;

use http::Method;
use http::uri::Scheme;

use crate::http_client::Reach;

/// What a request lacks, the nearest to a grant last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Missing {
    /// Host and port.
    Host,
    /// The host is granted under another scheme only.
    Scheme,
    /// The host is granted for other methods only.
    Method,
}

/// A host that may be reached, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// None is any.
    methods: Vec<Method>,
    /// `None` is either.
    scheme: Option<Scheme>,
    /// As [`plain`] spells it.
    host: String,
    /// `None` is the usual ports.
    port: Option<u16>,
    /// The name may lead to this machine.
    local: bool,
    text: String,
}

impl Site {
    /// Reads `[METHODS ][scheme://]host[:port][ local]`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "cannot read http grant \"{text}\": write \"host\" or \"host:port\", with \
                 \"GET,POST \" and \"https://\" before it to allow no more, or \" local\" after it \
                 if the name leads to this machine; no path"
            )
        };
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let local = words.last() == Some(&"local") && words.len() > 1;
        if local {
            words.pop();
        }
        let (methods, place) = match words.as_slice() {
            [place] => (Vec::new(), *place),
            [methods, place] => (read_methods(methods).ok_or_else(bad)?, *place),
            _ => return Err(bad()),
        };
        let (scheme, authority) = match place.split_once("://") {
            None => (None, place),
            Some(("http", rest)) => (Some(Scheme::HTTP), rest),
            Some(("https", rest)) => (Some(Scheme::HTTPS), rest),
            Some(_) => return Err(bad()),
        };
        let (host, port) = split(authority).ok_or_else(bad)?;
        Ok(Self { methods, scheme, host, port, local, text: text.to_owned() })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The same without methods and `local`, for who is handed a secret.
    pub(crate) fn bare(&self) -> bool {
        self.methods.is_empty() && !self.local
    }

    /// Whether it is this host and port, whatever the request.
    pub(crate) fn is(&self, host: &str, port: u16) -> bool {
        let usual = || match self.scheme.as_ref().map(Scheme::as_str) {
            None => matches!(port, 80 | 443),
            Some("http") => port == 80,
            Some(_) => port == 443,
        };
        self.host == plain(host) && self.port.map_or_else(usual, |only| only == port)
    }

    /// Whether it is this host and port under this scheme.
    pub(crate) fn serves(&self, scheme: &Scheme, host: &str, port: u16) -> bool {
        self.is(host, port) && self.scheme.as_ref().is_none_or(|only| only == scheme)
    }

    /// How far such a request may go.
    pub(super) fn admit(
        &self,
        scheme: &Scheme,
        method: &Method,
        host: &str,
        port: u16,
    ) -> Result<Reach, Missing> {
        if !self.is(host, port) {
            return Err(Missing::Host);
        }
        if !self.serves(scheme, host, port) {
            return Err(Missing::Scheme);
        }
        if !self.methods.is_empty() && !self.methods.contains(method) {
            return Err(Missing::Method);
        }
        Ok(if self.local { Reach::Local } else { Reach::Afar })
    }
}

fn read_methods(text: &str) -> Option<Vec<Method>> {
    let read = |name: &str| {
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        plain.then(|| Method::from_bytes(name.as_bytes()).ok()).flatten()
    };
    text.split(',').map(read).collect()
}

fn split(text: &str) -> Option<(String, Option<u16>)> {
    let authority: http::uri::Authority = text.parse().ok()?;
    if text.contains('@') || authority.host().is_empty() {
        return None;
    }
    let rest = text.get(authority.host().len()..).unwrap_or_default();
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(port.parse().ok()?),
        None => None,
    };
    Some((plain(authority.host()), port))
}

/// Names are compared in lower case and without the root's dot, addresses of version 6 in their shortest form.
fn plain(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(Ok(IpAddr::V6(v6))) = bare.map(str::parse) {
        return format!("[{v6}]");
    }
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn only_granted_hosts_and_ports_are_allowed() {
        let table: &[(&str, &str, u16, bool)] = &[
            ("heat:8004", "heat", 8004, true),
            ("heat:8004", "heat", 80, false),
            ("heat:8004", "heat.evil", 8004, false),
            ("heat:8004", "HEAT.", 8004, true),
            ("Heat.example", "heat.example", 80, true),
            ("heat.example", "heat.example", 443, true),
            ("heat.example", "heat.example", 8004, false),
            ("heat.example", "sub.heat.example", 443, false),
            ("127.0.0.1:1", "127.0.0.1", 1, true),
            ("127.0.0.1:1", "[::ffff:127.0.0.1]", 1, false),
            ("[::1]:8080", "[::1]", 8080, true),
            ("[0:0:0:0:0:0:0:1]:8080", "[::1]", 8080, true),
            ("[::1]:8080", "[0:0::1]", 8080, true),
            ("[::1]", "[::1]", 8080, false),
            ("https://heat", "heat", 443, true),
            ("https://heat", "heat", 80, false),
            ("http://heat", "heat", 443, false),
            ("GET,POST https://heat:5 local", "heat", 5, true),
            ("local", "local", 80, true),
        ];
        for (grant, host, port, allowed) in table {
            let site = Site::read(grant).unwrap();
            assert_eq!(site.is(host, *port), *allowed, "{grant} for {host}:{port}");
        }
    }

    #[test]
    fn methods_and_scheme_are_granted_together_with_the_host() {
        let table: &[(&str, &str, &str, Result<Reach, Missing>)] = &[
            ("heat:1", "http", "BREW", Ok(Reach::Afar)),
            ("GET heat:1", "https", "GET", Ok(Reach::Afar)),
            ("GET heat:1", "http", "POST", Err(Missing::Method)),
            ("GET,HEAD heat:1", "http", "HEAD", Ok(Reach::Afar)),
            ("GET https://heat:1", "http", "GET", Err(Missing::Scheme)),
            ("GET https://heat:1 local", "https", "GET", Ok(Reach::Local)),
            ("GET https://heat:2", "https", "GET", Err(Missing::Host)),
        ];
        for (grant, scheme, method, expected) in table {
            let site = Site::read(grant).unwrap();
            let (scheme, method) = (scheme.parse().unwrap(), method.parse().unwrap());
            assert_eq!(site.admit(&scheme, &method, "heat", 1), *expected, "{grant}");
        }
    }

    #[test]
    fn an_unreadable_grant_says_how_to_write_it() {
        for bad in [
            "ftp://heat:8004",
            "heat:port",
            "heat:99999",
            "me@heat",
            "heat/path",
            "http://heat/path",
            "",
            ":80",
            "get heat:1",
            "GET, heat:1",
            "GET POST heat:1",
            "heat:1 lokal",
        ] {
            let why = Site::read(bad).err().unwrap_or_else(|| panic!("{bad} was read"));
            assert!(why.contains("write \"host\" or \"host:port\""), "{why}");
        }
    }
}
