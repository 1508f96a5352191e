//! What a plugin asks for when it is loaded, beside what it has. Nothing here keeps it from being loaded.
//!
//! [`wishes`] compares the two; what is logged at the start and what commands show is made of its rows.

use std::collections::BTreeSet;

use super::bindings::types;
use super::call::Plugin;
use super::convert::{Described, line};
use super::grant::{Bounds, Grants, Place, PluginGrants};
use super::inject::target;

/// Grants and limits of one plugin that are looked at.
const ASKED_MAX: usize = 64;
/// Bytes of an asked thing that are told.
const TEXT_BYTES_MAX: u64 = 256;

/// What a plugin asked for in `describe`, as it said it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Kind and what for: `("http", "heat:8004")`.
    pub grants: Vec<(String, String)>,
    /// Name and value in the unit that ends the name: `("memory-bytes", 67108864)`.
    pub limits: Vec<(String, u64)>,
}

/// One row of asked against granted. All texts are one line of bounded length, and none is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// `http`, `udp`, `tcp`, `config`, `secret`, or the name of a limit: `memory-bytes`.
    pub kind: String,
    /// What for: `heat:8004`, the key of a setting, the value of a limit.
    pub asked: String,
    /// The setting whose value said so, where the plugin asked for the host of a setting.
    pub setting: Option<String>,
    /// Whether it is a limit, and no grant.
    pub is_limit: bool,
    /// What became of it.
    pub standing: Standing,
    /// The line under `[plugins.<name>]` that would grant it, where it lacks: `http = ["heat:8004"]`.
    pub line: Option<String>,
}

/// How a wish stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has it.
    Granted,
    /// It has it not.
    Refused,
    /// It may do without: a setting that is not set.
    Unset,
    /// Given, though it never asked: most often a slip in a name.
    Unasked,
    /// A limit that no setting can raise so far.
    Beyond {
        /// How far it can be raised.
        most: u64,
    },
    /// Nobody can tell what is meant, or there is no such kind.
    Unclear,
}

/// Asked against granted, in the order of asking. Pure: what it says is true of these arguments and no others.
/// Grants that cannot be read count as none; a plugin that has such is not loaded at all.
#[must_use]
pub fn wishes(asked: &Asked, granted: &PluginGrants, bounds: &Bounds) -> Vec<Wish> {
    compare(asked, &Grants::read(granted).unwrap_or_default(), bounds)
}

/// The same for what was read.
pub(super) fn compare(asked: &Asked, granted: &Grants, bounds: &Bounds) -> Vec<Wish> {
    let mut rows = Vec::new();
    for (kind, value) in asked.grants.iter().take(ASKED_MAX) {
        match kind.as_str() {
            "http" => rows.extend(http(value, granted)),
            "udp" => rows.extend(socket("udp", value, &granted.udp, granted)),
            "tcp" => rows.extend(socket("tcp", value, &granted.tcp, granted)),
            "config" => rows.push(config(value, granted)),
            "secret" => rows.push(secret(value, granted)),
            kind => rows.push(Wish::new(kind, value, Standing::Unclear)),
        }
    }
    rows.extend(unasked_places(asked, granted));
    rows.extend(unasked(asked, "config", granted.config.keys()));
    rows.extend(unasked(asked, "secret", granted.secrets.iter()));
    rows.extend(asked.limits.iter().take(ASKED_MAX).map(|limit| limit_row(limit, bounds)));
    rows
}

impl Wish {
    fn new(kind: &str, asked: &str, standing: Standing) -> Self {
        let (kind, asked) = (line(kind, TEXT_BYTES_MAX), line(asked, TEXT_BYTES_MAX));
        Self { kind, asked, setting: None, is_limit: false, standing, line: None }
    }

    fn lacking(kind: &str, asked: &str, remedy: &str) -> Self {
        let row = Self::new(kind, asked, Standing::Refused);
        Self { line: Some(line(remedy, 2 * TEXT_BYTES_MAX)), ..row }
    }

    fn of(self, setting: Option<&str>) -> Self {
        Self { setting: setting.map(|key| line(key, TEXT_BYTES_MAX)), ..self }
    }
}

/// What is asked for, and the setting that says it; none, if that is not set: then the plugin goes nowhere.
fn named<'a>(value: &'a str, granted: &'a Grants) -> Option<(&'a str, Option<&'a str>)> {
    match value.strip_prefix("config:") {
        None => Some((value, None)),
        Some(key) => granted.config.get(key).map(|value| (value.as_str(), Some(key))),
    }
}

/// A host, or with `config:KEY` the host of the address in that setting.
fn http(value: &str, granted: &Grants) -> Option<Wish> {
    let (address, setting) = named(value, granted)?;
    let Some((host, port)) = site(address) else {
        // The setting's value is not told: it may be a secret in the wrong place.
        let told = if setting.is_some() { "" } else { address };
        return Some(Wish::new("http", told, Standing::Unclear).of(setting));
    };
    let site = line(&format!("{host}:{port}"), TEXT_BYTES_MAX);
    let row = if granted.allows(&host, port) {
        Wish::new("http", &site, Standing::Granted)
    } else {
        Wish::lacking("http", &site, &format!("http = [\"{site}\"]"))
    };
    Some(row.of(setting))
}

/// Addresses and ports; `*:161` is some address at this port.
fn socket(kind: &str, value: &str, places: &[Place], granted: &Grants) -> Option<Wish> {
    let (wanted, setting) = named(value, granted)?;
    let is_any = any_at(wanted).is_some();
    if !is_any && Place::read(kind, wanted).is_err() {
        let told = if setting.is_some() { "" } else { wanted };
        return Some(Wish::new(kind, told, Standing::Unclear).of(setting));
    }
    let fitting = places.iter().filter(|own| meets(own, kind, wanted)).map(Place::text);
    let fitting: Vec<&str> = fitting.collect();
    let row = if fitting.is_empty() {
        Wish::lacking(kind, wanted, &format!("{kind} = [\"{}\"]", example(wanted)))
    } else if is_any {
        // It has what was granted, not all that it asks for.
        let has = format!("{wanted} as {}", fitting.join(" and "));
        Wish::new(kind, &has, Standing::Granted)
    } else {
        Wish::new(kind, wanted, Standing::Granted)
    };
    Some(row.of(setting))
}

/// The port of `*:161`, which is any address there.
fn any_at(wanted: &str) -> Option<u16> {
    wanted.strip_prefix("*:")?.parse().ok()
}

/// Whether a grant gives what is wanted, or of any address some.
fn meets(own: &Place, kind: &str, wanted: &str) -> bool {
    match any_at(wanted) {
        Some(port) => own.has_port(port),
        None => Place::read(kind, wanted).is_ok_and(|place| own.covers(&place)),
    }
}

/// A grant that can be written: an address for any.
fn example(wanted: &str) -> String {
    match wanted.strip_prefix('*') {
        Some(port) => format!("10.0.0.0/8{port}"),
        None => wanted.to_owned(),
    }
}

/// Settings are optional, so that an unset one is no news.
fn config(key: &str, granted: &Grants) -> Wish {
    if granted.config.contains_key(key) {
        return Wish::new("config", key, Standing::Granted);
    }
    let row = Wish::new("config", key, Standing::Unset);
    let remedy = format!("config = {{ {} = \"…\" }}", row.asked);
    Wish { line: Some(remedy), ..row }
}

fn secret(name: &str, granted: &Grants) -> Wish {
    if granted.secrets.iter().any(|own| own == name) {
        return Wish::new("secret", name, Standing::Granted);
    }
    let name = line(name, TEXT_BYTES_MAX);
    let remedy = format!(
        "secrets = {{ {name} = {{ file = \"/run/secrets/{name}\", inject = [\"host:port\"] }} }}"
    );
    Wish::lacking("secret", &name, &remedy)
}

/// What may be reached although nobody asked for it: whoever looks at grants has to see it.
fn unasked_places(asked: &Asked, granted: &Grants) -> Vec<Wish> {
    let wanted = |kind: &str| -> Vec<&str> {
        let own = asked.grants.iter().take(ASKED_MAX).filter(|(own, _)| own == kind);
        own.filter_map(|(_, value)| Some(named(value, granted)?.0)).collect()
    };
    let sites: Vec<_> = wanted("http").into_iter().filter_map(site).collect();
    let others =
        granted.http.iter().filter(|own| !sites.iter().any(|(host, port)| own.is(host, *port)));
    let mut rows: Vec<Wish> =
        others.map(|own| Wish::new("http", own.text(), Standing::Unasked)).collect();
    for (kind, places) in [("udp", &granted.udp), ("tcp", &granted.tcp)] {
        let wanted = wanted(kind);
        let others = places.iter().filter(|own| !wanted.iter().any(|it| meets(own, kind, it)));
        rows.extend(others.map(|own| Wish::new(kind, own.text(), Standing::Unasked)));
    }
    rows
}

/// What is set and nobody reads is a slip.
fn unasked<'a>(asked: &Asked, kind: &str, given: impl Iterator<Item = &'a String>) -> Vec<Wish> {
    let wanted = asked.grants.iter().take(ASKED_MAX).filter(|(own, _)| own == kind);
    let wanted: BTreeSet<&str> = wanted.map(|(_, value)| value.as_str()).collect();
    let given = given.filter(|name| !wanted.contains(name.as_str()));
    given.map(|name| Wish::new(kind, name, Standing::Unasked)).collect()
}

/// The setting behind the name of a limit: `memory-bytes` → `memory_bytes_max`.
fn limit_row((name, value): &(String, u64), bounds: &Bounds) -> Wish {
    let setting = format!("{}_max", name.replace('-', "_"));
    let asked = value.to_string();
    let row = match (bounds.get(&setting), Bounds::most(&setting)) {
        (None, _) => Wish::new(name, &asked, Standing::Unclear),
        (Some(bound), _) if *value <= bound => Wish::new(name, &asked, Standing::Granted),
        (_, Some(most)) if *value > most => Wish::new(name, &asked, Standing::Beyond { most }),
        _ => Wish::lacking(name, &asked, &format!("{setting} = {value}")),
    };
    Wish { is_limit: true, ..row }
}

impl Asked {
    /// As it described itself.
    pub(super) fn of(said: &Described) -> Self {
        let grant = |asked: &types::Grant| (asked.kind.clone(), asked.value.clone());
        let limit = |asked: &types::Limit| (asked.name.clone(), asked.value);
        Self {
            grants: said.grants.iter().take(ASKED_MAX).map(grant).collect(),
            limits: said.limits.iter().take(ASKED_MAX).map(limit).collect(),
        }
    }
}

/// Keeps what was asked with the plugin.
pub(super) fn keep(said: &Described, plugin: &Plugin) {
    plugin.asked.get_or_init(|| Asked::of(said));
}

/// Tells the operator where asked and given differ, and how to change that.
pub(super) fn tell(said: &Described, plugin: &Plugin) {
    let stem = &*plugin.name;
    let most = said.grants.len().max(said.limits.len());
    if most > ASKED_MAX {
        tracing::warn!("{stem} asks for {most} things: only the first {ASKED_MAX} are looked at");
    }
    let asked = plugin.asked.get_or_init(|| Asked::of(said));
    let rows = compare(asked, &plugin.grants, &plugin.bounds);
    for row in &rows {
        tell_one(stem, row, plugin);
    }
    tell_names(stem, &rows, "config");
    tell_names(stem, &rows, "secret");
}

fn tell_one(stem: &str, row: &Wish, plugin: &Plugin) {
    let Wish { kind, asked, setting, is_limit, standing, line } = row;
    let origin = setting.as_ref().map(|key| format!(" (its setting {key})")).unwrap_or_default();
    match (kind.as_str(), standing, line) {
        ("config", ..) | (_, Standing::Granted | Standing::Unset | Standing::Unasked, _) => {}
        ("http" | "udp" | "tcp", Standing::Refused, _) => {
            let remedy = not_granted(kind, stem, &example(asked));
            tracing::warn!("{stem} asks for {kind} {asked}{origin}, {remedy}");
        }
        ("http" | "udp" | "tcp", Standing::Unclear, _) => {
            let what = if origin.is_empty() {
                format!("\"{asked}\"")
            } else {
                format!("the host of an address{origin}")
            };
            let form = if kind == "http" { "http://host:port" } else { "address:port" };
            tracing::warn!("{stem} asks for {kind} {what}, which is no address: write {form}");
        }
        ("secret", Standing::Refused, Some(line)) => tracing::warn!(
            "{stem} asks for the secret {asked}, which it was not granted: add {line} under \
             [plugins.{stem}] in stokehold.toml"
        ),
        (name, Standing::Refused, _) => {
            let setting = format!("{}_max", name.replace('-', "_"));
            let bound = plugin.bounds.get(&setting).unwrap_or_default();
            tracing::warn!(
                "{stem} asks for {asked} {name}, its bound is {bound}: {}",
                more(stem, &setting)
            );
        }
        (name, Standing::Beyond { most }, _) => tracing::warn!(
            "{stem} asks for {asked} {name}, more than this host can give ({most} at most)"
        ),
        (name, Standing::Unclear, _) if *is_limit => {
            tracing::warn!("{stem} asks for the limit \"{name}\", which does not exist");
        }
        (kind, Standing::Unclear, _) => {
            tracing::warn!("{stem} asks for the grant \"{kind}\", which does not exist");
        }
    }
}

/// Settings and secrets by their names, all of a kind in one line.
fn tell_names(stem: &str, rows: &[Wish], kind: &str) {
    let list = |standings: &[Standing]| {
        let mut names: Vec<&str> = rows
            .iter()
            .filter(|row| row.kind == kind && standings.contains(&row.standing))
            .map(|row| row.asked.as_str())
            .collect();
        names.sort_unstable();
        names.join(", ")
    };
    let unset = list(&[Standing::Unset]);
    if !unset.is_empty() {
        tracing::debug!(
            "{stem} also reads {unset}: set them in config under [plugins.{stem}] in \
             stokehold.toml, or with --config {stem}.KEY=VALUE"
        );
    }
    let unknown = list(&[Standing::Unasked]);
    if unknown.is_empty() {
        return;
    }
    let known = list(&[Standing::Granted, Standing::Unset, Standing::Refused]);
    let (table, what) =
        if kind == "config" { ("config", "setting") } else { ("secrets", "secret") };
    let known = if known.is_empty() { format!("no {what}") } else { known };
    tracing::warn!(
        "{table} of [plugins.{stem}] sets {unknown}, which {stem} does not know; it knows {known}"
    );
}

/// Why a place cannot be reached, and what to do. `kind` is `http`, `udp` or `tcp`.
pub(super) fn not_granted(kind: &str, stem: &str, wish: &str) -> String {
    let flag = format!("{stem}={wish}");
    // A shell would take a grant of two words for two.
    let flag = if flag.contains(' ') { format!("'{flag}'") } else { flag };
    format!(
        "which it was not granted: add \"{wish}\" to {kind} under [plugins.{stem}] in \
         stokehold.toml, or start with --grant-{kind} {flag}"
    )
}

/// Where a bound is raised.
pub(super) fn more(stem: &str, setting: &str) -> String {
    format!("set {setting} under [plugins.{stem}] in stokehold.toml")
}

/// Host and port of a URL or of `host:port`.
fn site(address: &str) -> Option<(String, u16)> {
    let uri: http::Uri = address.trim().parse().ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    // Without a scheme it is the usual port of plain requests.
    let usual = if uri.scheme().is_none() { uri.port_u16().unwrap_or(80) } else { target(&uri)?.2 };
    Some((host.to_owned(), usual))
}

#[cfg(test)]
mod tests;
