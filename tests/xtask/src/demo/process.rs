//! Programs that end with the demo, however that ends.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

/// Runs a program until it ends or until this shell's input does, which it does in any case when
/// the demo is gone: nothing is left running even if the demo is killed.
const UNTIL_INPUT_ENDS: &str = r#"
exec 3<&0
"$@" 3<&- & child=$!
{ cat <&3 >/dev/null; kill "$child" 2>/dev/null; } &
wait "$child"
"#;

/// How long a program may take to end when asked.
const END_SECONDS_MAX: u64 = 10;

/// A program that is running; dropping this ends it.
pub(super) struct Running {
    name: &'static str,
    shell: Child,
}

impl Running {
    /// Starts a program; its errors go to `log`, what it prints comes back as lines.
    pub(super) fn start(
        name: &'static str,
        command: &mut Command,
        log: &Path,
    ) -> Result<(Self, Lines)> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut shell = Command::new("sh")
            .args(["-c", UNTIL_INPUT_ENDS, "sh"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let output = shell.stdout.take().ok_or_else(|| anyhow!("cannot read from {name}"))?;
        let (line, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for read in BufReader::new(output).lines().map_while(Result::ok) {
                if line.send(read).is_err() {
                    return;
                }
            }
        });
        Ok((Self { name, shell }, Lines(lines)))
    }

    /// # Errors
    /// It has ended.
    pub(super) fn must_run(&mut self) -> Result<()> {
        if let Some(status) = self.shell.try_wait().context("cannot look after a program")? {
            bail!("{} ended by itself ({status})", self.name);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let end = Instant::now() + Duration::from_secs(END_SECONDS_MAX);
        while matches!(self.shell.try_wait(), Ok(None)) {
            if Instant::now() > end {
                eprintln!("{} does not end; process {} is its shell", self.name, self.shell.id());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What a program prints.
pub(super) struct Lines(Receiver<String>);

impl Lines {
    /// The next line, or `None` when none comes in time.
    pub(super) fn next(&self, patience: Duration) -> Result<Option<String>> {
        match self.0.recv_timeout(patience) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("a program prints no more"),
        }
    }

    /// The next line, which must come.
    pub(super) fn wait(&self, from: &mut Running, patience: Duration) -> Result<String> {
        let end = Instant::now() + patience;
        loop {
            if let Ok(line) = self.0.recv_timeout(Duration::from_millis(50)) {
                return Ok(line);
            }
            from.must_run()?;
            ensure!(Instant::now() < end, "{} says nothing", from.name);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_program_ends_with_its_owner_and_an_ended_one_is_noticed() {
        let log = std::env::temp_dir().join(format!("stokehold-xtask-{}.log", std::process::id()));
        let patience = Duration::from_mins(1);
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$; exec sleep 600"]);
        let (mut running, lines) = Running::start("sleeper", &mut command, &log).unwrap();
        let pid = lines.wait(&mut running, patience).unwrap();
        running.must_run().unwrap();
        drop(running);
        let alive = Command::new("sh").args(["-c", &format!("kill -0 {pid} 2>/dev/null")]).status();
        assert!(!alive.unwrap().success());

        let mut command = Command::new("false");
        let (mut running, lines) = Running::start("failing", &mut command, &log).unwrap();
        let said = lines.wait(&mut running, patience).unwrap_err().to_string();
        assert!(said.starts_with("failing ended by itself"), "{said}");
        std::fs::remove_file(&log).unwrap();
    }
}
