//! Cargo, as the chores use it. Host-side builds always select the whole workspace: a single
//! package would unify features differently, and wasmtime would be compiled once more.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// The members.
    pub(crate) members: Vec<Member>,
}

/// One package of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its folder, from the root.
    pub(crate) folder: PathBuf,
    /// Whether it has benchmarks.
    pub(crate) benches: bool,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata failed");
        let said: Value = serde_json::from_slice(&output.stdout)?;
        let path = |field: &str| {
            let text = said.get(field).and_then(Value::as_str);
            text.map(PathBuf::from).ok_or_else(|| anyhow!("cargo metadata has no {field}"))
        };
        let root = path("workspace_root")?;
        let packages = said.get("packages").and_then(Value::as_array).into_iter().flatten();
        let members = packages.filter_map(|package| member(&root, package)).collect();
        Ok(Self { target: path("target_directory")?, root, members })
    }

    /// Builds the programs of the workspace, with progress shown, and gives back the folder they
    /// are in.
    pub(crate) fn programs(&self) -> Result<PathBuf> {
        run(cargo().current_dir(&self.root).args(["build", "--workspace", "--bins"]))?;
        Ok(self.target.join("debug"))
    }
}

fn member(root: &Path, package: &Value) -> Option<Member> {
    let manifest = Path::new(package.get("manifest_path")?.as_str()?);
    let is_bench = |target: &Value| {
        let kinds = target.get("kind").and_then(Value::as_array);
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "bench"))
    };
    Some(Member {
        name: package.get("name")?.as_str()?.to_owned(),
        folder: manifest.parent()?.strip_prefix(root).ok()?.to_owned(),
        benches: package.get("targets")?.as_array()?.iter().any(is_bench),
    })
}

/// The cargo that runs this chore, as if it had been called from a shell: what it told this chore about the chore's
/// own package would have build scripts run again, and crates built again, at each change between the two.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let own = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if name.to_str().is_some_and(|name| own.iter().any(|prefix| name.starts_with(prefix))) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Whether a program can be started and says it is well.
pub(crate) fn is_there(program: impl AsRef<OsStr>, args: &[&str]) -> bool {
    let quiet = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// Runs a command, its output shown.
///
/// # Errors
/// It cannot be started, or it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    let status = command.status().with_context(|| format!("cannot run {line}"))?;
    if !status.success() {
        bail!("{line} failed ({status})");
    }
    Ok(())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = [program].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
