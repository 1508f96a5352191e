//! The sandbox: plugins are loaded from files and called; every bound is met and broken, every broken file named.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod bounds;
mod broken;
pub(crate) mod component;
mod kept;
mod limits;
pub(crate) mod network;
mod regrant;
mod rules;
mod secrets;
mod sockets;
pub(crate) mod trial;
mod work;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::json;
use stokehold::domain::{
    Action, Fault, HandlerName, JobId, Json, OnFailure, Param, Posted, ResourceRef, Stack, State,
    TemplateId, Verdict, Version,
};
use stokehold::plugin::{
    Answer, Bounds, Call, Engine, EngineSettings, Loaded, Lookup, PluginGrants, PluginSettings,
    Worker, load,
};
use stokehold_tests::guests;
use tracing::dispatcher::{DefaultGuard, Dispatch};
use tracing_subscriber::fmt::MakeWriter;

/// A directory of plugins, an engine, and the settings they are loaded with.
struct House {
    dir: tempfile::TempDir,
    engine: Engine,
    settings: PluginSettings,
}

impl House {
    fn new() -> Self {
        let settings = EngineSettings { instances_max: 4, ..EngineSettings::default() };
        // Compiling a guest takes longer than most tests: they share what one has compiled.
        let cache_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        Self {
            dir: tempfile::tempdir().unwrap(),
            engine: Engine::new(&settings).unwrap(),
            settings: PluginSettings { cache_dir: Some(cache_dir), ..PluginSettings::default() },
        }
    }

    fn bounds(mut self, change: impl FnOnce(&mut Bounds)) -> Self {
        change(&mut self.settings.bounds);
        self
    }

    fn grant(mut self, plugin: &str, grants: PluginGrants) -> Self {
        self.settings.per_plugin.insert(plugin.to_owned(), grants);
        self
    }

    fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.dir.path().join(name), bytes).unwrap();
        self
    }

    /// Takes in a guest that is written in Rust.
    fn guest(self, name: &str) -> Self {
        let bytes = std::fs::read(guests::build(name)).unwrap();
        self.file(&format!("{name}.wasm"), bytes)
    }

    async fn load(&self) -> Loaded {
        load(&self.engine, self.dir.path(), &self.settings).await
    }

    /// The one worker there is; any fault is a failure of the test.
    async fn worker(&self) -> Worker {
        let loaded = self.load().await;
        assert_eq!(loaded.faults, []);
        loaded.workers.into_values().next().expect("a worker")
    }

    /// The reason of the one fault there is, whose file must be this one.
    async fn fault(&self, file: &str) -> String {
        let loaded = self.load().await;
        let [fault] = loaded.faults.as_slice() else { panic!("{:?}", loaded.faults) };
        assert_eq!(fault.file, self.dir.path().join(file));
        fault.reason.clone()
    }
}

/// The worker of `guest_acts` with everybody's bounds.
async fn acts() -> Worker {
    House::new().guest("guest_acts").worker().await
}

fn posted(input: Json, params: Vec<Param>) -> Arc<Posted> {
    Arc::new(Posted {
        job: stokehold::domain::Job {
            id: JobId::new("create:guest_acts:port:p1:3:abcde"),
            action: Action::LogicalDelete,
            handler: HandlerName::new("guest_acts"),
            target: ResourceRef::new("port", "p1"),
            version: Version(3),
            is_first: true,
            is_last: true,
            on_failure: OnFailure::Fail,
            dependency: std::collections::BTreeSet::new(),
            params,
            input,
        },
        attempts: 2,
    })
}

fn call(input: Json) -> Call {
    call_with(input, Vec::new(), Known::default())
}

fn call_with(input: Json, params: Vec<Param>, known: Known) -> Call {
    Call {
        job: posted(input, params),
        template_id: TemplateId::new("port_template"),
        template_text: "a: {{ b }}".to_owned(),
        checkpoint: None,
        lookup: Arc::new(known),
    }
}

async fn act(worker: &Worker, act: &str, n: u64) -> Answer {
    worker.handle(call(json!({ "act": act, "n": n }))).await
}

/// What came of it when nothing was expected but the end.
fn done(answer: Answer) -> BTreeMap<String, Json> {
    assert_eq!(answer.outcome, Ok(Verdict::Completed));
    answer.report.fields
}

/// The fault; with one, nothing is reported.
fn fault(answer: Answer) -> Fault {
    assert_eq!(answer.report, stokehold::domain::Report::default());
    answer.outcome.expect_err("a fault")
}

/// A store that knows a few things and cannot be reached for others.
#[derive(Default)]
struct Known {
    stacks: BTreeMap<ResourceRef, Stack>,
    states: BTreeMap<ResourceRef, State>,
    /// How many stacks were asked for.
    asked: Arc<Mutex<Vec<ResourceRef>>>,
}

#[async_trait::async_trait]
impl Lookup for Known {
    async fn stack(&self, of: &ResourceRef) -> anyhow::Result<Option<Stack>> {
        self.asked.lock().unwrap().push(of.clone());
        anyhow::ensure!(of.kind.as_str() != "trouble", "store is out of reach");
        Ok(self.stacks.get(of).cloned())
    }

    async fn state(&self, of: &ResourceRef) -> anyhow::Result<Option<Json>> {
        anyhow::ensure!(of.kind.as_str() != "trouble", "store is out of reach");
        Ok(self.states.get(of).map(|state| json!({ "version": state.version.0 })))
    }
}

/// What this thread logs while the guard lives.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    fn record() -> (Self, DefaultGuard) {
        // With one dispatcher alone, a thread that has none could have a line taken for one that nobody wants.
        static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Logs::default().dispatch());
        LazyLock::force(&OTHER);
        let logs = Self::default();
        let guard = tracing::dispatcher::set_default(&logs.dispatch());
        (logs, guard)
    }

    fn dispatch(&self) -> Dispatch {
        let subscriber = tracing_subscriber::fmt()
            .with_writer(self.clone())
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .finish();
        Dispatch::new(subscriber)
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let ours = |line: &&str| line.contains(" stokehold::");
        text.lines().filter(ours).map(str::to_owned).collect()
    }

    /// The only line with these words.
    fn line(&self, words: &str) -> String {
        let lines = self.lines();
        let found: Vec<_> = lines.iter().filter(|line| line.contains(words)).collect();
        let [line] = found.as_slice() else { panic!("{words}: {found:?} of {lines:#?}") };
        (*line).clone()
    }
}

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The contract's folder.
fn wit() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wit/worker@0.1.0")
}
