//! Failures on demand.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// A failure: which requests it befalls, and what happens to them. Over HTTP and in a file it is
/// JSON:
///
/// ```json
/// {"stack": "port_", "method": "POST", "skip": 1, "times": 2,
///  "effect": {"answer": {"status": 503}}}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// A part of the stack's name, in the path or in the body of a POST; none: any request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The method; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A part of the path and query; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many requests that fit pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests are befallen then; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// What happens.
    pub effect: Effect,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// It is not acted on but answered with this.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body: a text is sent as it is, anything else as JSON.
        #[serde(default)]
        body: Json,
        /// Headers besides.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// It is not acted on; the connection is reset.
    Reset,
    /// It is acted on, then the connection is reset: the client cannot know.
    Lose,
    /// It is not acted on and not answered; the connection is closed after this time.
    Hang {
        /// The time, in milliseconds.
        ms: u64,
    },
    /// It is acted on, but the body of the answer is this text.
    Garbage {
        /// The text.
        body: String,
    },
    /// It waits this long and is then acted on.
    Slow {
        /// The time, in milliseconds.
        ms: u64,
    },
    /// It is accepted; the action that it starts ends `*_FAILED`. Counted are only requests that
    /// start an action.
    Fail {
        /// The `stack_status_reason`.
        reason: String,
    },
}

impl Fault {
    /// A failure of every request, which the methods below narrow.
    pub fn new(effect: Effect) -> Self {
        Self { stack: None, method: None, path: None, skip: 0, times: None, effect }
    }

    /// An answer with this status and body.
    pub fn answer(status: u16, body: Json) -> Self {
        Self::new(Effect::Answer { status, body, headers: BTreeMap::new() })
    }

    /// The stack's action fails with this reason.
    pub fn fail(reason: &str) -> Self {
        Self::new(Effect::Fail { reason: reason.to_owned() })
    }

    /// No answer until `bound`.
    pub fn hang(bound: Duration) -> Self {
        Self::new(Effect::Hang { ms: millis(bound) })
    }

    /// An answer after `wait`.
    pub fn slow(wait: Duration) -> Self {
        Self::new(Effect::Slow { ms: millis(wait) })
    }

    /// Only for stacks whose name contains this.
    #[must_use]
    pub fn stack(mut self, part: &str) -> Self {
        self.stack = Some(part.to_owned());
        self
    }

    /// Only for this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only where path and query contain this.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.to_owned());
        self
    }

    /// After so many requests that fit.
    #[must_use]
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// So many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// From JSON: one failure, or a list of them.
    pub fn from_json(json: Json) -> Result<Vec<Self>> {
        let list = if json.is_array() { json } else { Json::Array(vec![json]) };
        serde_json::from_value(list).context(
            "cannot read faults: wanted are objects with any of stack, method, path, skip, times \
             and with effect, which is one of {\"answer\": {\"status\", \"body\", \"headers\"}}, \
             \"reset\", \"lose\", {\"hang\": {\"ms\"}}, {\"garbage\": {\"body\"}}, \
             {\"slow\": {\"ms\"}}, {\"fail\": {\"reason\"}}",
        )
    }

    fn fits(&self, stack: Option<&str>, method: &str, path: &str) -> bool {
        let part = |part: &Option<String>, of: Option<&str>| {
            part.as_ref().is_none_or(|part| of.is_some_and(|of| of.contains(part.as_str())))
        };
        part(&self.stack, stack)
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && part(&self.path, Some(path))
    }

    /// Counts a request that fits; whether it is befallen.
    fn strikes(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.times {
            Some(0) => false,
            Some(times) => {
                *times -= 1;
                true
            }
            None => true,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The failures that are in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn set(&mut self, faults: Vec<Fault>) {
        self.0 = faults;
    }

    pub(crate) fn add(&mut self, faults: Vec<Fault>) {
        self.0.extend(faults);
    }

    /// The failures with what is left of their counts.
    pub(crate) fn left(&self) -> &[Fault] {
        &self.0
    }

    /// What befalls a request, if anything does; the first that strikes counts.
    pub(crate) fn befall(
        &mut self,
        stack: Option<&str>,
        method: &str,
        path: &str,
    ) -> Option<Effect> {
        self.0
            .iter_mut()
            .filter(|fault| !matches!(fault.effect, Effect::Fail { .. }))
            .filter(|fault| fault.fits(stack, method, path))
            .find_map(|fault| fault.strikes().then(|| fault.effect.clone()))
    }

    /// Why the action that this request starts fails, if it is to fail.
    pub(crate) fn doom(&mut self, stack: &str, method: &str, path: &str) -> Option<String> {
        self.0.iter_mut().find_map(|fault| match &fault.effect {
            Effect::Fail { reason } => {
                let reason = reason.clone();
                (fault.fits(Some(stack), method, path) && fault.strikes()).then_some(reason)
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fault_strikes_after_the_skipped_and_as_often_as_it_is_told() {
        let mut faults = Faults::default();
        faults.set(vec![Fault::new(Effect::Reset).stack("port").method("post").skip(1).times(2)]);
        let struck: Vec<bool> = (0..5)
            .map(|_| faults.befall(Some("a_port_1"), "POST", "/v1/t/stacks").is_some())
            .collect();
        assert_eq!(struck, [false, true, true, false, false]);
    }

    #[test]
    fn a_fault_leaves_other_requests_alone() {
        let mut faults = Faults::default();
        faults.set(vec![Fault::new(Effect::Reset).stack("port").method("POST").path("/t/")]);
        for (stack, method, path) in [
            (Some("net"), "POST", "/t/"),
            (None, "POST", "/t/"),
            (Some("port"), "PUT", "/t/"),
            (Some("port"), "POST", "/u/"),
        ] {
            assert_eq!(faults.befall(stack, method, path), None, "{stack:?} {method} {path}");
        }
        assert_eq!(faults.befall(Some("port"), "POST", "/t/"), Some(Effect::Reset));
    }

    #[test]
    fn a_failing_action_is_counted_only_where_an_action_starts() {
        let mut faults = Faults::default();
        faults.set(vec![Fault::fail("no").path("/t/").times(1)]);
        assert_eq!(faults.befall(Some("a"), "POST", "/t/"), None);
        assert_eq!(faults.doom("a", "POST", "/u/"), None);
        assert_eq!(faults.doom("a", "POST", "/t/"), Some("no".into()));
        assert_eq!(faults.doom("a", "POST", "/t/"), None);
    }

    #[test]
    fn a_fault_reads_as_it_is_written_and_a_wrong_one_is_explained() {
        let fault = Fault::answer(503, json!("busy")).stack("x").times(1);
        let text = serde_json::to_value(&fault).unwrap();
        assert_eq!(Fault::from_json(text).unwrap(), [fault]);
        let reset = Fault::from_json(json!([{"effect": "reset"}])).unwrap();
        assert_eq!(reset, [Fault::new(Effect::Reset)]);
        let error = Fault::from_json(json!({"effect": "explode"})).unwrap_err().to_string();
        assert!(error.starts_with("cannot read faults: wanted are objects"), "{error}");
    }
}
