//! One contract, two servers.

use heat_simulator::{Options, Pace, Simulator, contract};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[tokio::test]
async fn the_simulator_keeps_the_contract() {
    // Long enough that a second request comes while the first is worked on.
    let lasting = Pace { of: vec![("port_".into(), Duration::from_secs(2))], ..Pace::default() };
    let heat = Simulator::start(Options { pace: lasting, ..Options::default() }).unwrap();
    let report = contract::run(&heat.url()).await.unwrap();
    assert!(report.checks.len() > 150, "only {} checks ran", report.checks.len());
    assert!(report.broken().is_empty(), "{report}");
}

#[tokio::test]
async fn the_real_heat_keeps_the_contract() {
    let running = std::env::var("STOKEHOLD_HEAT_URL").ok();
    let venv = std::env::var("STOKEHOLD_HEAT_VENV").ok();
    let (url, _heat) = match (running, venv) {
        (Some(url), _) => (url, None),
        (None, Some(venv)) => {
            let (url, heat) = RealHeat::start(Path::new(&venv));
            (url, Some(heat))
        }
        (None, None) => {
            let wanted = std::env::var("CI").as_deref() == Ok("true");
            assert!(!wanted, "no real Heat, and CI=true forbids to go on without");
            println!("not run: no real Heat (STOKEHOLD_HEAT_URL or STOKEHOLD_HEAT_VENV)");
            return;
        }
    };
    let report = contract::run(&url).await.unwrap();
    assert!(report.broken().is_empty(), "{report}");
}

/// A real Heat in a process of its own.
struct RealHeat {
    process: Child,
    _directory: tempfile::TempDir,
}

impl RealHeat {
    fn start(venv: &Path) -> (String, Self) {
        let serve = Path::new(env!("CARGO_MANIFEST_DIR")).join("../heat/serve.py");
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new(venv.join("bin/python"))
            .arg(serve)
            .arg("--dir")
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        let heat = Self { process, _directory: directory };
        (ready.expect("the real Heat ended before it was ready"), heat)
    }
}

impl Drop for RealHeat {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
