//! Three hosts as processes, each with a way to etcd of its own.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use stokehold_tests::world::World;

use super::gate::Gate;
use super::history::{View, under};

const END_MAX: Duration = Duration::from_mins(1);
/// Shorter than what befalls a host, so that a host that is being started finds nobody to ask, too.
const ETCD_TIMEOUT_MS: &str = "1000";
/// Lines of a log that tell why a host ended.
const WORDS_LINES: usize = 30;

/// A host that may run, be halted, be cut off, or lie dead. It ends with the test.
pub(super) struct Host {
    pub(super) gate: Gate,
    /// How it would be started without its gate.
    direct: Command,
    process: Option<Child>,
    log: PathBuf,
}

impl Host {
    /// One that does not run yet; it logs into the folder.
    pub(super) async fn new(world: &World, logs: &Path, nth: usize) -> Result<Self> {
        let etcd = world.etcd().context("the world is not on etcd")?;
        let gate = Gate::open(&etcd.endpoints()).await?;
        let mut direct = world.host_command()?;
        direct.args(["--etcd-timeout-ms", ETCD_TIMEOUT_MS]);
        Ok(Self { gate, direct, process: None, log: logs.join(format!("host-{nth}.log")) })
    }

    /// Starts it, unless it runs.
    pub(super) fn start(&mut self) -> Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = through(&self.direct, &self.gate.address);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().context("cannot start a host")?);
        Ok(())
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself; its log tells why.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The end of what it has logged.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_else(|error| error.to_string());
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(WORDS_LINES)..].join("\n")
    }

    /// A host never ends by itself; if it did, its log tells why.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.process {
            Some(process) => Ok(process.try_wait()?),
            None => Ok(None),
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        kill_process(pid.context("the host does not run")?, signal)?;
        Ok(())
    }

    /// Sends SIGTERM and waits for the end.
    pub(super) async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let ending = async {
            loop {
                if let Some(status) = self.ended()? {
                    return Ok(status);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let ended = tokio::time::timeout(END_MAX, ending).await;
        match ended {
            Ok(status) => {
                self.process = None;
                status
            }
            Err(_) => bail!("a host did not end within {} s", END_MAX.as_secs()),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The same command with another address of the store.
fn through(direct: &Command, address: &str) -> Command {
    let mut command = Command::new(direct.get_program());
    let mut is_store = false;
    for arg in direct.get_args() {
        if std::mem::replace(&mut is_store, arg == "--store") {
            command.arg(address);
        } else {
            command.arg(arg);
        }
    }
    if let Some(folder) = direct.get_current_dir() {
        command.current_dir(folder);
    }
    for (name, value) in direct.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
}

/// The host with this id in the store: which of the processes it is.
pub(super) fn place(hosts: &[Host], view: &View, id: &str) -> Option<usize> {
    let presence = view.get(&format!("/stokehold/hosts/{id}"))?;
    let pid = presence.value["pid"].as_u64()?;
    hosts.iter().position(|host| host.pid().map(u64::from) == Some(pid))
}

/// Who leads.
pub(super) fn leader(view: &View) -> Option<String> {
    view.get("/stokehold/leader")?.value.as_str().map(str::to_owned)
}

/// Job and host of every claim.
pub(super) fn claims(view: &View) -> Vec<(String, String)> {
    let claims = under(view, "/jobs/working/");
    claims
        .filter_map(|(job, kept)| Some((job.to_owned(), kept.value.as_str()?.to_owned())))
        .collect()
}

/// The host of this process, if it says that it is there.
pub(super) fn present(view: &View, pid: u32) -> Option<String> {
    let mut hosts = under(view, "/stokehold/hosts/");
    hosts.find(|(_, kept)| kept.value["pid"] == pid).map(|(id, _)| id.to_owned())
}
