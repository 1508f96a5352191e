//! Keeps this host's lease, so that its claims stay its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::store::{LeaseId, Store, StoreError};

/// Parts of the time to live between two keeps.
const KEEPS_PER_TTL: u32 = 3;

/// Keeps a lease and grants a new one when it was lost.
pub(super) struct Keeper {
    store: Arc<dyn Store>,
    ttl: Duration,
    lease: watch::Sender<LeaseId>,
}

impl Keeper {
    /// Grants the first lease. The receiver always shows the present one.
    pub(super) async fn start(
        store: Arc<dyn Store>,
        ttl: Duration,
    ) -> Result<(watch::Receiver<LeaseId>, Self)> {
        let lease = store.grant(ttl).await.context("cannot get a lease from the store")?;
        let (lease, shown) = watch::channel(lease);
        Ok((shown, Self { store, ttl, lease }))
    }

    /// Keeps the lease until stopped and nobody uses it any more, then ends it.
    pub(super) async fn run(self, mut stopped: watch::Receiver<bool>) -> Result<()> {
        let mut tick = tokio::time::interval(self.ttl / KEEPS_PER_TTL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.keep().await,
                () = self.lease.closed(), if *stopped.borrow() => break,
                _ = stopped.changed(), if !*stopped.borrow() => {}
            }
        }
        let lease = *self.lease.borrow();
        self.store.revoke(lease).await.context("cannot end the host's lease")
    }

    async fn keep(&self) {
        let lease = *self.lease.borrow();
        match self.store.keep(lease).await {
            Ok(()) => {}
            Err(StoreError::LeaseLost(_)) => {
                warn!("the host's lease was lost: its running jobs start anew");
                match self.store.grant(self.ttl).await {
                    Ok(lease) => {
                        self.lease.send_replace(lease);
                        info!("the host has a new lease");
                    }
                    Err(error) => warn!("cannot get a new lease: {:#}", anyhow::Error::from(error)),
                }
            }
            Err(error) => warn!("cannot keep the host's lease: {:#}", anyhow::Error::from(error)),
        }
    }
}
