//! The genuine OpenStack Heat, in one process on loopback.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// A running Heat.
pub struct RealHeat {
    url: String,
    /// What we started; nothing when it ran already.
    process: Option<(Child, tempfile::TempDir)>,
}

impl RealHeat {
    /// `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for RealHeat {
    fn drop(&mut self) {
        if let Some((process, _)) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A Heat that runs already (`STOKEHOLD_HEAT_URL`), or one started from a virtual environment with the package
/// `openstack-heat` (`STOKEHOLD_HEAT_VENV`; `cargo xtask heat` makes one). `None`, with a line that says so,
/// where there is neither.
///
/// # Errors
/// When it does not start; with `CI=true` also when there is none.
pub async fn start() -> Result<Option<RealHeat>> {
    if let Ok(url) = std::env::var("STOKEHOLD_HEAT_URL") {
        return Ok(Some(RealHeat { url, process: None }));
    }
    let Some(folder) = crate::paths::shared("heat", "real Heat") else { return Ok(None) };
    let Ok(venv) = std::env::var("STOKEHOLD_HEAT_VENV") else {
        if std::env::var("CI").as_deref() == Ok("true") {
            bail!(
                "no real Heat: STOKEHOLD_HEAT_VENV is not set, and CI=true forbids to go on without"
            );
        }
        println!("not run: no real Heat");
        return Ok(None);
    };
    let launch = move || launch(&folder.join("serve.py"), Path::new(&venv));
    tokio::task::spawn_blocking(launch).await?.map(Some)
}

fn launch(script: &Path, venv: &Path) -> Result<RealHeat> {
    let scratch = tempfile::tempdir().context("cannot make a folder for Heat")?;
    // The port is free now; that somebody else takes it meanwhile shows as a Heat that does not start.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut process = Command::new(venv.join("bin/python"))
        .arg(script)
        .args(["--port", &port.to_string(), "--dir"])
        .arg(scratch.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start Heat from {}", venv.display()))?;
    let stdout = process.stdout.take().context("Heat has no output")?;
    let heat = |url: String, process| RealHeat { url, process: Some((process, scratch)) };
    for line in BufReader::new(stdout).lines() {
        if let Some(url) = line?.strip_prefix("ready ") {
            return Ok(heat(url.trim_end_matches('/').to_owned(), process));
        }
    }
    let _ = process.kill();
    let ended = process.wait()?;
    bail!("Heat ended before it was ready: {ended}")
}
