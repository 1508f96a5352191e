//! A real etcd, of one or more members, for the tests that want one.

mod certificates;
mod member;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use stokehold::store::Store;
use stokehold::store::etcd::{Etcd, EtcdOptions};
use tempfile::TempDir;

pub use self::certificates::Certificates;
pub use self::member::Member;

/// Names the program `etcd`; without it, the one on the PATH is taken.
pub const VARIABLE: &str = "STOKEHOLD_ETCD";
/// How often a start is tried: somebody else may take a port just before etcd does.
const STARTS_MAX: u32 = 5;
/// Between two looks at what the members hold.
const PAUSE: Duration = Duration::from_millis(200);
const ELECTED_WITHIN: Duration = Duration::from_mins(1);

/// What to start.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// How many members.
    pub members: usize,
    /// Whether clients speak TLS and show a certificate.
    pub tls: bool,
    /// More arguments of each.
    pub args: &'a [&'a str],
}

/// A running etcd. What it was started with ends when this is dropped.
pub struct Cluster {
    members: Vec<Member>,
    certificates: Option<Certificates>,
    /// Removed last.
    _dir: TempDir,
}

/// The program, or `None` where there is none; a line says that something was not run.
///
/// # Errors
/// With `CI=true` when there is none.
pub fn program() -> Result<Option<PathBuf>> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let program = named.clone().unwrap_or_else(|| "etcd".into());
    let there = Command::new(&program).arg("--version").output();
    if there.is_ok_and(|said| said.status.success()) {
        return Ok(Some(program));
    }
    if let Some(named) = named {
        bail!("{VARIABLE} names {}, which cannot be started", named.display());
    }
    if std::env::var("CI").as_deref() == Ok("true") {
        bail!("no etcd: {VARIABLE} is not set, and CI=true forbids to go on without");
    }
    println!("not run: no etcd; `cargo xtask etcd` gets one");
    Ok(None)
}

/// What a member holds.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    revision: i64,
    compacted: i64,
    /// Over all keys, values and their history.
    hash: u32,
}

impl Cluster {
    /// Starts so many members and waits until they serve. `None`, with a line that says so, where
    /// there is no etcd.
    ///
    /// # Errors
    /// It does not start; with `CI=true` also when there is none.
    pub fn start(members: usize) -> Result<Option<Self>> {
        Self::with(Setup { members, tls: false, args: &[] })
    }

    /// The same, with more to say about it.
    ///
    /// # Errors
    /// As with `start`.
    pub fn with(setup: Setup<'_>) -> Result<Option<Self>> {
        let Some(program) = program()? else { return Ok(None) };
        let mut tried = 1;
        loop {
            match Self::launch(&program, setup) {
                Ok(cluster) => return Ok(Some(cluster)),
                Err(error) if tried == STARTS_MAX => return Err(error),
                Err(_) => tried += 1,
            }
        }
    }

    fn launch(program: &Path, setup: Setup<'_>) -> Result<Self> {
        let dir = tempfile::tempdir().context("cannot make a folder for etcd")?;
        let certificates =
            if setup.tls { Some(Certificates::make(&dir.path().join("tls"))?) } else { None };
        let mut members = Vec::new();
        for nth in 0..setup.members {
            members.push(Member::new(program, &dir.path().join(nth.to_string()), nth)?);
        }
        let peers: Vec<String> = members.iter().map(Member::as_peer).collect();
        for member in &mut members {
            member.prepare(&peers.join(","), certificates.as_ref(), setup.args);
            member.launch()?;
        }
        for member in &members {
            member.wait_until_ready()?;
        }
        Ok(Self { members, certificates, _dir: dir })
    }

    /// One of them.
    #[allow(clippy::indexing_slicing)]
    pub fn member(&self, nth: usize) -> &Member {
        &self.members[nth]
    }

    /// Starts all members that do not run, and waits until they serve: none does before most are
    /// there.
    ///
    /// # Errors
    /// One ends or takes too long.
    pub fn start_all(&self) -> Result<()> {
        let ended: Vec<_> = self.members.iter().filter(|member| !member.runs()).collect();
        ended.iter().try_for_each(|member| member.launch())?;
        ended.iter().try_for_each(|member| member.wait_until_ready())
    }

    /// `127.0.0.1:PORT` of each.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(Member::endpoint).collect()
    }

    /// All of them as one address: `etcd://127.0.0.1:PORT,…`, or `etcds://…` with TLS.
    pub fn address(&self) -> String {
        let scheme = if self.certificates.is_some() { "etcds" } else { "etcd" };
        format!("{scheme}://{}", self.endpoints().join(","))
    }

    /// What a client needs to speak TLS with it.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// The store on it, over connections of its own.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn store(&self) -> Result<Arc<dyn Store>> {
        let options = EtcdOptions::new(self.address().parse()?);
        Ok(Arc::new(Etcd::open(options).await?))
    }

    /// A bare client of all members, for what the store does not do.
    ///
    /// # Errors
    /// It cannot connect.
    pub async fn client(&self) -> Result<Client> {
        self.client_of(&self.endpoints()).await
    }

    /// Which member leads; an election is waited for.
    ///
    /// # Errors
    /// None does.
    pub async fn leader(&self) -> Result<usize> {
        let begun = Instant::now();
        while begun.elapsed() < ELECTED_WITHIN {
            for (nth, member) in self.members.iter().enumerate() {
                let mut client = self.client_of(&[member.endpoint()]).await?;
                let Ok(status) = client.status().await else { continue };
                if status.header().is_some_and(|header| header.member_id() == status.leader()) {
                    return Ok(nth);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("nobody leads")
    }

    /// The version of whichever member answers.
    ///
    /// # Errors
    /// None does.
    pub async fn version(&self) -> Result<String> {
        Ok(self.client().await?.status().await?.version().to_owned())
    }

    /// Why the members cannot be believed: while nobody writes, all must come to hold the same.
    ///
    /// # Errors
    /// One cannot be asked.
    pub async fn disagreement(&self, within: Duration) -> Result<Option<String>> {
        let begun = Instant::now();
        loop {
            let mut held = Vec::new();
            for member in &self.members {
                held.push(self.holdings(member).await?);
            }
            if held.iter().all(|one| Some(one) == held.first()) {
                return Ok(None);
            }
            if begun.elapsed() > within {
                return Ok(Some(format!("its members hold {held:?}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn holdings(&self, member: &Member) -> Result<Holdings> {
        let mut client = self.client_of(&[member.endpoint()]).await?;
        // Read by agreement of all, so that it has come as far as they.
        let read = client.get("/", None).await?;
        let revision = read.header().context("an answer without a header")?.revision();
        let hash = client.hash_kv(revision).await?;
        let (hash, compacted) = (hash.hash(), hash.compact_version());
        Ok(Holdings { revision, compacted, hash })
    }

    /// The same as a user.
    ///
    /// # Errors
    /// It cannot connect, or the user is refused.
    pub async fn client_as(&self, user: &str, password: &str) -> Result<Client> {
        let options = ConnectOptions::new().with_user(user, password);
        self.client_with(&self.endpoints(), options).await
    }

    async fn client_of(&self, endpoints: &[String]) -> Result<Client> {
        self.client_with(endpoints, ConnectOptions::new()).await
    }

    async fn client_with(
        &self,
        endpoints: &[String],
        mut options: ConnectOptions,
    ) -> Result<Client> {
        if let Some(Certificates { ca, cert, key }) = &self.certificates {
            let pem = |path: &Path| std::fs::read_to_string(path);
            let identity = Identity::from_pem(pem(cert)?, pem(key)?);
            let trusted = Certificate::from_pem(pem(ca)?);
            options =
                options.with_tls(TlsOptions::new().ca_certificate(trusted).identity(identity));
        }
        Ok(Client::connect(endpoints, Some(options)).await?)
    }
}
