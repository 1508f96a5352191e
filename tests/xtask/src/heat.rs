//! A real `OpenStack` Heat, the Keystone it asks, and a Nova, for the tests that want them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{Workspace, is_there, run};

/// A service of `OpenStack`, as a Python package.
pub(crate) struct Service {
    /// Its folder under `target/`, and what Python imports.
    pub(crate) name: &'static str,
    /// With the version the tests know.
    package: &'static str,
    /// Where the tests look for the environment.
    pub(crate) variable: &'static str,
}

pub(crate) const HEAT: Service =
    Service { name: "heat", package: "openstack-heat==27.0.1", variable: "STOKEHOLD_HEAT_VENV" };

pub(crate) const KEYSTONE: Service =
    Service { name: "keystone", package: "keystone==30.0.0", variable: "STOKEHOLD_KEYSTONE_VENV" };

pub(crate) const NOVA: Service =
    Service { name: "nova", package: "nova==34.0.0", variable: "STOKEHOLD_NOVA_VENV" };

impl Service {
    /// Makes a Python environment under `target/` with the service in it; the same again is quick.
    ///
    /// # Errors
    /// No Python 3 with venv, or the package cannot be had.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        if let Some(place) = self.present()? {
            return Ok(place);
        }
        let place = self.place()?;
        ensure!(
            is_there("python3", &["-c", "import venv, ensurepip"]),
            "there is no python3 with venv; Debian and Ubuntu have it in the package python3-venv"
        );
        run(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(place.join("bin/python")).args(quiet).arg(self.package))?;
        Ok(place)
    }

    /// The environment, if it was made before.
    pub(crate) fn present(&self) -> Result<Option<PathBuf>> {
        let place = self.place()?;
        let import = format!("import {}", self.name);
        Ok(is_there(place.join("bin/python"), &["-c", &import]).then_some(place))
    }

    fn place(&self) -> Result<PathBuf> {
        Ok(Workspace::find()?.target.join(self.name))
    }
}
