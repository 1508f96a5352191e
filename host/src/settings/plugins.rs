//! What is said about single plugins: grants, their own settings, their own limits.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow, bail, ensure};

use super::{ENVIRONMENT, Flags, Form, ROWS, Secret, number_from};

const PREFIX: &str = "STOKEHOLD_PLUGIN_";
/// Read by whoever looks for the settings file, before there are settings.
const FILE_VARIABLE: &str = "STOKEHOLD_SETTINGS";

/// What is said about one plugin; the default grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugin {
    /// Hosts it may talk to, each as `host:port`.
    pub http: BTreeSet<String>,
    /// What it may read through `config`; any of it may be a secret.
    pub config: BTreeMap<String, Secret>,
    /// Milliseconds one call may take; `None` takes the host's setting.
    pub call_ms_max: Option<u64>,
    /// Bytes of memory one call may have; `None` takes the host's setting.
    pub memory_bytes_max: Option<u64>,
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
        Ok((name, plugin(&origin, keys)?))
    };
    tables.into_iter().map(read).collect()
}

fn plugin(origin: &str, keys: toml::Table) -> Result<Plugin> {
    let mut plugin = Plugin::default();
    for (key, value) in keys {
        let origin = format!("{origin}.{key}");
        match (key.as_str(), value) {
            ("http", toml::Value::Array(hosts)) => {
                for host in hosts {
                    let host = host.as_str().ok_or_else(|| anyhow!("{origin}: {HOSTS}"))?;
                    plugin.http.insert(host_and_port(&origin, host)?);
                }
            }
            ("http", _) => bail!("{origin}: {HOSTS}"),
            ("config", toml::Value::Table(values)) => {
                for (key, value) in values {
                    let toml::Value::String(text) = value else {
                        bail!("{origin}.{key} must be a text in quotes");
                    };
                    plugin.config.insert(key, Secret::new(text));
                }
            }
            ("config", _) => bail!("{origin} must be a table, as {{ key = \"value\" }}"),
            ("call_ms_max", value) => plugin.call_ms_max = Some(limit(&origin, &key, &value)?),
            ("memory_bytes_max", value) => {
                plugin.memory_bytes_max = Some(limit(&origin, &key, &value)?);
            }
            _ => bail!(
                "{origin}: unknown key; known are http, config, call_ms_max, memory_bytes_max"
            ),
        }
    }
    Ok(plugin)
}

/// What the project's tests are told by; it says nothing to a host, and is no mistake either.
const OF_TESTS: [&str; 7] = [
    "STOKEHOLD_ETCD",
    "STOKEHOLD_HEAT_URL",
    "STOKEHOLD_HEAT_VENV",
    "STOKEHOLD_KAFKA",
    "STOKEHOLD_ROUNDS",
    "STOKEHOLD_SEED",
    "STOKEHOLD_SNMPD",
];

const HOSTS: &str = "must be a list of hosts, as [\"127.0.0.1:8004\"]";

/// A limit of one plugin, in the range of the host's setting of the same name.
fn limit(origin: &str, key: &str, value: &toml::Value) -> Result<u64> {
    let form = ROWS.iter().find(|row| row.name == key).map(|row| row.form);
    let (least, most) = match form {
        Some(Form::Number(least, most)) => (least, most),
        _ => (1, u64::MAX),
    };
    let number = value.as_integer().and_then(|n| u64::try_from(n).ok());
    let number = number.filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| anyhow!("{origin} must be {}", number_from(least, most)))
}

/// `--grant-http plugin=host:port`: one more grant.
pub(super) fn add_flags(plugins: &mut Plugins, flags: &Flags) -> Result<()> {
    for text in &flags.grant_http {
        let Some((name, host)) = text.split_once('=') else {
            bail!("--grant-http must be plugin=host:port, as heat_worker=127.0.0.1:8004");
        };
        known_as_name("--grant-http", name)?;
        let host = host_and_port("--grant-http", host)?;
        plugins.entry(name.to_owned()).or_default().http.insert(host);
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
        plugin.config.insert(key.to_owned(), Secret::new(value));
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
    let known = |variable: &str| {
        variable == FILE_VARIABLE
            || OF_TESTS.contains(&variable)
            || ROWS.iter().any(|row| row.variable() == variable)
    };
    let mut unknown = Vec::new();
    for (variable, value) in environment.iter().filter(|(name, _)| name.starts_with(ENVIRONMENT)) {
        let Some(rest) = variable.strip_prefix(PREFIX) else {
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
        plugin.config.insert(key, Secret::new(value.as_str()));
    }
    Ok(unknown)
}

fn known_as_name(origin: &str, name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(
        !name.is_empty() && name.chars().all(fits),
        "{origin}: {name:?} is no name of a plugin; those have small letters, digits and _"
    );
    Ok(())
}

fn host_and_port(origin: &str, text: &str) -> Result<String> {
    let parts = text.rsplit_once(':').filter(|(host, port)| {
        let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        let named = !host.is_empty() && !host.contains(['/', '@', ' ']) && bare;
        named && port.parse().is_ok_and(|port: u16| port > 0)
    });
    ensure!(parts.is_some(), "{origin}: {text:?} is no host:port, as 127.0.0.1:8004");
    Ok(text.to_ascii_lowercase())
}
