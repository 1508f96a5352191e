//! What a call leaves for the next one.

use serde_json::json;
use stokehold_sdk::Json;

use crate::answer::Shown;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing was asked of Heat yet, or what was asked is out of date: look what there is.
    Look,
    /// The stack is being created.
    Create,
    /// It is being updated.
    Update,
    /// It is being deleted.
    Delete,
}

const WORDS: [(Phase, &str); 4] = [
    (Phase::Look, "look"),
    (Phase::Create, "create"),
    (Phase::Update, "update"),
    (Phase::Delete, "delete"),
];

/// Where the job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// What is waited for.
    pub(crate) phase: Phase,
    /// Heat's id of the stack; empty when looking.
    pub(crate) stack: String,
    /// The stack's status when the action was asked for, and when its last update began. Heat may
    /// show them for a moment longer, and they must not be taken for the action's end.
    pub(crate) before: (String, String),
    /// Whether the action was seen running.
    pub(crate) ran: bool,
    /// How often the stack was looked at without the action being seen.
    pub(crate) polls: u64,
    /// For how many milliseconds it was waited between these looks.
    pub(crate) unseen_ms: u64,
    /// When this wait began, in seconds since 1970; 0 with `until_s`.
    pub(crate) since_s: u64,
    /// When Heat must have ended what runs, in seconds since 1970, as far as the job knows without
    /// the stack; 0 is not set yet.
    pub(crate) until_s: u64,
    /// The most minutes that the stack was seen to have for an action; 0 before it was seen.
    pub(crate) mins: u64,
    /// Whether Heat was seen undoing what failed, for which it takes its time anew.
    pub(crate) undoes: bool,
    /// How often the job began anew because Heat was not as expected.
    pub(crate) rounds: u64,
}

impl Checkpoint {
    /// The beginning.
    pub(crate) fn start() -> Self {
        let before = (String::new(), String::new());
        Self {
            phase: Phase::Look,
            stack: String::new(),
            before,
            ran: false,
            polls: 0,
            unseen_ms: 0,
            since_s: 0,
            until_s: 0,
            mins: 0,
            undoes: false,
            rounds: 0,
        }
    }

    /// An action was asked for on a stack that looked so.
    pub(crate) fn asked(&self, phase: Phase, shown: &Shown) -> Self {
        let before = (shown.status.clone(), shown.updated.clone());
        let (stack, mins) = (shown.id.clone(), shown.timeout_mins);
        Self { phase, stack, before, mins, rounds: self.rounds, ..Self::start() }
    }

    /// A stack is being created.
    pub(crate) fn creating(&self, stack: String) -> Self {
        Self { phase: Phase::Create, stack, ran: true, rounds: self.rounds, ..Self::start() }
    }

    /// Looks again, and what is waited for is the same.
    pub(crate) fn look(&self) -> Self {
        let Self { since_s, until_s, mins, undoes, .. } = *self;
        Self { since_s, until_s, mins, undoes, ..self.look_afresh() }
    }

    /// Looks again, as what was waited for has come.
    pub(crate) fn look_afresh(&self) -> Self {
        Self { rounds: self.rounds, ..Self::start() }
    }

    /// Heat has so many seconds from now, unless it was told before.
    pub(crate) fn bounded(mut self, now_s: u64, limit_s: impl FnOnce() -> u64) -> Self {
        if self.until_s == 0 {
            (self.since_s, self.until_s) = (now_s, now_s.saturating_add(limit_s()));
        }
        self
    }

    /// An action runs on a stack that looks so.
    pub(crate) fn going_on(&self, shown: &Shown, now_s: u64) -> Self {
        let mut at = self.clone();
        at.mins = at.mins.max(shown.timeout_mins);
        if shown.status == "ROLLBACK_IN_PROGRESS" && !at.undoes {
            let limit_s = at.until_s.saturating_sub(at.since_s);
            (at.since_s, at.until_s) = (now_s, now_s.saturating_add(limit_s));
            at.undoes = true;
        }
        at
    }

    /// Looks again, because Heat is not as expected.
    pub(crate) fn anew(&self) -> Self {
        Self { rounds: self.rounds + 1, ..Self::start() }
    }

    /// The action was seen running.
    pub(crate) fn running(mut self) -> Self {
        self.ran = true;
        self
    }

    /// The action was not seen; the next look is after so many milliseconds.
    pub(crate) fn unseen(mut self, after_ms: u64) -> Self {
        self.polls += 1;
        self.unseen_ms = self.unseen_ms.saturating_add(after_ms);
        self
    }

    /// Reads what `write` wrote; `None` for anything else.
    pub(crate) fn read(json: &Json) -> Option<Self> {
        // Checkpoints of earlier releases lack some.
        let number = |at: &str| json.pointer(at).and_then(Json::as_u64).unwrap_or_default();
        let text = |at: &str| Some(json.pointer(at)?.as_str()?.to_owned());
        let word = text("/phase")?;
        let (phase, _) = WORDS.into_iter().find(|(_, w)| *w == word)?;
        let stack = text("/stack")?;
        if phase != Phase::Look && stack.is_empty() {
            return None;
        }
        Some(Self {
            phase,
            stack,
            before: (text("/before/status")?, text("/before/updated")?),
            ran: json.pointer("/ran")?.as_bool()?,
            polls: json.pointer("/polls")?.as_u64()?,
            unseen_ms: number("/unseen_ms"),
            since_s: number("/since_s"),
            until_s: number("/until_s"),
            mins: number("/mins"),
            undoes: json.pointer("/undoes").and_then(Json::as_bool).unwrap_or_default(),
            rounds: json.pointer("/rounds")?.as_u64()?,
        })
    }

    /// As JSON.
    pub(crate) fn write(&self) -> Json {
        let word = WORDS.into_iter().find(|(phase, _)| *phase == self.phase);
        json!({
            "phase": word.map_or("look", |(_, word)| word),
            "stack": self.stack,
            "before": {"status": self.before.0, "updated": self.before.1},
            "ran": self.ran,
            "polls": self.polls,
            "unseen_ms": self.unseen_ms,
            "since_s": self.since_s,
            "until_s": self.until_s,
            "mins": self.mins,
            "undoes": self.undoes,
            "rounds": self.rounds,
        })
    }
}
