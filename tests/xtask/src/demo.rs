//! The network scenario from config to monitoring, on a real host against a simulated Heat: shown
//! as it happens, and at the end checked, point by point, against what the original system stored.

mod points;
mod process;
mod timeline;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::cargo::Workspace;
use crate::guests;
use points::Record;
use process::{Lines, Running};
use timeline::Timeline;

/// A program that is not ready after this time never will be.
const READY_SECONDS_MAX: u64 = 30;
/// The whole scenario takes some seconds.
const SCENARIO_SECONDS_MAX: u64 = 60;
/// What it shall take once everything is built. A busy machine may miss it, which is told and no failure.
const WANTED_SECONDS: u64 = 10;
/// Everything that the timeline shows.
const WATCHED: [&str; 5] = ["/config/", "/jobs/", "/esi-worker/", "/state/", "/monitoring/"];

const PORT: &str = "/v2.0/ports/a778c668-6ccb-4d46-9ec3-956693262d63";
const PORT_JOBS: &str = "/jobs/all/create:heat_worker:port:";

/// Builds and shows the scenario; the exit code says whether all points hold.
///
/// # Errors
/// Something could not be built or started, or the scenario did not get to its end.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    guests::build(&workspace)?;
    let programs = workspace.programs()?;
    let begun = Instant::now();
    let scratch = Scratch::new()?;
    let stage = Stage {
        stokehold: programs.join("stokehold"),
        simulator: programs.join("heat-simulator"),
        handlers: workspace.target.join("handlers"),
        // Compiled plugins are worth keeping: the next demo begins at once.
        cache: workspace.target.join("demo-cache"),
        scenario: workspace.root.join("examples/network"),
        scratch: scratch.0.clone(),
    };
    let record = stage.play().with_context(|| stage.last_words())?;
    let points = points::check(&record, &stage.scenario.join("expected/port.json"))?;
    println!();
    let mut all = true;
    for point in &points {
        println!("{point}");
        all &= point.differences.is_empty();
    }
    let held = points.iter().filter(|point| point.differences.is_empty()).count();
    println!("\n{held} of {} points hold", points.len());
    println!("{}", shown_in(begun.elapsed()));
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn shown_in(took: Duration) -> String {
    let missed = if took < Duration::from_secs(WANTED_SECONDS) { "" } else { ": MISSED" };
    format!("shown in {:.1} s, wanted under {WANTED_SECONDS} s{missed}", took.as_secs_f32())
}

/// A folder of its own that goes with the demo.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let place = std::env::temp_dir().join(format!("stokehold-demo-{}", std::process::id()));
        std::fs::create_dir(&place).with_context(|| format!("cannot make {}", place.display()))?;
        Ok(Self(place))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of a scratch folder is the system's to remove.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where everything is.
struct Stage {
    stokehold: PathBuf,
    simulator: PathBuf,
    handlers: PathBuf,
    cache: PathBuf,
    scenario: PathBuf,
    scratch: PathBuf,
}

impl Stage {
    /// Plays the scenario and gives back every change of the store.
    fn play(&self) -> Result<Record> {
        let (simulator, heat) = self.start_heat()?;
        let host = self.start_host(&heat)?;
        let mut watch = Command::new(&self.stokehold);
        watch.args(["watch", "--json", "--after", "0"]).args(WATCHED).args(self.store());
        let (watch, lines) = Running::start("watch", &mut watch, &self.log("watch"))?;
        let mut all = [simulator, host, watch];

        let mut timeline = Timeline::begin();
        let mut record = Record::default();
        self.apply(&[
            "templates.json",
            "tenant.json",
            "network.json",
            "subnet.json",
            "port_v1.json",
        ])?;
        // Were the gateway seen together with the port, the port's first version would wait for it.
        follow(&lines, &mut all, &mut timeline, &mut record, |record| {
            !record.first_of(PORT_JOBS).is_empty()
        })?;
        self.apply(&["gateway.json"])?;
        let first = format!("/state{PORT}");
        follow(&lines, &mut all, &mut timeline, &mut record, |record| {
            record.has(&first, |state| state["version"] == 1)
        })?;
        // The gateway's stack is still being built: the jobs of this version have to wait for it.
        self.apply(&["port_v2.json"])?;
        let last = format!("/monitoring{PORT}");
        follow(&lines, &mut all, &mut timeline, &mut record, |record| {
            record.has(&last, |monitoring| monitoring["version"] == 2)
        })?;
        Ok(record)
    }

    /// The simulator and the address of its Heat.
    fn start_heat(&self) -> Result<(Running, String)> {
        let mut command = Command::new(&self.simulator);
        command
            .args(["--port", "0", "--progress-ms", "300"])
            .arg("--outputs")
            .arg(self.scenario.join("outputs.json"));
        let (mut running, lines) =
            Running::start("simulator", &mut command, &self.log("simulator"))?;
        let line = lines.wait(&mut running, Duration::from_secs(READY_SECONDS_MAX))?;
        let address = line.strip_prefix("ready ").ok_or_else(|| anyhow!("it said {line:?}"))?;
        Ok((running, address.to_owned()))
    }

    /// The host, once it has told the store that it is there.
    fn start_host(&self, heat: &str) -> Result<Running> {
        let place = heat.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let place = place.ok_or_else(|| anyhow!("{heat} is no address of a simulator"))?;
        let mut command = Command::new(&self.stokehold);
        command
            .arg("run")
            .args(self.store())
            .arg("--handlers")
            .arg(&self.handlers)
            .arg("--cache")
            .arg(&self.cache)
            // A handful of targets: nothing is gained by spreading their first probes over seconds.
            .args(["--probe-spread-ms-max", "0"])
            .args(["--grant-http", &format!("heat_worker={place}")])
            .args(["--config", &format!("heat_worker.heat_url={heat}")])
            .args(["--config", "heat_worker.poll_ms=200"])
            .args(["--grant-http", &format!("contrail_prober={place}")])
            .args(["--config", &format!("contrail_prober.analytics_url=http://{place}")]);
        let (mut running, _) = Running::start("host", &mut command, &self.log("host"))?;
        let end = Instant::now() + Duration::from_secs(READY_SECONDS_MAX);
        loop {
            let mut get = Command::new(&self.stokehold);
            get.args(["get", "/stokehold/hosts/"]).args(self.store());
            if get.output().context("cannot run stokehold get")?.status.success() {
                return Ok(running);
            }
            running.must_run()?;
            ensure!(Instant::now() < end, "the host is not ready after {READY_SECONDS_MAX} s");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn apply(&self, files: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.stokehold);
        command.arg("apply").args(files.iter().map(|file| self.scenario.join(file)));
        let output = command.args(self.store()).output().context("cannot run stokehold apply")?;
        if !output.status.success() {
            bail!("stokehold apply failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    fn store(&self) -> [std::ffi::OsString; 4] {
        let store = self.scratch.join("store");
        let schemas = self.scenario.join("schemas.json");
        ["--store".into(), store.into(), "--schemas".into(), schemas.into()]
    }

    fn log(&self, name: &str) -> PathBuf {
        self.scratch.join(name).with_extension("log")
    }

    /// The ends of the logs, which vanish with the scratch folder.
    fn last_words(&self) -> String {
        let mut words = String::from("the scenario did not get to its end");
        for name in ["simulator", "host", "watch"] {
            let log = std::fs::read_to_string(self.log(name)).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            for line in lines.get(lines.len().saturating_sub(15)..).unwrap_or_default() {
                // Writing to a String cannot fail.
                let _ = write!(words, "\n{name}: {line}");
            }
        }
        words.push('\n');
        words
    }
}

/// Shows and records changes until `done`.
fn follow(
    lines: &Lines,
    all: &mut [Running],
    timeline: &mut Timeline,
    record: &mut Record,
    done: impl Fn(&Record) -> bool,
) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(SCENARIO_SECONDS_MAX);
    while !done(record) {
        ensure!(Instant::now() < end, "nothing more came within {SCENARIO_SECONDS_MAX} s");
        all.iter_mut().try_for_each(Running::must_run)?;
        let Some(line) = lines.next(Duration::from_millis(100))? else { continue };
        let change = serde_json::from_str(&line).context("cannot read what watch prints")?;
        if let Some(told) = timeline.tell(&change) {
            println!("{told}");
        }
        record.keep(change);
    }
    Ok(())
}

/// What a key is about: `port:a778c668`, from a key that ends in a prefix and an id.
fn about(key: &Path) -> String {
    let word = |path: Option<&Path>| {
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    };
    let kind = word(key.parent());
    format!("{}:{}", kind.strip_suffix('s').unwrap_or(&kind), short(&word(Some(key))))
}

/// Ids to their first eight letters, job ids without their last five.
fn short(id: &str) -> String {
    match id.split(':').collect::<Vec<_>>()[..] {
        [action, handler, kind, id, version, _] => {
            format!("{action}:{handler}:{kind}:{}:{version}", short(id))
        }
        _ => id.split('-').next().unwrap_or(id).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_that_takes_too_long_is_marked() {
        let told = |ms| shown_in(Duration::from_millis(ms));
        assert_eq!(told(7_100), "shown in 7.1 s, wanted under 10 s");
        assert_eq!(told(10_000), "shown in 10.0 s, wanted under 10 s: MISSED");
    }

    #[test]
    fn names_are_shortened_to_what_tells_them_apart() {
        assert_eq!(about(Path::new("/state/v2.0/ports/a778c668-6ccb-4d46")), "port:a778c668");
        let job = "create:heat_worker:port:a778c668-6ccb:2:abcde";
        assert_eq!(short(job), "create:heat_worker:port:a778c668:2");
        assert_eq!(short("port_monitoring"), "port_monitoring");
    }
}
