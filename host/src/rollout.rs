//! Thought 5: which version of a plugin a call goes to, and whether there is to be one.
//!
//! A new version is on trial: it may get a share of the calls only (the canary), and goes out again by itself when it
//! faults before so many good calls. Whichever is in service, faults in a row pause it for a while that doubles each
//! time; after that one call tries whether it is well again. What was begun before such a turn says nothing after it.

use crate::domain::weight;

#[cfg(test)]
mod tests;

/// The operator's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Of a hundred jobs, how many go to a new version first; 0 is all at once.
    pub canary_percent: u64,
    /// Good calls after which such a version gets all of them.
    pub canary_calls_min: u64,
    /// Good calls before which a fault takes a new version out again; 0 is never.
    pub rollback_calls: u64,
    /// Faults in a row that pause a plugin; 0 is never.
    pub breaker_faults_max: u64,
    /// The first pause, in milliseconds; it doubles with each further one.
    pub breaker_ms_min: u64,
    /// The longest pause, in milliseconds.
    pub breaker_ms_max: u64,
}

impl Rules {
    /// Whether the version before a new one may be needed again.
    pub fn keeps_former(&self) -> bool {
        self.rollback_calls > 0 || shares(self)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            canary_percent: 0,
            canary_calls_min: 20,
            rollback_calls: 5,
            breaker_faults_max: 10,
            breaker_ms_min: 1_000,
            breaker_ms_max: 60_000,
        }
    }
}

/// Which version of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that came last.
    Present,
    /// The trusted one before it.
    Former,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a verdict, whichever.
    Good,
    /// With a trap, a breach, too much time or memory.
    Faulted,
}

/// What has to be done about a plugin when a call has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    None,
    /// The new version gets all calls from now on.
    TakesAll,
    /// The new version has stood its trial: the former one can go.
    Trusted,
    /// The new version has to go, the former one is back.
    RolledBack,
    /// No calls until then, in milliseconds of Unix time.
    Paused {
        /// When one call may try.
        until_ms: u64,
    },
    /// It is well again after a pause.
    Resumed,
}

/// How many calls there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// As many as have a place.
    Open,
    /// One, to try.
    One,
    /// None, as one is trying.
    Trying,
    /// None until then, in milliseconds of Unix time.
    Closed {
        /// When one call may try.
        until_ms: u64,
    },
}

/// What a call was begun under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Which version it goes to.
    pub side: Side,
    era: u64,
    tries: bool,
}

/// How far one plugin is trusted.
#[derive(Clone, Debug, Default)]
pub struct Rollout {
    /// Good calls of the new version, while it is on trial.
    trial: Option<Trial>,
    /// Faults in a row.
    faults: u64,
    pause: Option<Pause>,
    /// Pauses since it was last well.
    pauses: u32,
    /// Moves on with each new version, rollback and pause.
    era: u64,
}

#[derive(Clone, Debug)]
struct Trial {
    /// Tells the jobs that go first from version to version, so that they are not always the same.
    salt: String,
    good: u64,
}

#[derive(Clone, Debug)]
struct Pause {
    until_ms: u64,
    tries: bool,
}

impl Rollout {
    /// Another version takes over. It has no former one to go back to if it is the first; a pause ends, as a new
    /// version is the remedy. Answers whether the former one has to be kept.
    pub fn replace(&mut self, rules: &Rules, digest: &str) -> bool {
        self.renew();
        let is_tried = rules.keeps_former();
        self.trial = is_tried.then(|| Trial { salt: digest.to_owned(), good: 0 });
        is_tried
    }

    /// The former version takes over again before the new one has stood its trial: it needs none.
    pub fn restore(&mut self) {
        self.renew();
        self.trial = None;
    }

    /// Whether the former version still gets calls.
    pub fn shares(&self, rules: &Rules) -> bool {
        let below = |trial: &Trial| trial.good < rules.canary_calls_min;
        shares(rules) && self.trial.as_ref().is_some_and(below)
    }

    /// Good calls so far of the version on trial; `None` when none is.
    pub fn on_trial(&self) -> Option<u64> {
        self.trial.as_ref().map(|trial| trial.good)
    }

    /// How many calls there may be now.
    pub fn gate(&self, now_ms: u64) -> Gate {
        match &self.pause {
            None => Gate::Open,
            Some(pause) if pause.tries => Gate::Trying,
            Some(pause) if pause.until_ms <= now_ms => Gate::One,
            Some(pause) => Gate::Closed { until_ms: pause.until_ms },
        }
    }

    /// Begins a call about `subject`, which always goes to the same version; `None` while there may be none.
    pub fn begin(&mut self, rules: &Rules, subject: &str, now_ms: u64) -> Option<Ticket> {
        let tries = match self.gate(now_ms) {
            Gate::Open => false,
            Gate::One => true,
            Gate::Trying | Gate::Closed { .. } => return None,
        };
        if let Some(pause) = self.pause.as_mut() {
            pause.tries = true;
        }
        let goes_first = |trial: &Trial| weight(&trial.salt, subject) % 100 < rules.canary_percent;
        let is_former = self.shares(rules) && !self.trial.as_ref().is_some_and(goes_first);
        let side = if is_former { Side::Former } else { Side::Present };
        Some(Ticket { side, era: self.era, tries })
    }

    /// A call that was begun ended without the plugin having had its say.
    pub fn abandon(&mut self, ticket: Ticket) {
        if ticket.era == self.era
            && ticket.tries
            && let Some(pause) = self.pause.as_mut()
        {
            pause.tries = false;
        }
    }

    /// A call has ended; answers what is to be done.
    pub fn end(&mut self, rules: &Rules, ticket: Ticket, ended: Ended, now_ms: u64) -> Turn {
        if ticket.era != self.era {
            return Turn::None;
        }
        match ended {
            Ended::Good => self.good(rules, ticket),
            Ended::Faulted => self.faulted(rules, ticket, now_ms),
        }
    }

    fn good(&mut self, rules: &Rules, ticket: Ticket) -> Turn {
        self.faults = 0;
        if ticket.tries {
            self.pause = None;
            self.pauses = 0;
        }
        if ticket.side == Side::Present
            && let Some(trial) = self.trial.as_mut()
        {
            let shared = shares(rules) && trial.good < rules.canary_calls_min;
            trial.good += 1;
            let share_is_over = shared && trial.good >= rules.canary_calls_min;
            let least = if shares(rules) { rules.canary_calls_min } else { 0 };
            if trial.good >= rules.rollback_calls.max(least) {
                self.trial = None;
                return Turn::Trusted;
            }
            if share_is_over {
                return Turn::TakesAll;
            }
        }
        if ticket.tries { Turn::Resumed } else { Turn::None }
    }

    fn faulted(&mut self, rules: &Rules, ticket: Ticket, now_ms: u64) -> Turn {
        if ticket.side == Side::Present && self.trial.is_some() && rules.rollback_calls > 0 {
            self.renew();
            return Turn::RolledBack;
        }
        self.faults += 1;
        let is_due = self.faults >= rules.breaker_faults_max || ticket.tries;
        if rules.breaker_faults_max == 0 || !is_due {
            return Turn::None;
        }
        let longer = 1_u64.checked_shl(self.pauses).unwrap_or(u64::MAX);
        let ms = rules.breaker_ms_min.saturating_mul(longer).min(rules.breaker_ms_max);
        let until_ms = now_ms.saturating_add(ms);
        self.pause = Some(Pause { until_ms, tries: false });
        self.pauses = self.pauses.saturating_add(1);
        self.faults = 0;
        self.era += 1;
        Turn::Paused { until_ms }
    }

    fn renew(&mut self) {
        *self = Self { era: self.era + 1, ..Self::default() };
    }
}

/// Whether a new version gets a share of the calls first.
fn shares(rules: &Rules) -> bool {
    (1..100).contains(&rules.canary_percent) && rules.canary_calls_min > 0
}
