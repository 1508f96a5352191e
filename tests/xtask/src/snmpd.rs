//! A real SNMP agent for the tests that want one: net-snmp's, as Debian and Ubuntu package it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{Workspace, is_there, run};

/// Where the tests look for the program.
pub(crate) const VARIABLE: &str = "STOKEHOLD_SNMPD";

const PACKAGE: &str = "snmpd";

/// The agent on the PATH, or one unpacked under `target/` with the libraries that the system lacks;
/// nothing is installed, so no service starts and nobody needs to be root.
///
/// # Errors
/// The system has no apt, or its lists do not have the package.
pub(crate) fn install() -> Result<PathBuf> {
    if let Some(program) = present()? {
        return Ok(program);
    }
    ensure!(
        is_there("apt-get", &["--version"]) && is_there("dpkg", &["--version"]),
        "there is neither an snmpd nor apt to get one; net-snmp is its source"
    );
    let folder = folder()?;
    let packages = folder.join("packages");
    fs::create_dir_all(&packages).with_context(|| format!("cannot make {}", packages.display()))?;
    let wanted = match wanted()? {
        none if none.is_empty() => {
            // A new machine has no lists yet; who is not root has to have them made.
            run(Command::new("apt-get").args(["update", "--quiet=2"]))?;
            wanted()?
        }
        wanted => wanted,
    };
    ensure!(!wanted.is_empty(), "apt does not know the package {PACKAGE}");
    run(Command::new("apt-get")
        .args(["download", "--quiet=2"])
        .args(&wanted)
        .current_dir(&packages))?;
    let mut archives: Vec<_> = fs::read_dir(&packages)?.collect::<Result<_, _>>()?;
    archives.sort_by_key(fs::DirEntry::file_name);
    for archive in archives {
        run(Command::new("dpkg").arg("--extract").arg(archive.path()).arg(&folder))?;
    }
    wrap(&folder)?;
    match present()? {
        Some(program) => Ok(program),
        None => bail!("the package {PACKAGE} was unpacked, but its program cannot be started"),
    }
}

/// The package, and what it needs that the system lacks: `Inst libsnmp40 (5.9.3 …)`.
fn wanted() -> Result<Vec<String>> {
    let said = Command::new("apt-get")
        .args(["install", "--simulate", "--no-install-recommends", PACKAGE])
        .env("LC_ALL", "C")
        .stderr(Stdio::null())
        .output()
        .context("cannot run apt-get")?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let named = said.lines().filter_map(|line| line.strip_prefix("Inst "));
    Ok(named.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect())
}

/// A program that starts the agent with the libraries beside it.
fn wrap(folder: &Path) -> Result<()> {
    let library = fs::read_dir(folder.join("usr/lib"))?.filter_map(Result::ok);
    let mut library = library.map(|entry| entry.path()).filter(|path| path.is_dir());
    let library = library.find(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let library = library.context("the package has no libraries")?;
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n",
        library.display(),
        folder.join("usr/sbin/snmpd").display()
    );
    let place = program(folder);
    fs::write(&place, text).with_context(|| format!("cannot write {}", place.display()))?;
    run(Command::new("chmod").arg("755").arg(&place))
}

/// The agent on the PATH, or the one that was put under `target/`.
pub(crate) fn present() -> Result<Option<PathBuf>> {
    let known = [PathBuf::from("snmpd"), PathBuf::from("/usr/sbin/snmpd"), program(&folder()?)];
    Ok(known.into_iter().find(|program| is_there(program, &["-v"])))
}

fn folder() -> Result<PathBuf> {
    Ok(Workspace::find()?.target.join("snmpd"))
}

fn program(folder: &Path) -> PathBuf {
    folder.join("run")
}
