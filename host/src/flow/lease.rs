//! Keeps this host's lease, so that its claims stay its own.
//!
//! The store ends a lease that is not kept. This host counts for itself, from before it last asked:
//! when it can no longer be sure of its lease, it takes it for lost, even when the store is out of
//! reach or this process stood still.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{info, warn};

use crate::store::{LeaseId, Store, StoreError};

/// Parts of the time to live between two keeps.
const KEEPS_PER_TTL: u32 = 3;
/// Parts of the time to live by which a lease is given up before the store may end it.
const MARGIN_PER_TTL: u32 = 10;
/// The shortest pause before the store is asked again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause before the store is asked again.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long the end of the host waits for the store.
const REVOKE_MAX: Duration = Duration::from_secs(2);

/// Keeps a lease and grants a new one when it was lost.
pub(super) struct Keeper {
    store: Arc<dyn Store>,
    ttl: Duration,
    /// The lease that was granted last; none until the store has given the first one.
    id: Option<LeaseId>,
    /// The lease as long as this host may be sure of it.
    lease: watch::Sender<Option<LeaseId>>,
    /// Until when it may.
    sure_until: Instant,
    /// The host has been told that it has none.
    is_late: bool,
}

impl Keeper {
    /// A keeper without a lease; `run` gets one. The receiver always shows the present one, or that there is none.
    pub(super) fn new(
        store: Arc<dyn Store>,
        ttl: Duration,
    ) -> (watch::Receiver<Option<LeaseId>>, Self) {
        let (lease, shown) = watch::channel(None);
        (shown, Self { store, ttl, id: None, lease, sure_until: Instant::now(), is_late: false })
    }

    /// Keeps the lease until stopped and nobody uses it any more, then ends it.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) -> Result<()> {
        let shown = self.lease.clone();
        let mut next = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            tokio::select! {
                () = sleep_until(next) => {
                    let kept = self.keep().await;
                    let wait = if kept { self.ttl / KEEPS_PER_TTL } else { pause };
                    pause = if kept { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
                    next = Instant::now() + wait;
                    if self.is_shown() {
                        next = next.min(self.sure_until);
                    }
                }
                () = shown.closed(), if *stopped.borrow() => break,
                _ = stopped.changed(), if !*stopped.borrow() => {}
            }
        }
        let Some(id) = self.id else { return Ok(()) };
        // Where this fails, the lease ends by itself a little later.
        match timeout(REVOKE_MAX, self.store.revoke(id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                warn!("cannot end the host's lease: {:#}", anyhow::Error::from(error));
            }
            Err(_) => warn!("cannot end the host's lease: the store does not answer"),
        }
        Ok(())
    }

    /// Asks for more time; a lease that is no longer sure is given up while the answer is waited
    /// for. Answers whether there is a lease now.
    async fn keep(&mut self) -> bool {
        let Some(id) = self.id else { return self.grant().await };
        let asked = Instant::now();
        let store = Arc::clone(&self.store);
        let keep = store.keep(id);
        tokio::pin!(keep);
        let answer = if let Ok(answer) = timeout_at(self.sure_until, &mut keep).await {
            answer
        } else {
            self.give_up("the store has not confirmed it in time");
            keep.await
        };
        match answer {
            Ok(()) => self.show(id, asked),
            Err(StoreError::LeaseLost(_)) => {
                self.give_up("the store has ended it");
                return self.grant().await;
            }
            Err(error) => {
                warn!("cannot keep the host's lease: {:#}", anyhow::Error::from(error));
                if Instant::now() >= self.sure_until {
                    self.give_up("the store has not confirmed it in time");
                }
                return false;
            }
        }
        true
    }

    async fn grant(&mut self) -> bool {
        let asked = Instant::now();
        match self.store.grant(self.ttl).await {
            Ok(id) => {
                self.show(id, asked);
                true
            }
            Err(error) => {
                self.is_late = true;
                warn!("cannot get a lease: {:#}; trying again", anyhow::Error::from(error));
                false
            }
        }
    }

    fn is_shown(&self) -> bool {
        self.lease.borrow().is_some()
    }

    fn give_up(&mut self, why: &str) {
        if self.is_shown() {
            self.is_late = true;
            warn!("the host's lease is lost ({why}): its running jobs are stopped");
            self.lease.send_replace(None);
        }
    }

    /// The store has confirmed the lease, asked at `asked`.
    fn show(&mut self, id: LeaseId, asked: Instant) {
        self.sure_until = asked + self.ttl - self.ttl / MARGIN_PER_TTL;
        self.id = Some(id);
        if *self.lease.borrow() != Some(id) {
            if std::mem::take(&mut self.is_late) {
                info!("the host has a lease again");
            }
            self.lease.send_replace(Some(id));
        }
    }
}

#[cfg(test)]
mod tests;
