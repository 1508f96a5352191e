//! `stokehold plugin run`: one call in the sandbox of a host, without store or server.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::outcome::{self, Form};
use super::rehearsal::{Bounds, Rehearsal, write_private};
use super::{Answer, shown};
use crate::cli::{Misuse, flags, grants, load, logging};
use crate::domain::{HandlerName, Json, Recording, ResourceRef, Verdict};
use crate::plugin::{Found, Subject};
use crate::settings::Settings;
use crate::wire;

const ABOUT: &str = "\
The file of a job has at least {\"resource_type\": …, \"resource_id\": …}; --example-job prints one
with everything. A job as the store has it will do, too, and so will a recorded call.

Answers are a list of {\"method\", \"url\", \"status\", \"headers\", \"body\"}, each given once, in
order; with \"repeat\": true as often as asked for; a * at the end of url stands for any rest. With
answers nothing leaves this machine, and no host has to be granted. --record writes such a file
from real answers.

Grants are read as a host reads them: in the settings, and in <name>.toml beside FILE; --handlers
names another folder for that.

Exit codes:
  0  completed or pending; a prober gave a status
  1  failed, trapped, pending when --until-done gave up, or asked for something that there is no
     answer to
  2  the command line, a file of it, or the settings make no sense";

/// Where to begin from.
const EXAMPLE: &str = r#"{
  "action": "create",
  "resource_type": "port",
  "resource_id": "p1",
  "version": 1,
  "attempts": 0,
  "params": { "name": "a port" },
  "input": { "id": "p1", "name": "a port", "tenant_id": "t1" },
  "template_id": "port",
  "template": "",
  "checkpoint": null,
  "stacks": {
    "network:n1": {
      "stack_id": "network_n1",
      "stack_status": "CREATE_COMPLETE",
      "output": [{ "output_key": "network_id", "output_value": "4711" }]
    }
  },
  "states": {},
  "answers": [
    {
      "method": "GET",
      "url": "http://127.0.0.1:8004/v1/*",
      "status": 200,
      "headers": { "content-type": "application/json" },
      "body": { "stacks": [] },
      "repeat": true
    }
  ]
}
"#;

#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(super) struct Args {
    /// A component.
    #[arg(value_name = "FILE", required_unless_present = "example_job")]
    file: Option<PathBuf>,
    /// The job that a handler gets.
    #[arg(long, value_name = "FILE", conflicts_with = "subject")]
    job: Option<PathBuf>,
    /// A JSON object of params, in place of the job's or beside them.
    #[arg(long, value_name = "FILE", requires = "job")]
    params: Option<PathBuf>,
    /// The text of the template, in place of the job's.
    #[arg(long, value_name = "FILE", requires = "job")]
    template: Option<PathBuf>,
    /// What the last `pending` gave, in place of the job's.
    #[arg(long, value_name = "JSON", requires = "job")]
    checkpoint: Option<String>,
    /// What a prober is to look at: {"kind": …, "properties": {…}}.
    #[arg(long, value_name = "FILE")]
    subject: Option<PathBuf>,
    /// What the network answers; nothing leaves this machine.
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    answers: Option<PathBuf>,
    /// Let requests out, and write what came of them, without secrets.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Call again as long as the handler says `pending`.
    #[arg(long, requires = "job")]
    until_done: bool,
    /// Calls after which --until-done gives up.
    #[arg(long, value_name = "N", default_value_t = 100)]
    rounds_max: u32,
    /// The longest pause between two calls; with answers there is none.
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    pause_ms_max: u64,
    /// Print JSON for machines.
    #[arg(long)]
    json: bool,
    /// Print a job to begin from, and do nothing.
    #[arg(long, exclusive = true)]
    example_job: bool,
    #[command(flatten)]
    settings: flags::PluginFlags,
}

pub(super) async fn run(args: Args) -> Result<Answer> {
    let Some(file) = args.file.clone() else {
        print!("{EXAMPLE}");
        return Ok(Answer::Yes);
    };
    let mut settings = load::beside(&args.settings.0, &file)?;
    // What the guest itself says is printed with the call.
    "warn,stokehold::plugin::import::log=off".clone_into(&mut settings.log);
    logging::begin(&settings)?;
    let bounds = Bounds {
        calls_max: if args.until_done { args.rounds_max.max(1) } else { 1 },
        pause_ms_max: args.pause_ms_max,
    };
    let form = if args.json { Form::Json } else { Form::Text };
    let mut rehearsal = stage(&args, &settings, &file).await?;
    let answer = match (rehearsal.found(), &args.job, &args.subject) {
        (Found::Worker(worker), Some(job), None) => {
            let handler = HandlerName::new(worker.name());
            let call = call(&args, job, &handler)?;
            rehearsal.answer_with(call.answers.clone().filter(|_| args.record.is_none()));
            let calls = rehearsal.handle(call, &bounds).await?;
            let answer = outcome::calls(form, rehearsal.found(), &calls, &rehearsal.unused())?;
            let last = calls.last().map(|scene| &scene.answer.outcome);
            if args.until_done && matches!(last, Some(Ok(Verdict::Pending { .. }))) {
                eprintln!("it is pending still: given up after --rounds-max {}", args.rounds_max);
                Answer::No
            } else {
                answer
            }
        }
        (Found::Prober(_), None, Some(path)) => {
            let subject = subject(path)?;
            let probe = rehearsal.probe(subject).await?;
            outcome::probe(form, rehearsal.found(), &probe, &rehearsal.unused())?
        }
        (Found::Worker(_), ..) => {
            let what = "is a handler: name its job with --job FILE; --example-job prints one";
            return Err(Misuse(anyhow!("{} {what}", shown(&file))).into());
        }
        (Found::Prober(_), ..) => {
            let what = "is a prober: name what it is to look at with --subject FILE";
            return Err(Misuse(anyhow!("{} {what}", shown(&file))).into());
        }
    };
    if let Some(path) = &args.record {
        write_private(path, wire::spell_answers(rehearsal.exchanges()).as_bytes())?;
    }
    Ok(answer)
}

async fn stage(args: &Args, settings: &Settings, file: &Path) -> Result<Rehearsal> {
    let settings = grants::loading(settings);
    let mut rehearsal = Rehearsal::of(file, settings, args.record.is_none()).await?;
    if let Some(path) = &args.answers {
        let answers = wire::read_answers(&read(path)?);
        let answers = answers.map_err(|why| Misuse(anyhow!("{}: {why}", shown(path))))?;
        rehearsal.answer_with(Some(answers));
    }
    Ok(rehearsal)
}

/// The job's file, with what else the command line says of the call.
fn call(args: &Args, job: &Path, handler: &HandlerName) -> Result<Recording> {
    let bytes = read(job)?;
    let call = wire::read_recording(&bytes, handler);
    let mut call =
        call.map_err(|why| Misuse(anyhow!("{}: {why}{}", shown(job), taken_for(&bytes))))?;
    if let Some(path) = &args.params {
        let done = wire::overlay_params(&mut call.posted.job.params, &read(path)?);
        done.map_err(|why| Misuse(anyhow!("{}: {why}", shown(path))))?;
    }
    if let Some(path) = &args.template {
        let text = String::from_utf8(read(path)?);
        let text = text.map_err(|_| Misuse(anyhow!("{}: is not UTF-8", shown(path))))?;
        call.template = Some(text);
    }
    if let Some(text) = &args.checkpoint {
        let checkpoint = serde_json::from_str(text);
        let checkpoint =
            checkpoint.map_err(|why| Misuse(anyhow!("--checkpoint is no JSON: {why}")))?;
        call.checkpoint = Some(checkpoint);
    }
    Ok(call)
}

/// What a job's file was taken for, where its author may have meant something else.
fn taken_for(bytes: &[u8]) -> &'static str {
    if bytes.trim_ascii_start().starts_with(b"[") {
        " (an array is a job as the store has it: [handler, job, attempts])"
    } else {
        ""
    }
}

fn subject(path: &Path) -> Result<Subject> {
    let wrong = |why: String| Misuse(anyhow!("{}: {why}", shown(path)));
    let json: Json = serde_json::from_slice(&read(path)?).map_err(|why| wrong(why.to_string()))?;
    let text = |name: &str, default: &str| match json.get(name) {
        None => Ok(default.to_owned()),
        Some(Json::String(text)) => Ok(text.clone()),
        Some(_) => Err(wrong(format!("{name} must be a text"))),
    };
    let kind = text("kind", "")?;
    if kind.is_empty() {
        return Err(wrong("kind is missing: what the prober is to look at".to_owned()).into());
    }
    let properties =
        json.get("properties").cloned().unwrap_or_else(|| Json::Object([].into_iter().collect()));
    Ok(Subject {
        of: ResourceRef::new(text("resource_type", "port")?, text("resource_id", "p1")?),
        name: text("name", &kind)?,
        kind,
        properties,
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", shown(path)));
    Ok(bytes.map_err(Misuse)?)
}
