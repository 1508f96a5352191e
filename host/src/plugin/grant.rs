//! What a plugin may do and use: bounds, hosts it may reach, settings it may read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::provenance::TrustSettings;

/// What all plugins of a directory are loaded with.
#[derive(Clone, Debug, Default)]
pub struct PluginSettings {
    /// For every plugin that has no bounds of its own.
    pub bounds: Bounds,
    /// Which files are trusted at all.
    pub trust: TrustSettings,
    /// Where compiled plugins are kept between starts; `None` compiles at every start.
    pub cache_dir: Option<PathBuf>,
    /// By file stem: `heat_worker`.
    pub per_plugin: BTreeMap<String, PluginGrants>,
}

/// What the operator granted to one plugin, in the section `[plugins.<name>]`.
#[derive(Clone, Default)]
pub struct PluginGrants {
    /// Hosts it may reach: `host` (at the usual ports, 80 and 443) or `host:port`.
    pub http: Vec<String>,
    /// What it may read through `config`; may hold secrets.
    pub config: BTreeMap<String, String>,
    /// Its own bounds where they differ from everybody's.
    pub bounds: AskedBounds,
}

impl fmt::Debug for PluginGrants {
    /// Values of `config` may be secrets and are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginGrants")
            .field("http", &self.http)
            .field("config", &self.config.keys().collect::<Vec<_>>())
            .field("bounds", &self.bounds)
            .finish()
    }
}

macro_rules! bounds {
    ($($(#[$doc:meta])* $name:ident = $default:expr;)*) => {
        /// What one call of a guest may use at most.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Bounds { $($(#[$doc])* pub $name: u64,)* }

        impl Default for Bounds {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// Bounds that may be left open.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct AskedBounds { $($(#[$doc])* pub $name: Option<u64>,)* }

        impl Bounds {
            /// These bounds, replaced where `asked` says so.
            #[must_use]
            pub fn with(&self, asked: &AskedBounds) -> Self {
                Self { $($name: asked.$name.unwrap_or(self.$name),)* }
            }
        }
    };
}

bounds! {
    /// Milliseconds a call may take, waiting for the network and the store included.
    call_ms_max = 30_000;
    /// Milliseconds `describe` may take when a plugin is loaded.
    describe_ms_max = 5_000;
    /// Bytes of linear memory, all memories of the guest together.
    memory_bytes_max = 64 << 20;
    /// Lines a call may log; what exceeds them is counted and dropped.
    log_lines_max = 1_000;
    /// Bytes of one logged line; longer ones are cut.
    log_line_bytes_max = 4 << 10;
    /// Bytes of standard output that are passed on, and as many of standard error.
    stdout_bytes_max = 64 << 10;
    /// Requests a call may send.
    http_requests_max = 1_000;
    /// Bytes of one request's or answer's body.
    http_body_bytes_max = 16 << 20;
    /// Bytes a call may report: stack, state, monitor and checkpoint together.
    report_bytes_max = 1 << 20;
}

/// The grants of one plugin, read.
#[derive(Default)]
pub(crate) struct Grants {
    pub(crate) http: Vec<Site>,
    pub(crate) config: BTreeMap<String, String>,
}

impl Grants {
    /// # Errors
    /// The first unreadable host, with how to write it.
    pub(crate) fn read(granted: &PluginGrants) -> Result<Self, String> {
        let http = granted.http.iter().map(|text| Site::read(text)).collect::<Result<_, _>>()?;
        Ok(Self { http, config: granted.config.clone() })
    }

    /// Whether a request to this host and port may go out.
    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        let host = plain(host);
        self.http.iter().any(|site| {
            site.host == host && site.port.map_or(matches!(port, 80 | 443), |only| only == port)
        })
    }
}

/// A host that may be reached.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// Lower case; an IPv6 address in brackets.
    host: String,
    /// `None` is the usual ports.
    port: Option<u16>,
}

impl Site {
    fn read(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "cannot read http grant \"{text}\": write \"host\" or \"host:port\", no scheme or path"
            )
        };
        let authority: http::uri::Authority = text.parse().map_err(|_| bad())?;
        if text.contains('@') || authority.host().is_empty() {
            return Err(bad());
        }
        let rest = text.get(authority.host().len()..).unwrap_or_default();
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port.parse().map_err(|_| bad())?),
            None => None,
        };
        Ok(Self { host: plain(authority.host()), port })
    }
}

/// Names are compared in lower case and without the root's dot.
fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn grants(http: &[&str]) -> Result<Grants, String> {
        let http = http.iter().map(|&s| s.to_owned()).collect();
        Grants::read(&PluginGrants { http, ..PluginGrants::default() })
    }

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
            ("[::1]:8080", "[::1]", 8080, true),
            ("[::1]", "[::1]", 8080, false),
        ];
        for (grant, host, port, allowed) in table {
            let granted = grants(&[grant]).unwrap();
            assert_eq!(granted.allows(host, *port), *allowed, "{grant} for {host}:{port}");
        }
        assert!(!grants(&[]).unwrap().allows("heat", 80));
    }

    #[test]
    fn an_unreadable_grant_says_how_to_write_it() {
        for bad in
            ["http://heat:8004", "heat:port", "heat:99999", "me@heat", "heat/path", "", ":80"]
        {
            let why = grants(&[bad]).err().unwrap_or_else(|| panic!("{bad} was read"));
            assert!(why.contains("write \"host\" or \"host:port\""), "{why}");
        }
    }

    #[test]
    fn secrets_are_not_shown_for_debugging() {
        let config = BTreeMap::from([("password".to_owned(), "opensesame".to_owned())]);
        let shown = format!("{:?}", PluginGrants { config, ..PluginGrants::default() });
        assert!(shown.contains("password") && !shown.contains("opensesame"), "{shown}");
    }

    #[test]
    fn a_plugins_own_bounds_replace_everybodys() {
        let asked = AskedBounds { call_ms_max: Some(7), ..AskedBounds::default() };
        let bounds = Bounds::default().with(&asked);
        assert_eq!(bounds, Bounds { call_ms_max: 7, ..Bounds::default() });
    }
}
