//! Handlers in other languages than the house's own: the projects that `stokehold plugin new` makes are built as their
//! READMEs say, and the examples take part in a workflow. The host knows nothing of any of it.
//!
//! `cargo xtask languages` gets the toolchains.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod examples;
mod projects;

use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::sync::Mutex;

/// Compilers keep all processors busy: one language at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// A file or folder below the toolchains. `None` when it is absent; a line says that something was not run.
///
/// # Panics
/// With `CI=true`, where absence is an error.
fn toolchain(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("STOKEHOLD_LANGUAGES").map(PathBuf::from);
    let found = folder.map(|folder| folder.join(name)).filter(|path| path.exists());
    assert!(
        found.is_some() || std::env::var("CI").as_deref() != Ok("true"),
        "no {name} among the toolchains (STOKEHOLD_LANGUAGES), and CI=true forbids to go on without"
    );
    if found.is_none() {
        println!("not run: no {name}; `cargo xtask languages` gets it");
    }
    found
}

/// Runs a line of a shell in a folder, with these folders on the PATH before all others, and gives back what it
/// printed.
///
/// # Panics
/// When it fails: with all that it said.
fn shell(line: &str, folder: &Path, programs: &[PathBuf]) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = programs.iter().cloned().chain(std::env::split_paths(&path));
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(path).unwrap())
        // What cargo told this test about its own package is nothing to the cargo of a project.
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "`{line}` failed: {}\n{out}{err}", output.status);
    out
}
