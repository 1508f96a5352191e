//! The dry call of a version that is to take over, where it offers one.

use super::call::run;
use super::convert::line;
use super::import::Guest;
use super::load::{Found, REASON_BYTES_MAX};
use crate::domain::Fault;

/// Exported by those who want it; not part of what a plugin has to be.
const INTERFACE: &str = "stokehold:worker/trial@0.1.0";
const FUNCTION: &str = "attempt";

/// Whether the plugin has a trial.
pub(super) fn is_offered(found: &Found) -> bool {
    found.component().get_export_index(None, INTERFACE).is_some()
}

/// Lets the plugin try whether it can work: with its grants, without a job.
///
/// # Errors
/// What it said, or why it could not.
pub(super) async fn attempt(found: &Found) -> Result<(), String> {
    if !is_offered(found) {
        return Ok(());
    }
    let (plugin, pre) = match found {
        Found::Worker(worker) => (&worker.plugin, worker.pre.instance_pre()),
        Found::Prober(prober) => (&prober.plugin, prober.pre.instance_pre()),
    };
    let guest = Guest::probing(plugin);
    let ms_max = plugin.bounds.call_ms_max;
    let (said, _) = run(plugin, guest, ms_max, async |store| {
        let instance = pre.instantiate_async(&mut *store).await?;
        let interface = instance.get_export_index(&mut *store, None, INTERFACE);
        let function = instance.get_export_index(&mut *store, interface.as_ref(), FUNCTION);
        let function = function.ok_or_else(|| wasmtime::format_err!("it has no {FUNCTION}"))?;
        let function =
            instance.get_typed_func::<(), (Result<(), String>,)>(&mut *store, function)?;
        let (said,) = function.call_async(&mut *store, ()).await?;
        Ok(said)
    })
    .await;
    match said {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(format!("says that it cannot work: {}", line(&why, REASON_BYTES_MAX))),
        Err(Fault::Deadline { call_ms_max }) => {
            Err(format!("does not end its trial within {call_ms_max} ms (call_ms_max)"))
        }
        Err(fault) => Err(format!("does not stand its trial: {fault}")),
    }
}
