//! What real services for the tests have in common: a program that the chores get, and a process
//! that ends with its test.

use std::path::PathBuf;
use std::process::{Child, Command};

use anyhow::{Context, Result, bail};

/// A process of ours.
pub struct Process(Child);

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.spawn().map(Self).with_context(|| format!("cannot start {name}"))
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program that a variable names, or `None` where it names none; a line says that something was
/// not run.
///
/// # Errors
/// With `CI=true` when there is none.
pub fn program(variable: &str, chore: &str) -> Result<Option<PathBuf>> {
    if let Some(program) = std::env::var_os(variable) {
        return Ok(Some(program.into()));
    }
    if std::env::var("CI").as_deref() == Ok("true") {
        bail!("no {chore}: {variable} is not set, and CI=true forbids to go on without");
    }
    println!("not run: no {chore}; `cargo xtask {chore}` gets one");
    Ok(None)
}
