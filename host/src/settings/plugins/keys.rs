//! The keys of one plugin's table. What a grant means is read again by the sandbox; here is its shape.

use super::{
    BTreeSet, Form, Injected, PathBuf, Plugin, ROWS, Result, Secret, Source, anyhow, bail, ensure,
    keystone, number_from,
};

const HOSTS: &str = "must be a list of hosts, as [\"127.0.0.1:8004\"]";
const PLACES: &str = "must be a list of addresses, as [\"10.0.0.0/8:161\"]";
const SOURCE: &str =
    "must be a text in quotes, or { file = \"/run/secrets/x\" } or { env = \"X\" }";
const HELD: &str = concat!(
    "must be a table, as { file = \"/run/secrets/x\", inject = [\"host:port\"] }, ",
    "with env = \"X\" instead of the file, or header = \"X-Auth-Token\" beside it",
);

/// Keys that are no bounds.
const KEYS: [&str; 7] = ["http", "http_ca_file", "udp", "tcp", "config", "secrets", "keystone"];

/// The host's settings that a plugin may have for itself; all bound its calls.
const BOUNDS: [&str; 13] = [
    "call_ms_max",
    "calls_max",
    "describe_ms_max",
    "http_body_bytes_max",
    "http_requests_max",
    "log_line_bytes_max",
    "log_lines_max",
    "memory_bytes_max",
    "modules_max",
    "report_bytes_max",
    "socket_sends_max",
    "stdout_bytes_max",
    "table_elements_max",
];

/// One plugin's table; `origin` is what stands before a key in messages.
pub(super) fn plugin(origin: &str, keys: toml::Table) -> Result<Plugin> {
    let mut plugin = Plugin::default();
    for (key, value) in keys {
        let place = format!("{origin}{key}");
        match key.as_str() {
            "http" => plugin.http = list(&place, &value, HOSTS, http)?,
            "udp" => plugin.udp = list(&place, &value, PLACES, host_and_port)?,
            "tcp" => plugin.tcp = list(&place, &value, PLACES, host_and_port)?,
            "http_ca_file" => {
                let path = value.as_str().filter(|path| !path.is_empty());
                let path = path.ok_or_else(|| anyhow!("{place} must be a path in quotes"))?;
                plugin.http_ca_file = Some(PathBuf::from(path));
            }
            "config" => {
                let toml::Value::Table(values) = value else {
                    bail!("{place} must be a table, as {{ key = \"value\" }}");
                };
                for (key, value) in values {
                    plugin.config.insert(key.clone(), source(&format!("{place}.{key}"), value)?);
                }
            }
            "secrets" => {
                let toml::Value::Table(values) = value else {
                    bail!("{place} must be a table of tables, each as [plugins.x.secrets.token]");
                };
                for (key, value) in values {
                    plugin.secrets.insert(key.clone(), held(&format!("{place}.{key}"), value)?);
                }
            }
            "keystone" => plugin.keystone = Some(keystone::keystone(&place, value)?),
            bound if BOUNDS.contains(&bound) => {
                plugin.bounds.insert(key.clone(), limit(&place, bound, &value)?);
            }
            _ => bail!(
                "{place}: unknown key; known are {}",
                [&KEYS[..], &BOUNDS].concat().join(", ")
            ),
        }
    }
    Ok(plugin)
}

fn list(
    origin: &str,
    value: &toml::Value,
    form: &str,
    read: fn(&str, &str) -> Result<String>,
) -> Result<BTreeSet<String>> {
    let wrong = || anyhow!("{origin}: {form}");
    let texts = value.as_array().ok_or_else(wrong)?.iter();
    texts.map(|text| read(origin, text.as_str().ok_or_else(wrong)?)).collect()
}

/// Where a value is kept. No message repeats the value.
pub(super) fn source(origin: &str, value: toml::Value) -> Result<Source> {
    let wrong = || anyhow!("{origin} {SOURCE}");
    let table = match value {
        toml::Value::String(text) => return Ok(Source::Text(Secret::new(text))),
        toml::Value::Table(table) => table,
        _ => return Err(wrong()),
    };
    let mut entries = table.into_iter();
    match (entries.next(), entries.next()) {
        (Some((key, toml::Value::String(text))), None) => kept(&key, text).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

fn kept(key: &str, text: String) -> Option<Source> {
    match key {
        _ if text.is_empty() => None,
        "file" => Some(Source::File(text.into())),
        "env" => Some(Source::Variable(text)),
        _ => None,
    }
}

fn held(origin: &str, value: toml::Value) -> Result<Injected> {
    let wrong = || anyhow!("{origin} {HELD}");
    let toml::Value::Table(table) = value else { return Err(wrong()) };
    let (mut source, mut inject, mut header) = (None, BTreeSet::new(), None);
    for (key, value) in table {
        match (key.as_str(), value) {
            ("file" | "env", toml::Value::String(text)) if source.is_none() => {
                source = Some(kept(&key, text).ok_or_else(wrong)?);
            }
            ("inject", value) => {
                inject = list(&format!("{origin}.inject"), &value, HOSTS, http)?;
            }
            ("header", toml::Value::String(text)) => header = Some(text),
            _ => return Err(wrong()),
        }
    }
    ensure!(!inject.is_empty(), "{origin} goes nowhere: set inject = [\"host:port\"]");
    Ok(Injected { source: source.ok_or_else(wrong)?, inject, header })
}

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

/// One grant of `http`, taken apart.
pub(super) struct Words<'a> {
    /// `GET,POST`, if it says so.
    methods: Option<&'a str>,
    /// `http` or `https`, if it says so.
    scheme: Option<&'a str>,
    /// `host:port`.
    pub(super) place: &'a str,
    /// Whether the name may lead to this machine.
    local: bool,
}

/// Takes apart `[METHODS ][scheme://]host:port[ local]`.
pub(super) fn words(text: &str) -> Words<'_> {
    let rest = text.trim();
    let (rest, local) = rest.strip_suffix(" local").map_or((rest, false), |rest| (rest, true));
    let (methods, rest) = match rest.split_once(' ') {
        Some((methods, rest)) => (Some(methods), rest.trim_start()),
        None => (None, rest),
    };
    let (scheme, place) = match rest.split_once("://") {
        Some((scheme, place)) => (Some(scheme), place),
        None => (None, rest),
    };
    Words { methods, scheme, place, local }
}

/// One grant of `http`, spelled in one way.
pub(super) fn http(origin: &str, text: &str) -> Result<String> {
    let Words { methods, scheme, place, local } = words(text);
    let place = host_and_port(origin, place)?;
    let method = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase());
    ensure!(
        methods.is_none_or(|methods| methods.split(',').all(method)),
        "{origin}: {text:?} must begin with methods in capitals, as \"GET,POST {place}\""
    );
    ensure!(
        scheme.is_none_or(|scheme| ["http", "https"].contains(&scheme)),
        "{origin}: {text:?} may name the scheme http:// or https://, no other"
    );
    let methods = methods.map(|methods| format!("{methods} ")).unwrap_or_default();
    let scheme = scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
    Ok(format!("{methods}{scheme}{place}{}", if local { " local" } else { "" }))
}

/// `host:port`, also with a network of addresses or a range of ports where the sandbox takes such.
pub(super) fn host_and_port(origin: &str, text: &str) -> Result<String> {
    let port = |text: &str| text.parse().is_ok_and(|port: u16| port > 0);
    let sockets = origin.ends_with("udp") || origin.ends_with("tcp");
    let parts = text.rsplit_once(':').filter(|(host, ports)| {
        let bare = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
        let named = !host.is_empty() && !host.contains(['@', ' ']) && bare;
        let whole = sockets || !host.contains('/');
        let range = sockets && ports.split_once('-').is_some_and(|(a, b)| port(a) && port(b));
        named && whole && (range || port(ports))
    });
    let example = if sockets { "10.0.0.0/8:161" } else { "127.0.0.1:8004" };
    ensure!(parts.is_some(), "{origin}: {text:?} is no host:port, as {example}");
    Ok(text.to_ascii_lowercase())
}
