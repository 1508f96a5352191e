//! What a guest was refused in one call: each kind is told once, so that a stubborn guest does not fill the log.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    Describing,
    TooMany,
    NotGranted,
    Scheme,
    Method,
    Astray,
    Injection,
    Udp,
    Tcp,
    Name,
    Listening,
}

pub(super) struct Refusals {
    plugin: Arc<str>,
    told: Mutex<(BTreeSet<Refusal>, u64)>,
}

impl Refusals {
    pub(super) fn new(plugin: &Arc<str>) -> Arc<Self> {
        Arc::new(Self { plugin: Arc::clone(plugin), told: Mutex::default() })
    }

    /// Tells it if it is the first of its kind; the text begins after the plugin's name.
    pub(super) fn tell(&self, kind: Refusal, why: impl FnOnce(&str) -> String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0.insert(kind) {
            tracing::warn!(plugin = &*self.plugin, "{} {}", self.plugin, why(&self.plugin));
        } else {
            told.1 += 1;
        }
    }

    pub(super) fn finish(&self) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.1 > 0 {
            let untold = told.1;
            tracing::warn!(plugin = &*self.plugin, "… {untold} more requests refused");
        }
    }
}
