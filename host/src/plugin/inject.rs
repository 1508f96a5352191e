//! What the host adds to a guest's request after it was admitted and before it is sent. The guest never sees it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::Scheme;
use http::{Method, Uri, request, response};

use super::grant::{InjectedSecret, Site};
use crate::http_client::Reach;

/// How a placeholder begins; it is `{{secret:NAME}}`.
const OPENING: &[u8] = b"{{secret:";
const CLOSING: &[u8] = b"}}";
/// Bytes of a name that is told.
const NAME_BYTES_MAX: u64 = 64;

/// Something that is put into requests by the host. A source of tokens fetches and keeps them behind this.
#[async_trait]
pub(crate) trait Injection: Send + Sync {
    /// Changes the request that is about to be sent: its header, its URI, how far it may go. It is called for every
    /// sending with the guest's own request, which was admitted.
    ///
    /// # Errors
    /// The request must not be sent: why, and what to do.
    async fn prepare(&self, outgoing: &mut Outgoing) -> Result<(), Withheld>;

    /// Whether [`Injection::answered`] may ask for another sending of this request; its body is kept for it then,
    /// within the bounds of a body.
    fn may_repeat(&self, _outgoing: &Outgoing) -> bool {
        false
    }

    /// Looks at the head of the answer before the guest does, and may change it. `outgoing` is the guest's request.
    /// At most one further sending is made.
    async fn answered(&self, _outgoing: &Outgoing, _answer: &mut response::Parts) -> Next {
        Next::Deliver
    }
}

/// A request on its way.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// Method, URI and header.
    pub(crate) parts: request::Parts,
    /// How far its name may lead. Who changes the URI to an address of the operator's own may widen it.
    pub(crate) reach: Reach,
    /// How often it was sent before: 0 or 1.
    pub(crate) sent: u32,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The guest gets it.
    Deliver,
    /// The request is sent once more, and the guest gets the answer to that.
    Again,
}

/// Why a request is not sent. No secret is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What the plugin did; the text begins after its name.
    pub(crate) why: String,
    /// What would let it through in the plugin's table, where something would: `add "x" to y`.
    pub(crate) remedy: Option<String>,
}

impl Refused {
    /// Both in one sentence, for the plugin of this name.
    pub(crate) fn told(&self, stem: &str) -> String {
        let Self { why, remedy } = self;
        let remedy =
            remedy.as_ref().map(|it| format!(": {it} under [plugins.{stem}] in stokehold.toml"));
        format!("{why}{}", remedy.unwrap_or_default())
    }
}

/// Why a request is not sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// It must not be.
    Refused(Refused),
    /// What it needs cannot be had now: another try may help. The guest is told, too.
    Trouble(String),
}

impl From<Refused> for Withheld {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What an injection put into a request, for itself when the answer is there: among the request's extensions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Note(Arc<Mutex<Option<HeaderValue>>>);

impl Note {
    /// Remembers what was put in at this sending.
    pub(crate) fn set(&self, value: HeaderValue) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// What was put in at the last sending.
    pub(crate) fn get(&self) -> Option<HeaderValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Outgoing {
    /// Scheme, host and port it goes to; none, if its URI names no host.
    pub(crate) fn target(&self) -> Option<(Scheme, &str, u16)> {
        target(&self.parts.uri)
    }
}

/// Scheme, host and port of a request's URI.
pub(crate) fn target(uri: &Uri) -> Option<(Scheme, &str, u16)> {
    let scheme = uri.scheme().cloned().unwrap_or(Scheme::HTTPS);
    let usual = if scheme == Scheme::HTTP { 80 } else { 443 };
    Some((scheme, uri.host()?, uri.port_u16().unwrap_or(usual)))
}

/// The secrets of one plugin, each for its hosts alone.
#[derive(Default)]
pub(super) struct Secrets(BTreeMap<String, Held>);

struct Held {
    value: HeaderValue,
    sites: Vec<Site>,
    header: Option<HeaderName>,
}

/// What belongs to the connection or the message is not a secret's place.
const NO_SECRET: [HeaderName; 6] = [
    http::header::CONNECTION,
    http::header::CONTENT_LENGTH,
    http::header::HOST,
    http::header::TE,
    http::header::TRANSFER_ENCODING,
    http::header::UPGRADE,
];

impl Secrets {
    /// # Errors
    /// A secret that cannot be used; its value is not told.
    pub(super) fn read(secrets: &BTreeMap<String, InjectedSecret>) -> Result<Self, String> {
        let read = |(name, secret): (&String, &InjectedSecret)| {
            let held = Held::read(secret).map_err(|why| format!("cannot use secret {name}: {why}"));
            Ok((name.clone(), held?))
        };
        secrets.iter().map(read).collect::<Result<_, String>>().map(Self)
    }

    /// The guest's value with its placeholders filled in; `None` has none.
    fn filled(
        &self,
        value: &HeaderValue,
        outgoing: &Outgoing,
    ) -> Result<Option<HeaderValue>, Refused> {
        let mut rest = value.as_bytes();
        let mut filled = Vec::new();
        while let Some(at) = find(rest, OPENING) {
            let (before, after) = (rest.get(..at), rest.get(at + OPENING.len()..));
            let after = after.unwrap_or_default();
            let Some(end) = find(after, CLOSING) else { break };
            let name = String::from_utf8_lossy(after.get(..end).unwrap_or_default());
            filled.extend_from_slice(before.unwrap_or_default());
            filled.extend_from_slice(self.bound(&name, outgoing)?.value.as_bytes());
            rest = after.get(end + CLOSING.len()..).unwrap_or_default();
        }
        if filled.is_empty() {
            return Ok(None);
        }
        filled.extend_from_slice(rest);
        let mut filled = HeaderValue::from_bytes(&filled).map_err(|_| {
            let why = "put a secret where no header can carry it".to_owned();
            Refused { why, remedy: None }
        })?;
        filled.set_sensitive(true);
        Ok(Some(filled))
    }

    /// The secret of this name, if it may go where the request goes.
    fn bound(&self, name: &str, outgoing: &Outgoing) -> Result<&Held, Refused> {
        let site = outgoing.target().map(|(_, host, port)| format!("{host}:{port}"));
        let site = super::convert::line(&site.unwrap_or_default(), 255);
        let shown = super::convert::line(name, NAME_BYTES_MAX);
        let Some(held) = self.0.get(name) else {
            let why = format!("asked for the secret {shown}, which it was not granted");
            let line = format!("{{ file = \"/run/secrets/{shown}\", inject = [\"{site}\"] }}");
            return Err(Refused { why, remedy: Some(format!("add {shown} = {line} to secrets")) });
        };
        if held.goes_to(outgoing) {
            return Ok(held);
        }
        let why = format!("asked for the secret {shown} towards {site}, where it must not go");
        let remedy = format!("add \"{site}\" to inject of {shown} in secrets");
        Err(Refused { why, remedy: Some(remedy) })
    }
}

impl Held {
    fn read(secret: &InjectedSecret) -> Result<Self, String> {
        if secret.value.is_empty() {
            return Err("it is empty".to_owned());
        }
        let mut value = HeaderValue::from_str(&secret.value)
            .map_err(|_| "it has characters that no header can carry".to_owned())?;
        value.set_sensitive(true);
        if secret.inject.is_empty() {
            return Err("it goes nowhere: set inject = [\"host:port\"]".to_owned());
        }
        let site = |text: &String| {
            let site = Site::read(text).ok().filter(Site::bare);
            site.ok_or_else(|| {
                format!(
                    "cannot read \"{text}\" in inject: write \"host:port\" or \"https://host:port\""
                )
            })
        };
        let header = secret.header.as_deref().map(|name| {
            let known = HeaderName::from_bytes(name.as_bytes()).ok();
            known.filter(|name| !NO_SECRET.contains(name)).ok_or_else(|| {
                format!("\"{name}\" is no header for a secret: write for example \"X-Auth-Token\"")
            })
        });
        let sites = secret.inject.iter().map(site).collect::<Result<_, _>>()?;
        Ok(Self { value, sites, header: header.transpose()? })
    }

    fn goes_to(&self, outgoing: &Outgoing) -> bool {
        outgoing.target().is_some_and(|(scheme, host, port)| {
            self.sites.iter().any(|site| site.serves(&scheme, host, port))
        })
    }
}

#[async_trait]
impl Injection for Secrets {
    async fn prepare(&self, outgoing: &mut Outgoing) -> Result<(), Withheld> {
        let mut put = HeaderMap::new();
        for (name, value) in &outgoing.parts.headers {
            let filled = self.filled(value, outgoing)?;
            put.append(name.clone(), filled.unwrap_or_else(|| value.clone()));
        }
        for held in self.0.values().filter(|held| held.goes_to(outgoing)) {
            if let Some(name) = &held.header {
                put.insert(name.clone(), held.value.clone());
            }
        }
        // The one method whose answer is the request itself.
        if outgoing.parts.method == Method::TRACE && put.values().any(HeaderValue::is_sensitive) {
            let why = "sent TRACE to a host that it has a secret for".to_owned();
            return Err(Refused { why, remedy: None }.into());
        }
        outgoing.parts.headers = put;
        Ok(())
    }

    /// A header that repeats a secret gets its placeholder back. Bodies are not looked through: who is handed a
    /// secret is trusted with it.
    async fn answered(&self, outgoing: &Outgoing, answer: &mut response::Parts) -> Next {
        for (name, held) in self.0.iter().filter(|(_, held)| held.goes_to(outgoing)) {
            let secret = held.value.as_bytes();
            for value in answer.headers.values_mut() {
                if find(value.as_bytes(), secret).is_some() {
                    let text = format!("{{{{secret:{name}}}}}");
                    *value = HeaderValue::from_str(&text)
                        .unwrap_or_else(|_| HeaderValue::from_static("(secret)"));
                }
            }
        }
        Next::Deliver
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests;
