//! `stokehold plugin check`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};

use super::{Answer, operator, shown};
use crate::cli::flags;
use crate::cli::plain::plain;
use crate::plugin::{self, Checkup, Engine, EngineSettings, Severity};

const ABOUT: &str = "\
Without settings everything that has to be granted is listed and nothing of it is a failure. With
--settings, --grant-http, --config or a limit the files are held to what the operator says.

Exit codes:
  0  all files can be used
  1  one cannot, or lacks a grant that the settings do not give";

#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(super) struct Args {
    /// Components, each named like its handler: heat_worker.wasm.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print JSON for machines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: flags::PluginFlags,
}

pub(super) async fn check(args: Args) -> Result<Answer> {
    let settings = operator(&args.settings.0)?;
    let alone = EngineSettings { instances_max: 1, ..EngineSettings::default() };
    let engine = Engine::new(&alone).context("cannot start the sandbox")?;
    let mut checkups = Vec::new();
    for file in &args.files {
        checkups.push(plugin::check(&engine, file, settings.as_ref()).await);
    }
    let text = if args.json {
        let list: Vec<_> = checkups.iter().map(as_json).collect();
        format!("{:#}\n", Json::from(list))
    } else {
        checkups.iter().map(as_text).collect()
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    let worst = checkups.iter().map(Checkup::severity).max().unwrap_or(Severity::Ok);
    Ok(match worst {
        Severity::Failure => Answer::No,
        Severity::Need if settings.is_some() => Answer::No,
        Severity::Need | Severity::Ok => Answer::Yes,
    })
}

fn verdict(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Need => "needs",
        Severity::Failure => "fails",
    }
}

fn as_text(checkup: &Checkup) -> String {
    let summary = match checkup.severity() {
        Severity::Ok => "can be used",
        Severity::Need => "can be used, but needs a word of the operator",
        Severity::Failure => "cannot be used",
    };
    let mut text = format!("{}: {summary}\n", shown(&checkup.file));
    for finding in &checkup.findings {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {:<6} {:<9} {}",
            verdict(finding.severity),
            finding.check,
            plain(&finding.text)
        );
    }
    text
}

fn as_json(checkup: &Checkup) -> Json {
    let findings = checkup.findings.iter().map(|finding| {
        json!({
            "check": finding.check,
            "verdict": verdict(finding.severity),
            "text": finding.text,
        })
    });
    json!({
        "file": checkup.file.display().to_string(),
        "verdict": verdict(checkup.severity()),
        "digest": checkup.inspection.as_ref().map(|inspection| &inspection.digest),
        "findings": findings.collect::<Vec<_>>(),
    })
}
