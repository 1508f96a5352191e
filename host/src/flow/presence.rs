//! What this host tells about itself: who it is, what it has loaded, what is wrong.

use anyhow::Result;
use tokio::sync::watch;
use tracing::warn;

use super::clock;
use super::scribe::{Scribe, Uncommitted};
use crate::domain::{
    Content, Effect, Entry, Handlers, HostId, PluginFault, Presence, ProberKinds, Transaction,
};
use crate::plugin::Loaded;
use crate::store::LeaseId;

/// The pause before a host that could not announce itself tries again.
const PAUSE_MS: u64 = 1000;

/// The name of this machine.
pub fn node() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Describes this host for those who ask.
pub(super) fn describe(plugins: &Loaded, handlers: &Handlers) -> Presence {
    let probers = plugins.probers.iter().map(|prober| ProberKinds {
        name: prober.name().to_owned(),
        kinds: prober.kinds().to_vec(),
    });
    let faults = plugins.faults.iter().map(|fault| PluginFault {
        file: fault.file.display().to_string(),
        reason: fault.reason.clone(),
    });
    Presence {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: node(),
        pid: std::process::id(),
        started_ms: clock::now_ms(),
        handlers: handlers.iter().cloned().collect(),
        probers: probers.collect(),
        faults: faults.collect(),
    }
}

/// Writes the host's entry under its lease, again under each new lease, until stopped.
pub(super) async fn run(
    scribe: Scribe,
    host: HostId,
    about: Presence,
    mut lease: watch::Receiver<Option<LeaseId>>,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    loop {
        let present = *lease.borrow_and_update();
        let Some(present) = present else {
            tokio::select! {
                changed = lease.changed() => if changed.is_err() { return Ok(()) },
                _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
            }
            continue;
        };
        let content = Content::Presence(about.clone());
        let effect = Effect::PutLeased(Entry::Host(host.clone()), content);
        let transaction = Transaction { guards: Vec::new(), effects: vec![effect] };
        let pause = match scribe.commit(&transaction, Some(present)).await {
            Ok(_) | Err(Uncommitted::LeaseLost) => None,
            Err(Uncommitted::Refused(error)) => {
                return Err(error.context("cannot announce this host in the store"));
            }
            Err(other) => {
                warn!("cannot announce this host in the store: {other}; trying again");
                Some(clock::now_ms() + PAUSE_MS)
            }
        };
        tokio::select! {
            changed = lease.changed() => if changed.is_err() { return Ok(()) },
            () = clock::sleep_until(pause) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        }
    }
}
