//! A status that does not flap: a change counts after some equal probes in a row.

/// What one object's probes say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Steady {
    /// The status that counts; `None` before the first one.
    status: Option<String>,
    /// Another status that was seen since, and how often in a row.
    doubt: Option<(String, u32)>,
}

impl Steady {
    /// A status that counts already.
    pub(super) fn known(status: String) -> Self {
        Self { status: Some(status), doubt: None }
    }

    /// The status that counts.
    pub(super) fn status(&self) -> Option<&String> {
        self.status.as_ref()
    }

    /// Whether a change was seen that does not count yet.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubt.is_some()
    }

    /// Takes in a probe. The first status counts at once: it changes nothing.
    pub(super) fn take(&mut self, seen: String, confirmations: u32) {
        if self.status.as_ref() == Some(&seen) {
            self.doubt = None;
            return;
        }
        let times = match &self.doubt {
            Some((doubted, times)) if *doubted == seen => times.saturating_add(1),
            _ => 1,
        };
        if self.status.is_none() || times >= confirmations {
            *self = Self::known(seen);
        } else {
            self.doubt = Some((seen, times));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statuses that count after each probe.
    fn counted(confirmations: u32, probes: &str) -> String {
        let mut steady = Steady::default();
        let mut after = |seen: char| {
            steady.take(seen.to_string(), confirmations);
            steady.status().cloned().unwrap_or_default()
        };
        probes.chars().map(&mut after).collect()
    }

    #[test]
    fn a_change_counts_after_so_many_equal_probes_in_a_row() {
        for (confirmations, probes, statuses) in [
            (1, "UDUD", "UDUD"),
            (2, "UDUD", "UUUU"),
            (2, "UDDUU", "UUDDU"),
            (3, "UDDUDDDUUU", "UUUUUUDDDU"),
            // Another change begins anew.
            (2, "UDFDFF", "UUUUUF"),
            (3, "D", "D"),
        ] {
            assert_eq!(counted(confirmations, probes), statuses, "{confirmations} of {probes}");
        }
    }

    #[test]
    fn only_a_change_is_in_doubt() {
        let mut steady = Steady::known("UP".to_owned());
        steady.take("DOWN".to_owned(), 2);
        assert!(steady.is_doubtful());
        steady.take("UP".to_owned(), 2);
        assert!(!steady.is_doubtful());
    }
}
