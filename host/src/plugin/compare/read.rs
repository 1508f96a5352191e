//! Files → WITs.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use wit_parser::Resolve;
use wit_parser::decoding::{DecodedWasm, decode};

use super::{Source, Wit};

/// Bytes of a component.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Reads a folder of WIT, one file of WIT, or a component.
///
/// # Errors
/// There is no such thing, or it cannot be read as one of these.
pub fn read(path: &Path) -> Result<Wit> {
    let shown = path.display();
    let about = std::fs::metadata(path).with_context(|| format!("cannot read {shown}"))?;
    if about.is_dir() || path.extension().is_some_and(|ending| ending == "wit") {
        let mut resolve = Resolve::default();
        let (package, _) =
            resolve.push_path(path).with_context(|| format!("cannot read wit {shown}"))?;
        return contract(resolve, package).with_context(|| format!("cannot use wit {shown}"));
    }
    ensure!(about.len() <= FILE_BYTES_MAX, "{shown} is longer than {FILE_BYTES_MAX} bytes");
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    if !bytes.starts_with(b"\0asm") {
        bail!("{shown} is neither a component nor a folder of WIT");
    }
    match decode(&bytes).with_context(|| format!("cannot read component {shown}"))? {
        DecodedWasm::Component(resolve, world) => {
            Ok(Wit { resolve, source: Source::Component(world) })
        }
        DecodedWasm::WitPackage(resolve, package) => {
            contract(resolve, package).with_context(|| format!("cannot use wit {shown}"))
        }
    }
}

fn contract(resolve: Resolve, package: wit_parser::PackageId) -> Result<Wit> {
    let worlds: Vec<_> = resolve
        .packages
        .get(package)
        .into_iter()
        .flat_map(|it| it.worlds.values().copied())
        .collect();
    ensure!(!worlds.is_empty(), "it has no world: give the folder of the whole contract");
    Ok(Wit { resolve, source: Source::Contract(worlds) })
}

#[cfg(test)]
impl Wit {
    /// A contract from a text.
    pub(super) fn parse(text: &str) -> Self {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("test.wit", text).unwrap();
        contract(resolve, package).unwrap()
    }

    /// What a component for this world of the text would say.
    pub(super) fn component(text: &str, world: &str) -> Self {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("test.wit", text).unwrap();
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        Self { resolve, source: Source::Component(world) }
    }
}
