//! `stokehold plugin check`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};

use super::{Answer, against, operator, shown};
use crate::cli::flags;
use crate::cli::plain::plain;
use crate::plugin::{self, Checkup, Engine, EngineSettings, Severity};

const ABOUT: &str = "\
Without settings everything that has to be granted is listed and nothing of it is a failure. With
--settings, --grant-http, --config or a limit the files are held to what the operator says, in
<name>.toml beside each file, too; --handlers names another folder for that. A file that exports a
trial is then tried as a running host does before it takes over: it may send what it is granted.

With --against every change of the WIT is told, and whether it harms those who were built before:
of a newer component the hosts that run the older one, of a newer folder of WIT the components
that were built for the older one.

Exit codes:
  0  all files can be used, and break nothing
  1  one cannot, lacks a grant that the settings do not give, or breaks what was there before";

#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(super) struct Args {
    /// Components, each named like its handler. With --against folders of WIT, too.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Tell what changed since this component or folder of WIT.
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// Print JSON for machines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: flags::PluginFlags,
}

pub(super) async fn check(args: Args) -> Result<Answer> {
    let is_held = !args.settings.0.is_silent();
    let alone = EngineSettings { instances_max: 1, ..EngineSettings::default() };
    let engine = Engine::new(&alone).context("cannot start the sandbox")?;
    let old = args.against.as_deref().map(against::Old::read).transpose()?;
    let (mut list, mut texts) = (Vec::new(), String::new());
    let (mut worst, mut breaks) = (Severity::Ok, false);
    for file in &args.files {
        let mut one = json!({"file": file.display().to_string()});
        // Of WIT there is nothing to load.
        if old.is_none() || !against::is_wit(file) {
            let settings = operator(&args.settings.0, file)?;
            let checkup = plugin::check(&engine, file, settings.as_ref()).await;
            worst = worst.max(checkup.severity());
            texts += &as_text(&checkup);
            one = as_json(&checkup);
        }
        if let Some(old) = &old {
            let comparison = old.compare(file);
            breaks |= comparison.breaks();
            texts += &comparison.text();
            if let Some(fields) = one.as_object_mut() {
                fields.insert("against".to_owned(), comparison.json());
            }
        }
        list.push(one);
    }
    let text = if args.json { format!("{:#}\n", Json::from(list)) } else { texts };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    let refused = match worst {
        Severity::Failure => true,
        Severity::Need => is_held,
        Severity::Remark | Severity::Ok => false,
    };
    Ok(if refused || breaks { Answer::No } else { Answer::Yes })
}

fn verdict(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Remark => "note",
        Severity::Need => "needs",
        Severity::Failure => "fails",
    }
}

fn as_text(checkup: &Checkup) -> String {
    let summary = match checkup.severity() {
        Severity::Ok | Severity::Remark => "can be used",
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
    // A remark is no verdict on the whole.
    let worst = match checkup.severity() {
        Severity::Remark => Severity::Ok,
        severity => severity,
    };
    json!({
        "file": checkup.file.display().to_string(),
        "verdict": verdict(worst),
        "digest": checkup.inspection.as_ref().map(|inspection| &inspection.digest),
        "findings": findings.collect::<Vec<_>>(),
    })
}
