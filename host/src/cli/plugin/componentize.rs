//! `stokehold plugin componentize`: a component of what a compiler for wasm32-wasi made, as `wasm-tools component new`
//! makes it. `stokehold plugin bindings`: the C side of a world, as `wit-bindgen c` writes it. Together with any clang
//! that has a libc for WASI they are all that a plugin in C needs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;
use wit_component::ComponentEncoder;

use super::shown;
use crate::cli::Answer;

/// Where each core module begins.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

#[derive(clap::Args)]
pub(super) struct Args {
    /// A core module that was linked with the bindings of its world.
    module: PathBuf,
    /// The component to write.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn componentize(args: &Args) -> Result<Answer> {
    let Args { module, out } = args;
    let bytes =
        std::fs::read(module).with_context(|| format!("cannot read module {}", shown(module)))?;
    let component = component(&bytes)
        .with_context(|| format!("cannot make a component of module {}", shown(module)))?;
    std::fs::write(out, component)
        .with_context(|| format!("cannot write component {}", shown(out)))?;
    Ok(Answer::Yes)
}

fn component(module: &[u8]) -> Result<Vec<u8>> {
    if !module.starts_with(CORE_MODULE) {
        bail!("it is not a core module: give what the linker made for wasm32-wasi");
    }
    let sections = "component-type".as_bytes();
    if !module.windows(sections.len()).any(|bytes| bytes == sections) {
        bail!(
            "it does not say which world it is for: link it with the object file that `stokehold \
             plugin bindings` writes, and do not strip it before"
        );
    }
    let (name, adapter) =
        (WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
    let encoder = ComponentEncoder::default().module(module)?.adapter(name, adapter)?;
    encoder.validate(true).encode()
}

#[derive(clap::Args)]
pub(super) struct BindingsArgs {
    /// The folder of the WIT package that has the world; what it depends on lies in `deps`.
    #[arg(default_value = "wit")]
    wit: PathBuf,
    /// The world.
    #[arg(long, default_value = "plugin")]
    world: String,
    /// The folder to write to.
    #[arg(long, short, value_name = "FOLDER")]
    out: PathBuf,
}

pub(super) fn bindings(args: &BindingsArgs) -> Result<Answer> {
    let files = c_files(&args.wit, &args.world)?;
    let out = &args.out;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make folder {}", shown(out)))?;
    for (name, contents) in files.iter() {
        let file = out.join(name);
        std::fs::write(&file, contents)
            .with_context(|| format!("cannot write file {}", shown(&file)))?;
    }
    Ok(Answer::Yes)
}

fn c_files(wit: &Path, world: &str) -> Result<Files> {
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_dir(wit).with_context(|| format!("cannot read WIT {}", shown(wit)))?;
    let world = resolve
        .select_world(&[package], Some(world))
        .map_err(|why| anyhow!("{why}"))
        .with_context(|| format!("cannot find world {world} in {}", shown(wit)))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default()
        .build()
        .generate(&mut resolve, world, &mut files)
        .context("cannot write bindings for C")?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(module: &[u8]) -> String {
        format!("{:#}", component(module).unwrap_err())
    }

    #[test]
    fn what_is_no_module_is_refused_with_what_to_give() {
        let wanted = "it is not a core module: give what the linker made for wasm32-wasi";
        assert_eq!(refusal(b"int main;"), wanted);
        assert_eq!(refusal(b"\0asm\x0d\0\x01\0"), wanted, "a component is one already");
    }

    #[test]
    fn a_module_without_a_world_is_refused_with_what_to_link() {
        let said = refusal(CORE_MODULE);
        assert!(said.starts_with("it does not say which world it is for: link it with"), "{said}");
    }

    #[test]
    fn a_world_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.wit"), "package a:b; world c {}").unwrap();
        let said = format!("{:#}", c_files(folder.path(), "d").err().unwrap());
        assert!(said.starts_with("cannot find world d in "), "{said}");
        let nowhere = folder.path().join("nowhere");
        let said = format!("{:#}", c_files(&nowhere, "d").err().unwrap());
        assert!(said.starts_with("cannot read WIT "), "{said}");
        let names: Vec<_> =
            c_files(folder.path(), "c").unwrap().iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["c.c", "c.h", "c_component_type.o"]);
    }
}
