//! A real `OpenStack` Heat for the tests that want one.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{Workspace, is_there, run};

/// Where the tests look for such an environment.
pub(crate) const VARIABLE: &str = "STOKEHOLD_HEAT_VENV";

const PACKAGE: &str = "openstack-heat==27.0.1";

/// Makes a Python environment under `target/` with Heat in it; the same again is quick.
///
/// # Errors
/// No Python 3 with venv, or the package cannot be had.
pub(crate) fn install() -> Result<PathBuf> {
    let place = Workspace::find()?.target.join("heat");
    let python = place.join("bin/python");
    if !is_there(&python, &["-c", "import heat"]) {
        ensure!(
            is_there("python3", &["-c", "import venv, ensurepip"]),
            "there is no python3 with venv; Debian and Ubuntu have it in the package python3-venv"
        );
        run(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
        run(Command::new(&python).args(quiet))?;
    }
    Ok(place)
}

/// The environment with Heat, if it was made before.
pub(crate) fn present() -> Result<Option<PathBuf>> {
    let place = Workspace::find()?.target.join("heat");
    Ok(is_there(place.join("bin/python"), &["-c", "import heat"]).then_some(place))
}
