//! What Heat says.

use stokehold_sdk::{Failure, Json, Output, Response};

use crate::secrets::Secrets;

/// Characters of an answer that is no JSON which are shown.
const SHOWN_CHARS_MAX: usize = 300;
/// Minutes that Heat gives a stack without a time of its own: its `stack_action_timeout`, unless
/// that was changed, of which it says nothing.
pub(crate) const HEAT_MINS: u64 = 60;

/// A stack as Heat shows it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// Heat's own id of it.
    pub(crate) id: String,
    /// `CREATE_COMPLETE`.
    pub(crate) status: String,
    /// Heat's words for it; may be empty.
    pub(crate) reason: String,
    /// When an update last began; empty if none did.
    pub(crate) updated: String,
    /// Minutes that Heat has for an action on it. While an update runs they may be those of the
    /// version before.
    pub(crate) timeout_mins: u64,
    /// Only in answers that were asked for with outputs.
    pub(crate) outputs: Vec<Output>,
}

impl Shown {
    /// Reads the answer to a GET of a stack.
    pub(crate) fn read(response: &Response, secrets: &Secrets) -> Option<Self> {
        let all = response.json()?;
        let stack = all.get("stack")?;
        let text = |key| stack.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let outputs = stack.get("outputs").and_then(Json::as_array);
        let timeout_mins = stack.get("timeout_mins").and_then(Json::as_u64);
        let shown = Self {
            id: text("id"),
            status: text("stack_status"),
            reason: secrets.hide(&text("stack_status_reason")),
            updated: text("updated_time"),
            timeout_mins: timeout_mins.filter(|mins| *mins > 0).unwrap_or(HEAT_MINS),
            outputs: outputs.into_iter().flatten().filter_map(output).collect(),
        };
        (!shown.id.is_empty() && !shown.status.is_empty()).then_some(shown)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS")
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.status.ends_with("_FAILED")
    }

    /// The stack's row is still there, the stack is not.
    pub(crate) fn is_gone(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    /// It stands as its template says. What was rolled back stands as an older one says.
    pub(crate) fn is_up(&self) -> bool {
        self.status.ends_with("_COMPLETE")
            && !self.is_gone()
            && !self.status.starts_with("ROLLBACK")
    }
}

fn output(output: &Json) -> Option<Output> {
    let text = |key| output.get(key).and_then(Json::as_str).map(str::to_owned);
    Some(Output {
        key: text("output_key")?,
        value: output.get("output_value").cloned().unwrap_or_default(),
        description: text("description").unwrap_or_default(),
        error: text("output_error"),
    })
}

/// The newest failure among events since then: `net CREATE_FAILED: resources.net: no more addresses`.
pub(crate) fn last_failure(response: &Response, since: &str, secrets: &Secrets) -> Option<String> {
    let json = response.json().filter(|_| response.status == 200)?;
    let failures = json.get("events")?.as_array()?.iter().filter_map(|event| {
        let text = |key| event.get(key).and_then(Json::as_str);
        let (at, status) = (text("event_time")?, text("resource_status")?);
        let counts = at >= since && status.ends_with("_FAILED");
        let what = text("resource_name").unwrap_or_default();
        let why = text("resource_status_reason").unwrap_or_default();
        counts.then(|| (at, format!("{what} {status}: {why}")))
    });
    // Heat lists the newest first; of one second, the first one is the newest.
    let newest = failures.reduce(|one, other| if other.0 > one.0 { other } else { one })?;
    Some(secrets.hide(&newest.1))
}

/// The kind of error that Heat names: `StackExists`.
pub(crate) fn error_type(response: &Response) -> Option<String> {
    Some(response.json()?.get("error")?.get("type")?.as_str()?.to_owned())
}

/// An answer that is no success, as a failure: with who said it, and in their words.
pub(crate) fn failure(who: &str, response: &Response, secrets: &Secrets) -> Failure {
    let json = response.json().unwrap_or_default();
    let said = said(&json).unwrap_or_else(|| {
        let body = secrets.hide(&String::from_utf8_lossy(&response.body));
        body.trim().chars().take(SHOWN_CHARS_MAX).collect()
    });
    worded(who, response.status, &said)
}

/// Which statuses another try may mend.
fn worded(who: &str, status: u16, said: &str) -> Failure {
    let mark = if said.is_empty() || said.starts_with(' ') { "" } else { ": " };
    let words = format!("{who} answered {status}{mark}{said}");
    match status {
        429 | 502 | 503 | 504 => Failure::Retry(words),
        _ => Failure::Fatal(words),
    }
}

/// ` StackExists: The Stack (x) already exists.`, or the message alone where no kind is named.
fn said(json: &Json) -> Option<String> {
    let error = json.get("error");
    let kind = error.and_then(|e| e.get("type")).and_then(Json::as_str);
    let texts = [
        error.and_then(|e| e.get("message")),
        json.get("explanation"),
        json.get("message"),
        json.get("title"),
    ];
    let text = texts.into_iter().flatten().filter_map(Json::as_str).find(|text| !text.is_empty());
    let text = text.map(|text| text.replace("<br />", " ").trim().to_owned());
    match (kind.filter(|kind| !kind.is_empty()), text) {
        (None, text) => text,
        (Some(kind), None) => Some(format!(" {kind}")),
        (Some(kind), Some(text)) => Some(format!(" {kind}: {text}")),
    }
}
