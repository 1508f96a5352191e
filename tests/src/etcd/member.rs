//! One member: a process that can be killed, halted and started again.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::Certificates;
use crate::ports;

/// etcd says so once clients may come, in all versions.
const READY: &str = "serving client traffic";
const READY_WITHIN: Duration = Duration::from_mins(2);

/// A member of an etcd.
pub struct Member {
    name: String,
    program: PathBuf,
    dir: PathBuf,
    client_port: u16,
    peer_port: u16,
    tls: bool,
    args: Vec<String>,
    process: Mutex<Option<Process>>,
}

struct Process {
    child: Child,
    /// Where its part of the log begins.
    log_begin: usize,
}

impl Member {
    pub(super) fn new(program: &Path, dir: &Path, nth: usize) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let [client_port, peer_port] = ports::free()?;
        Ok(Self {
            name: format!("m{nth}"),
            program: program.to_path_buf(),
            dir: dir.to_path_buf(),
            client_port,
            peer_port,
            tls: false,
            args: Vec::new(),
            process: Mutex::new(None),
        })
    }

    /// `name=url`, as members are told of each other.
    pub(super) fn as_peer(&self) -> String {
        format!("{}=http://127.0.0.1:{}", self.name, self.peer_port)
    }

    pub(super) fn prepare(
        &mut self,
        peers: &str,
        certificates: Option<&Certificates>,
        more: &[&str],
    ) {
        self.tls = certificates.is_some();
        let scheme = if self.tls { "https" } else { "http" };
        let clients = format!("{scheme}://127.0.0.1:{}", self.client_port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let data = self.dir.join("data").display().to_string();
        let mut args = vec![
            format!("--name={}", self.name),
            format!("--data-dir={data}"),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster={peers}"),
            "--logger=zap".to_owned(),
        ];
        if let Some(Certificates { ca, .. }) = certificates {
            let file = |name: &str| ca.with_file_name(name).display().to_string();
            args.push("--client-cert-auth=true".to_owned());
            args.push(format!("--trusted-ca-file={}", ca.display()));
            args.push(format!("--cert-file={}", file("server.pem")));
            args.push(format!("--key-file={}", file("server.key")));
        }
        if !peers.contains(',') {
            // Alone, there is nobody to wait for: it leads at once.
            args.extend([
                "--heartbeat-interval=10".to_owned(),
                "--election-timeout=100".to_owned(),
            ]);
        }
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        self.args = args;
    }

    /// `127.0.0.1:PORT` for clients.
    pub fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.client_port)
    }

    /// Starts it, again if it was killed, and waits until it serves.
    ///
    /// # Errors
    /// It ends or takes too long; with what it logged.
    pub fn start(&self) -> Result<()> {
        self.launch()?;
        self.wait_until_ready()
    }

    pub(super) fn runs(&self) -> bool {
        self.process().is_some()
    }

    pub(super) fn launch(&self) -> Result<()> {
        let mut process = self.process();
        if process.is_some() {
            bail!("{} runs already", self.name);
        }
        let log_begin = self.log().len();
        let log = OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let child = Command::new(&self.program)
            .args(&self.args)
            // What the environment says about another etcd is not for this one.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(File::try_clone(&log)?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        *process = Some(Process { child, log_begin });
        Ok(())
    }

    pub(super) fn wait_until_ready(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let log = self.log();
            let mut process = self.process();
            let Some(Process { child, log_begin }) = process.as_mut() else {
                bail!("{} was not started", self.name);
            };
            let own = log.get(*log_begin..).unwrap_or_default();
            if own.contains(READY) {
                return Ok(());
            }
            if let Some(ended) = child.try_wait()? {
                *process = None;
                bail!("{} ended before it was ready ({ended}): {own}", self.name);
            }
            if begun.elapsed() > READY_WITHIN {
                bail!("{} is not ready after {READY_WITHIN:?}: {own}", self.name);
            }
            drop(process);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it without warning (`kill -9`) and waits for its end. What has ended stays ended.
    pub fn kill(&self) {
        if let Some(mut process) = self.process().take() {
            // It may have ended by itself.
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }

    /// Forgets all that it has kept, while it does not run.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn forget(&self) -> Result<()> {
        Ok(std::fs::remove_dir_all(self.dir.join("data"))?)
    }

    /// Halts it (`SIGSTOP`): its connections stay, and nobody answers.
    ///
    /// # Errors
    /// It does not run.
    pub fn halt(&self) -> Result<()> {
        let pid = self.signal(Signal::STOP)?;
        // Some of its threads go on for a moment.
        waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED)?;
        Ok(())
    }

    /// Lets it go on (`SIGCONT`).
    ///
    /// # Errors
    /// It does not run.
    pub fn go_on(&self) -> Result<()> {
        self.signal(Signal::CONT).map(drop)
    }

    fn signal(&self, signal: Signal) -> Result<Pid> {
        let process = self.process();
        let process = process.as_ref().with_context(|| format!("{} does not run", self.name))?;
        let pid = i32::try_from(process.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("the process has no number")?;
        kill_process(pid, signal)?;
        Ok(pid)
    }

    /// All it logged.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join("log")
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}
