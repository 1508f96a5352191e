//! What the operator sets.

use stokehold_sdk::{Failure, Outside, base_url};

use crate::auth::Keystone;

/// Fewer milliseconds between two looks would be a load on Heat.
const POLL_MS_MIN: u64 = 10;

/// All settings by name.
pub(crate) const KEYS: &[&str] = &[
    "heat_url",
    "heat_token",
    "keystone_url",
    "keystone_user",
    "keystone_password",
    "keystone_project",
    "keystone_user_domain",
    "keystone_project_domain",
    "poll_ms",
    "report_orchestration_state",
];

/// The settings, read.
pub(crate) struct Settings {
    /// Where Heat is, without a final slash: `http://127.0.0.1:8004/v1`; the tenant follows.
    pub(crate) heat_url: String,
    /// A fixed token.
    pub(crate) heat_token: Option<String>,
    /// Where tokens are had, and for whom.
    pub(crate) keystone: Option<Keystone>,
    /// Milliseconds between two looks at a stack.
    pub(crate) poll_ms: u64,
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
                 project, as in http://127.0.0.1:8004/v1",
            )
        })?;
        let heat_url = address("heat_url", heat_url)?;
        let poll_ms = match set.get("poll_ms") {
            Some(text) => text
                .parse()
                .ok()
                .filter(|ms| *ms >= POLL_MS_MIN)
                .ok_or_else(|| wrong("poll_ms", text, "milliseconds, 10 or more"))?,
            None => 1000,
        };
        let report_orchestration_state = match set.get("report_orchestration_state") {
            Some(text) => text
                .parse()
                .map_err(|_| wrong("report_orchestration_state", text, "true or false"))?,
            None => false,
        };
        let keystone = match set.remove("keystone_url") {
            Some(url) => {
                let mut part = |key| {
                    set.remove(key).ok_or_else(|| {
                        let words = "of heat_worker is missing: keystone_url is set and needs it";
                        Failure::fatal(format!("setting {key} {words}"))
                    })
                };
                Some(Keystone {
                    url: address("keystone_url", &url)?,
                    user: part("keystone_user")?,
                    password: part("keystone_password")?,
                    project: part("keystone_project")?,
                    user_domain: part("keystone_user_domain").unwrap_or("Default".to_owned()),
                    project_domain: part("keystone_project_domain").unwrap_or("Default".to_owned()),
                })
            }
            None => None,
        };
        let heat_token = set.remove("heat_token");
        Ok(Self { heat_url, heat_token, keystone, poll_ms, report_orchestration_state })
    }
}

fn wrong(key: &str, value: &str, wanted: &str) -> Failure {
    Failure::fatal(format!("setting {key} of heat_worker is {value:?}: it wants {wanted}"))
}
