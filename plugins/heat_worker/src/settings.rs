//! What the operator sets.

use std::collections::BTreeMap;

use stokehold_sdk::{Failure, Outside, base_url};

/// Fewer milliseconds between two looks would be a load on Heat.
const POLL_MS_MIN: u64 = 10;
/// A day: more is a slip of the pen.
const MINS_MAX: u64 = 24 * 60;

/// All settings by name.
pub(crate) const KEYS: &[&str] = &[
    "heat_url",
    "heat_token",
    "poll_ms",
    "poll_ms_max",
    "timeout_mins",
    "timeout_margin_mins",
    "rollback",
    "report_style",
    "report_orchestration_state",
];

/// The settings, read.
pub(crate) struct Settings {
    /// Where Heat is, without a final slash: `http://127.0.0.1:8004/v1`, or the name under which the host asks Keystone
    /// for it; the tenant follows.
    pub(crate) heat_url: String,
    /// A fixed token.
    pub(crate) heat_token: Option<String>,
    /// Milliseconds between two looks at a stack, at first.
    pub(crate) poll_ms: u64,
    /// Milliseconds between two looks at a stack that takes long.
    pub(crate) poll_ms_max: u64,
    /// Minutes that Heat has for a stack whose params do not say it.
    pub(crate) timeout_mins: u64,
    /// Minutes that Heat may take beyond that before the job fails.
    pub(crate) timeout_margin_mins: u64,
    /// Whether Heat undoes what failed.
    pub(crate) rollback: bool,
    /// Whether a success is reported as `orchestration_state` too.
    pub(crate) report_orchestration_state: bool,
}

impl Settings {
    pub(crate) fn read(outside: &dyn Outside) -> Result<Self, Failure> {
        let mut set = outside.settings(KEYS);
        let address = |key, url: &str| base_url("heat_worker", key, url);
        let heat_url = set.get("heat_url").ok_or_else(|| {
            Failure::fatal(
                "setting heat_url of heat_worker is missing (--config heat_worker.heat_url=… or \
                 config under [plugins.heat_worker]): it is the address of Heat without the \
                 project, as in http://127.0.0.1:8004/v1, or http://orchestration.openstack where \
                 [plugins.heat_worker.keystone] says who logs in",
            )
        })?;
        let heat_url = address("heat_url", heat_url)?;
        let poll_ms =
            number(&set, "poll_ms", 500, |ms| ms >= POLL_MS_MIN, "milliseconds, 10 or more")?;
        let least = format!("milliseconds, {poll_ms} (poll_ms) or more");
        let poll_ms_max = match set.get("poll_ms_max") {
            None => poll_ms.max(10_000),
            Some(_) => number(&set, "poll_ms_max", 0, |ms| ms >= poll_ms, &least)?,
        };
        let minutes = |key, default, least| {
            let wanted = format!("minutes, {least} to {MINS_MAX}");
            number(&set, key, default, |mins| (least..=MINS_MAX).contains(&mins), &wanted)
        };
        // Heat takes 0 for not given.
        let timeout_mins = minutes("timeout_mins", 10, 1)?;
        let timeout_margin_mins = minutes("timeout_margin_mins", 5, 0)?;
        let rollback = choice(&set, "rollback", &YES_OR_NO)?.unwrap_or(false);
        // The later installations told the stack's status with every success.
        let later = choice(&set, "report_style", &STYLES)?.unwrap_or(false);
        let report_orchestration_state =
            choice(&set, "report_orchestration_state", &YES_OR_NO)?.unwrap_or(later);
        let heat_token = set.remove("heat_token");
        Ok(Self {
            heat_url,
            heat_token,
            poll_ms,
            poll_ms_max,
            timeout_mins,
            timeout_margin_mins,
            rollback,
            report_orchestration_state,
        })
    }
}

/// How a choice is spelled.
const YES_OR_NO: [(&str, bool); 2] = [("true", true), ("false", false)];
const STYLES: [(&str, bool); 2] = [("2017", false), ("2018", true)];

type Set = BTreeMap<&'static str, String>;

fn choice(set: &Set, key: &str, words: &[(&str, bool); 2]) -> Result<Option<bool>, Failure> {
    let Some(text) = set.get(key) else { return Ok(None) };
    let chosen = words.iter().find(|(word, _)| word == text);
    let [(one, _), (other, _)] = words;
    let chosen = chosen.ok_or_else(|| wrong(key, text, &format!("{one} or {other}")))?;
    Ok(Some(chosen.1))
}

fn number(
    set: &Set,
    key: &str,
    default: u64,
    fits: impl Fn(u64) -> bool,
    wanted: &str,
) -> Result<u64, Failure> {
    let Some(text) = set.get(key) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| fits(*number));
    number.ok_or_else(|| wrong(key, text, wanted))
}

fn wrong(key: &str, value: &str, wanted: &str) -> Failure {
    Failure::fatal(format!("setting {key} of heat_worker is {value:?}: it wants {wanted}"))
}
