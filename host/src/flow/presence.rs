//! What this host tells about itself: who it is, what it has loaded, what is wrong.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::watch;
use tracing::warn;

use super::clock;
use super::roster::Roster;
use super::scribe::{Scribe, Uncommitted};
use crate::domain::{Content, Effect, Entry, HostId, Presence, Transaction};
use crate::store::LeaseId;

/// The pause before a host that could not announce itself tries again.
const PAUSE_MS: u64 = 1000;

/// The name of this machine.
pub fn node() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Describes this host for those who ask.
fn describe(roster: &Roster, started_ms: u64) -> Presence {
    Presence {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: node(),
        pid: std::process::id(),
        started_ms,
        handlers: roster.handlers().iter().cloned().collect(),
        probers: roster.probers(),
        plugins: roster.statuses(),
        faults: roster.faults(),
    }
}

/// Writes the host's entry under its lease, again under each new lease and when its plugins change, until stopped.
pub(super) async fn run(
    scribe: Scribe,
    host: HostId,
    roster: Arc<Roster>,
    mut lease: watch::Receiver<Option<LeaseId>>,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    let started_ms = clock::now_ms();
    let mut changes = roster.changes();
    loop {
        let present = *lease.borrow_and_update();
        let Some(present) = present else {
            roster.meters().ready(false);
            tokio::select! {
                alive = lease.changed() => if alive.is_err() { return Ok(()) },
                _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
            }
            continue;
        };
        changes.mark_unchanged();
        let content = Content::Presence(describe(&roster, started_ms));
        let effect = Effect::PutLeased(Entry::Host(host.clone()), content);
        let transaction = Transaction { guards: Vec::new(), effects: vec![effect] };
        let pause = match scribe.commit(&transaction, Some(present)).await {
            Ok(_) => {
                roster.meters().ready(true);
                None
            }
            Err(Uncommitted::LeaseLost) => None,
            Err(Uncommitted::Refused(error)) => {
                return Err(error.context("cannot announce this host in the store"));
            }
            Err(other) => {
                warn!("cannot announce this host in the store: {other}; trying again");
                Some(clock::now_ms() + PAUSE_MS)
            }
        };
        tokio::select! {
            alive = lease.changed() => if alive.is_err() { return Ok(()) },
            Ok(()) = changes.changed() => {}
            () = clock::sleep_until(pause) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        }
    }
}
