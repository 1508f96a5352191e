//! What a simulator is told when it starts.

use crate::faults::Fault;
use crate::heat::status::Action;
use crate::overrides::Overrides;
use std::path::PathBuf;
use std::time::Duration;

/// What a simulator is told when it starts. The default suits tests: a free port, 50 ms for each
/// action, no latency, no token.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port of 127.0.0.1 to listen on; 0 takes a free one.
    pub port: u16,
    /// How long each request waits before it is acted on.
    pub latency: Duration,
    /// How long stacks are in progress.
    pub pace: Pace,
    /// Stacks stay in progress until the test ends each phase: `Simulator::finish`.
    pub manual: bool,
    /// The length of a minute of `timeout_mins`.
    pub minute: Duration,
    /// Values in place of computed ones.
    pub overrides: Overrides,
    /// A token that is valid from the start. With it, or with credentials, Heat wants
    /// `X-Auth-Token`.
    pub token: Option<String>,
    /// Who may get a token from `POST /v3/auth/tokens`; without it anyone may.
    pub credentials: Option<Credentials>,
    /// The file that Gohan's schema endpoint serves.
    pub schemas: Option<Schemas>,
    /// Failures from the start.
    pub faults: Vec<Fault>,
    /// How many requests are remembered; the oldest are forgotten.
    pub requests_kept_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            latency: Duration::ZERO,
            pace: Pace::default(),
            manual: false,
            minute: Duration::from_mins(1),
            overrides: Overrides::default(),
            token: None,
            credentials: None,
            schemas: None,
            faults: Vec::new(),
            requests_kept_max: 100_000,
        }
    }
}

/// How long stacks are in progress.
#[derive(Debug, Clone)]
pub struct Pace {
    /// `CREATE_IN_PROGRESS`
    pub create: Duration,
    /// `UPDATE_IN_PROGRESS`
    pub update: Duration,
    /// `DELETE_IN_PROGRESS` and `ROLLBACK_IN_PROGRESS`
    pub delete: Duration,
    /// For stacks whose name contains the text, whatever the action; the first that fits counts.
    pub of: Vec<(String, Duration)>,
}

impl Pace {
    /// The same duration for every action.
    pub fn even(each: Duration) -> Self {
        Self { create: each, update: each, delete: each, of: Vec::new() }
    }

    /// How long an action lasts for a stack.
    pub(crate) fn lasting(&self, stack: &str, action: Action) -> Duration {
        let own = self.of.iter().find(|(part, _)| stack.contains(part.as_str()));
        own.map_or(
            match action {
                Action::Create => self.create,
                Action::Update => self.update,
                Action::Delete | Action::Rollback => self.delete,
            },
            |(_, lasts)| *lasts,
        )
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::even(Duration::from_millis(50))
    }
}

/// Who may get a token.
#[derive(Clone)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        to.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What Gohan's schema endpoint does.
#[derive(Debug, Clone, Default)]
pub struct Schemas {
    /// The file, read anew for each request.
    pub file: PathBuf,
    /// How many requests get a 503 before the first gets the file.
    pub failures: u32,
    /// The `X-Auth-Token` that is wanted.
    pub token: Option<String>,
}
