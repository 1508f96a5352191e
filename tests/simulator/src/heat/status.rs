//! A stack's status.

use std::fmt;
use std::str::FromStr;

/// What is being done, or was done last, to a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `CREATE`
    Create,
    /// `UPDATE`
    Update,
    /// `DELETE`
    Delete,
    /// `ROLLBACK`
    Rollback,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// `IN_PROGRESS`
    InProgress,
    /// `COMPLETE`
    Complete,
    /// `FAILED`
    Failed,
}

/// A stack's status: `CREATE_IN_PROGRESS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// The first word.
    pub action: Action,
    /// The rest.
    pub progress: Progress,
}

impl Status {
    pub(crate) fn new(action: Action, progress: Progress) -> Self {
        Self { action, progress }
    }

    /// Whether the action still runs.
    pub fn in_progress(self) -> bool {
        self.progress == Progress::InProgress
    }
}

impl Action {
    /// The word that Heat shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Rollback => "ROLLBACK",
        }
    }
}

impl Progress {
    /// The word that Heat shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "{}_{}", self.action.word(), self.progress.word())
    }
}

impl FromStr for Status {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let actions = [Action::Create, Action::Update, Action::Delete, Action::Rollback];
        let ends = [Progress::InProgress, Progress::Complete, Progress::Failed];
        let mut all =
            actions.iter().flat_map(|action| ends.iter().map(|end| Self::new(*action, *end)));
        all.find(|status| status.to_string() == text).ok_or_else(|| {
            anyhow::anyhow!("cannot read status {text}: CREATE_COMPLETE and its like are known")
        })
    }
}
