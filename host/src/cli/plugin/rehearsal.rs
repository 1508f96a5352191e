//! A plugin on a stage of its own: the sandbox of a host, no store, and where it is wanted no network.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use async_trait::async_trait;

use super::shown;
use crate::domain::{Exchange, Failure, Fault, Json, Recording, ResourceRef, Stack, Verdict};
use crate::plugin::{
    self, Call, Engine, EngineSettings, Found, Lookup, PluginSettings, Seen, Subject, Witness,
};

/// Bytes of bodies that are kept of one call.
const BODY_BYTES_MAX: u64 = 64 << 20;
/// Stands for the hosts of answers: a plugin without any host cannot be linked, and with answers no request gets
/// further than to them.
const ANSWERED: &str = "answered.invalid:1";

/// How long it may go on.
pub(in crate::cli) struct Bounds {
    /// Calls of one job.
    pub(in crate::cli) calls_max: u32,
    /// Milliseconds between two of them.
    pub(in crate::cli) pause_ms_max: u64,
}

/// One plugin, ready to be called.
pub(in crate::cli) struct Rehearsal {
    found: Found,
    witness: Arc<Witness>,
    is_scripted: bool,
    exchanges: Vec<Exchange>,
}

/// One call and what was seen of it.
pub(in crate::cli) struct Scene {
    pub(in crate::cli) answer: plugin::Answer,
    pub(in crate::cli) seen: Seen,
}

/// One probe and what was seen of it.
pub(in crate::cli) struct Probe {
    pub(in crate::cli) status: Result<Result<String, Failure>, Fault>,
    pub(in crate::cli) seen: Seen,
}

impl Rehearsal {
    /// Loads a file as a host would, but for line tables, which are read here.
    ///
    /// # Errors
    /// The file cannot be used, or there is no sandbox.
    pub(in crate::cli) async fn of(
        file: &Path,
        settings: PluginSettings,
        may_be_scripted: bool,
    ) -> Result<Self> {
        let alone =
            EngineSettings { instances_max: 1, reads_lines: true, ..EngineSettings::default() };
        let engine = Engine::new(&alone).context("cannot start the sandbox")?;
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let settings = settings.for_one(stem, |own| {
            if may_be_scripted && own.http.is_empty() {
                own.http.push(ANSWERED.to_owned());
            }
        });
        let settings = settings.map_err(|why| anyhow!("{} {why}", shown(file)))?;
        let found = plugin::load_file(&engine, file, &settings).await;
        let found = found.map_err(|why| anyhow!("{} {why}", shown(file)))?;
        let witness = Arc::new(Witness::new(BODY_BYTES_MAX));
        Ok(Self { found, witness, is_scripted: false, exchanges: Vec::new() })
    }

    /// The plugin.
    pub(in crate::cli) fn found(&self) -> &Found {
        &self.found
    }

    fn name(&self) -> &str {
        self.found.name()
    }

    /// Has these answers given from now on, if there are none yet.
    pub(in crate::cli) fn answer_with(&mut self, answers: Option<Vec<Exchange>>) {
        if let Some(answers) = answers.filter(|_| !self.is_scripted) {
            self.witness = Arc::new(Witness::with_answers(BODY_BYTES_MAX, answers));
            self.is_scripted = true;
        }
    }

    /// Has these answers given from now on, and no others.
    pub(in crate::cli) fn play(&mut self, answers: Vec<Exchange>) {
        self.is_scripted = false;
        self.answer_with(Some(answers));
    }

    /// Answers that nobody asked for.
    pub(in crate::cli) fn unused(&self) -> Vec<String> {
        self.witness.unused()
    }

    /// What went over the network in all calls so far.
    pub(in crate::cli) fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Calls the handler, and again as long as it wants and may be.
    ///
    /// # Errors
    /// The plugin is no handler.
    pub(in crate::cli) async fn handle(
        &mut self,
        call: Recording,
        bounds: &Bounds,
    ) -> Result<Vec<Scene>> {
        let Found::Worker(worker) = &self.found else {
            return Err(anyhow!("{} is a prober, and no handler", self.name()));
        };
        let job = Arc::new(call.posted);
        let (mut stacks, mut checkpoint) = (call.stacks, call.checkpoint);
        let mut scenes = Vec::new();
        for number in 1..=bounds.calls_max {
            let lookup = Known { stacks: stacks.clone(), states: call.states.clone() };
            let next = Call {
                job: Arc::clone(&job),
                template_id: call.template_id.clone(),
                template_text: call.template.clone().unwrap_or_default(),
                checkpoint: checkpoint.take(),
                lookup: Arc::new(lookup),
            };
            let answer = worker.handle_before(next, Some(&self.witness)).await;
            let seen = self.witness.take();
            self.exchanges.extend(seen.exchanges.iter().cloned());
            let pending = match &answer.outcome {
                Ok(Verdict::Pending { after_ms, checkpoint }) => {
                    Some((*after_ms, checkpoint.clone()))
                }
                _ => None,
            };
            // Of what was reported with `pending` the next call finds the stack. Fields of the state come to `/state`,
            // where a handler may look them up, no sooner than at the end of the workflow.
            if let Some(stack) = answer.report.stack.clone().filter(|_| pending.is_some()) {
                stacks.insert(job.job.target.clone(), stack);
            }
            scenes.push(Scene { answer, seen });
            let Some((after_ms, left)) = pending else { break };
            checkpoint = Some(left);
            if number < bounds.calls_max && !self.is_scripted {
                let pause = after_ms.min(bounds.pause_ms_max);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
        Ok(scenes)
    }

    /// Lets the prober look.
    ///
    /// # Errors
    /// The plugin is no prober.
    pub(in crate::cli) async fn probe(&mut self, subject: Subject) -> Result<Probe> {
        let Found::Prober(prober) = &self.found else {
            return Err(anyhow!("{} is a handler, and no prober", self.name()));
        };
        let status = prober.probe_before(subject, Some(&self.witness)).await;
        let seen = self.witness.take();
        self.exchanges.extend(seen.exchanges.iter().cloned());
        Ok(Probe { status, seen })
    }
}

/// Others, as the file of the call knows them.
struct Known {
    stacks: std::collections::BTreeMap<ResourceRef, Stack>,
    states: std::collections::BTreeMap<ResourceRef, Json>,
}

#[async_trait]
impl Lookup for Known {
    async fn stack(&self, of: &ResourceRef) -> Result<Option<Stack>> {
        Ok(self.stacks.get(of).cloned())
    }

    async fn state(&self, of: &ResourceRef) -> Result<Option<Json>> {
        Ok(self.states.get(of).cloned())
    }
}

/// Writes what may hold more than everybody should read.
///
/// # Errors
/// The file cannot be written.
pub(in crate::cli) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", shown(path)))
}
