//! What this host tells about itself: who it is, what it has loaded, what is wrong.

use anyhow::Result;
use serde_json::json;
use tokio::sync::watch;
use tracing::warn;

use super::clock;
use super::scribe::{Scribe, Uncommitted};
use crate::domain::{Content, Effect, Entry, Handlers, HostId, Json, Transaction, UpdateStyle};
use crate::plugin::Loaded;
use crate::store::LeaseId;

/// The pause before a host that could not announce itself tries again.
const PAUSE_MS: u64 = 1000;

/// Describes this host for those who ask.
pub(super) fn describe(plugins: &Loaded, handlers: &Handlers) -> Json {
    let handlers: Vec<_> = handlers
        .iter()
        .map(|handler| {
            let update = match handler.update {
                UpdateStyle::Modify => "modify",
                UpdateStyle::Recreate => "recreate",
            };
            json!({"name": handler.name.as_str(), "update": update})
        })
        .collect();
    let probers: Vec<_> = plugins
        .probers
        .iter()
        .map(|prober| json!({"name": prober.name(), "kinds": prober.kinds()}))
        .collect();
    let faults: Vec<_> = plugins
        .faults
        .iter()
        .map(|fault| json!({"file": fault.file.display().to_string(), "reason": fault.reason}))
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "started_ms": clock::now_ms(),
        "handlers": handlers,
        "probers": probers,
        "faults": faults,
    })
}

/// Writes the host's entry under its lease, again under each new lease, until stopped.
pub(super) async fn run(
    scribe: Scribe,
    host: HostId,
    about: Json,
    mut lease: watch::Receiver<LeaseId>,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    loop {
        let present = *lease.borrow_and_update();
        let effect = Effect::PutLeased(Entry::Host(host.clone()), Content::Free(about.clone()));
        let transaction = Transaction { guards: Vec::new(), effects: vec![effect] };
        let told = scribe.commit(&transaction, Some(present)).await;
        let pause = match told {
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
