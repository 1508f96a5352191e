//! The log: to stderr, so that stdout stays what a command prints.

use std::io::{self, IsTerminal};

use anyhow::{Result, anyhow, ensure};
use tracing_subscriber::EnvFilter;

use super::Misuse;
use crate::settings::{LogFormat, Settings};

/// Begins to log as the settings say; once per process.
///
/// # Errors
/// A filter that makes no sense, or a second call.
pub(super) fn begin(settings: &Settings) -> Result<()> {
    levels(&settings.log).map_err(Misuse)?;
    let filter = EnvFilter::builder().parse(&settings.log).map_err(|error| {
        Misuse(anyhow!("log must be a level or a filter as info,stokehold=debug: {error}"))
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Human => {
            lines.with_target(false).with_ansi(io::stderr().is_terminal()).compact().try_init()
        }
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow!("cannot begin to log: {error}"))
}

/// Whether every part of a filter ends in a level. A lone word that is none would be taken for the
/// name of a module, and all others would fall silent.
fn levels(filter: &str) -> Result<()> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    // Filters of spans have commas and equals signs of their own.
    let parts = filter.split(',').filter(|_| !filter.contains('['));
    for part in parts {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level).trim();
        ensure!(
            LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)),
            "log: {level:?} is no level; write error, warn, info, debug, trace or off, \
             or target=level"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused_instead_of_silencing_all() {
        for good in ["info", "WARN", "off", "info,stokehold::plugin=debug", "[span{a=1}]=debug"] {
            assert!(levels(good).is_ok(), "{good}");
        }
        for bad in ["bogus", "info,bogus", "stokehold=bogus", "stokehold"] {
            let said = levels(bad).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(said.contains("is no level; write error, warn,"), "{bad}: {said}");
        }
    }
}
