//! `stokehold apply`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::entries::{self, Written};
use super::input::{self, Desired};
use super::plain::plain;
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
    /// Write the next version even of what is unchanged, so that it is worked on again.
    #[arg(long, conflicts_with = "version")]
    again: bool,
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
    let settings = load::places(&args.settings.0)?;
    let mut desired = Vec::new();
    for file in &args.files {
        let read = read(file);
        desired.extend(read.with_context(|| format!("cannot read file {}", file.display()))?);
    }
    let store = entries::open(&settings).await?;
    let schemas = entries::schemas(&settings, &*store).await?;
    let version = args.version.map(Version);
    // All of them are checked before the first one is written.
    let keys: Result<Vec<_>> =
        desired.iter().map(|Desired { of, .. }| entries::config_key(&schemas, of)).collect();
    let mut written = Vec::new();
    for (Desired { of, body }, key) in desired.iter().zip(keys?) {
        let next = |stored: Option<&_>| config::applied(stored, body, version, args.again);
        let what = entries::write(&*store, &key, next).await;
        let what = what.with_context(|| format!("cannot apply {of}"))?;
        let line = format!("{of} {what}{}", hint(&*store, &schemas, of, what).await?);
        println!("{}", plain(&line));
        written.push((of, what));
    }
    if !args.wait {
        return Ok(Answer::Yes);
    }
    entries::warn_without_host(&*store).await?;
    args.patience.keep(states(&*store, &schemas, written.into_iter())).await
}

/// Templates have none.
pub(super) fn has_state(of: &ResourceRef) -> bool {
    of.kind.as_str() != input::TEMPLATE
}

/// What to add where nothing was written although nothing works.
async fn hint(
    store: &dyn Store,
    schemas: &Schemas,
    of: &ResourceRef,
    what: Written,
) -> Result<String> {
    if !(has_state(of) && matches!(what, Written::Unchanged(_))) {
        return Ok(String::new());
    }
    let key = entries::state_key(schemas, of)?;
    let found = store.get(&key).await.with_context(|| format!("cannot read key {key}"))?;
    let state = found.and_then(|entry| entries::state(of, &entry.value));
    Ok(state.filter(State::failed).map_or_else(String::new, |state| {
        format!(" (its state is {}; --again works on it again)", plain(state.worker_state()))
    }))
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

/// Waits until each resource has reported a state of its version, and prints it. What has no state
/// is passed over.
pub(super) async fn states(
    store: &dyn Store,
    schemas: &Schemas,
    written: impl Iterator<Item = (&ResourceRef, Written)>,
) -> Result<Answer> {
    let mut answer = Answer::Yes;
    for (of, what) in written.filter(|(of, _)| has_state(of)) {
        let key = entries::state_key(schemas, of)?;
        let mut told = String::new();
        let state = follow::until(store, &key, |seen| {
            let (value, modified) = seen?;
            let state = entries::state(of, value)?;
            if answers(&state, modified, what) {
                return Some(state);
            }
            // A resource that is held back says so in the state of its last version.
            if !state.failed() && !state.error.is_empty() && state.error != told {
                eprintln!("{}", plain(&format!("{of} is held back: {}", state.error)));
                told = state.error;
            }
            None
        });
        let state = state.await?;
        let (line, kept) = verdict(of, &state);
        println!("{}", plain(&line));
        answer = if kept { answer } else { Answer::No };
    }
    Ok(answer)
}

/// Whether a state that came at revision `modified` is one of what was written.
fn answers(state: &State, modified: u64, what: Written) -> bool {
    state.version >= what.version() && modified > what.since()
}

/// What is printed of a state, and whether all is well.
fn verdict(of: &ResourceRef, state: &State) -> (String, bool) {
    let error = match state.error.as_str() {
        "" => String::new(),
        error => format!(": {}", plain(error)),
    };
    let line = format!("{of} version {} {}{error}", state.version, plain(state.worker_state()));
    (line, !state.failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_a_former_life_is_no_answer() {
        let state = State::new(Version(1), "CREATE_COMPLETED");
        assert!(!answers(&state, 4, Written::New(Version(1), 5)));
        assert!(answers(&state, 6, Written::New(Version(1), 5)));
        assert!(!answers(&state, 6, Written::New(Version(2), 5)));
        assert!(answers(&state, 4, Written::Unchanged(Version(1))));
    }

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
