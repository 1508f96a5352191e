//! What must hold, in one go, with a summary at the end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::cargo::{Workspace, cargo, is_there, run, shown};
use crate::{etcd, guests, heat, kafka, languages, recordings, snmpd};

/// How much is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breadth {
    /// Everything.
    All,
    /// What needs neither guests nor processes.
    Fast,
}

/// One thing that was done.
struct Step {
    name: &'static str,
    took: Duration,
    /// `Err` holds what went wrong, `Ok` what is worth a word.
    outcome: Result<String>,
}

/// Does everything, also after a failure, and says at the end what held.
///
/// # Errors
/// Only what keeps the chore from beginning; what does not hold is the exit code.
pub(crate) fn test(breadth: Breadth) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let cargo = || {
        let mut cargo = cargo();
        cargo.current_dir(&workspace.root);
        cargo
    };
    let mut steps = Vec::new();
    let mut step = |name, work: &mut dyn FnMut() -> Result<String>| {
        eprintln!("== {name}");
        let begun = Instant::now();
        let outcome = work();
        steps.push(Step { name, took: begun.elapsed(), outcome });
    };
    if breadth == Breadth::All {
        step("guests", &mut || guests::build(&workspace).map(|()| String::new()));
    }
    step("format", &mut || silent(cargo().args(["fmt", "--all", "--check"])));
    step("lints", &mut || {
        let strict = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
        silent(cargo().args(strict))?;
        match breadth {
            Breadth::All => silent(cargo().args(guests::lints(&workspace)?)),
            Breadth::Fast => Ok(String::new()),
        }
    });
    match breadth {
        Breadth::All => {
            let (mut services, mut toolchains) = (Vec::new(), None);
            let tally = recordings::fresh(&workspace)?;
            for service in SERVICES {
                step(service.step, &mut || real(&mut services, &service));
            }
            step("languages", &mut || other_languages(&mut toolchains));
            // The tests start these; with all targets at once nothing is compiled for two feature sets.
            let programs = ["build", "--workspace", "--all-targets", "--quiet"];
            step("programs", &mut || silent(cargo().args(programs)));
            step("tests", &mut || {
                let mut cargo = cargo();
                cargo.args(["test", "--workspace", "--no-fail-fast"]);
                cargo.envs(services.iter().map(|(variable, program)| (variable, program)));
                cargo.envs(toolchains.iter().map(|folder| (languages::VARIABLE, folder)));
                cargo.env(recordings::VARIABLE, &tally);
                tests(&mut cargo)
            });
            step("recordings", &mut || recordings::told(&tally));
            step("SDK package", &mut || silent(package(&mut cargo())));
            step("dependencies", &mut || {
                if has_deny() { deny() } else { Ok(format!("not run: {NO_DENY}")) }
            });
        }
        Breadth::Fast => {
            step("unit tests", &mut || {
                tests(cargo().args(["test", "--workspace", "--lib", "--no-fail-fast"]))
            });
            step("recordings", &mut || Ok(recordings::read_only(&workspace)));
            let tidy = ["test", "--workspace", "--test", "all", "--", "tidy::"];
            step("tidy", &mut || tests(cargo().args(tidy)));
        }
    }
    Ok(summary(&steps))
}

fn summary(steps: &[Step]) -> ExitCode {
    println!();
    for Step { name, took, outcome } in steps {
        let seconds = took.as_secs_f32();
        match outcome {
            Ok(word) => println!("ok      {name:<13} {seconds:>6.1} s  {word}"),
            Err(error) => println!("FAILED  {name:<13} {seconds:>6.1} s  {error:#}"),
        }
    }
    let failed = steps.iter().filter(|step| step.outcome.is_err()).count();
    let took: Duration = steps.iter().map(|step| step.took).sum();
    if failed == 0 {
        println!("\nall {} steps passed in {:.1} s", steps.len(), took.as_secs_f32());
        return ExitCode::SUCCESS;
    }
    println!("\n{failed} of {} steps FAILED, in {:.1} s", steps.len(), took.as_secs_f32());
    ExitCode::FAILURE
}

/// A program that the tests start.
#[derive(Clone, Copy)]
struct Service {
    step: &'static str,
    /// Names the program to the tests.
    variable: &'static str,
    /// The chore that gets it.
    chore: &'static str,
    present: fn() -> Result<Option<PathBuf>>,
    install: fn() -> Result<PathBuf>,
}

const SERVICES: [Service; 6] = [
    Service {
        step: "real Heat",
        variable: heat::HEAT.variable,
        chore: heat::HEAT.name,
        present: || heat::HEAT.present(),
        install: || heat::HEAT.install(),
    },
    Service {
        step: "real Keystone",
        variable: heat::KEYSTONE.variable,
        chore: heat::KEYSTONE.name,
        present: || heat::KEYSTONE.present(),
        install: || heat::KEYSTONE.install(),
    },
    Service {
        step: "real Nova",
        variable: heat::NOVA.variable,
        chore: heat::NOVA.name,
        present: || heat::NOVA.present(),
        install: || heat::NOVA.install(),
    },
    Service {
        step: "real etcd",
        variable: etcd::VARIABLE,
        chore: "etcd",
        present: etcd::present,
        install: etcd::install,
    },
    Service {
        step: "real snmpd",
        variable: snmpd::VARIABLE,
        chore: "snmpd",
        present: snmpd::present,
        install: snmpd::install,
    },
    Service {
        step: "broker",
        variable: kafka::VARIABLE,
        chore: "kafka",
        present: kafka::present,
        install: kafka::install,
    },
];

/// The program that the tests use: the environment's, one that is there, or – where nothing may be left out – a
/// new one.
fn real(found: &mut Vec<(&'static str, PathBuf)>, service: &Service) -> Result<String> {
    if std::env::var_os(service.variable).is_some() {
        return Ok("as the environment says".to_owned());
    }
    let mut program = (service.present)()?;
    if program.is_none() && std::env::var("CI").as_deref() == Ok("true") {
        program = Some((service.install)()?);
    }
    if let Some(program) = program {
        found.push((service.variable, program));
        return Ok(String::new());
    }
    Ok(format!("not run: there is none; `cargo xtask {}` gets it", service.chore))
}

/// Makes the SDK's package and builds it from there, as those build it who have nothing else. What it depends on is
/// there already.
fn package(cargo: &mut Command) -> &mut Command {
    let whole = ["package", "--quiet", "--package", "stokehold-sdk", "--all-features"];
    cargo.args(whole).args(["--target", guests::TARGET, "--allow-dirty", "--offline"])
}

/// The toolchains that the tests use: those under `target/`, brought up to date, or – where nothing may be left out –
/// new ones.
fn other_languages(folder: &mut Option<PathBuf>) -> Result<String> {
    let must = std::env::var("CI").as_deref() == Ok("true");
    if !must && !languages::is_present()? {
        return Ok("not run: they are not there; `cargo xtask languages` gets them".to_owned());
    }
    let languages::Languages { folder: there, lacking } = languages::install()?;
    *folder = Some(there);
    let lacking = lacking.join("; ");
    ensure!(!must || lacking.is_empty(), "cannot get all languages: {lacking}");
    Ok(if lacking.is_empty() { lacking } else { format!("not run: {lacking}") })
}

fn silent(command: &mut Command) -> Result<String> {
    run(command).map(|()| String::new())
}

/// Passed and failed tests by suite, as the test harness tells them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    by_suite: BTreeMap<String, (u32, u32)>,
    /// Tests that were not run although they were there.
    left_out: u32,
}

impl Tally {
    /// Counts `test plan::relation::tests::a_law ... ok`; the suite is the first word of the path.
    fn hear(&mut self, line: &str) {
        let Some((test, outcome)) =
            line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        else {
            return;
        };
        let suite = test.split("::").next().unwrap_or(test).to_owned();
        let counts = self.by_suite.entry(suite).or_default();
        match outcome {
            "ok" => counts.0 += 1,
            "FAILED" => counts.1 += 1,
            _ => self.left_out += 1,
        }
    }

    fn text(&self) -> String {
        let all = |count: fn(&(u32, u32)) -> u32| self.by_suite.values().map(count).sum::<u32>();
        let suites = self.by_suite.iter().map(|(suite, (passed, _))| format!("{suite} {passed}"));
        let suites: Vec<_> = suites.collect();
        let (passed, failed) = (all(|counts| counts.0), all(|counts| counts.1));
        format!("{passed} passed, {failed} failed ({})", suites.join(", "))
    }
}

/// Runs tests, their output shown and counted.
fn tests(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {line}"))?;
    let output = child.stdout.take().ok_or_else(|| anyhow!("cannot read from {line}"))?;
    let mut tally = Tally::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read the output of the tests")?;
        println!("{line}");
        tally.hear(&line);
    }
    let status = child.wait().context("cannot wait for the tests")?;
    ensure!(status.success(), "{}", tally.text());
    ensure!(tally.left_out == 0, "{} tests are ignored; {}", tally.left_out, tally.text());
    ensure!(!tally.by_suite.is_empty(), "there was no test to run");
    Ok(tally.text())
}

/// The benchmarks.
///
/// # Errors
/// There are none, or one fails.
pub(crate) fn bench() -> Result<()> {
    let workspace = Workspace::find()?;
    ensure!(workspace.members.iter().any(|member| member.benches), "there are no benchmarks");
    guests::build(&workspace)?;
    run(cargo().current_dir(&workspace.root).args(["bench", "--workspace", "--bench", "*"]))
}

const NO_DENY: &str = "cargo-deny is not installed; `cargo install --locked cargo-deny` gets it";

fn has_deny() -> bool {
    is_there("cargo-deny", &["--version"])
}

/// Licences and advisories; answers what was looked at. Advisories lie on a server that need not be there.
///
/// # Errors
/// cargo-deny is not there, or it complains.
pub(crate) fn deny() -> Result<String> {
    if !has_deny() {
        bail!("{NO_DENY}");
    }
    let root = Workspace::find()?.root;
    let deny = |words: &[&str]| run(cargo().current_dir(&root).arg("deny").args(words));
    deny(&["check", "licenses", "bans", "sources"])?;
    if let Err(why) = deny(&["fetch", "db"]) {
        return Ok(format!("licences, bans and sources; advisories not run: {why}"));
    }
    deny(&["check", "advisories"])?;
    Ok("licences, bans, sources and advisories".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_by_suite() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test store::watch::a_watch_ends ... ok",
            "test store::b ... FAILED",
            "test plan::c ... ok",
            "test plan::d ... ignored, for a reason",
            "test result: ok. 1 passed; 0 failed",
        ] {
            tally.hear(line);
        }
        assert_eq!(tally.text(), "2 passed, 1 failed (plan 1, store 1)");
        assert_eq!(tally.left_out, 1);
    }
}
