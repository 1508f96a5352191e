//! What is said about single plugins: grants, their own settings and secrets, their own limits.
//!
//! It stands in a table `[plugins.<name>]` of the settings file, or in a file of the plugin's own, which begins where
//! such a table would; flags and environment are laid over it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail, ensure};

use super::source::number_from;
use super::{ENVIRONMENT, File, Flags, Form, ROWS, Secret};

mod keys;
mod keystone;

use keys::{host_and_port, plugin, words};
pub use keystone::Keystone;

const PREFIX: &str = "STOKEHOLD_PLUGIN_";
/// Read by whoever looks for the settings file, before there are settings.
const FILE_VARIABLE: &str = "STOKEHOLD_SETTINGS";

/// What is said about one plugin; the default grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugin {
    /// Whether the settings file has a table for it; then it has no file of its own.
    pub has_table: bool,
    /// Requests it may send, each as `[METHODS ][scheme://]host:port[ local]`.
    pub http: BTreeSet<String>,
    /// PEM file with the certificate authorities its `https` trusts instead of the machine's.
    pub http_ca_file: Option<PathBuf>,
    /// Where it may send datagrams, each as `address:port`, `network/bits:port` or `name:port`.
    pub udp: BTreeSet<String>,
    /// Where it may connect, spelled as `udp`.
    pub tcp: BTreeSet<String>,
    /// What it may read through `config`; any of it may be a secret.
    pub config: BTreeMap<String, Source>,
    /// What is put into its requests and never shown to it, by name.
    pub secrets: BTreeMap<String, Injected>,
    /// Who logs in for it at OpenStack.
    pub keystone: Option<Keystone>,
    /// Bounds of its calls by the names of the host's settings, in the unit that ends the name.
    pub bounds: BTreeMap<String, u64>,
}

/// Where a value is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Here.
    Text(Secret),
    /// In a file; a line's end at its end does not count. It is read whenever the plugin is loaded.
    File(PathBuf),
    /// In the host's environment, under this name.
    Variable(String),
}

/// A secret that the host puts into requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injected {
    /// Where it is kept; never the settings file.
    pub source: Source,
    /// The hosts it may go to, each as `[scheme://]host:port`.
    pub inject: BTreeSet<String>,
    /// The header whose value it is; without one it replaces `{{secret:NAME}}` in the guest's headers.
    pub header: Option<String>,
}

impl Plugin {
    /// The `host:port` of every host it may reach.
    pub fn http_places(&self) -> BTreeSet<&str> {
        self.http.iter().map(|grant| words(grant).place).collect()
    }

    /// This, with what flags and environment say about it laid over.
    fn overlaid(mut self, over: Self) -> Self {
        self.http.extend(over.http);
        self.udp.extend(over.udp);
        self.tcp.extend(over.tcp);
        self.config.extend(over.config);
        self
    }
}

type Plugins = BTreeMap<String, Plugin>;

/// The `[plugins.<name>]` tables of the file.
pub(super) fn tables(file: &str, value: toml::Value) -> Result<Plugins> {
    let toml::Value::Table(tables) = value else {
        bail!("{file}: plugins must be tables, as [plugins.heat_worker]");
    };
    let read = |(name, value): (String, toml::Value)| {
        let origin = format!("{file}: plugins.{name}");
        known_as_name(&origin, &name)?;
        let toml::Value::Table(keys) = value else {
            bail!("{origin} must be a table, as [plugins.{name}]");
        };
        Ok((name, Plugin { has_table: true, ..plugin(&format!("{origin}."), keys)? }))
    };
    tables.into_iter().map(read).collect()
}

/// What a plugin's own file says, with flags and environment laid over: `said` of the settings. `file` is its name.
///
/// # Errors
/// It cannot be read, or the settings file speaks of the plugin, too; names the key and what is allowed, never a
/// value.
pub fn own_file(name: &str, file: &str, text: &str, said: Plugin) -> Result<Plugin> {
    ensure!(
        !said.has_table,
        "{file} and [plugins.{name}] in the settings file both say what {name} may do: keep one of them"
    );
    Ok(plugin(&format!("{file}: "), File::parse(file, text)?.table)?.overlaid(said))
}

/// What the project's tests are told by; it says nothing to a host, and is no mistake either.
const OF_TESTS: [&str; 10] = [
    "STOKEHOLD_ETCD",
    "STOKEHOLD_HEAT_URL",
    "STOKEHOLD_HEAT_VENV",
    "STOKEHOLD_KAFKA",
    "STOKEHOLD_KEYSTONE_VENV",
    "STOKEHOLD_LANGUAGES",
    "STOKEHOLD_NOVA_VENV",
    "STOKEHOLD_ROUNDS",
    "STOKEHOLD_SEED",
    "STOKEHOLD_SNMPD",
];

/// `--grant-http plugin=host:port` and its like: one more grant each. Also the plugins that have a file of their own.
pub(super) fn add_flags(plugins: &mut Plugins, flags: &Flags) -> Result<()> {
    for name in &flags.own_files {
        plugins.entry(name.clone()).or_default();
    }
    for text in &flags.grant_http {
        let Some((name, grant)) = text.split_once('=') else {
            bail!("--grant-http must be plugin=host:port, as heat_worker=127.0.0.1:8004");
        };
        known_as_name("--grant-http", name)?;
        let grant = keys::http("--grant-http", grant)?;
        plugins.entry(name.to_owned()).or_default().http.insert(grant);
    }
    for (flag, texts) in [("--grant-udp", &flags.grant_udp), ("--grant-tcp", &flags.grant_tcp)] {
        for text in texts {
            let Some((name, grant)) = text.split_once('=') else {
                bail!("{flag} must be plugin=address:port, as snmp_prober=10.0.0.0/8:161");
            };
            known_as_name(flag, name)?;
            let grant = host_and_port(flag, grant)?;
            let plugin = plugins.entry(name.to_owned()).or_default();
            if flag == "--grant-udp" { &mut plugin.udp } else { &mut plugin.tcp }.insert(grant);
        }
    }
    for text in &flags.config {
        let (name, ..) = config_flag(text)?;
        plugins.entry(name.to_owned()).or_default();
    }
    Ok(())
}

/// `--config plugin.key=value`: stronger than environment and file.
pub(super) fn add_config_flags(plugins: &mut Plugins, flags: &Flags) -> Result<()> {
    for text in &flags.config {
        let (name, key, value) = config_flag(text)?;
        let plugin = plugins.entry(name.to_owned()).or_default();
        plugin.config.insert(key.to_owned(), Source::Text(Secret::new(value)));
    }
    Ok(())
}

fn config_flag(text: &str) -> Result<(&str, &str, &str)> {
    let parts = text.split_once('=').and_then(|(place, value)| {
        let (name, key) = place.split_once('.')?;
        (!key.is_empty()).then_some((name, key, value))
    });
    // The text is not repeated: a secret may stand in it.
    let Some((name, key, value)) = parts else {
        bail!(
            "--config must be plugin.key=value, as heat_worker.heat_url=http://127.0.0.1:8004/v1"
        );
    };
    known_as_name("--config", name)?;
    Ok((name, key, value))
}

/// `STOKEHOLD_PLUGIN_<NAME>_<KEY>`, for the longest plugin name that file or flags mention. Gives
/// back the variables under our prefix that mean nothing.
///
/// # Errors
/// A variable for a plugin that nobody mentions: where its name ends and its key begins cannot be told.
pub(super) fn add_variables(
    plugins: &mut Plugins,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<String>> {
    let named: BTreeSet<_> = plugins.values().flat_map(variables).map(str::to_owned).collect();
    let known = |variable: &String| {
        variable == FILE_VARIABLE
            || OF_TESTS.contains(&variable.as_str())
            || named.contains(variable)
            || ROWS.iter().any(|row| row.variable() == *variable)
    };
    let mut unknown = Vec::new();
    let ours = environment.iter().filter(|(name, _)| name.starts_with(ENVIRONMENT));
    for (variable, value) in ours {
        let Some(rest) = variable.strip_prefix(PREFIX).filter(|_| !named.contains(variable)) else {
            if !known(variable) {
                unknown.push(variable.clone());
            }
            continue;
        };
        let key_of = |name: &String| {
            let key = rest.strip_prefix(&name.to_uppercase())?.strip_prefix('_')?;
            (!key.is_empty()).then(|| (name.len(), key.to_lowercase()))
        };
        let best = plugins.iter_mut().filter_map(|(name, plugin)| Some((key_of(name)?, plugin)));
        let Some(((_, key), plugin)) = best.max_by_key(|((length, _), _)| *length) else {
            bail!(
                "{variable} is for a plugin that nothing else mentions; \
                 add a [plugins.<name>] table to the settings file, or --grant-http"
            );
        };
        plugin.config.insert(key, Source::Text(Secret::new(value.as_str())));
    }
    Ok(unknown)
}

/// The variables that a plugin's values are kept in.
fn variables(plugin: &Plugin) -> impl Iterator<Item = &str> {
    let secrets = plugin.secrets.values().map(|secret| &secret.source);
    let login = plugin.keystone.iter().map(Keystone::secret);
    plugin.config.values().chain(secrets).chain(login).filter_map(|source| match source {
        Source::Variable(name) => Some(name.as_str()),
        Source::Text(_) | Source::File(_) => None,
    })
}

fn known_as_name(origin: &str, name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(
        !name.is_empty() && name.chars().all(fits),
        "{origin}: {name:?} is no name of a plugin; those have small letters, digits and _"
    );
    Ok(())
}
