//! The genuine OpenStack Heat, in one process on loopback.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::OnceCell;

use crate::etcd::Certificates;
use crate::{paths, ports};

/// What a Heat is told when it starts.
#[derive(Clone, Debug)]
pub struct HeatOptions {
    /// Stacks that a project may have.
    pub stacks_max: u32,
    /// Where it asks what a token is worth, and the administrator's password there.
    pub keystone: Option<(String, String)>,
    /// Whether it is to be had by TLS as well, with an authority of its own.
    pub tls: bool,
}

impl Default for HeatOptions {
    fn default() -> Self {
        Self { stacks_max: 512, keystone: None, tls: false }
    }
}

/// A running Heat. It ends with us, however we end: its standard input does.
pub struct RealHeat {
    url: String,
    safe_url: String,
    ca: String,
    /// What we started; nothing when it ran already.
    own: Option<Own>,
}

struct Own {
    process: Child,
    scratch: tempfile::TempDir,
    venv: PathBuf,
    options: HeatOptions,
}

impl RealHeat {
    /// `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same by TLS; empty where that was not asked for.
    pub fn safe_url(&self) -> &str {
        &self.safe_url
    }

    /// Who signed its certificate, in PEM; empty where it has none.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// Lets the resources go on whose name contains `held-<word>`.
    ///
    /// # Errors
    /// It is not ours, or its folder is gone.
    pub fn release(&self, word: &str) -> Result<()> {
        let own = self.own.as_ref().context("this Heat was not started by the tests")?;
        std::fs::write(own.scratch.path().join(format!("released-{word}")), "")?;
        Ok(())
    }

    /// Ends it as a lost machine does.
    ///
    /// # Errors
    /// It is not ours.
    pub fn kill(&mut self) -> Result<()> {
        let own = self.own.as_mut().context("this Heat was not started by the tests")?;
        own.process.kill()?;
        own.process.wait()?;
        Ok(())
    }

    /// Starts it again where it was, with what it kept.
    ///
    /// # Errors
    /// It is not ours, or does not start.
    pub async fn restart(&mut self) -> Result<()> {
        let own = self.own.take().context("this Heat was not started by the tests")?;
        let port = self.url.rsplit(':').next().and_then(|rest| rest.split('/').next());
        let port = port.and_then(|port| port.parse().ok()).context("Heat has no port")?;
        let launched =
            tokio::task::spawn_blocking(move || launch(port, own.scratch, own.venv, own.options));
        *self = launched.await??;
        Ok(())
    }
}

impl Drop for RealHeat {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            let _ = own.process.kill();
            let _ = own.process.wait();
        }
    }
}

/// A Heat that runs already (`STOKEHOLD_HEAT_URL`), or the one that all tests of this process share, started from a
/// virtual environment (`STOKEHOLD_HEAT_VENV`). `None`, with a line that says so, where there is neither.
///
/// # Errors
/// When it does not start; with `CI=true` also when there is none.
pub async fn any() -> Result<Option<&'static RealHeat>> {
    static RUNNING: OnceCell<Option<RealHeat>> = OnceCell::const_new();
    if let Ok(url) = std::env::var("STOKEHOLD_HEAT_URL") {
        let running = async || {
            Ok(Some(RealHeat { url, safe_url: String::new(), ca: String::new(), own: None }))
        };
        return RUNNING.get_or_try_init(running).await.map(Option::as_ref);
    }
    shared().await
}

/// The Heat of the tests that also need to hold its resources.
///
/// # Errors
/// When it does not start; with `CI=true` also when there is none.
pub async fn shared() -> Result<Option<&'static RealHeat>> {
    static SHARED: OnceCell<Option<RealHeat>> = OnceCell::const_new();
    SHARED.get_or_try_init(|| start(HeatOptions::default())).await.map(Option::as_ref)
}

/// A Heat of one's own, started from the virtual environment that `STOKEHOLD_HEAT_VENV` names; `cargo xtask heat` makes
/// one. `None`, with a line that says so, where there is none.
///
/// # Errors
/// When it does not start; with `CI=true` also when there is none.
pub async fn start(options: HeatOptions) -> Result<Option<RealHeat>> {
    let Some(venv) = venv("STOKEHOLD_HEAT_VENV", "real Heat")? else { return Ok(None) };
    let scratch = tempfile::tempdir().context("cannot make a folder for Heat")?;
    let [port] = ports::free()?;
    let launching = move || launch(port, scratch, venv, options);
    tokio::task::spawn_blocking(launching).await?.map(Some)
}

/// The Python environment that a variable names; `None`, with a line that says so, where it names none.
///
/// # Errors
/// With `CI=true`, when it names none.
pub fn venv(variable: &str, what: &str) -> Result<Option<PathBuf>> {
    if let Some(venv) = std::env::var_os(variable) {
        return Ok(Some(PathBuf::from(venv)));
    }
    let is_wanted = std::env::var("CI").as_deref() == Ok("true");
    ensure!(!is_wanted, "no {what}: {variable} is not set, and CI=true forbids to go on without");
    println!("not run: no {what}");
    Ok(None)
}

fn launch(
    port: u16,
    scratch: tempfile::TempDir,
    venv: PathBuf,
    options: HeatOptions,
) -> Result<RealHeat> {
    let mut command = Command::new(venv.join("bin/python"));
    command.arg(paths::root().join("tests/heat/serve.py"));
    command.arg("--dir").arg(scratch.path());
    command.args(["--port", &port.to_string()]);
    command.args(["--stacks-max", &options.stacks_max.to_string()]);
    if let Some((url, password)) = &options.keystone {
        command.args(["--keystone-url", url]);
        command
            .env("STOKEHOLD_KEYSTONE_USER", "admin")
            .env("STOKEHOLD_KEYSTONE_PASSWORD", password);
    }
    let mut ca = String::new();
    if options.tls {
        let tls = scratch.path().join("tls");
        ca = std::fs::read_to_string(Certificates::make(&tls)?.ca)?;
        command.arg("--cert").arg(tls.join("server.pem"));
        command.arg("--key").arg(tls.join("server.key"));
    }
    let (url, process, before) = ready(&mut command, "Heat", scratch.path())?;
    let safe_url = before.iter().find_map(|line| line.strip_prefix("safe ")).unwrap_or_default();
    let safe_url = safe_url.to_owned();
    Ok(RealHeat { url, safe_url, ca, own: Some(Own { process, scratch, venv, options }) })
}

/// Starts a program that says `ready <url>` when it is, and ends when its standard input does. Also what it said
/// before.
///
/// # Errors
/// It ends before, with the end of what it said.
pub fn ready(
    command: &mut Command,
    what: &str,
    scratch: &Path,
) -> Result<(String, Child, Vec<String>)> {
    let words = scratch.join("stderr");
    let stderr = std::fs::File::create(&words)?;
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .with_context(|| format!("cannot start {what}"))?;
    let stdout = process.stdout.take().with_context(|| format!("{what} has no output"))?;
    let mut before = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if let Some(url) = line.strip_prefix("ready ") {
            return Ok((url.trim_end_matches('/').to_owned(), process, before));
        }
        before.push(line);
    }
    let _ = process.kill();
    let ended = process.wait()?;
    let words = std::fs::read_to_string(words).unwrap_or_default();
    let last: Vec<&str> = words.lines().rev().take(5).collect();
    bail!("{what} ended before it was ready: {ended}; its last words, backwards: {last:?}")
}
