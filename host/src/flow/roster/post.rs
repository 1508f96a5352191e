//! One plugin's place: the version in service, the way back, and how far it is trusted.

use std::path::PathBuf;
use std::sync::Arc;

use tracing::{error, info};

use super::{kind, short};
use crate::admin::Meters;
use crate::domain::{Fault, PluginStatus, PluginWish, Stage};
use crate::flow::clock;
use crate::plugin::{Found, Standing, Wish};
use crate::rollout::{Gate, Rollout, Rules, Turn};

/// One plugin's.
pub(super) struct Post {
    pub(super) file: PathBuf,
    pub(super) present: Version,
    /// The way back, while there is one.
    pub(super) former: Option<Version>,
    pub(super) rollout: Rollout,
    /// Why the newest version of its file is not in service.
    pub(super) refused: Option<String>,
    /// The version that was taken out again; the same is not put in once more.
    pub(super) rolled_back: Option<RolledBack>,
}

pub(super) struct RolledBack {
    pub(super) digest: String,
    /// What happened, for the operator.
    pub(super) why: String,
}

#[derive(Clone)]
pub(super) struct Version {
    pub(super) plugin: Arc<Found>,
    pub(super) since_ms: u64,
}

impl Post {
    pub(super) fn new(file: PathBuf, present: Version) -> Self {
        let (former, refused, rolled_back) = (None, None, None);
        Self { file, present, former, rollout: Rollout::default(), refused, rolled_back }
    }

    /// The last version that has stood its trial.
    pub(super) fn trusted(&self) -> Option<&Version> {
        if self.rollout.on_trial().is_none() { Some(&self.present) } else { self.former.as_ref() }
    }

    /// Every version that is in service or may come back.
    pub(super) fn versions(&self) -> impl Iterator<Item = &Found> {
        [Some(&self.present), self.former.as_ref()].into_iter().flatten().map(|it| &*it.plugin)
    }

    /// Whether one of them is this one.
    pub(super) fn has(&self, digest: &str) -> bool {
        self.versions().any(|version| version.digest() == digest)
    }

    /// Whether faults in a row keep calls from it.
    pub(super) fn is_paused(&self) -> bool {
        self.rollout.gate(0) != Gate::Open
    }

    /// Another version takes over. `way_back` is the trusted one before it, with the grants of now.
    pub(super) fn replace(&mut self, rules: &Rules, version: Version, way_back: Option<Found>) {
        let (old, new) = (self.present.plugin.digest(), version.plugin.digest());
        let (digest, former) = (short(new), short(old));
        self.refused = None;
        self.rolled_back = None;
        let since_ms = self.trusted().map(|trusted| trusted.since_ms).unwrap_or_default();
        let way_back = way_back.map(|found| Version::new(found, since_ms));
        if old == new {
            // The same code, with other grants or only another time of change.
            self.present.plugin = version.plugin;
            if self.former.is_some() {
                self.former = way_back;
                if self.former.is_none() {
                    // Without a way back there is no trial.
                    self.rollout.restore();
                }
            }
            return;
        }
        info!(plugin = version.plugin.name(), digest, former, "plugin is swapped");
        if self.former.as_ref().is_some_and(|before| before.plugin.digest() == new) {
            // Put back by hand: it was trusted before, and is no way back from itself.
            self.rollout.restore();
            self.present = version;
            self.former = None;
            return;
        }
        let is_kept = self.rollout.replace(rules, new);
        self.present = version;
        self.former = way_back.filter(|_| is_kept);
        if self.former.is_none() {
            self.rollout.restore();
        }
    }

    pub(super) fn perform(
        &mut self,
        turn: Turn,
        name: &str,
        meters: &Meters,
        fault: Option<&Fault>,
    ) {
        let digest = short(self.present.plugin.digest());
        let why = fault.map(ToString::to_string).unwrap_or_default();
        match turn {
            Turn::None => {}
            Turn::TakesAll => {
                info!(plugin = name, digest, "new version gets all calls");
                meters.paused(name, false);
            }
            Turn::Trusted => {
                info!(plugin = name, digest, "new version has stood its trial");
                self.former = None;
                meters.paused(name, false);
            }
            Turn::RolledBack => {
                meters.paused(name, false);
                let Some(former) = self.former.take() else {
                    error!(plugin = name, digest, "new version stays, there is no way back: {why}");
                    return;
                };
                meters.rolled_back(name);
                let gone = self.present.plugin.digest().to_owned();
                self.present = Version { since_ms: clock::now_ms(), ..former };
                let back = short(self.present.plugin.digest());
                error!(plugin = name, digest, back, "new version is rolled back: {why}");
                let why = format!("{digest} was rolled back: {why}");
                self.refused = Some(why.clone());
                self.rolled_back = Some(RolledBack { digest: gone, why });
            }
            Turn::Paused { until_ms } => {
                meters.paused(name, true);
                let pause_ms = until_ms.saturating_sub(clock::now_ms());
                error!(
                    plugin = name,
                    digest,
                    pause_ms,
                    "plugin is paused after faults in a row (breaker_faults_max): {why}"
                );
            }
            Turn::Resumed => {
                meters.paused(name, false);
                info!(plugin = name, digest, "plugin is well again");
            }
        }
    }

    pub(super) fn status(&self, name: &str, rules: &Rules) -> PluginStatus {
        let plugin = &self.present.plugin;
        let stage = match (self.rollout.on_trial(), self.rollout.shares(rules)) {
            (None, _) => Stage::Trusted,
            (Some(_), true) => Stage::Canary,
            (Some(_), false) => Stage::OnTrial,
        };
        let paused_until_ms = match self.rollout.gate(0) {
            Gate::Closed { until_ms } => Some(until_ms),
            Gate::Open | Gate::One | Gate::Trying => None,
        };
        PluginStatus {
            name: name.to_owned(),
            file: self.file.display().to_string(),
            kind: kind(plugin),
            digest: plugin.digest().to_owned(),
            since_ms: self.present.since_ms,
            is_from_cache: plugin.is_from_cache(),
            stage,
            former: self.former.as_ref().map(|former| former.plugin.digest().to_owned()),
            paused_until_ms,
            refused: self.refused.clone(),
            wishes: plugin.wishes().into_iter().map(told).collect(),
        }
    }
}

impl Version {
    pub(super) fn new(found: Found, since_ms: u64) -> Self {
        Self { plugin: Arc::new(found), since_ms }
    }
}

fn told(wish: Wish) -> PluginWish {
    let standing = match wish.standing {
        Standing::Granted => "granted",
        Standing::Refused => "refused",
        Standing::Unset => "unset",
        Standing::Unasked => "unasked",
        Standing::Beyond { .. } => "beyond",
        Standing::Unclear => "unclear",
    };
    PluginWish {
        asked: format!("{} {}", wish.kind, wish.asked),
        standing: standing.to_owned(),
        line: wish.line,
    }
}
