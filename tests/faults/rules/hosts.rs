//! Laws about claims, leases and the leader.

use std::collections::{BTreeMap, BTreeSet};

use super::{Moment, Rule};
use crate::history::{Change, View, under};

const JOBS: &str = "/jobs/all/";
const WORKING: &str = "/jobs/working/";
const HOSTS: &str = "/stokehold/hosts/";
const LEADER: &str = "/stokehold/leader";
const APPLIED: &str = "/stokehold/applied/";

/// Nobody takes what somebody has.
pub(super) struct OneClaim;

impl Rule for OneClaim {
    fn law(&self) -> &'static str {
        "a claim and the leadership are taken only when nobody has them"
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), String> {
        let taken = |change: &&Change| {
            let exclusive = change.key.starts_with(WORKING) || change.key == LEADER;
            exclusive && change.value.is_some() && now.before.contains_key(&change.key)
        };
        match now.step.changes.iter().find(taken) {
            Some(change) => Err(format!("{} was somebody's", change.key)),
            None => Ok(()),
        }
    }
}

/// What a host has hangs on that host's lease, and ends with it.
#[derive(Default)]
pub(super) struct UnderALease {
    /// Lease → the host whose presence hung on it.
    owner: BTreeMap<i64, String>,
    ended: BTreeSet<i64>,
    /// Claims under leases whose host has not said that it is there: key, host and lease.
    early: Vec<(String, String, i64)>,
}

impl UnderALease {
    fn take(&mut self, change: &Change) -> Result<(), String> {
        let Change { key, value, lease } = change;
        let host = value.as_ref().and_then(|value| value.as_str()).unwrap_or_default();
        if *lease == 0 {
            return Err(format!("{key} hangs on no lease"));
        }
        if self.ended.contains(lease) {
            return Err(format!("{key} was put by {host} under a lease that had ended"));
        }
        match self.owner.get(lease) {
            Some(owner) if owner == host => {}
            Some(owner) => {
                return Err(format!("{key} was put by {host} under the lease of {owner}"));
            }
            None => self.early.push((key.clone(), host.to_owned(), *lease)),
        }
        Ok(())
    }
}

impl Rule for UnderALease {
    fn law(&self) -> &'static str {
        "claims and the leadership hang on the lease of a host that is there, and end with it"
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), String> {
        for (host, change, _) in now.step.puts(HOSTS) {
            if change.lease == 0 {
                return Err(format!("{} hangs on no lease", change.key));
            }
            self.owner.insert(change.lease, host.to_owned());
        }
        let exclusive = |change: &&Change| {
            change.value.is_some() && (change.key.starts_with(WORKING) || change.key == LEADER)
        };
        for change in now.step.changes.iter().filter(exclusive) {
            self.take(change)?;
        }
        for host in now.step.removals(HOSTS) {
            let Some(gone) = now.before.get(&format!("{HOSTS}{host}")) else { continue };
            self.ended.insert(gone.lease);
            let claims = under(now.after, WORKING).map(|(_, kept)| kept);
            let mut left = claims.chain(now.after.get(LEADER));
            if left.any(|kept| kept.lease == gone.lease) {
                return Err(format!("{host} went, but what hung on its lease is left"));
            }
        }
        Ok(())
    }

    fn end(&mut self, _: &View) -> Result<(), String> {
        for (key, host, lease) in &self.early {
            if self.owner.get(lease) != Some(host) {
                return Err(format!(
                    "{key} was put by {host}, which never was there with its lease"
                ));
            }
        }
        Ok(())
    }
}

/// Who plans has the leadership.
pub(super) struct LeadersPlan;

impl Rule for LeadersPlan {
    fn law(&self) -> &'static str {
        "plans are committed only while somebody leads"
    }

    fn see(&mut self, now: &Moment<'_>) -> Result<(), String> {
        let mut jobs = now.step.puts(JOBS).filter(|(_, c, _)| !now.before.contains_key(&c.key));
        let planned = jobs.next().or_else(|| now.step.puts(APPLIED).next());
        match planned {
            Some((_, change, _)) if !now.before.contains_key(LEADER) => {
                Err(format!("{} was planned while nobody led", change.key))
            }
            _ => Ok(()),
        }
    }
}
