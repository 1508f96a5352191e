//! Calls kept on disk, so that they can be made again after the fact: one file a call, private, bounded in number and
//! size, the oldest removed first. Nothing waits for it and nothing depends on it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::clock;
use crate::domain::{Failure, Fault, HandlerName, JobId, Recording, Verdict};
use crate::plugin::{Answer, Call, RecordingSettings, Witness, Worker};
use crate::wire;

/// Bytes of a job's name in a file's name.
const NAME_BYTES: usize = 8;
/// Bytes of a file that may be a recording.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Calls the handler; what it was told and what the network answered is kept if the settings say so.
pub(super) async fn handle(worker: &Worker, call: Call) -> Answer {
    let Some(settings) = worker.recordings() else { return worker.handle(call).await };
    let mut recording = Recording {
        posted: (*call.job).clone(),
        template_id: call.template_id.clone(),
        template: Some(call.template_text.clone()),
        checkpoint: call.checkpoint.clone(),
        stacks: [].into(),
        states: [].into(),
        answers: None,
        at_ms: clock::now_ms(),
        outcome: String::new(),
    };
    let witness = Arc::new(Witness::new(settings.recording_bytes_max));
    let answer = worker.handle_before(call, Some(&witness)).await;
    let seen = witness.take();
    recording.stacks = seen.stacks;
    recording.states = seen.states;
    recording.answers = Some(seen.exchanges);
    recording.outcome = outcome(&answer.outcome);
    if seen.dropped_bytes > 0 {
        let (job, dropped) = (&recording.posted.job.id, seen.dropped_bytes);
        warn!(%job, "recorded without {dropped} bytes of bodies (recording_bytes_max)");
    }
    let settings = Arc::clone(settings);
    let id = recording.posted.job.id.clone();
    let kept = tokio::task::spawn_blocking(move || keep(&settings, &recording)).await;
    if let Err(why) = kept.map_err(anyhow::Error::from).flatten() {
        warn!(job = %id, "its call is not recorded: {why:#}");
    }
    answer
}

/// What came of a call, in a word and the handler's reason.
pub fn outcome(outcome: &Result<Verdict, Fault>) -> String {
    match outcome {
        Ok(Verdict::Completed) => "completed".to_owned(),
        Ok(Verdict::Pending { after_ms, .. }) => format!("pending, again after {after_ms} ms"),
        Ok(Verdict::Failed(Failure::Retry(why))) => format!("failed, to be tried again: {why}"),
        Ok(Verdict::Failed(Failure::Fatal(why))) => format!("failed for good: {why}"),
        Err(fault) => format!("fault: {fault}"),
    }
}

/// The part of a file's name that says whose call it is: ids of jobs hold what no file may be called.
fn mark(id: &JobId) -> String {
    use std::fmt::Write as _;
    let sum = Sha256::digest(id.as_str());
    sum.iter().take(NAME_BYTES).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn keep(settings: &RecordingSettings, recording: &Recording) -> Result<()> {
    let text = wire::spell_recording(recording).map_err(|why| anyhow!("cannot spell it: {why}"))?;
    let dir = &settings.dir;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot create recordings {}", dir.display()))?;
    let (at_ms, mark) = (recording.at_ms, mark(&recording.posted.job.id));
    let number = getrandom::u32().map_err(|why| anyhow!("cannot make a name: {why}"))?;
    let name = format!("{at_ms:013}-{mark}-{number:08x}.json");
    let (draft, place) = (dir.join(format!(".{name}")), dir.join(name));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&draft, &place))
        .with_context(|| format!("cannot write recording {}", place.display()))
        .inspect_err(|_| {
            // What is half written is of no use.
            let _ = fs::remove_file(&draft);
        })?;
    prune(settings)
}

/// Removes the oldest until number and size are within their bounds.
fn prune(settings: &RecordingSettings) -> Result<()> {
    let mut files = Vec::new();
    for path in files_of(&settings.dir)? {
        let bytes = fs::metadata(&path).map(|about| about.len()).unwrap_or_default();
        files.push((path, bytes));
    }
    let mut bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    let mut left = files.len() as u64;
    for (path, size) in files {
        if left <= settings.recordings_max && bytes <= settings.recordings_bytes_max {
            break;
        }
        // Another host's task may have been quicker.
        let _ = fs::remove_file(&path);
        left -= 1;
        bytes = bytes.saturating_sub(size);
    }
    Ok(())
}

/// All recordings, the oldest first.
fn files_of(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir);
    let entries = entries.with_context(|| format!("cannot read recordings {}", dir.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            !name.starts_with('.') && path.extension().is_some_and(|ending| ending == "json")
        })
        .collect();
    files.sort();
    Ok(files)
}

/// The recorded calls of a job, or of all jobs, the oldest first. A folder that is not there has none; a file that
/// cannot be read is told and passed over.
///
/// # Errors
/// The folder is there and cannot be read.
pub fn read(dir: &Path, of: Option<&JobId>) -> Result<Vec<Recording>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mark = of.map(mark);
    let mut found = Vec::new();
    for path in files_of(dir)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if mark.as_ref().is_some_and(|mark| !name.contains(&format!("-{mark}-"))) {
            continue;
        }
        match read_one(&path) {
            Ok(recording) if of.is_none_or(|id| recording.posted.job.id == *id) => {
                found.push(recording);
            }
            Ok(_) => {}
            Err(why) => warn!("recording {} is passed over: {why:#}", path.display()),
        }
    }
    Ok(found)
}

fn read_one(path: &Path) -> Result<Recording> {
    anyhow::ensure!(fs::metadata(path)?.len() <= FILE_BYTES_MAX, "it is too long");
    let bytes = fs::read(path)?;
    wire::read_recording(&bytes, &HandlerName::new("")).map_err(|why| anyhow!(why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn recording(id: &str, at_ms: u64) -> Recording {
        let text = format!(r#"{{"id": "{id}", "resource_type": "port", "resource_id": "p"}}"#);
        let read = wire::read_recording(text.as_bytes(), &HandlerName::new("echo")).unwrap();
        Recording { at_ms, ..read }
    }

    fn settings(dir: &Path) -> RecordingSettings {
        RecordingSettings {
            dir: dir.join("kept"),
            plugins: "*".to_owned(),
            recordings_max: 3,
            recordings_bytes_max: 1 << 20,
            recording_bytes_max: 1 << 20,
        }
    }

    fn times(settings: &RecordingSettings, of: Option<&JobId>) -> Vec<u64> {
        read(&settings.dir, of).unwrap().iter().map(|it| it.at_ms).collect()
    }

    #[test]
    fn the_calls_of_a_job_are_found_in_the_order_of_their_time() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        assert_eq!(times(&settings, None), [0_u64; 0]);
        for (id, at_ms) in [("create:a/b", 2), ("other", 3), ("create:a/b", 1)] {
            keep(&settings, &recording(id, at_ms)).unwrap();
        }
        assert_eq!(times(&settings, Some(&JobId::new("create:a/b"))), [1, 2]);
        assert_eq!(times(&settings, Some(&JobId::new("none"))), [0_u64; 0]);
        assert_eq!(times(&settings, None), [1, 2, 3]);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_or_they_are_too_large() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(dir.path());
        for at_ms in 1..=5 {
            keep(&settings, &recording("a", at_ms)).unwrap();
        }
        assert_eq!(times(&settings, None), [3, 4, 5]);
        settings.recordings_bytes_max = 1000;
        keep(&settings, &recording("a", 6)).unwrap();
        assert_eq!(times(&settings, None), [6]);
    }

    #[test]
    fn nobody_else_can_read_them_and_a_broken_one_hides_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        keep(&settings, &recording("a", 1)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&settings.dir), 0o700);
        let files = files_of(&settings.dir).unwrap();
        assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
        fs::write(settings.dir.join("0000000000000-x.json"), "{").unwrap();
        assert_eq!(times(&settings, None), [1]);
    }
}
