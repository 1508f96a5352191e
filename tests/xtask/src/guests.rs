//! Builds what runs inside the host: the shipped plugins into `target/handlers`, all others into
//! `target/guests`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{Member, Workspace, cargo, is_there, run};

pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Builds all guests.
///
/// # Errors
/// The target cannot be had, or a guest cannot be built.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    ensure_target()?;
    let guests = all(workspace)?;
    for (nth, guest) in guests.iter().enumerate() {
        eprintln!("guest {} of {}: {}", nth + 1, guests.len(), guest.name);
        build_one(workspace, guest)?;
    }
    for folder in ["handlers", "guests"] {
        println!("{}", workspace.target.join(folder).display());
    }
    Ok(())
}

/// What `cargo clippy` is told to look at guests as they are built: natively most of their code is not there.
///
/// # Errors
/// The target cannot be had.
pub(crate) fn lints(workspace: &Workspace) -> Result<Vec<&str>> {
    ensure_target()?;
    let mut words = vec!["clippy", "--quiet", "--target", TARGET, "--profile", "guest", "--lib"];
    for guest in all(workspace)? {
        words.extend(["--package", &guest.name]);
    }
    words.extend(["--", "-D", "warnings"]);
    Ok(words)
}

fn all(workspace: &Workspace) -> Result<Vec<&Member>> {
    let guests: Vec<_> = workspace.members.iter().filter(|member| is_guest(member)).collect();
    ensure!(!guests.is_empty(), "there are no guests in the workspace");
    Ok(guests)
}

/// Plugins, examples and test guests; the SDK is a part of them, not one of them.
fn is_guest(member: &Member) -> bool {
    let folder = &member.folder;
    let inside = |of: &str| folder.starts_with(of) && folder != Path::new(of);
    (inside("plugins") && folder != Path::new("plugins/sdk"))
        || inside("examples")
        || inside("tests/guests")
}

fn build_one(workspace: &Workspace, guest: &Member) -> Result<()> {
    run(cargo().current_dir(&workspace.root).args([
        "rustc",
        "--quiet",
        "--package",
        &guest.name,
        "--lib",
        "--target",
        TARGET,
        "--profile",
        "guest",
        "--crate-type",
        "cdylib",
    ]))?;
    let file = format!("{}.wasm", guest.name.replace('-', "_"));
    let built = workspace.target.join(TARGET).join("guest").join(&file);
    put(&built, &workspace.target.join(place(guest)), &file)
}

/// Plugins that are of no use, and a fault in every list, to who has nothing for them to ask.
const OPTIONAL: [&str; 1] = ["plugins/nova_prober"];

/// Shipped plugins are there to be used; what else there is waits to be copied.
fn place(guest: &Member) -> &'static str {
    let is_optional = OPTIONAL.iter().any(|folder| guest.folder == Path::new(folder));
    if guest.folder.starts_with("plugins") && !is_optional { "handlers" } else { "guests" }
}

/// Puts a file in its place in one step, so that a running host never sees half of it; the same
/// again is left alone.
fn put(from: &Path, folder: &Path, name: &str) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    let place = folder.join(name);
    if fs::read(&place).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let beside = folder.join(format!(".{name}.{}", std::process::id()));
    fs::write(&beside, &bytes)
        .and_then(|()| fs::rename(&beside, &place))
        .with_context(|| format!("cannot write {}", place.display()))
}

fn ensure_target() -> Result<()> {
    let installed = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = installed.context("cannot run rustc")?.stdout;
    let sysroot = String::from_utf8_lossy(&sysroot);
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    if library.is_dir() {
        return Ok(());
    }
    if !is_there("rustup", &["--version"]) {
        bail!(
            "the target {TARGET} is not installed, and there is no rustup to get it; \
             install rustup from https://rustup.rs, or the target by the means of your toolchain"
        );
    }
    run(Command::new("rustup").args(["target", "add", TARGET]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_examples_and_test_guests_are_guests() {
        let is = |folder: &str| {
            is_guest(&Member { name: String::new(), folder: folder.into(), benches: false })
        };
        for guest in ["plugins/heat_worker", "examples/echo_worker", "tests/guests/spinner"] {
            assert!(is(guest), "{guest}");
        }
        for other in ["host", "plugins/sdk", "tests", "tests/xtask", "tests/simulator"] {
            assert!(!is(other), "{other}");
        }
    }
}
