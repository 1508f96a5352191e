//! What the tests made of the recordings. They are found beside the checkout and not everywhere, and what a test that
//! passed says of them is not shown: the replay tells it in a file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cargo::Workspace;

/// Names that file to the tests. Without the prefix of the host's settings: what it does not know there it warns of.
pub(crate) const VARIABLE: &str = "REPLAY_TALLY";

/// The file, which is not there before the tests run: what an earlier run told is never shown.
///
/// # Errors
/// An earlier one cannot be removed.
pub(crate) fn fresh(workspace: &Workspace) -> Result<PathBuf> {
    let file = workspace.target.join("recordings.tally");
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(file),
    }
}

/// What the replays told.
///
/// # Errors
/// They told nothing, which they do only when they fail or are not run.
pub(crate) fn told(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    ensure!(!text.is_empty(), "no replay came to its end");
    Ok(summed(&text))
}

/// For where nothing is replayed.
pub(crate) fn read_only(workspace: &Workspace) -> String {
    let there = workspace.root.parent().is_some_and(|up| up.join("shared/recordings").is_dir());
    if there { "read, not replayed".to_owned() } else { "not run: no recordings".to_owned() }
}

/// A line of each replay; those that are the same are told once.
fn summed(text: &str) -> String {
    let mut times = BTreeMap::<&str, usize>::new();
    text.lines().for_each(|line| *times.entry(line).or_default() += 1);
    let told = times.iter().map(|(line, times)| match times {
        _ if line.starts_with("not run") => (*line).to_owned(),
        1 => format!("{line}, in one replay"),
        _ => format!("{line}, in each of {times} replays"),
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replays_that_tell_the_same_are_told_once() {
        let twice = "31 of 31 jobs, in each of 2 replays";
        assert_eq!(summed("31 of 31 jobs\n31 of 31 jobs\n"), twice);
        assert_eq!(summed("a\nb\n"), "a, in one replay; b, in one replay");
        let none = "not run: no recordings";
        assert_eq!(summed(&format!("{none}\n{none}\n")), none);
    }

    #[test]
    fn a_replay_that_tells_nothing_is_an_error() {
        assert!(told(Path::new("no such file")).is_err());
    }
}
