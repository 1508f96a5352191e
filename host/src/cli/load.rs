//! The effects around settings: reads the environment and the file, opens the store.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::flags::Named;
use super::{Misuse, grants};
use crate::settings::{FILE, Flags, Settings};

/// Settings from the given flags, this process's environment, and the settings file.
///
/// # Errors
/// A named file that cannot be read; whatever [`Settings::from_sources`] refuses.
pub fn settings(flags: &Flags, file: Option<&Path>) -> Result<Settings> {
    // Where the plugins lie says which of them have a file of their own.
    let handlers = gather(flags, file, Settings::without_plugins)?.handlers;
    let own_files = grants::own_files(&handlers).into_iter().collect();
    gather(&Flags { own_files, ..flags.clone() }, file, Settings::from_sources)
}

/// The settings of whoever looks at one plugin's file. Its grants are read beside it, as its signature is and as a host
/// would, unless the command line names a folder of plugins.
///
/// # Errors
/// Those of [`settings`].
pub(super) fn beside(named: &Named, file: &Path) -> Result<Settings> {
    if named.flags.values.contains_key("handlers") {
        return all(named);
    }
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let read = || {
        // What the environment says of a host's other plugins is no mistake here.
        let handlers =
            gather(&named.flags, named.file.as_deref(), Settings::without_plugins)?.handlers;
        let own_files = [folder, &handlers].into_iter().flat_map(grants::own_files).collect();
        let flags = Flags { own_files, ..named.flags.clone() };
        let settings = gather(&flags, named.file.as_deref(), Settings::from_sources)?;
        anyhow::Ok(Settings { handlers: folder.to_owned(), ..settings })
    };
    read().map_err(|error| Misuse(error).into())
}

type Read = fn(&Flags, &BTreeMap<String, String>, Option<(&str, &str)>) -> Result<Settings>;

fn gather(flags: &Flags, file: Option<&Path>, read: Read) -> Result<Settings> {
    // A variable that is no Unicode cannot be one of ours.
    let environment: BTreeMap<_, _> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let named = file.map(Path::to_owned).or_else(|| {
        environment.get("STOKEHOLD_SETTINGS").filter(|name| !name.is_empty()).map(PathBuf::from)
    });
    let place = named.clone().unwrap_or_else(|| PathBuf::from(FILE));
    let text = match fs::read_to_string(&place) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => None,
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read settings {}", place.display()));
        }
    };
    let name = place.display().to_string();
    let file = text.as_deref().map(|text| (name.as_str(), text));
    read(flags, &environment, file)
}

/// All settings, for a host.
pub(super) fn all(named: &Named) -> Result<Settings> {
    let read = settings(&named.flags, named.file.as_deref());
    read.map_err(|error| Misuse(error).into())
}

/// The settings for those who only look at the store: those of single plugins do not concern them.
pub(super) fn places(named: &Named) -> Result<Settings> {
    let read = gather(&named.flags, named.file.as_deref(), Settings::without_plugins);
    read.map_err(|error| Misuse(error).into())
}
