//! What a plugin asks for when it is loaded, beside what it has. Nothing here keeps it from being loaded.

use std::collections::BTreeSet;

use super::bindings::types::{Grant, Limit};
use super::call::Plugin;
use super::convert::{Described, line};

/// Grants and limits of one plugin that are looked at.
const ASKED_MAX: usize = 64;
/// Bytes of an asked thing that are told.
const TEXT_BYTES_MAX: u64 = 256;

/// Tells the operator where asked and given differ, and how to change that.
pub(super) fn tell(said: &Described, plugin: &Plugin) {
    let stem = &*plugin.name;
    let most = said.grants.len().max(said.limits.len());
    if most > ASKED_MAX {
        tracing::warn!("{stem} asks for {most} things: only the first {ASKED_MAX} are looked at");
    }
    for asked in said.grants.iter().take(ASKED_MAX) {
        match asked.kind.as_str() {
            "http" => http(asked, plugin),
            "config" => {}
            kind => {
                let kind = line(kind, TEXT_BYTES_MAX);
                tracing::warn!("{stem} asks for the grant \"{kind}\", which does not exist");
            }
        }
    }
    config(said, plugin);
    for asked in said.limits.iter().take(ASKED_MAX) {
        limit(asked, plugin);
    }
}

/// Why a host cannot be reached, and what to do.
pub(super) fn not_granted(stem: &str, site: &str) -> String {
    format!(
        "which it was not granted: add \"{site}\" to http under [plugins.{stem}] in stokehold.toml, \
         or start with --grant-http {stem}={site}"
    )
}

/// A host, or with `config:KEY` the host of the address in that setting.
fn http(asked: &Grant, plugin: &Plugin) {
    let stem = &*plugin.name;
    let (address, origin) = match asked.value.strip_prefix("config:") {
        None => (asked.value.as_str(), String::new()),
        Some(key) => {
            // Without the setting the plugin goes nowhere.
            let Some(address) = plugin.grants.config.get(key) else { return };
            (address.as_str(), format!(" (its setting {})", line(key, TEXT_BYTES_MAX)))
        }
    };
    let Some((host, port)) = site(address) else {
        // The setting's value is not told: it may be a secret in the wrong place.
        let what = if origin.is_empty() {
            format!("\"{}\"", line(address, TEXT_BYTES_MAX))
        } else {
            format!("the host of an address{origin}")
        };
        tracing::warn!("{stem} asks for http {what}, which is no address: write http://host:port");
        return;
    };
    if !plugin.grants.allows(&host, port) {
        let site = line(&format!("{host}:{port}"), TEXT_BYTES_MAX);
        tracing::warn!("{stem} asks for http {site}{origin}, {}", not_granted(stem, &site));
    }
}

/// Host and port of a URL or of `host:port`.
fn site(address: &str) -> Option<(String, u16)> {
    let uri: http::Uri = address.trim().parse().ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    let usual = if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { 443 } else { 80 };
    Some((host.to_owned(), uri.port_u16().unwrap_or(usual)))
}

/// Settings are optional, so that an unset one is no news; a set one that nobody reads is a slip.
fn config(said: &Described, plugin: &Plugin) {
    let stem = &*plugin.name;
    let asked = said.grants.iter().take(ASKED_MAX).filter(|asked| asked.kind == "config");
    let asked: BTreeSet<&str> = asked.map(|asked| asked.value.as_str()).collect();
    let set = &plugin.grants.config;
    let list = |keys: &mut dyn Iterator<Item = &str>| {
        keys.map(|key| line(key, TEXT_BYTES_MAX)).collect::<Vec<_>>().join(", ")
    };
    let unset = list(&mut asked.iter().copied().filter(|key| !set.contains_key(*key)));
    if !unset.is_empty() {
        tracing::debug!(
            "{stem} also reads {unset}: set them in config under [plugins.{stem}] in \
             stokehold.toml, or with --config {stem}.KEY=VALUE"
        );
    }
    let unknown = list(&mut set.keys().map(String::as_str).filter(|key| !asked.contains(key)));
    if !unknown.is_empty() {
        let known = list(&mut asked.iter().copied());
        let known = if known.is_empty() { "no setting" } else { &known };
        tracing::warn!(
            "config of [plugins.{stem}] sets {unknown}, which {stem} does not know; it knows {known}"
        );
    }
}

fn limit(asked: &Limit, plugin: &Plugin) {
    let stem = &*plugin.name;
    let (setting, bound) = match asked.name.as_str() {
        "memory-bytes" => ("memory_bytes_max", plugin.bounds.memory_bytes_max),
        "call-ms" => ("call_ms_max", plugin.bounds.call_ms_max),
        unknown => {
            let unknown = line(unknown, TEXT_BYTES_MAX);
            tracing::warn!("{stem} asks for the limit \"{unknown}\", which does not exist");
            return;
        }
    };
    if asked.value > bound {
        let (value, name) = (asked.value, &asked.name);
        tracing::warn!(
            "{stem} asks for {value} {name}, its bound is {bound}: set {setting} under \
             [plugins.{stem}] in stokehold.toml"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::site;

    #[test]
    fn an_address_names_host_and_port_with_the_schemes_own_as_default() {
        for (address, expected) in [
            ("http://heat:8004/v1/x", Some(("heat", 8004))),
            ("http://heat/v1", Some(("heat", 80))),
            ("https://me:secret@heat", Some(("heat", 443))),
            ("heat:8004", Some(("heat", 8004))),
            ("heat", Some(("heat", 80))),
            ("http://[::1]:5/", Some(("[::1]", 5))),
            ("/v1", None),
            ("", None),
            ("two words", None),
        ] {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(site(address), expected, "{address}");
        }
    }
}
