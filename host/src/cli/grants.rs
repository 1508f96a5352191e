//! What the settings, and the files beside the plugins, grant to single plugins: read anew whenever one is loaded.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::plugin::{
    self, AskedBounds, Bounds, GrantSource, Hidden, InjectedSecret, PluginGrants, PluginSettings,
    RecordingSettings, TrustSettings,
};
use crate::settings::{self, Injected, Keystone, Plugin, Settings, Source};

/// Bytes of a file with a secret or with a plugin's grants.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What plugins are loaded with.
pub(super) fn loading(settings: &Settings) -> PluginSettings {
    let source = Grants { folder: settings.handlers.clone(), said: settings.plugins.clone() };
    PluginSettings {
        bounds: bounds(settings),
        trust: TrustSettings {
            digests: settings.trusted_digests.clone(),
            keys: settings.trusted_keys.clone(),
        },
        recordings: recordings(settings).map(Arc::new),
        cache_dir: Some(settings.cache.clone()),
        source: Some(Arc::new(source)),
        ..PluginSettings::default()
    }
}

/// Which calls are recorded, if any are.
fn recordings(settings: &Settings) -> Option<RecordingSettings> {
    Some(RecordingSettings {
        plugins: settings.record_calls.clone()?,
        dir: settings.recordings.clone(),
        recordings_max: settings.recordings_max,
        recordings_bytes_max: settings.recordings_bytes_max,
        recording_bytes_max: settings.recording_bytes_max,
    })
}

/// The bounds that hold for every plugin.
fn bounds(settings: &Settings) -> Bounds {
    Bounds {
        call_ms_max: settings.call_ms_max,
        calls_max: settings.calls_max,
        describe_ms_max: settings.describe_ms_max,
        memory_bytes_max: settings.memory_bytes_max,
        table_elements_max: settings.table_elements_max,
        modules_max: settings.modules_max,
        log_lines_max: settings.log_lines_max,
        log_line_bytes_max: settings.log_line_bytes_max,
        stdout_bytes_max: settings.stdout_bytes_max,
        http_requests_max: settings.http_requests_max,
        http_body_bytes_max: settings.http_body_bytes_max,
        socket_sends_max: settings.socket_sends_max,
        report_bytes_max: settings.report_bytes_max,
    }
}

/// What is said about each plugin, its own file included. A plugin of which nothing can be read is left out: it
/// cannot be loaded either, and the reason is told there.
pub(super) fn said(settings: &Settings) -> BTreeMap<String, Plugin> {
    let grants = Grants { folder: settings.handlers.clone(), said: settings.plugins.clone() };
    let read = |name: String| grants.said(&name).ok().map(|said| (name, said));
    grants.named().into_iter().filter_map(read).collect()
}

/// The plugins that have a file of their own in this folder, by name. A folder that is not there has none.
pub(super) fn own_files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| {
        let path = entry.path();
        let name = path.file_stem()?.to_str()?.to_owned();
        (path.extension()? == "toml" && !name.starts_with('.')).then_some(name)
    });
    names.collect()
}

/// What is said in the settings, and where the plugins' own files lie.
#[derive(Debug)]
struct Grants {
    folder: PathBuf,
    said: BTreeMap<String, Plugin>,
}

impl GrantSource for Grants {
    fn named(&self) -> Vec<String> {
        let mut named: Vec<_> = self.said.keys().cloned().chain(own_files(&self.folder)).collect();
        named.sort_unstable();
        named.dedup();
        named
    }

    fn granted(&self, plugin: &str) -> Result<PluginGrants, String> {
        self.read(plugin).map_err(|why| format!("cannot use its grants: {why:#}"))
    }
}

impl Grants {
    fn read(&self, name: &str) -> Result<PluginGrants> {
        granted(&self.said(name)?)
    }

    /// The settings and the plugin's own file together.
    fn said(&self, name: &str) -> Result<Plugin> {
        let said = self.said.get(name).cloned().unwrap_or_default();
        let place = self.folder.join(format!("{name}.toml"));
        match text(&place) {
            Ok(text) => settings::own_file(name, &place.display().to_string(), &text, said),
            Err(why) if is_absent(&why) => Ok(said),
            Err(why) => Err(why),
        }
    }
}

fn is_absent(why: &anyhow::Error) -> bool {
    why.downcast_ref::<io::Error>().is_some_and(|why| why.kind() == io::ErrorKind::NotFound)
}

fn granted(said: &Plugin) -> Result<PluginGrants> {
    let ca = said.http_ca_file.as_deref().map(text).transpose();
    let config = said.config.iter().map(|(key, source)| {
        let value = value(source).with_context(|| format!("cannot read setting {key}"))?;
        Ok((key.clone(), value))
    });
    let secrets = said.secrets.iter().map(|(name, secret)| {
        let secret = held(secret).with_context(|| format!("cannot read secret {name}"))?;
        Ok((name.clone(), secret))
    });
    let mut bounds = AskedBounds::default();
    for (name, value) in &said.bounds {
        ensure!(bounds.set(name, *value), "{name} bounds nothing");
    }
    Ok(PluginGrants {
        http: said.http.iter().cloned().collect(),
        http_ca: ca.context("cannot read http_ca_file")?,
        udp: said.udp.iter().cloned().collect(),
        tcp: said.tcp.iter().cloned().collect(),
        config: config.collect::<Result<_>>()?,
        secrets: secrets.collect::<Result<_>>()?,
        keystone: said.keystone.as_ref().map(login).transpose()?,
        bounds,
    })
}

fn held(secret: &Injected) -> Result<InjectedSecret> {
    Ok(InjectedSecret {
        value: value(&secret.source)?,
        inject: secret.inject.iter().cloned().collect(),
        header: secret.header.clone(),
    })
}

fn login(said: &Keystone) -> Result<plugin::Keystone> {
    said.clone().with_secret(|key, source| {
        let text = value(&source).with_context(|| format!("cannot read {key} of keystone"))?;
        Ok(Hidden::new(text))
    })
}

/// The value that is kept there.
///
/// # Errors
/// It cannot be had; the value is no part of the message.
pub(super) fn value(source: &Source) -> Result<String> {
    match source {
        Source::Text(secret) => Ok(secret.reveal().to_owned()),
        Source::Variable(name) => {
            // What it holds is not repeated where it is no text.
            let value = env::var(name).ok();
            value.with_context(|| format!("the variable {name} is not in the environment"))
        }
        Source::File(path) => {
            let text = text(path)?;
            let line = text.strip_suffix('\n').unwrap_or(&text);
            Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
        }
    }
}

fn text(path: &Path) -> Result<String> {
    let read = || {
        let length = fs::metadata(path)?.len();
        if length > FILE_BYTES_MAX {
            let why = format!("it is longer than {FILE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        fs::read_to_string(path)
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests;
