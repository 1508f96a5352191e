//! Tokens of OpenStack's Keystone (v3): the host gets, keeps and renews them, and puts them into a plugin's requests.
//!
//! A plugin asks `http://<service>.openstack/<project>/…`; such a name is no host's. The request goes to the endpoint
//! of that service which Keystone's catalogue names, with a token. The plugin never sees the token; the address it may
//! learn from what the service answers, a `location` say.

mod exchange;
mod kept;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri, response};
use http_body_util::{BodyExt, Full, Limited};
use percent_encoding::percent_decode_str;

use self::exchange::Token;
use self::kept::Kept;
use super::inject::{Injection, Next, Note, Outgoing, Refused, Withheld};
use crate::domain;
pub use crate::domain::Scope;
use crate::http_client::{HttpClient, Limits, Reach};

/// What the names of services end with.
pub(crate) const PSEUDO: &str = ".openstack";
const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");
/// Bytes of an answer of Keystone; the catalogue is part of it.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// How long Keystone is not asked again after it refused: a wrong password must not lock an account.
const PAUSE_MS: u64 = 10_000;

/// A text that is not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A login with its secret.
pub type Keystone = domain::Keystone<Hidden>;
/// Who asks, with their secret.
pub type Identity = domain::Identity<Hidden>;

impl Keystone {
    /// Whether a plugin may ask this host and port: the name of a service.
    pub(crate) fn serves(&self, host: &str, port: u16) -> bool {
        let service = host.strip_suffix(PSEUDO);
        port == 80 && service.is_some_and(|service| self.services.contains(service))
    }

    /// The text without what is secret.
    fn hide(&self, text: &str) -> String {
        let secret = self.secret().reveal();
        if secret.is_empty() { text.to_owned() } else { text.replace(secret, "(secret)") }
    }
}

/// The tokens of one plugin.
pub(super) struct Tokens {
    granted: Keystone,
    client: HttpClient,
    /// By project; the lock of each is held while Keystone is asked, so that it is asked once.
    kept: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Kept>>>>,
}

/// A guest's request, taken apart.
struct Asked<'a> {
    service: &'a str,
    project: String,
    /// Path and query behind the project.
    rest: &'a str,
}

impl Tokens {
    /// # Errors
    /// There is no TLS.
    pub(super) fn new(granted: Keystone, client: Option<HttpClient>) -> Result<Self, String> {
        let client = client.map_or_else(HttpClient::new, Ok);
        let client = client.map_err(|why| format!("cannot reach Keystone: {why:#}"))?;
        Ok(Self { granted, client, kept: Mutex::default() })
    }

    fn asked<'a>(&self, outgoing: &'a Outgoing) -> Option<Asked<'a>> {
        let uri = &outgoing.parts.uri;
        let (_, host, port) = outgoing.target()?;
        if !self.granted.serves(host, port) {
            return None;
        }
        let path = uri.path_and_query().map_or("", |path| path.as_str()).strip_prefix('/')?;
        let end = path.find(['/', '?']).unwrap_or(path.len());
        let (project, rest) = path.split_at_checked(end)?;
        let project = percent_decode_str(project).decode_utf8().ok()?.into_owned();
        Some(Asked { service: host.strip_suffix(PSEUDO)?, project, rest })
    }

    /// The place of a project's token.
    fn place(&self, project: &str, now_ms: u64) -> Arc<tokio::sync::Mutex<Kept>> {
        // One token serves all where the project is not the request's.
        let key = if self.granted.scope == Scope::Tenant { project } else { "" };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(key) && kept.len() as u64 >= self.granted.tokens_max.max(1) {
            // One that is being fetched is in use.
            let asked = |(key, kept): (&String, &Arc<tokio::sync::Mutex<Kept>>)| {
                kept.try_lock().ok().map(|kept| (kept.asked_ms, key.clone()))
            };
            if let Some((_, oldest)) = kept.iter().filter_map(asked).min() {
                kept.remove(&oldest);
            }
        }
        let place = Arc::clone(kept.entry(key.to_owned()).or_default());
        drop(kept);
        if let Ok(mut kept) = place.try_lock() {
            kept.asked_ms = now_ms;
        }
        place
    }

    async fn token(&self, project: &str) -> Result<Token, Withheld> {
        let now_ms = now_ms();
        let place = self.place(project, now_ms);
        let mut kept = place.lock().await;
        if let Some(token) = kept.token(now_ms, self.granted.renew_before_ms) {
            return Ok(token.clone());
        }
        let url = &self.granted.url;
        let what = match &self.granted.scope {
            Scope::Tenant => format!("cannot get a token for project {project} from {url}"),
            _ => format!("cannot get a token from {url}"),
        };
        let failed = |why: &str| Withheld::Trouble(format!("{what}: {why}"));
        if let Some(why) = kept.refusal(now_ms) {
            return Err(failed(why));
        }
        let answer = match self.ask(project).await {
            Ok(answer) => answer,
            Err(why) => {
                // Who has waited for this need not wait for the same again: a call has only so much time.
                kept.fail(why.clone(), self::now_ms());
                return Err(failed(&why));
            }
        };
        kept.keep(answer, now_ms, PAUSE_MS);
        if let Some(why) = kept.refusal(now_ms) {
            return Err(failed(why));
        }
        // One that ends at once serves this request.
        kept.token(now_ms, 0).cloned().ok_or_else(|| failed("the token has ended already"))
    }

    /// Asks Keystone. Trouble on the way is the outer error: it is worth asking again at once.
    async fn ask(&self, project: &str) -> Result<Result<Token, String>, String> {
        let Keystone { url, timeout_ms, .. } = &self.granted;
        let body = exchange::question(&self.granted, project).to_string();
        let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
        let asking = async {
            let request = Request::builder()
                .method(Method::POST)
                .uri(format!("{url}/auth/tokens"))
                .header(CONTENT_TYPE, "application/json")
                .body(body)?;
            let answer = self.client.send(request, Limits::default()).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body =
                body.map_err(|why| anyhow::anyhow!(why)).context("cannot read the answer")?;
            anyhow::Ok((head, body.to_bytes()))
        };
        let within = Duration::from_millis(*timeout_ms);
        let answer = tokio::time::timeout(within, asking).await;
        let answer =
            answer.map_err(|_| format!("no answer within {timeout_ms} ms (timeout_ms)"))?;
        let (head, body) = answer.map_err(|why| format!("{why:#}"))?;
        let status = head.status.as_u16();
        let read = exchange::read(&self.granted, status, head.headers.get(SUBJECT_TOKEN), &body);
        match read {
            // It is busy, or not quite there.
            Err(why) if status == 429 || status >= 500 => Err(why),
            read => Ok(read),
        }
    }

    fn no_endpoint(&self, service: &str, token: &Token) -> Withheld {
        let Keystone { url, interface, region, .. } = &self.granted;
        let region = region.as_ref().map(|region| format!(" in region {region}"));
        let known: Vec<&str> = token.endpoints.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Withheld::Trouble(format!(
            "the catalogue of {url} has no {interface} endpoint of {service}{}; it has such of: {known}",
            region.unwrap_or_default()
        ))
    }
}

#[async_trait]
impl Injection for Tokens {
    async fn prepare(&self, outgoing: &mut Outgoing) -> Result<(), Withheld> {
        let Some(asked) = self.asked(outgoing) else { return Ok(()) };
        // The one method whose answer is the request itself, token and all.
        if outgoing.parts.method == Method::TRACE {
            let why = format!("sent TRACE to {}, a service with a login", asked.service);
            return Err(Refused { why, remedy: None }.into());
        }
        let token = self.token(&asked.project).await?;
        let endpoint = token.endpoints.get(asked.service);
        let endpoint = endpoint.ok_or_else(|| self.no_endpoint(asked.service, &token))?;
        let uri: Uri = format!("{endpoint}{}", asked.rest).parse().map_err(|_| {
            let url = &self.granted.url;
            Withheld::Trouble(format!("the catalogue of {url} has no address of {}", asked.service))
        })?;
        outgoing.parts.uri = uri;
        // Keystone is the operator's own, and so is what it names.
        outgoing.reach = Reach::Anywhere;
        if let Some(note) = outgoing.parts.extensions.get::<Note>() {
            note.set(token.header.clone());
        }
        outgoing.parts.headers.insert(TOKEN, token.header);
        Ok(())
    }

    fn may_repeat(&self, outgoing: &Outgoing) -> bool {
        self.asked(outgoing).is_some()
    }

    async fn answered(&self, outgoing: &Outgoing, answer: &mut response::Parts) -> Next {
        let Some(asked) = self.asked(outgoing) else { return Next::Deliver };
        let note = outgoing.parts.extensions.get::<Note>();
        let Some(sent) = note.and_then(Note::get) else { return Next::Deliver };
        for value in answer.headers.values_mut() {
            let secret = sent.as_bytes();
            if value.as_bytes().windows(secret.len().max(1)).any(|part| part == secret) {
                *value = HeaderValue::from_static("(token)");
            }
        }
        if answer.status != StatusCode::UNAUTHORIZED || outgoing.sent > 0 {
            return Next::Deliver;
        }
        // It was taken back, or Keystone has new keys.
        self.place(&asked.project, now_ms()).lock().await.forget(&sent);
        Next::Again
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
