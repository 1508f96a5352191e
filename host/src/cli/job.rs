//! `stokehold job`: looks at single jobs, and makes their calls again.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Subcommand;

use super::plain::plain;
use super::plugin::outcome::{self, Form};
use super::plugin::recorded::Recorded;
use super::plugin::rehearsal::{Bounds, Rehearsal};
use super::{Answer, Misuse, entries, flags, grants, load, logging};
use crate::domain::{Content, Entry, JobId, Posted, Recording, ResourceRef, Schemas};
use crate::flow::recordings;
use crate::plugin::Found;
use crate::settings::Settings;
use crate::store::Store;
use crate::wire::{self, key};

const ABOUT: &str = "\
A replay commits nothing and sends nothing: the handler gets the job, the checkpoint, the stacks
and the answers as they were recorded. Calls are recorded where the setting record_calls names the
handler. An open job that was not recorded is called once, with what the store knows of it and
without a network; --answers gives it one. Grants of the component of --plugin are read in the
settings, and in <name>.toml beside it; --handlers names another folder for that.

Exit codes:
  0  everything came out as it was recorded
  1  something came out otherwise, or there is nothing to replay";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the jobs whose calls were recorded, one a line, the newest call last.
    List(ListArgs),
    /// Make the recorded calls of a job again, in the sandbox, without store or server.
    Replay(ReplayArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    settings: flags::AllFlags,
}

#[derive(clap::Args)]
#[command(after_help = ABOUT)]
struct ReplayArgs {
    /// The job's id: `create:heat_worker:port:<id>:1:abcde`.
    id: String,
    /// Another component than the one in the folder of plugins.
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// What the network answers, in place of what was recorded.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Print JSON for machines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: flags::AllFlags,
}

pub(super) async fn job(args: Args) -> Result<Answer> {
    match args.command {
        Command::List(args) => list(&args),
        Command::Replay(args) => replay(args).await,
    }
}

fn list(args: &ListArgs) -> Result<Answer> {
    let settings = load::all(&args.settings.0)?;
    let recorded = recordings::read(&settings.recordings, None)?;
    let mut out = std::io::stdout().lock();
    for call in &recorded {
        let (id, outcome) = (&call.posted.job.id, &call.outcome);
        writeln!(out, "{}  {}  {}", call.at_ms, plain(id.as_str()), plain(outcome))?;
    }
    if recorded.is_empty() {
        let dir = settings.recordings.display();
        eprintln!(
            "no call is recorded in {dir}: name handlers with the setting record_calls, and the \
             folder with recordings"
        );
        return Ok(Answer::No);
    }
    Ok(Answer::Yes)
}

async fn replay(args: ReplayArgs) -> Result<Answer> {
    let named = &args.settings.0;
    let mut settings = match &args.plugin {
        Some(file) => load::beside(named, file)?,
        None => load::all(named)?,
    };
    "warn,stokehold::plugin::import::log=off".clone_into(&mut settings.log);
    logging::begin(&settings)?;
    let id = JobId::new(args.id.as_str());
    let mut calls = recordings::read(&settings.recordings, Some(&id))?;
    let is_recorded = !calls.is_empty();
    if !is_recorded {
        calls.push(open(&settings, &id).await?);
    }
    if let Some(path) = &args.answers {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let answers = wire::read_answers(&bytes.map_err(Misuse)?);
        let answers = answers.map_err(|why| Misuse(anyhow!("{}: {why}", path.display())))?;
        for call in &mut calls {
            call.answers = Some(answers.clone());
        }
    }
    let handler = calls.first().map(|call| call.posted.job.handler.to_string());
    let handler = handler.unwrap_or_default();
    let file = args.plugin.unwrap_or_else(|| settings.handlers.join(format!("{handler}.wasm")));
    let mut rehearsal = Rehearsal::of(&file, grants::loading(&settings), true).await?;
    if let Some(note) = whose(rehearsal.found(), &file, &handler)? {
        eprintln!("{note}");
    }
    let (mut scenes, mut recorded, mut unused) = (Vec::new(), Vec::new(), Vec::new());
    for call in calls {
        let sent = args.answers.is_none().then(|| call.answers.clone().unwrap_or_default());
        recorded.push(Recorded { outcome: call.outcome.clone(), sent });
        rehearsal.play(call.answers.clone().unwrap_or_default());
        scenes.extend(rehearsal.handle(call, &Bounds { calls_max: 1, pause_ms_max: 0 }).await?);
        unused.extend(rehearsal.unused());
    }
    let form = if args.json { Form::Json } else { Form::Text };
    if !is_recorded {
        eprintln!(
            "note: no call of this job was recorded, so it has no answers but those of --answers; \
             record_calls = \"{}\" in stokehold.toml records the next ones",
            plain(&handler)
        );
        return outcome::calls(form, rehearsal.found(), &scenes, &unused);
    }
    outcome::replay(form, rehearsal.found(), &scenes, &recorded, &unused)
}

/// Whether the component of a file is the handler of a job; a note where it is another one.
///
/// # Errors
/// It is no handler.
fn whose(found: &Found, file: &Path, handler: &str) -> Result<Option<String>> {
    let file = file.display().to_string();
    let (file, handler) = (plain(&file), plain(handler));
    match found {
        Found::Prober(prober) => {
            let name = prober.name();
            let why = anyhow!("{file} is the prober {name}: a job is replayed by a handler");
            Err(Misuse(why).into())
        }
        Found::Worker(worker) if worker.name() == handler => Ok(None),
        Found::Worker(worker) => {
            let name = worker.name();
            Ok(Some(format!("note: {file} is the handler {name}, and the job is {handler}'s")))
        }
    }
}

/// A job that is open, with what the store knows of it.
async fn open(settings: &Settings, id: &JobId) -> Result<Recording> {
    let gone = || {
        format!(
            "cannot replay job {}: no call of it is recorded in {}",
            plain(id.as_str()),
            settings.recordings.display()
        )
    };
    let store = entries::open(settings).await.with_context(gone)?;
    let schemas = entries::schemas(settings, &*store).await.with_context(gone)?;
    let reader = Reader { store: &*store, schemas: &schemas };
    let Some(Content::Job(posted)) = reader.read(&Entry::Job(id.clone())).await? else {
        bail!("{}, and it is not open any more: its record has gone from the store", gone());
    };
    reader.recording(posted).await
}

struct Reader<'a> {
    store: &'a dyn Store,
    schemas: &'a Schemas,
}

impl Reader<'_> {
    async fn bytes(&self, entry: &Entry) -> Result<Option<Vec<u8>>> {
        let key = key::spell(self.schemas, entry)?;
        let found = self.store.get(&key).await.with_context(|| format!("cannot read key {key}"))?;
        Ok(found.map(|found| found.value.clone()))
    }

    async fn read(&self, entry: &Entry) -> Result<Option<Content>> {
        let bytes = self.bytes(entry).await?;
        Ok(bytes.map(|bytes| wire::read(self.schemas, entry, &bytes)))
    }

    async fn recording(&self, posted: Posted) -> Result<Recording> {
        let step = self.read(&Entry::Step(posted.job.id.clone())).await?;
        let Some(Content::Step(step)) = step else {
            bail!("cannot replay job {}: it has no step yet", posted.job.id);
        };
        let template = match self.read(&Entry::Template(step.template.clone())).await? {
            Some(Content::Template(template)) => Some(template.text),
            _ => None,
        };
        let others = posted.job.refers_to().into_iter().chain([&posted.job.target]);
        let others: BTreeSet<ResourceRef> = others.cloned().collect();
        let mut recording = Recording {
            posted,
            template_id: step.template,
            template,
            checkpoint: step.checkpoint,
            stacks: [].into(),
            states: [].into(),
            answers: None,
            at_ms: 0,
            outcome: String::new(),
        };
        for of in others {
            if let Some(Content::Stack(_, stack)) = self.read(&Entry::Stack(of.clone())).await? {
                recording.stacks.insert(of.clone(), stack);
            }
            // A type that the schemas do not know any more has no state.
            let state = self.bytes(&Entry::State(of.clone())).await.ok().flatten();
            if let Some(state) = state.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
                recording.states.insert(of, state);
            }
        }
        Ok(recording)
    }
}
