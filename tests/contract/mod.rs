//! The contract lasts: what was built for a released version goes on working, and what the SDK carries is the contract.

mod against;
mod bare;
mod guide;
mod kept;
mod released;
mod sdk;
mod versions;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use stokehold::domain::{
    Action, HandlerName, Job, JobId, OnFailure, Param, ParamValue, Posted, ResourceRef, Stack,
    TemplateId, Version,
};
use stokehold::plugin::{
    Call, Engine, EngineSettings, Loaded, Lookup, PluginGrants, PluginSettings, load,
};

/// Loads plugins from files, with what they are granted; a fault fails the test.
async fn loaded(files: &[PathBuf], granted: BTreeMap<String, PluginGrants>) -> Loaded {
    let read =
        |file: &PathBuf| (file.file_stem().unwrap().to_owned(), std::fs::read(file).unwrap());
    let plugins: Vec<_> = files.iter().map(read).collect();
    let loaded = load_all(&plugins, granted).await;
    assert_eq!(loaded.faults, []);
    loaded
}

/// Loads plugins by their names.
async fn load_all(
    plugins: &[(impl AsRef<OsStr>, Vec<u8>)],
    granted: BTreeMap<String, PluginGrants>,
) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in plugins {
        let file = folder.path().join(name.as_ref()).with_extension("wasm");
        std::fs::write(file, bytes).unwrap();
    }
    let engine = EngineSettings { instances_max: 4, ..EngineSettings::default() };
    let settings = PluginSettings {
        cache_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")),
        per_plugin: granted,
        ..PluginSettings::default()
    };
    load(&Engine::new(&engine).unwrap(), folder.path(), &settings).await
}

/// A call for version 3 of the port `p1`, at its third try.
fn call(handler: &str, action: Action, params: Vec<Param>, known: Known) -> Call {
    let job = Job {
        id: JobId::new(format!("create:{handler}:port:p1:3:abcde")),
        action,
        handler: HandlerName::new(handler),
        target: ResourceRef::new("port", "p1"),
        version: Version(3),
        is_first: true,
        is_last: true,
        on_failure: OnFailure::Fail,
        dependency: std::collections::BTreeSet::new(),
        params,
        input: json!({"name": "one"}),
    };
    Call {
        job: Arc::new(Posted { job, attempts: 2 }),
        template_id: TemplateId::new("port_template"),
        template_text: "a: 1".to_owned(),
        checkpoint: None,
        lookup: Arc::new(known),
    }
}

fn param(name: &str, value: ParamValue) -> Param {
    Param { name: name.to_owned(), value, resources: Vec::new() }
}

/// A store that knows these, and is out of reach for resources of type `trouble`.
#[derive(Clone, Default)]
struct Known {
    stacks: BTreeMap<ResourceRef, Stack>,
    states: BTreeMap<ResourceRef, Json>,
}

#[async_trait::async_trait]
impl Lookup for Known {
    async fn stack(&self, of: &ResourceRef) -> anyhow::Result<Option<Stack>> {
        anyhow::ensure!(of.kind.as_str() != "trouble", "store is out of reach");
        Ok(self.stacks.get(of).cloned())
    }

    async fn state(&self, of: &ResourceRef) -> anyhow::Result<Option<Json>> {
        anyhow::ensure!(of.kind.as_str() != "trouble", "store is out of reach");
        Ok(self.states.get(of).cloned())
    }
}
