//! `stokehold plugin inspect`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value as Json, json};

use super::{Answer, shown};
use crate::cli::plain::plain;
use crate::plugin::{
    self, About, Checkup, Engine, EngineSettings, Import, Inspection, Kind, Offer, Severity,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// A component.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON for machines.
    #[arg(long, conflicts_with = "wit")]
    json: bool,
    /// Print the component's world and the packages it names as a WIT document, and nothing else.
    #[arg(long)]
    wit: bool,
}

pub(super) async fn inspect(args: Args) -> Result<Answer> {
    let file = &args.file;
    let alone = EngineSettings { instances_max: 1, ..EngineSettings::default() };
    let engine = Engine::new(&alone).context("cannot start the sandbox")?;
    let checkup = plugin::check(&engine, file, None).await;
    let Some(said) = &checkup.inspection else {
        bail!("{} {}", shown(file), why(&checkup));
    };
    let text = if args.json {
        format!("{:#}\n", as_json(&checkup, said))
    } else if args.wit {
        format!("{}\n\n{}\n", said.world.trim_end(), said.packages.trim_end())
    } else {
        as_text(&checkup, said)
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Answer::Yes)
}

/// What is wrong with it; empty where nothing is.
fn why(checkup: &Checkup) -> String {
    let failures = checkup.findings.iter().filter(|found| found.severity == Severity::Failure);
    failures.map(|found| found.text.as_str()).collect::<Vec<_>>().join("; ")
}

fn offer(import: &Import) -> String {
    match &import.offer {
        Offer::Host => "the host".to_owned(),
        Offer::Grant(kind) => format!("the host, with a grant of {kind}"),
        Offer::Missing(_) => "nobody".to_owned(),
    }
}

/// What it says of itself when it is asked.
fn about_rows(about: &About) -> Vec<(&'static str, String)> {
    let listed = |list: &[String]| if list.is_empty() { "–".to_owned() } else { list.join(", ") };
    let mut rows = vec![("name", about.name.clone())];
    match about.recreates {
        None => rows.push(("kinds", listed(&about.kinds))),
        Some(recreates) => {
            rows.push(("after", listed(&about.after)));
            let update =
                if recreates { "recreate: delete, then create" } else { "modify in place" };
            rows.push(("update", update.to_owned()));
        }
    }
    let grants: Vec<_> =
        about.grants.iter().map(|(kind, value)| format!("{kind} {value}")).collect();
    let limits: Vec<_> =
        about.limits.iter().map(|(name, value)| format!("{name} {value}")).collect();
    rows.push(("asks for", listed(&grants)));
    rows.push(("limits", listed(&limits)));
    rows
}

fn as_text(checkup: &Checkup, said: &Inspection) -> String {
    let none =
        |list: &[String]| if list.is_empty() { "unknown".to_owned() } else { list.join(", ") };
    let lines = if said.has_lines { "yes: a trap shows file and line" } else { "no" };
    let mut rows = checkup.about.as_ref().map(about_rows).unwrap_or_default();
    rows.extend([
        (
            "kind",
            said.kind.map_or("none: fits no world of the contract", |kind| kind.word()).into(),
        ),
        ("contract", said.contract.clone().unwrap_or_else(|| "none".to_owned())),
        ("languages", none(&said.languages)),
        ("tools", none(&said.tools)),
        ("debug lines", lines.to_owned()),
        ("size", format!("{} bytes", said.bytes)),
        ("SHA-256", said.digest.clone()),
        ("exports", said.exports.join(", ")),
    ]);
    let width = said.imports.iter().map(|import| import.name.len()).max().unwrap_or_default();
    let imports = said
        .imports
        .iter()
        .map(|import| format!("{:<width$}  from {}", import.name, offer(import)));
    rows.extend(imports.enumerate().map(|(nth, row)| (if nth == 0 { "imports" } else { "" }, row)));
    let wrong = Some(why(checkup)).filter(|why| !why.is_empty());
    rows.extend(wrong.map(|why| ("wrong", why)));
    let mut text = String::new();
    for (title, row) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{title:<12} {}", plain(&row));
    }
    text.push('\n');
    for line in said.world.trim_end().lines() {
        let _ = writeln!(text, "{}", plain(line));
    }
    text
}

fn as_json(checkup: &Checkup, said: &Inspection) -> Json {
    let imports = said.imports.iter().map(|import| {
        let why = match &import.offer {
            Offer::Missing(why) => Some(why),
            _ => None,
        };
        json!({
            "name": import.name,
            "functions": import.functions,
            "from": match import.offer {
                Offer::Host | Offer::Grant(_) => Some("host"),
                Offer::Missing(_) => None,
            },
            "grant": match import.offer {
                Offer::Grant(kind) => Some(kind),
                _ => None,
            },
            "why": why,
        })
    });
    let about = checkup.about.as_ref().map(|about| {
        let grants = about.grants.iter().map(|(kind, value)| json!({"kind": kind, "value": value}));
        let limits = about.limits.iter().map(|(name, value)| json!({"name": name, "value": value}));
        json!({
            "name": about.name,
            "after": about.after,
            "recreates": about.recreates,
            "kinds": about.kinds,
            "grants": grants.collect::<Vec<_>>(),
            "limits": limits.collect::<Vec<_>>(),
        })
    });
    json!({
        "about": about,
        "kind": said.kind.map(Kind::word),
        "contract": said.contract,
        "languages": said.languages,
        "tools": said.tools,
        "has_debug_lines": said.has_lines,
        "bytes": said.bytes,
        "digest": said.digest,
        "exports": said.exports,
        "imports": imports.collect::<Vec<_>>(),
        "wrong": Some(why(checkup)).filter(|why| !why.is_empty()),
        "world": said.world,
        "packages": said.packages,
    })
}
