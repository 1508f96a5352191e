//! What a plugin may do and use: bounds, hosts and addresses it may reach, settings it may read, secrets that are
//! put into its requests.
//!
//! [`PluginGrants`] is what the operator wrote, [`Grants`] the same, read. Nothing is granted by default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::Method;
use http::uri::Scheme;

use super::inject::{Injection, Secrets};
use super::keystone::{Keystone, Tokens};
use super::provenance::TrustSettings;
use super::witness;
use crate::http_client::{HttpClient, Reach};

mod place;
mod site;

pub(crate) use place::Place;
pub(crate) use site::{Missing, Site};

/// What all plugins of a directory are loaded with.
#[derive(Clone, Debug, Default)]
pub struct PluginSettings {
    /// For every plugin that has no bounds of its own.
    pub bounds: Bounds,
    /// Which files are trusted at all.
    pub trust: TrustSettings,
    /// Which calls are recorded; `None` is none.
    pub recordings: Option<Arc<RecordingSettings>>,
    /// Where compiled plugins are kept between starts; `None` compiles at every start.
    pub cache_dir: Option<PathBuf>,
    /// By file stem: `heat_worker`.
    pub per_plugin: BTreeMap<String, PluginGrants>,
    /// Asked for the grants of a plugin each time it is loaded; without one, `per_plugin` says all.
    pub source: Option<Arc<dyn GrantSource>>,
}

/// Which calls are recorded, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingSettings {
    /// The folder.
    pub dir: PathBuf,
    /// The plugins whose calls are recorded, with commas between them; `*` is all.
    pub plugins: String,
    /// Recordings kept.
    pub recordings_max: u64,
    /// Bytes of all of them together.
    pub recordings_bytes_max: u64,
    /// Bytes of bodies kept of one call.
    pub recording_bytes_max: u64,
}

impl RecordingSettings {
    fn is_for(&self, plugin: &str) -> bool {
        self.plugins.split(',').map(str::trim).any(|name| name == plugin || name == "*")
    }
}

/// Where grants are read, anew each time a plugin is loaded.
pub trait GrantSource: fmt::Debug + Send + Sync {
    /// The plugins it speaks of.
    fn named(&self) -> Vec<String>;

    /// What this plugin is granted; nothing, if nobody speaks of it.
    ///
    /// # Errors
    /// Why its grants cannot be used, with the remedy. Only this plugin is out of use then.
    fn granted(&self, plugin: &str) -> Result<PluginGrants, String>;
}

impl PluginSettings {
    /// The same settings for one plugin alone, with its grants as they are now, but for one change.
    ///
    /// # Errors
    /// Why its grants cannot be used.
    pub fn for_one(
        mut self,
        plugin: &str,
        change: impl FnOnce(&mut PluginGrants),
    ) -> Result<Self, String> {
        let mut granted = self.granted(plugin)?;
        change(&mut granted);
        self.per_plugin = BTreeMap::from([(plugin.to_owned(), granted)]);
        self.source = None;
        Ok(self)
    }

    /// Where calls of this plugin are recorded, if they are.
    pub(super) fn recordings_of(&self, plugin: &str) -> Option<Arc<RecordingSettings>> {
        self.recordings.clone().filter(|recordings| recordings.is_for(plugin))
    }

    /// The plugins that are spoken of.
    pub(super) fn named(&self) -> Vec<String> {
        let fixed = || self.per_plugin.keys().cloned().collect();
        self.source.as_ref().map_or_else(fixed, |source| source.named())
    }

    /// What this plugin is granted now.
    pub(super) fn granted(&self, plugin: &str) -> Result<PluginGrants, String> {
        match &self.source {
            Some(source) => source.granted(plugin),
            None => Ok(self.per_plugin.get(plugin).cloned().unwrap_or_default()),
        }
    }
}

/// What the operator granted to one plugin, in the section `[plugins.<name>]`.
#[derive(Clone, Default)]
pub struct PluginGrants {
    /// Requests it may send: `[METHODS ][scheme://]host[:port][ local]`. Without methods any, without a scheme both,
    /// without a port the usual ones; `local` lets the name lead to this machine.
    pub http: Vec<String>,
    /// Certificate authorities in PEM that its `https` trusts instead of the machine's.
    pub http_ca: Option<String>,
    /// Where it may send datagrams: `host:port`, `network/bits:port` or either with `port-port`.
    pub udp: Vec<String>,
    /// Where it may connect; spelled as `udp`.
    pub tcp: Vec<String>,
    /// What it may read through `config`; may hold secrets.
    pub config: BTreeMap<String, String>,
    /// What is put into its requests and never shown to it, by name.
    pub secrets: BTreeMap<String, InjectedSecret>,
    /// Who logs in for it at OpenStack.
    pub keystone: Option<Keystone>,
    /// Its own bounds where they differ from everybody's.
    pub bounds: AskedBounds,
}

/// A secret that the host puts into requests.
#[derive(Clone, Default)]
pub struct InjectedSecret {
    /// The secret itself.
    pub value: String,
    /// The hosts it may go to: `[scheme://]host[:port]`.
    pub inject: Vec<String>,
    /// The header whose value it is, in every request to these hosts. Without one it replaces `{{secret:NAME}}` in
    /// the values of the guest's own headers.
    pub header: Option<String>,
}

impl fmt::Debug for InjectedSecret {
    /// The secret itself is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InjectedSecret")
            .field("inject", &self.inject)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PluginGrants {
    /// Values of `config` may be secrets and are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginGrants")
            .field("http", &self.http)
            .field("http_ca", &self.http_ca.is_some())
            .field("udp", &self.udp)
            .field("tcp", &self.tcp)
            .field("config", &self.config.keys().collect::<Vec<_>>())
            .field("secrets", &self.secrets)
            .field("keystone", &self.keystone)
            .field("bounds", &self.bounds)
            .finish()
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

macro_rules! bounds {
    ($($(#[$doc:meta])* $name:ident = $default:expr, at most $most:expr;)*) => {
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

        impl AskedBounds {
            /// Sets the bound of this name; `false` if there is none.
            pub fn set(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $(stringify!($name) => self.$name = Some(value),)*
                    _ => return false,
                }
                true
            }
        }

        impl Bounds {
            /// The names of all bounds, as settings are called.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// These bounds, replaced where `asked` says so.
            #[must_use]
            pub fn with(&self, asked: &AskedBounds) -> Self {
                Self { $($name: asked.$name.unwrap_or(self.$name),)* }
            }

            /// How far the bound of this name can be raised, as the host's setting of that name says.
            pub fn most(name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some($most),)*
                    _ => None,
                }
            }

            /// The bound of this name.
            pub fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

bounds! {
    /// Milliseconds a call may take, waiting for the network and the store included.
    call_ms_max = 30_000, at most DAY_MS;
    /// Calls of one plugin at the same time; further ones wait.
    calls_max = 64, at most 10_000;
    /// Milliseconds `describe` may take when a plugin is loaded.
    describe_ms_max = 5_000, at most DAY_MS;
    /// Bytes of linear memory, all memories of the guest together.
    memory_bytes_max = 64 << 20, at most 1 << 32;
    /// Elements of one table; interpreters have large ones. The engine has room for 100,000.
    table_elements_max = 100_000, at most 100_000;
    /// Modules that a component is put together from; those with an interpreter have some forty. The engine has room
    /// for 64.
    modules_max = 64, at most 64;
    /// Lines a call may log; what exceeds them is counted and dropped.
    log_lines_max = 1_000, at most 100_000;
    /// Bytes of one logged line; longer ones are cut.
    log_line_bytes_max = 4 << 10, at most 1 << 20;
    /// Bytes of standard output that are passed on, and as many of standard error.
    stdout_bytes_max = 64 << 10, at most 1 << 30;
    /// Requests a call may send.
    http_requests_max = 1_000, at most 1_000_000;
    /// Bytes of one request's or answer's body.
    http_body_bytes_max = 16 << 20, at most 1 << 32;
    /// Datagrams and connections a call may send and make.
    socket_sends_max = 10_000, at most 1_000_000;
    /// Bytes a call may report: stack, state, monitor and checkpoint together.
    report_bytes_max = 1 << 20, at most 1 << 30;
}

/// The grants of one plugin, read.
#[derive(Default)]
pub(crate) struct Grants {
    pub(crate) http: Vec<Site>,
    pub(crate) udp: Vec<Place>,
    pub(crate) tcp: Vec<Place>,
    pub(crate) config: BTreeMap<String, String>,
    /// The names of its secrets.
    pub(crate) secrets: Vec<String>,
    /// Who logs in for it at OpenStack.
    pub(crate) keystone: Option<Keystone>,
    /// What must stand in no recording: the secrets, and settings that are called like one.
    pub(crate) hidden: Vec<String>,
    /// What the host adds to its requests, in this order.
    pub(crate) injections: Vec<Arc<dyn Injection>>,
    /// Where it trusts authorities of its own; otherwise the engine's client.
    pub(crate) client: Option<HttpClient>,
    /// Where its calls are recorded, if they are.
    pub(crate) recordings: Option<Arc<RecordingSettings>>,
}

impl Grants {
    /// Whether it may send requests at all: to hosts, or to services that are found at Keystone.
    pub(crate) fn has_http(&self) -> bool {
        !self.http.is_empty() || self.keystone.is_some()
    }

    /// # Errors
    /// The first unreadable grant, with how to write it.
    pub(crate) fn read(granted: &PluginGrants) -> Result<Self, String> {
        let http = granted.http.iter().map(|text| Site::read(text)).collect::<Result<_, _>>()?;
        let places = |kind: &str, texts: &[String]| {
            texts.iter().map(|text| Place::read(kind, text)).collect::<Result<Vec<_>, _>>()
        };
        let client = granted.http_ca.as_deref().map(HttpClient::trusting).transpose();
        let client = client.map_err(|why| format!("cannot use its http_ca_file: {why:#}"))?;
        // Also without any: a placeholder that nobody fills in is refused, not sent.
        let mut injections: Vec<Arc<dyn Injection>> =
            vec![Arc::new(Secrets::read(&granted.secrets)?)];
        if let Some(keystone) = &granted.keystone {
            injections.push(Arc::new(Tokens::new(keystone.clone(), client.clone())?));
        }
        Ok(Self {
            http,
            udp: places("udp", &granted.udp)?,
            tcp: places("tcp", &granted.tcp)?,
            config: granted.config.clone(),
            secrets: granted.secrets.keys().cloned().collect(),
            keystone: granted.keystone.clone(),
            hidden: witness::hidden(granted),
            injections,
            client,
            recordings: None,
        })
    }

    /// Whether there is a host it may send any request to.
    pub(crate) fn allows(&self, host: &str, port: u16) -> bool {
        self.http.iter().any(|site| site.is(host, port)) || self.serves(host, port)
    }

    /// How far a request may go.
    ///
    /// # Errors
    /// What is missing: the nearest grant lacks only that.
    pub(crate) fn admit(
        &self,
        scheme: &Scheme,
        method: &Method,
        host: &str,
        port: u16,
    ) -> Result<Reach, Missing> {
        if *scheme == Scheme::HTTP && self.serves(host, port) {
            // Where it really goes is decided when it is sent.
            return Ok(Reach::Afar);
        }
        let mut missing = Missing::Host;
        let mut reach = None;
        for site in &self.http {
            match site.admit(scheme, method, host, port) {
                Ok(Reach::Local) => return Ok(Reach::Local),
                Ok(found) => reach = Some(found),
                Err(why) => missing = missing.max(why),
            }
        }
        reach.ok_or(missing)
    }

    /// Whether it is the name of a service at OpenStack that it may ask.
    fn serves(&self, host: &str, port: u16) -> bool {
        self.keystone.as_ref().is_some_and(|keystone| keystone.serves(host, port))
    }
}

#[cfg(test)]
mod tests;
