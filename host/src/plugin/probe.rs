//! One look of a prober at a registered thing: the same sandbox as for a job, without one.

use std::sync::Arc;

use super::asked::Wish;
use super::bindings::watcher::WatcherPre;
use super::call::{Plugin, run};
use super::convert;
use super::import::Guest;
use super::witness::Witness;
use crate::domain::{Failure, Fault, Json, ResourceRef};

/// Bytes of a status; `UP` and `BACKUP` are statuses.
const STATUS_BYTES_MAX: usize = 64;

/// A loaded prober.
pub struct Prober {
    pub(super) kinds: Vec<String>,
    pub(super) plugin: Arc<Plugin>,
    pub(super) pre: WatcherPre<Guest>,
}

/// One registered thing to be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The resource it belongs to.
    pub of: ResourceRef,
    /// Its name within the resource.
    pub name: String,
    /// Its kind, one of the prober's.
    pub kind: String,
    /// As registered.
    pub properties: Json,
}

impl Prober {
    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.plugin.name
    }

    /// The SHA-256 of the plugin's file, in hex.
    pub fn digest(&self) -> &str {
        &self.plugin.digest
    }

    /// The kinds of targets it knows.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// What it asks for, against what it is granted.
    pub fn wishes(&self) -> Vec<Wish> {
        self.plugin.wishes()
    }

    /// How the subject is now: a status, or why the prober could not say.
    ///
    /// # Errors
    /// The prober did not answer at all.
    pub async fn probe(&self, subject: Subject) -> Result<Result<String, Failure>, Fault> {
        self.probe_before(subject, None).await
    }

    /// The same with a witness beside it.
    ///
    /// # Errors
    /// The prober did not answer at all.
    pub async fn probe_before(
        &self,
        subject: Subject,
        witness: Option<&Arc<Witness>>,
    ) -> Result<Result<String, Failure>, Fault> {
        let subject = convert::subject(&subject);
        let guest = Guest::probing(&self.plugin).seen_by(witness);
        let ms_max = self.plugin.bounds.call_ms_max;
        let (answer, _) = run(&self.plugin, guest, ms_max, async |store| {
            let watcher = self.pre.instantiate_async(&mut *store).await?;
            watcher.stokehold_worker_prober().call_probe(&mut *store, &subject).await
        })
        .await;
        match answer? {
            Ok(status) if status.is_empty() || status.len() > STATUS_BYTES_MAX => {
                Err(Fault::Breach(format!("its status has {} bytes", status.len())))
            }
            Ok(status) if status.chars().any(convert::is_control) => {
                Err(Fault::Breach("its status has control characters".to_owned()))
            }
            Ok(status) => Ok(Ok(status)),
            Err(why) => Ok(Err(convert::failure(why))),
        }
    }
}
