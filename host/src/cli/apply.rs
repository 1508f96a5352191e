//! `stokehold apply`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::entries;
use super::input::{self, Desired};
use super::{Answer, config, flags, follow, load};
use crate::domain::{ResourceRef, Schemas, State, Version};
use crate::store::Store;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Files of resources: JSON values, one after the other, each
    /// {"type": "port", "body": {...}}, {"port": {...}}, or a list of such.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write this version instead of the next one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    version: Option<u64>,
    /// Wait for the states of what was written, and print them.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    settings: flags::PlaceFlags,
}

/// How long to wait.
#[derive(clap::Args, Clone, Copy)]
pub(super) struct Patience {
    /// Wait no longer than this.
    #[arg(long, value_name = "N", requires = "wait")]
    seconds: Option<u64>,
}

pub(super) async fn apply(args: Args) -> Result<Answer> {
    let settings = load::named(&args.settings.0)?;
    let mut desired = Vec::new();
    for file in &args.files {
        let read = read(file);
        desired.extend(read.with_context(|| format!("cannot read file {}", file.display()))?);
    }
    let store = entries::open(&settings).await?;
    let schemas = entries::schemas(&settings, &*store).await?;
    let version = args.version.map(Version);
    let mut written = Vec::new();
    for Desired { of, body } in &desired {
        let key = entries::config_key(&schemas, of)?;
        let what = entries::write(&*store, &key, |stored| config::applied(stored, body, version))
            .await
            .with_context(|| format!("cannot apply {of}"))?;
        println!("{of} {what}");
        written.push((of, what.version()));
    }
    if !args.wait {
        return Ok(Answer::Yes);
    }
    // Templates have no state.
    let written = written.into_iter().filter(|(of, _)| of.kind.as_str() != input::TEMPLATE);
    args.patience.keep(states(&*store, &schemas, written)).await
}

fn read(file: &Path) -> Result<Vec<Desired>> {
    let text = fs::read_to_string(file)?;
    let beside = file.parent().unwrap_or(Path::new(""));
    input::parse(&text, &|name| Ok(fs::read_to_string(beside.join(name))?))
}

impl Patience {
    /// The answer of `work`, or no and a word when it takes too long.
    pub(super) async fn keep(self, work: impl Future<Output = Result<Answer>>) -> Result<Answer> {
        let Some(seconds) = self.seconds else {
            return work.await;
        };
        let in_time = tokio::time::timeout(Duration::from_secs(seconds), work).await;
        in_time.unwrap_or_else(|_| {
            eprintln!("still waiting after {seconds} s; `stokehold status` tells for what");
            Ok(Answer::No)
        })
    }
}

/// Waits until each resource has reported a state of its version, and prints it.
pub(super) async fn states(
    store: &dyn Store,
    schemas: &Schemas,
    written: impl Iterator<Item = (&ResourceRef, Version)>,
) -> Result<Answer> {
    let mut answer = Answer::Yes;
    for (of, version) in written {
        let key = entries::state_key(schemas, of)?;
        let mut told = String::new();
        let state = follow::until(store, &key, |value| {
            let state = entries::state(of, value?)?;
            if state.version >= version {
                return Some(state);
            }
            // A resource that is held back says so in the state of its last version.
            if !state.failed() && !state.error.is_empty() && state.error != told {
                eprintln!("{of} is held back: {}", state.error);
                told = state.error;
            }
            None
        });
        let state = state.await?;
        let (line, kept) = verdict(of, &state);
        println!("{line}");
        answer = if kept { answer } else { Answer::No };
    }
    Ok(answer)
}

/// What is printed of a state, and whether all is well.
fn verdict(of: &ResourceRef, state: &State) -> (String, bool) {
    let error = match state.error.as_str() {
        "" => String::new(),
        error => format!(": {error}"),
    };
    let line = format!("{of} version {} {}{error}", state.version, state.worker_state());
    (line, !state.failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_state_is_told_with_its_error_and_is_no_success() {
        let of = ResourceRef::new("port", "1");
        let mut state = State::new(Version(2), "CREATE_COMPLETED");
        assert_eq!(verdict(&of, &state), ("port:1 version 2 CREATE_COMPLETED".into(), true));
        state = State::new(Version(2), "MODIFY_FAILED");
        state.error = "no such network".into();
        let line = "port:1 version 2 MODIFY_FAILED: no such network";
        assert_eq!(verdict(&of, &state), (line.into(), false));
    }
}
