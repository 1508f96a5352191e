//! Where things lie.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The target directory in which this test was built.
///
/// # Errors
/// When the test runs from nowhere.
pub fn target() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("cannot tell where this test lies")?;
    let target =
        exe.ancestors().find(|dir| dir.join("debug").is_dir() || dir.join("release").is_dir());
    target.map(Path::to_path_buf).context("cannot tell the target directory of this test")
}

/// The folder with the shipped plugins.
///
/// # Errors
/// When they were not built.
pub fn handlers() -> Result<PathBuf> {
    built(&target()?.join("handlers"))
}

/// One compiled cache for all tests of a target directory.
///
/// # Errors
/// When the test runs from nowhere.
pub fn cache() -> Result<PathBuf> {
    Ok(target()?.join("handlers-cache"))
}

/// A plugin that only tests use.
///
/// # Errors
/// When it was not built.
pub fn guest(name: &str) -> Result<PathBuf> {
    built(&target()?.join("guests").join(format!("{name}.wasm")))
}

/// A program of the workspace, built in the same profile as this test.
///
/// # Errors
/// When it was not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let exe = std::env::current_exe().context("cannot tell where this test lies")?;
    let profile = exe.ancestors().find(|dir| dir.parent().is_some_and(|up| up.ends_with("target")));
    let target = target()?;
    let profile = profile.map_or_else(|| target.join("debug"), Path::to_path_buf);
    built(&profile.join(name))
}

fn built(path: &Path) -> Result<PathBuf> {
    if !path.exists() {
        bail!("{} is not there: build the guests with `cargo xtask guests`", path.display());
    }
    Ok(path.to_path_buf())
}

/// A folder beside the checkout that some machines have, for example `recordings/…`. `None` when it is absent; a
/// line says that something was not run.
///
/// # Panics
/// With `CI=true`, where absence is an error.
pub fn shared(folder: &str, what: &str) -> Option<PathBuf> {
    let path = root().parent()?.join("shared").join(folder);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "no {what} at {}, and CI=true forbids to go on without",
        path.display()
    );
    println!("not run: no {what}");
    None
}
