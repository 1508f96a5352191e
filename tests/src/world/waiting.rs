//! Waiting for what a world comes to.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value as Json;

use super::World;

impl World {
    /// Waits until `ready` answers something; asked again after every change of the store.
    ///
    /// # Errors
    /// When it takes too long: says what was waited for and what is still open.
    pub async fn until<T>(
        &self,
        what: &str,
        mut ready: impl AsyncFnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let waiting = async {
            let from = self.store.list("/", None, 1).await?.revision;
            let mut watch = self.store.watch(&["/"], from).await?;
            loop {
                if let Some(found) = ready().await? {
                    return Ok::<T, anyhow::Error>(found);
                }
                // Not everything shows in the store: Heat's requests, for example.
                let _ = tokio::time::timeout(Duration::from_millis(20), watch.next()).await;
            }
        };
        if let Ok(found) = tokio::time::timeout(self.setup.patience, waiting).await {
            return found;
        }
        let open = self.all("/jobs/").await?;
        let steps = self.all("/stokehold/steps/").await?;
        bail!("waited in vain for {what}; open jobs: {:?}; steps: {steps:?}", open.keys())
    }

    /// Waits until the state of a resource has reached a version.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn state(&self, key: &str, version: u64) -> Result<Json> {
        let key = format!("/state{key}");
        self.until(&format!("{key} at version {version}"), async || {
            let state = self.get(&key).await?;
            Ok(state.filter(|state| state["version"].as_u64() >= Some(version)))
        })
        .await
    }

    /// Waits until no job is left.
    ///
    /// # Errors
    /// When it takes too long.
    pub async fn idle(&self) -> Result<()> {
        self.until("the end of all jobs", async || {
            let open = self.all("/jobs/").await?.len();
            let reported = self.all("/esi-worker/job_state/").await?.len();
            Ok((open + reported == 0).then_some(()))
        })
        .await
    }
}
