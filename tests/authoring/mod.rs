//! What authors use: plugins are checked, inspected, called and replayed by the program itself, with real guests.

mod check;
mod replay;
mod run;
mod trust;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;
use stokehold_tests::{guests, paths};

/// A folder to work in.
struct Bench {
    dir: tempfile::TempDir,
}

/// What a command said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Bench {
    fn new() -> Result<Self> {
        Ok(Self { dir: tempfile::tempdir()? })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    }

    /// A guest that is written in Rust, under its name.
    fn guest(&self, name: &str) -> Result<PathBuf> {
        self.file(&format!("{name}.wasm"), std::fs::read(guests::build(name))?)
    }

    /// Runs the program in this folder.
    fn stokehold(&self, args: &[&str]) -> Result<Said> {
        // Compiling a guest takes longer than most tests: they share what one has compiled.
        let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        let mut command = Command::new(paths::program("stokehold")?);
        command.current_dir(self.path()).env("STOKEHOLD_CACHE", cache).args(args);
        let Output { status, stdout, stderr } = command.output().context("cannot run stokehold")?;
        Ok(Said {
            code: status.code().context("ended by a signal")?,
            out: String::from_utf8(stdout)?,
            err: String::from_utf8(stderr)?,
        })
    }
}

impl Said {
    /// It ended with this code and printed all of these words.
    fn with(self, code: i32, words: &[&str]) -> Result<Self> {
        let Self { code: came, out, err } = &self;
        ensure!(*came == code, "exit code {came}, not {code}:\n{out}{err}");
        for words in words {
            ensure!(out.contains(words), "`{words}` is not in:\n{out}{err}");
        }
        Ok(self)
    }

    fn json(&self) -> Result<Json> {
        serde_json::from_str(&self.out)
            .with_context(|| format!("no JSON: {}{}", self.out, self.err))
    }
}
