//! `log`: a few words for the operator.

use super::Guest;
use crate::plugin::bindings::log::{Host, Level};
use crate::plugin::convert::line;
use crate::plugin::grant::Bounds;

/// How much a call may still log.
pub(super) struct LogBudget {
    job: String,
    lines_left: u64,
    line_bytes_max: u64,
    dropped: u64,
}

impl LogBudget {
    pub(super) fn new(bounds: &Bounds, job: Option<String>) -> Self {
        Self {
            job: job.unwrap_or_default(),
            lines_left: bounds.log_lines_max,
            line_bytes_max: bounds.log_line_bytes_max,
            dropped: 0,
        }
    }

    /// The id of the job at hand; empty without one.
    pub(super) fn job(&self) -> &str {
        &self.job
    }

    pub(super) fn finish(&self, plugin: &str) {
        if self.dropped > 0 {
            let (job, dropped) = (&self.job, self.dropped);
            tracing::warn!(plugin, job, "… {dropped} more lines dropped (log_lines_max)");
        }
    }
}

impl Host for Guest {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let budget = &mut self.log;
        if budget.lines_left == 0 {
            budget.dropped += 1;
            return Ok(());
        }
        budget.lines_left -= 1;
        let line = line(&message, budget.line_bytes_max);
        let (plugin, job) = (&*self.plugin.name, budget.job.as_str());
        if let Some(witness) = &self.witness {
            witness.log(word(level), &line);
        }
        match level {
            Level::Trace => tracing::trace!(plugin, job, "{line}"),
            Level::Debug => tracing::debug!(plugin, job, "{line}"),
            Level::Info => tracing::info!(plugin, job, "{line}"),
            Level::Warn => tracing::warn!(plugin, job, "{line}"),
            Level::Error => tracing::error!(plugin, job, "{line}"),
        }
        Ok(())
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}
