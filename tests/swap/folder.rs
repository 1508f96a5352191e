//! A directory of plugins that change, and small handlers to change it with.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::sandbox::component::Wat;

/// The directory of plugins of a world.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Result<Self> {
        let folder = Self(tempfile::tempdir()?);
        fs::create_dir(folder.path())?;
        Ok(folder)
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("handlers")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}.wasm"))
    }

    /// Puts a file in its place at once, as whoever installs something should.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let draft = self.path().join(format!(".{name}.draft"));
        fs::write(&draft, bytes)?;
        fs::rename(draft, self.file(name))?;
        Ok(())
    }
}

/// What a small handler does when it is called.
pub enum Does {
    /// It completes.
    Completes,
    /// It asks to be called again in 20 ms, for ever.
    Waits,
    /// It stops itself.
    Traps,
}

/// The handler `plain`, which reports its marker.
pub fn plain(marker: &str, does: &Does) -> Vec<u8> {
    plain_with(marker, does, "worker", "")
}

/// The same with a dry call that ends with this error, or well without one.
pub fn plain_with_trial(marker: &str, trouble: Option<&str>) -> Vec<u8> {
    let answer = trouble.map_or_else(String::new, |trouble| {
        let length = trouble.len();
        format!(
            r#"(data (i32.const 700) "\01\00\00\00\d0\02\00\00\{length:02x}\00\00\00")
            (data (i32.const 720) "{trouble}")"#
        )
    });
    let parts = format!(
        r#"(func (export "stokehold:worker/trial@0.1.0#attempt") (result i32) (i32.const 700))
        {answer}"#
    );
    plain_with(marker, &Does::Completes, "worker-with-trial", &parts)
}

/// A handler of this name that comes after another one, or after none.
pub fn after(name: &str, marker: &str, other: &str) -> Vec<u8> {
    // The list of a description lies from byte 72 on, and its only element at 800.
    let parts = format!(
        r#"(data (i32.const 800) "\34\03\00\00\{:02x}\00\00\00") (data (i32.const 820) "{other}")"#,
        other.len()
    );
    let count = u8::from(!other.is_empty());
    let describe = format!(
        "(i32.store (i32.const 72) (i32.const 800)) (i32.store (i32.const 76) (i32.const {count}))"
    );
    let named = Wat { name, describe: &describe, ..Wat::default() };
    reporting(marker, &Does::Completes, &parts, named)
}

fn plain_with(marker: &str, does: &Does, world: &str, parts: &str) -> Vec<u8> {
    reporting(marker, does, parts, Wat { world, ..Wat::default() })
}

/// The handler of this kind that reports a marker.
fn reporting(marker: &str, does: &Does, parts: &str, kind: Wat<'_>) -> Vec<u8> {
    let length = marker.len() + 2;
    let report = format!(
        "(call $report (i32.const 600) (i32.const 6) (i32.const 620) (i32.const {length}))"
    );
    // A verdict is its case, then from byte 8 on when to call again and the checkpoint.
    let handle = match does {
        Does::Completes => report,
        Does::Traps => "unreachable".to_owned(),
        Does::Waits => "
            (i32.store8 (i32.const 256) (i32.const 1))
            (i64.store (i32.const 264) (i64.const 20))
            (i32.store (i32.const 272) (i32.const 640)) (i32.store (i32.const 276) (i32.const 1))"
            .to_owned(),
    };
    let parts = format!(
        r#"{parts} (data (i32.const 600) "marker") (data (i32.const 640) "1")
        (data (i32.const 620) "\22{marker}\22")"#
    );
    let wat = Wat {
        imports: r#"(import "stokehold:worker/state@0.1.0" "report"
            (func $report (param i32 i32 i32 i32)))"#,
        parts: &parts,
        handle: &handle,
        ..kind
    };
    wat.worker()
}
