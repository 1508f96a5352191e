//! `stokehold doctor`: looks at everything that a host needs, and says what to do where something is
//! wrong.
//!
//! Each check is a function that gives findings; a table names them and how long each may take, so
//! that what hangs keeps nothing else from being checked. What a check saw and what that means are
//! apart: the judgements are functions that need neither store nor network.

mod finding;
mod members;
mod network;
mod plugins;
mod schemas;
mod standing;
mod store;

use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::finding::Finding;
use super::{Answer, flags, load};
use crate::settings::Settings;
use crate::store::Store;

const ABOUT: &str = "\
It takes the flags and settings of `stokehold run`: run it where a host runs, as its user. It loads
the plugins and writes, reads and removes a key of its own, /stokehold/doctor/<n>; nothing else is
changed. The exit code is 0 when there is no problem; warnings are none.";

#[derive(clap::Args)]
#[command(after_help = ABOUT)]
pub(super) struct Args {
    /// One JSON object: ok, and findings with check, mark, what and do.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: flags::AllFlags,
}

/// What the checks look at.
#[derive(Clone)]
struct Patient {
    settings: Arc<Settings>,
    /// `None` while it is not open, or out of reach.
    store: Option<Arc<dyn Store>>,
}

type Looking = Pin<Box<dyn Future<Output = Vec<Finding>> + Send>>;

/// One check, and what is said when it does not come to an end.
struct Check {
    name: &'static str,
    within: Duration,
    look: fn(Patient) -> Looking,
}

/// Compiling large plugins takes its time.
const PLUGINS_WITHIN: Duration = Duration::from_mins(2);
const WITHIN: Duration = Duration::from_secs(15);

/// What needs no store.
const APART: [Check; 2] = [
    Check { name: "plugins", within: PLUGINS_WITHIN, look: |it| Box::pin(plugins::look(it)) },
    Check { name: "network", within: WITHIN, look: |it| Box::pin(network::look(it)) },
];

/// What looks at the store, or asks it.
const BEHIND_THE_STORE: [Check; 3] = [
    Check { name: "writing", within: WITHIN, look: |it| Box::pin(store::practise(it)) },
    Check { name: "hosts", within: WITHIN, look: |it| Box::pin(standing::look(it)) },
    Check { name: "schemas", within: WITHIN, look: |it| Box::pin(schemas::look(it)) },
];

pub(super) async fn doctor(args: Args) -> Result<Answer> {
    let (settings, mut findings) = settings(&args.settings.0);
    if let Some(settings) = settings {
        findings.extend(examine(settings).await);
    }
    let text = if args.json { finding::as_json(&findings) } else { finding::as_text(&findings) };
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot print")?;
    Ok(if finding::well(&findings) { Answer::Yes } else { Answer::No })
}

/// The settings as a host reads them. Where those of single plugins are the trouble, the others
/// still lead to the store.
fn settings(named: &flags::Named) -> (Option<Settings>, Vec<Finding>) {
    let remedy = "correct it, then ask again; `stokehold run --help` explains every setting";
    match load::all(named) {
        Ok(settings) => {
            let findings = strange_variables(&settings.unknown_variables);
            (Some(settings), findings)
        }
        Err(error) => {
            let found = Finding::problem("settings", format!("{error:#}"), remedy);
            (load::places(named).ok(), vec![found])
        }
    }
}

fn strange_variables(names: &[String]) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("settings", "flags, environment and file can be read")];
    findings.extend(names.iter().map(|name| {
        let what = format!("the variable {name} means nothing");
        Finding::warning("settings", what, "look for a typing error in its name, or unset it")
    }));
    findings
}

async fn examine(settings: Settings) -> Vec<Finding> {
    let patient = Patient { settings: Arc::new(settings), store: None };
    let behind = async {
        let opened = store::open(&patient.settings).await;
        let patient = Patient { store: opened.store, ..patient.clone() };
        let mut findings = opened.findings;
        findings.extend(all(&BEHIND_THE_STORE, &patient).await);
        findings
    };
    let (mut findings, apart) = tokio::join!(behind, all(&APART, &patient));
    findings.extend(apart);
    findings
}

/// All at the same time, told in their order.
async fn all(checks: &'static [Check], patient: &Patient) -> Vec<Finding> {
    let mut running = JoinSet::new();
    for (at, check) in checks.iter().enumerate() {
        let look = (check.look)(patient.clone());
        running.spawn(async move { (at, in_time(check.name, check.within, look).await) });
    }
    let mut told = Vec::new();
    while let Some(ended) = running.join_next().await {
        // A check that broke has no place in the order.
        told.push(ended.unwrap_or_else(|error| (checks.len(), vec![broke(&error.to_string())])));
    }
    told.sort_by_key(|(at, _)| *at);
    told.into_iter().flat_map(|(_, findings)| findings).collect()
}

async fn in_time(name: &'static str, within: Duration, look: Looking) -> Vec<Finding> {
    timeout(within, look).await.unwrap_or_else(|_| {
        let what = format!("this check did not end within {within:?}");
        let remedy = "something hangs: look at the findings beside it, and ask again";
        vec![Finding::problem(name, what, remedy)]
    })
}

fn broke(error: &str) -> Finding {
    Finding::problem(
        "doctor",
        format!("a check broke: {error}"),
        "report this as a mistake of ours",
    )
}

/// Said by checks that cannot look.
fn out_of_reach(name: &'static str) -> Finding {
    let what = "not checked: there is no store to look at";
    Finding::warning(name, what, "do what is said about the store, then ask again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_hangs_is_a_finding_and_keeps_nothing_else_from_being_checked() {
        const SOON: Duration = Duration::from_millis(50);
        const CHECKS: [Check; 2] = [
            Check { name: "hung", within: SOON, look: |_| Box::pin(std::future::pending()) },
            Check {
                name: "quick",
                within: WITHIN,
                look: |_| Box::pin(async { vec![Finding::ok("quick", "all is well")] }),
            },
        ];
        let settings = Settings::from_sources(&crate::settings::Flags::default(), &[].into(), None);
        let settings = Arc::new(settings.unwrap_or_else(|error| panic!("{error:#}")));
        let findings = all(&CHECKS, &Patient { settings, store: None }).await;
        let hung = finding::as_text(&findings);
        assert!(hung.starts_with("problem  hung       this check did not end within 50ms\n"));
        assert_eq!(findings.get(1), Some(&Finding::ok("quick", "all is well")));
    }

    #[test]
    fn a_variable_that_means_nothing_is_a_warning_and_no_problem() {
        let findings = strange_variables(&["STOKEHOLD_STOER".to_owned()]);
        assert!(finding::well(&findings));
        assert!(finding::as_text(&findings).contains("STOKEHOLD_STOER means nothing"));
    }
}
