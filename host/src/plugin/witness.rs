//! Somebody who sees a call from beside: what the guest logged, printed, asked the network and the store, and how it
//! ended. With a script the witness also plays the network, so that a call can be made again without one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::backtrace::{Frame, frames};
use super::call::Lookup;
use super::grant::{Grants, PluginGrants};
use crate::domain::{Exchange, Json, Message, ResourceRef, Stack};
use async_trait::async_trait;

/// Stands where something secret stood.
const MASK: &str = "***";
/// Secrets shorter than this are not looked for: they would be found everywhere.
const SECRET_BYTES_MIN: usize = 4;
/// Headers whose values are nobody's business.
const SECRET_HEADERS: [&str; 7] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-subject-token",
];
/// Parts of the names of settings that hold secrets.
const SECRET_NAMES: [&str; 5] = ["credential", "key", "password", "secret", "token"];

/// Sees one call, or one after the other.
pub struct Witness {
    script: Option<Mutex<Script>>,
    bytes_max: u64,
    seen: Mutex<Seen>,
}

/// What was seen of a call.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What it logged, as level and line.
    pub log: Vec<(&'static str, String)>,
    /// Lines of standard output.
    pub stdout: Vec<String>,
    /// Lines of standard error, where runtimes tell an exception.
    pub stderr: Vec<String>,
    /// Requests and what came of them, in order; without secrets.
    pub exchanges: Vec<Exchange>,
    /// Requests that the script has no answer for.
    pub unanswered: Vec<String>,
    /// Stack records that were asked for and found.
    pub stacks: BTreeMap<ResourceRef, Stack>,
    /// States that were asked for and found.
    pub states: BTreeMap<ResourceRef, Json>,
    /// The functions in which it trapped, the innermost first.
    pub frames: Vec<Frame>,
    /// Bytes of linear memory, at most.
    pub memory_bytes: u64,
    /// How long the call took, without waiting for its turn.
    pub took: Duration,
    /// Bytes of bodies that were too many to be kept.
    pub dropped_bytes: u64,
}

/// Answers that wait for their requests.
struct Script {
    answers: Vec<Exchange>,
    used: BTreeSet<usize>,
}

/// Which of its messages a body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Answer,
}

impl Witness {
    /// One that only looks. Of all bodies together `bytes_max` bytes are kept.
    pub fn new(bytes_max: u64) -> Self {
        Self { script: None, bytes_max, seen: Mutex::default() }
    }

    /// One that answers requests in the network's place.
    pub fn with_answers(bytes_max: u64, answers: Vec<Exchange>) -> Self {
        let script = Script { answers, used: BTreeSet::new() };
        Self { script: Some(Mutex::new(script)), ..Self::new(bytes_max) }
    }

    /// What was seen since it was asked last.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen())
    }

    /// Answers that nobody asked for, as method and address.
    pub fn unused(&self) -> Vec<String> {
        let Some(script) = &self.script else { return Vec::new() };
        let script = script.lock().unwrap_or_else(PoisonError::into_inner);
        let all = script.answers.iter().enumerate();
        let unused = all.filter(|(nth, answer)| !answer.repeats && !script.used.contains(nth));
        unused.map(|(_, answer)| format!("{} {}", answer.method, answer.url)).collect()
    }

    pub(super) fn is_scripted(&self) -> bool {
        self.script.is_some()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn log(&self, level: &'static str, line: &str) {
        self.seen().log.push((level, line.to_owned()));
    }

    pub(super) fn printed(&self, stream: &str, line: String) {
        let mut seen = self.seen();
        let into = if stream == "stderr" { &mut seen.stderr } else { &mut seen.stdout };
        into.push(line);
    }

    /// The first answer to this request that was not given yet.
    pub(super) fn answer(&self, method: &str, url: &str) -> Option<Exchange> {
        let script = self.script.as_ref()?;
        let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |answer: &Exchange| {
            let same = match answer.url.strip_suffix('*') {
                Some(begin) => url.starts_with(begin),
                None => answer.url == url,
            };
            same && answer.method == method
        };
        let mut all = script.answers.iter().enumerate();
        let (nth, answer) = all.find(|(nth, it)| !script.used.contains(nth) && fits(it))?;
        let (answer, repeats) = (answer.clone(), answer.repeats);
        if !repeats {
            script.used.insert(nth);
        }
        Some(answer)
    }

    /// Notes a request that has no answer, and what would be one.
    pub(super) fn miss(&self, method: &str, url: &str) {
        self.seen().unanswered.push(format!("{method} {url}"));
    }

    /// Notes a request; the number is that of its exchange.
    pub(super) fn begin(&self, method: &str, url: &str, headers: Vec<(String, String)>) -> usize {
        let mut seen = self.seen();
        seen.exchanges.push(Exchange {
            method: method.to_owned(),
            url: url.to_owned(),
            request: Message { headers, body: Vec::new() },
            status: Err("connection-terminated".to_owned()),
            answer: Message::default(),
            repeats: false,
        });
        seen.exchanges.len() - 1
    }

    /// Notes the head of the answer, or why there is none.
    pub(super) fn head(
        &self,
        number: usize,
        status: Result<u16, &str>,
        headers: Vec<(String, String)>,
    ) {
        if let Some(exchange) = self.seen().exchanges.get_mut(number) {
            exchange.status = status.map_err(str::to_owned);
            exchange.answer.headers = headers;
        }
    }

    /// Notes a part of a body.
    pub(super) fn body(&self, number: usize, side: Side, bytes: &[u8]) {
        let mut seen = self.seen();
        let kept: usize =
            seen.exchanges.iter().map(|it| it.request.body.len() + it.answer.body.len()).sum();
        if (kept + bytes.len()) as u64 > self.bytes_max {
            seen.dropped_bytes += bytes.len() as u64;
            return;
        }
        if let Some(exchange) = seen.exchanges.get_mut(number) {
            let message = match side {
                Side::Request => &mut exchange.request,
                Side::Answer => &mut exchange.answer,
            };
            message.body.extend_from_slice(bytes);
        }
    }

    /// Notes how the call ended, and takes all secrets out of what was noted.
    pub(super) fn end(
        &self,
        grants: &Grants,
        took: Duration,
        memory_bytes: u64,
        error: Option<&wasmtime::Error>,
    ) {
        let mut seen = self.seen();
        seen.took = took;
        seen.memory_bytes = memory_bytes;
        seen.frames = error.map(frames).unwrap_or_default();
        for exchange in &mut seen.exchanges {
            mask(exchange, &grants.hidden);
        }
    }
}

/// What must not stand in a recording: secrets, and the values of settings that are called like one.
pub(super) fn hidden(granted: &PluginGrants) -> Vec<String> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRET_NAMES.iter().any(|part| name.contains(part))
    };
    let config = granted.config.iter().filter(|(name, _)| is_secret(name));
    let secrets = granted.secrets.values().map(|secret| secret.value.clone());
    let login = granted.keystone.iter().map(|login| login.secret().reveal().to_owned());
    let secrets = secrets.chain(login);
    let mut values: Vec<_> = config.map(|(_, value)| value.clone()).chain(secrets).collect();
    values.retain(|value| value.len() >= SECRET_BYTES_MIN);
    // The longest first: one may be a part of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values
}

/// The text without the plugin's secrets.
pub(super) fn masked(grants: &Grants, text: &str) -> String {
    without(&grants.hidden, text)
}

fn without(secrets: &[String], text: &str) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
}

fn mask(exchange: &mut Exchange, secrets: &[String]) {
    let hide = |text: &str| without(secrets, text);
    exchange.url = hide(&exchange.url);
    for message in [&mut exchange.request, &mut exchange.answer] {
        for (name, value) in &mut message.headers {
            let secret = SECRET_HEADERS.contains(&name.as_str());
            *value = if secret { MASK.to_owned() } else { hide(value) };
        }
        if let Ok(text) = std::str::from_utf8(&message.body) {
            message.body = hide(text).into_bytes();
        }
    }
}

/// Lets the witness see what is looked up.
pub(super) struct Noted {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) witness: Arc<Witness>,
}

#[async_trait]
impl Lookup for Noted {
    async fn stack(&self, of: &ResourceRef) -> anyhow::Result<Option<Stack>> {
        let found = self.lookup.stack(of).await?;
        if let Some(stack) = &found {
            self.witness.seen().stacks.insert(of.clone(), stack.clone());
        }
        Ok(found)
    }

    async fn state(&self, of: &ResourceRef) -> anyhow::Result<Option<Json>> {
        let found = self.lookup.state(of).await?;
        if let Some(state) = &found {
            self.witness.seen().states.insert(of.clone(), state.clone());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::plugin::grant::InjectedSecret;

    fn answer(url: &str, status: u16, repeats: bool) -> Exchange {
        Exchange {
            method: "GET".to_owned(),
            url: url.to_owned(),
            request: Message::default(),
            status: Ok(status),
            answer: Message::default(),
            repeats,
        }
    }

    #[test]
    fn each_answer_is_given_once_in_order_and_a_repeated_one_for_ever() {
        let answers = vec![answer("a", 1, false), answer("a", 2, false), answer("b*", 3, true)];
        let witness = Witness::with_answers(0, answers);
        let given = |url| witness.answer("GET", url).map(|it| it.status.unwrap());
        assert_eq!(witness.unused(), ["GET a", "GET a"]);
        assert_eq!([given("a"), given("a"), given("a")], [Some(1), Some(2), None]);
        assert_eq!([given("b/1"), given("b/2")], [Some(3), Some(3)]);
        assert!(witness.answer("PUT", "b").is_none());
        assert!(witness.unused().is_empty());
    }

    #[test]
    fn no_secret_is_left_in_what_was_seen() {
        let config =
            [("keystone_password", "opensesame"), ("heat_url", "http://a"), ("token", "x")];
        let config = config.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut granted = PluginGrants { config, ..PluginGrants::default() };
        let secret = InjectedSecret { value: "injected".to_owned(), ..InjectedSecret::default() };
        granted.secrets.insert("s".to_owned(), secret);
        let grants = Grants { hidden: hidden(&granted), ..Grants::default() };
        let witness = Witness::new(1000);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let number =
            witness.begin("GET", "http://a/?p=opensesame", vec![header("x-auth-token", "t")]);
        witness.body(number, Side::Request, br#"{"password": "opensesame", "x": 1}"#);
        let headers = vec![header("set-cookie", "c"), header("x-echo", "<opensesame injected>")];
        witness.head(number, Ok(200), headers);
        witness.body(number, Side::Answer, &[0xff]);
        witness.end(&grants, Duration::ZERO, 0, None);
        let seen = witness.take();
        let shown = format!("{seen:?}");
        assert!(!shown.contains("opensesame") && !shown.contains("injected"), "{shown}");
        let exchange = &seen.exchanges[0];
        assert_eq!(exchange.url, "http://a/?p=***");
        assert_eq!(exchange.request.body, br#"{"password": "***", "x": 1}"#);
        assert_eq!(
            exchange.answer.headers,
            [header("set-cookie", "***"), header("x-echo", "<*** ***>")]
        );
        assert_eq!(exchange.request.headers, [header("x-auth-token", "***")]);
        assert_eq!(exchange.answer.body, [0xff]);
    }

    #[test]
    fn bodies_beyond_the_bound_are_counted_and_dropped() {
        let witness = Witness::new(4);
        let number = witness.begin("GET", "a", Vec::new());
        witness.body(number, Side::Answer, b"abc");
        witness.body(number, Side::Answer, b"de");
        let seen = witness.take();
        assert_eq!(
            (seen.exchanges[0].answer.body.as_slice(), seen.dropped_bytes),
            (&b"abc"[..], 2)
        );
    }
}
