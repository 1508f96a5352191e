//! One call of a worker: a fresh instance, everything bounded, and whatever goes wrong is a `Fault`.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use minisign_verify::PublicKey;
use tokio::sync::Semaphore;
use wasmtime::{Store, Trap};
use wasmtime_wasi::I32Exit;

use super::asked::{self, Asked, Wish};
use super::backtrace;
use super::bindings::worker::WorkerPre;
use super::convert;
use super::engine::Engine;
use super::grant::{Bounds, Grants, RecordingSettings};
use super::import::{Guest, Work};
use super::witness::{Noted, Witness};
use crate::domain::{
    Fault, Handler, Json, Posted, Report, ResourceRef, Stack, TemplateId, Verdict,
};

/// Bytes one import may be handed beside what is reported: the chunks of a request's body.
const HOSTCALL_BYTES: u64 = 2 << 20;
/// Functions of a backtrace that are shown.
const FRAMES_MAX: usize = 5;

/// A loaded handler.
pub struct Worker {
    pub(super) handler: Handler,
    pub(super) plugin: Arc<Plugin>,
    pub(super) pre: WorkerPre<Guest>,
}

/// What all kinds of plugins have.
pub(crate) struct Plugin {
    pub(crate) name: Arc<str>,
    pub(crate) digest: String,
    pub(crate) engine: Engine,
    pub(crate) grants: Grants,
    pub(crate) bounds: Bounds,
    /// What it asked for when it described itself.
    pub(crate) asked: OnceLock<Asked>,
    /// Whether its compiled code came from the cache; set once it is there.
    pub(crate) is_from_cache: OnceLock<bool>,
    /// Who signed its file; none where no signature is asked for.
    pub(crate) signers: OnceLock<Vec<PublicKey>>,
    /// Places of its calls.
    calls: Semaphore,
}

impl Plugin {
    pub(super) fn new(
        name: &str,
        digest: String,
        engine: &Engine,
        grants: Grants,
        bounds: Bounds,
    ) -> Self {
        let calls = usize::try_from(bounds.calls_max.max(1)).unwrap_or(usize::MAX);
        Self {
            name: name.into(),
            digest,
            engine: engine.clone(),
            grants,
            bounds,
            asked: OnceLock::new(),
            is_from_cache: OnceLock::new(),
            signers: OnceLock::new(),
            calls: Semaphore::new(calls.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// Asked against granted.
    pub(super) fn wishes(&self) -> Vec<Wish> {
        let asked = self.asked.get();
        asked.map(|asked| asked::compare(asked, &self.grants, &self.bounds)).unwrap_or_default()
    }
}

/// One piece of work for a handler.
pub struct Call {
    /// The job and how many tries of it failed.
    pub job: Arc<Posted>,
    /// The template chosen for the handler.
    pub template_id: TemplateId,
    /// Its text.
    pub template_text: String,
    /// What the last `pending` gave.
    pub checkpoint: Option<Json>,
    /// How the handler learns of other resources.
    pub lookup: Arc<dyn Lookup>,
}

/// What came of a call.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// What is to be committed with the verdict; empty without one.
    pub report: Report,
    /// The verdict, or why there is none.
    pub outcome: Result<Verdict, Fault>,
}

/// What a handler may ask of the store while it works.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The committed stack record of a resource.
    ///
    /// # Errors
    /// The store is out of reach or the record unreadable.
    async fn stack(&self, of: &ResourceRef) -> anyhow::Result<Option<Stack>>;

    /// The committed `/state` entry of a resource.
    ///
    /// # Errors
    /// The store is out of reach or the entry unreadable.
    async fn state(&self, of: &ResourceRef) -> anyhow::Result<Option<Json>>;
}

impl Worker {
    /// The handler as it described itself.
    pub fn handler(&self) -> &Handler {
        &self.handler
    }

    /// The plugin's name, which is the handler's.
    pub fn name(&self) -> &str {
        &self.plugin.name
    }

    /// The SHA-256 of the plugin's file, in hex.
    pub fn digest(&self) -> &str {
        &self.plugin.digest
    }

    /// Where its calls are recorded, if they are.
    pub fn recordings(&self) -> Option<&Arc<RecordingSettings>> {
        self.plugin.grants.recordings.as_ref()
    }

    /// The bounds its calls are held to.
    pub fn bounds(&self) -> &Bounds {
        &self.plugin.bounds
    }

    /// What it asks for, against what it is granted.
    pub fn wishes(&self) -> Vec<Wish> {
        self.plugin.wishes()
    }

    /// Lets the handler work on a job. If too many calls are under way it waits for a place; the deadline counts
    /// from when it has one.
    pub async fn handle(&self, call: Call) -> Answer {
        self.handle_before(call, None).await
    }

    /// The same with a witness beside it.
    pub async fn handle_before(&self, mut call: Call, witness: Option<&Arc<Witness>>) -> Answer {
        if let Some(witness) = witness {
            let witness = Arc::clone(witness);
            call.lookup = Arc::new(Noted { lookup: call.lookup, witness });
        }
        let job = convert::job(&call);
        let checkpoint = call.checkpoint.map(|checkpoint| checkpoint.to_string());
        let bounds = &self.plugin.bounds;
        let guest = Guest::working(&self.plugin, Work::new(call.job, call.lookup)).seen_by(witness);
        let (outcome, report) = run(&self.plugin, guest, bounds.call_ms_max, async |store| {
            let worker = self.pre.instantiate_async(&mut *store).await?;
            let handler = worker.stokehold_worker_handler();
            handler.call_handle(&mut *store, &job, checkpoint.as_ref()).await
        })
        .await;
        match outcome.and_then(|said| verdict(said, bounds)) {
            Ok(verdict) => Answer { report, outcome: Ok(verdict) },
            Err(fault) => Answer { report: Report::default(), outcome: Err(fault) },
        }
    }
}

fn verdict(said: super::bindings::types::Verdict, bounds: &Bounds) -> Result<Verdict, Fault> {
    if let super::bindings::types::Verdict::Pending(pending) = &said
        && pending.checkpoint.len() as u64 > bounds.report_bytes_max
    {
        let max = bounds.report_bytes_max;
        return Err(Fault::Breach(format!(
            "its checkpoint is longer than {max} bytes (report_bytes_max)"
        )));
    }
    convert::verdict(said).map_err(|what| Fault::Breach(convert::cut(&what)))
}

/// Runs one call in a store of its own and ends it in time.
pub(super) async fn run<T>(
    plugin: &Plugin,
    guest: Guest,
    ms_max: u64,
    call: impl AsyncFnOnce(&mut Store<Guest>) -> wasmtime::Result<T>,
) -> (Result<T, Fault>, Report) {
    // First a place among its own: who waits for that takes none from other plugins.
    let own = plugin.calls.acquire().await.ok();
    let Some((_own, _slot)) = own.zip(plugin.engine.slot().await) else {
        return (Err(Fault::Host("the engine is shut down".to_owned())), Report::default());
    };
    let mut store = Store::new(plugin.engine.wasmtime(), guest);
    store.limiter(|guest| &mut guest.limiter);
    // A guest that computes gives way at every tick, so that the timer below and other calls get their turn.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    let hostcall_bytes = plugin.bounds.report_bytes_max.saturating_add(HOSTCALL_BYTES);
    store.set_hostcall_fuel(usize::try_from(hostcall_bytes).unwrap_or(usize::MAX));
    let limit = Duration::from_millis(ms_max);
    let began = Instant::now();
    let ended = tokio::time::timeout(limit, call(&mut store)).await;
    if let Some(witness) = store.data().witness() {
        let error = ended.as_ref().ok().and_then(|answer| answer.as_ref().err());
        let memory_bytes = store.data().limiter.memory_bytes();
        witness.end(&plugin.grants, began.elapsed(), memory_bytes, error);
    }
    let outcome = match ended {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(fault(&error, store.data(), &plugin.bounds)),
        Err(_) => Err(Fault::Deadline { call_ms_max: ms_max }),
    };
    (outcome, store.into_data().finish())
}

fn fault(error: &wasmtime::Error, guest: &Guest, bounds: &Bounds) -> Fault {
    if let Some(what) = guest.breach() {
        return Fault::Breach(convert::cut(what));
    }
    let trap = error.downcast_ref::<Trap>();
    // A program that gets no more memory gives up with `unreachable`; at its start there is no trap at all.
    if guest.limiter.denied() && matches!(trap, None | Some(Trap::UnreachableCodeReached)) {
        // It may have got over that and ended for another reason: then its own words tell.
        guest.tell_last_words();
        return Fault::Memory { memory_bytes_max: bounds.memory_bytes_max };
    }
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return Fault::Trap(with_last_words(format!("it called exit({code})"), guest));
    }
    let cause = error.root_cause().to_string();
    if cause.contains("fuel allocated for hostcalls has been exhausted") {
        let max = bounds.report_bytes_max.saturating_add(HOSTCALL_BYTES);
        return Fault::Breach(format!("it handed over more than {max} bytes at once"));
    }
    let mut text = trap.map_or(cause, ToString::to_string);
    let frames = named(error);
    if !frames.is_empty() {
        text = format!("{text}, in {frames}");
    }
    Fault::Trap(with_last_words(text, guest))
}

fn with_last_words(mut text: String, guest: &Guest) -> String {
    let said = guest.last_words();
    if !said.is_empty() {
        text = format!("{text}; it said: {said}");
    }
    convert::cut(&text)
}

/// The innermost functions with a name, without the machinery of a panic.
fn named(error: &wasmtime::Error) -> String {
    let frames = backtrace::frames(error).into_iter();
    let told = frames.filter(|frame| !frame.is_machinery() && !frame.function.is_empty());
    let names: Vec<_> = told.map(|frame| frame.function).take(FRAMES_MAX).collect();
    names.join(" < ")
}
