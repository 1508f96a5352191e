//! The log: to stderr, so that stdout stays what a command prints.

use std::io::{self, IsTerminal};

use anyhow::{Result, anyhow};
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, Settings};

/// Begins to log as the settings say; once per process.
///
/// # Errors
/// A filter that makes no sense, or a second call.
pub(super) fn begin(settings: &Settings) -> Result<()> {
    let filter = EnvFilter::builder().parse(&settings.log).map_err(|error| {
        anyhow!("log must be a level or a filter as info,stokehold=debug: {error}")
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
