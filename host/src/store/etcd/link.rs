//! Connections to the members, and which of them is asked.
//!
//! There is one connection for each member, made when it is first needed, and one member is asked
//! for as long as it answers. Without that, a member that hangs would get its share of requests
//! again and again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use tokio::time::timeout;

use super::pace::{Pauses, share};
use super::place::EtcdOptions;
use super::trouble::{Trouble, has_no_users};
use crate::store::StoreError;

/// A connection attempt is given up after so long.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Silence after which the other side is asked for a sign of life, while it owes an answer. An
/// etcd ends connections on which that happens more often than every five seconds.
const PING_AFTER: Duration = Duration::from_secs(6);
/// The sign of life must come within so long.
const PING_WITHIN: Duration = Duration::from_secs(3);
/// Pauses between the tries of one request.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How often a request is sent again with a new token.
const TOKENS_MAX: u32 = 2;

/// Whether a request may be sent again although nobody knows what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Yes: the second time does no harm.
    Freely,
    /// Only if it certainly was not done.
    IfNotDone,
}

/// The members and how they are reached.
pub(super) struct Link {
    members: Vec<Member>,
    /// Which one is asked.
    current: AtomicUsize,
    connect: ConnectOptions,
    user: Option<(String, super::place::Password)>,
    /// How long a request waits for its answer, all tries together.
    pub(super) request_timeout: Duration,
}

struct Member {
    url: String,
    client: Mutex<Option<Arc<Client>>>,
    /// Held while a connection is made, so that many callers make one.
    connecting: tokio::sync::Mutex<()>,
}

impl Link {
    /// Reads the certificates; connects to nobody yet.
    pub(super) fn new(options: &EtcdOptions) -> Result<Self, StoreError> {
        let scheme = if options.address.tls { "https" } else { "http" };
        let member = |member: &String| Member {
            url: format!("{scheme}://{member}"),
            client: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
        };
        // Pings without an open request would count as a nuisance, see `PING_AFTER`.
        let mut connect = ConnectOptions::new()
            .with_keep_alive(PING_AFTER, PING_WITHIN)
            .with_keep_alive_while_idle(false)
            .with_connect_timeout(CONNECT_MAX.min(options.request_timeout))
            .with_require_leader(true);
        if let Some(tls) = tls(options).map_err(|reason| unusable(options, reason))? {
            connect = connect.with_tls(tls);
        }
        Ok(Self {
            members: options.address.members.iter().map(member).collect(),
            current: AtomicUsize::new(0),
            connect,
            user: options.user.clone(),
            request_timeout: options.request_timeout,
        })
    }

    /// The address of each member.
    pub(super) fn urls(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.url.as_str())
    }

    /// The member that is asked at present.
    pub(super) fn first(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    /// How many members there are.
    pub(super) fn size(&self) -> usize {
        self.members.len()
    }

    /// A connection of its own to a member, for what stays open. Nothing is awaited but the token.
    pub(super) async fn connect(&self, at: usize) -> Result<Client, Trouble> {
        let Some(member) = self.members.get(at % self.members.len().max(1)) else {
            return Err(Trouble::Barred("there is no member to connect to".to_owned()));
        };
        let anonymous = self.connect.clone();
        let Some((user, password)) = &self.user else {
            return Ok(Client::connect([&member.url], Some(anonymous)).await?);
        };
        let named = self.connect.clone().with_user(user, password.reveal());
        match Client::connect([&member.url], Some(named)).await {
            Err(error) if has_no_users(&error) => {
                Ok(Client::connect([&member.url], Some(anonymous)).await?)
            }
            connected => Ok(connected?),
        }
    }

    /// Asks, waits, and asks another member if that does no harm, all within `within`.
    pub(super) async fn ask<T, F>(
        &self,
        repeat: Repeat,
        within: Duration,
        mut request: impl FnMut(Arc<Client>) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let begun = Instant::now();
        let mut pauses = Pauses::new(PAUSE_MIN, PAUSE_MAX);
        let (mut tokens, mut barred) = (0, 0);
        let mut last = Trouble::NotDone("there was no time to ask".to_owned());
        loop {
            let remaining = within.saturating_sub(begun.elapsed());
            if remaining.is_zero() {
                return Err(last);
            }
            let patience = match repeat {
                Repeat::Freely => share(remaining, within, self.size()),
                Repeat::IfNotDone => remaining,
            };
            let at = self.first();
            let trouble = match self.attempt(at, patience, &mut request).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            match &trouble {
                Trouble::Token(_) if tokens < TOKENS_MAX => {
                    tokens += 1;
                    continue;
                }
                Trouble::NotDone(_) => self.turn_from(at),
                Trouble::Unknown(_) => {
                    self.turn_from(at);
                    if repeat == Repeat::IfNotDone {
                        return Err(trouble);
                    }
                }
                // Another member may have another certificate, or be open to this user.
                Trouble::Barred(_) => {
                    self.turn_from(at);
                    barred += 1;
                    if barred >= self.size() {
                        return Err(trouble);
                    }
                }
                _ => return Err(trouble),
            }
            last = trouble;
            let remaining = within.saturating_sub(begun.elapsed());
            tokio::time::sleep(pauses.take().min(remaining)).await;
        }
    }

    async fn attempt<T, F>(
        &self,
        at: usize,
        patience: Duration,
        request: &mut impl FnMut(Arc<Client>) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let begun = Instant::now();
        let late = |what: &str| format!("{what} within {} ms", patience.as_millis());
        let client = match timeout(patience, self.client(at)).await {
            Ok(client) => client?,
            Err(_) => return Err(Trouble::NotDone(late("etcd did not let us in"))),
        };
        let rest = patience.saturating_sub(begun.elapsed());
        let answered = timeout(rest, request(Arc::clone(&client))).await;
        let trouble = match answered {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Trouble::from(error),
            Err(_) => Trouble::Unknown(late("etcd did not answer")),
        };
        // Whatever the connection is worth: the next one is new. A token is of its connection.
        if is_of_the_connection(&trouble) {
            self.discard(at, &client);
        }
        Err(trouble)
    }

    /// The member's connection; made if there is none.
    async fn client(&self, at: usize) -> Result<Arc<Client>, Trouble> {
        let Some(member) = self.members.get(at) else {
            return Err(Trouble::Barred("there is no member to ask".to_owned()));
        };
        let known = || member.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known().clone() {
            return Ok(client);
        }
        let _turn = member.connecting.lock().await;
        if let Some(client) = known().clone() {
            return Ok(client);
        }
        let client = Arc::new(Box::pin(self.connect(at)).await?);
        *known() = Some(Arc::clone(&client));
        Ok(client)
    }

    fn discard(&self, at: usize, client: &Arc<Client>) {
        if let Some(member) = self.members.get(at) {
            let mut known = member.client.lock().unwrap_or_else(PoisonError::into_inner);
            known.take_if(|known| Arc::ptr_eq(known, client));
        }
    }

    /// Asks the next member from now on, unless somebody has turned to it already.
    fn turn_from(&self, at: usize) {
        let next = (at + 1) % self.size().max(1);
        let _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Whether the connection is to blame, or its token.
fn is_of_the_connection(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Unknown(_) | Trouble::Token(_))
}

/// The error of a place that cannot be opened as it is.
pub(super) fn unusable(options: &EtcdOptions, reason: String) -> StoreError {
    StoreError::Unusable { place: options.address.to_string(), reason }
}

fn tls(options: &EtcdOptions) -> Result<Option<TlsOptions>, String> {
    let files = [&options.ca_file, &options.cert_file, &options.key_file];
    if !options.address.tls {
        if files.iter().any(|file| file.is_some()) {
            return Err("certificates are of use with etcds:// only".to_owned());
        }
        return Ok(None);
    }
    let Some(ca) = &options.ca_file else {
        return Err("etcds:// needs ca_file: who signed the certificates of etcd".to_owned());
    };
    let mut tls = TlsOptions::new().ca_certificate(Certificate::from_pem(pem(ca, "CERTIFICATE")?));
    match (&options.cert_file, &options.key_file) {
        (Some(cert), Some(key)) => {
            let identity = Identity::from_pem(pem(cert, "CERTIFICATE")?, pem(key, "PRIVATE KEY")?);
            tls = tls.identity(identity);
        }
        (None, None) => {}
        _ => return Err("cert_file and key_file belong together".to_owned()),
    }
    Ok(Some(tls))
}

/// A file's text, if it has what it should have in it.
fn pem(file: &PathBuf, kind: &str) -> Result<String, String> {
    let name = Path::display(file);
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"));
    let text = text?;
    let begin = text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(kind));
    if begin { Ok(text) } else { Err(format!("{name} has no {kind} in PEM form")) }
}
