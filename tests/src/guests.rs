//! Guests written in Rust, built for the sandbox when a test first asks for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// The component of the workspace's crate `name`, built if need be, just as the chores build it.
///
/// # Panics
/// The guest cannot be built: there is nothing to test then.
pub fn build(name: &str) -> PathBuf {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = built.get(name) {
        return path.clone();
    }
    let target = target_dir();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["rustc", "--quiet", "--profile", "guest", "--target", "wasm32-wasip2"])
        .args(["--package", name, "--lib", "--crate-type", "cdylib"])
        .env("CARGO_TARGET_DIR", &target)
        .status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "cannot build guest {name}: {status:?}; is the target there (rustup target add wasm32-wasip2)?"
    );
    let path = target.join("wasm32-wasip2/guest").join(format!("{name}.wasm"));
    built.insert(name.to_owned(), path.clone());
    path
}

/// The same as its author builds it while he works on it: not stripped, so that a trap shows file and line.
///
/// # Panics
/// The guest cannot be built.
pub fn build_with_lines(name: &str) -> PathBuf {
    // One after the other: they share a folder.
    let _built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let target = target_dir();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["rustc", "--quiet", "--target", "wasm32-wasip2"])
        .args(["--package", name, "--lib", "--crate-type", "cdylib"])
        .env("CARGO_TARGET_DIR", &target)
        .status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "cannot build guest {name}: {status:?}"
    );
    target.join("wasm32-wasip2/debug").join(format!("{name}.wasm"))
}

/// The target directory of the running test.
fn target_dir() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let deps = exe.ancestors().find(|dir| dir.ends_with("deps"));
    let target = deps.and_then(|deps| deps.parent()?.parent()).map(Path::to_owned);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
}
