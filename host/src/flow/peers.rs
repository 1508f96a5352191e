//! Who else runs on this store, and which of them leads.
//!
//! The leader plans and puts right what lies wrong. Nothing is wrong when two believe to lead for a
//! moment: what a leader commits compares the leader's entry, and all of it is guarded anyway. One
//! leader only keeps hosts from doing the same work twice.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::clock;
use super::mirror::{self, Update};
use super::scribe::{Scribe, Uncommitted};
use crate::domain::{Content, Effect, Entry, Fact, Guard, HostId, Peers, Revision, Transaction};
use crate::store::LeaseId;
use crate::wire::key::{self, name_of};

const PREFIXES: &[&str] = &[key::HOSTS, key::LEADER];
/// The pause before a host that could not reach the store campaigns again.
const PAUSE_MS: u64 = 500;

/// Shows the others to the loops of this host.
pub(super) struct Campaign {
    scribe: Scribe,
    me: HostId,
    lease: watch::Receiver<Option<LeaseId>>,
    peers: watch::Sender<Peers>,
    /// What the mirror has shown.
    seen: Peers,
    /// Up to which revision; `None` before the first listing.
    reached: Option<Revision>,
    /// No campaign before the mirror has reached this.
    not_before: Revision,
}

impl Campaign {
    /// The receiver shows the hosts and the leader as this host may believe them: without a lease
    /// it does not lead.
    pub(super) fn new(
        scribe: Scribe,
        me: HostId,
        lease: watch::Receiver<Option<LeaseId>>,
    ) -> (watch::Receiver<Peers>, Self) {
        let (peers, shown) = watch::channel(Peers::default());
        let (seen, not_before) = (Peers::default(), Revision::default());
        (shown, Self { scribe, me, lease, peers, seen, reached: None, not_before })
    }

    /// Watches and campaigns until stopped, then gives the leadership back.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) -> Result<()> {
        let (store, schemas) = (Arc::clone(&self.scribe.store), Arc::clone(&self.scribe.schemas));
        let mut updates = mirror::start(store, schemas, PREFIXES);
        let mut again_ms = None;
        loop {
            tokio::select! {
                update = updates.recv() => {
                    let Some(update) = update else { anyhow::bail!("the campaign's mirror ended") };
                    self.observe(update);
                }
                Ok(()) = self.lease.changed() => {}
                () = clock::sleep_until(again_ms) => {}
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
            self.show();
            again_ms = self.campaign().await;
        }
        self.resign().await;
        // To the other loops a campaign that is over before them would look like a broken one.
        self.peers.closed().await;
        Ok(())
    }

    fn observe(&mut self, update: Update) {
        self.reached = Some(update.revision);
        for Fact { entry, content, created, .. } in update.facts {
            match (entry, content) {
                (Entry::Host(id), Some(Content::Presence(presence))) => {
                    if id != self.me {
                        debug!(host = %id, node = presence.node, "is there");
                    }
                    self.seen.put(id, presence);
                }
                (Entry::Host(id), None) => {
                    info!(host = %id, "is gone");
                    self.seen.remove(&id);
                }
                (Entry::Leader, Some(Content::Host(id))) => {
                    info!(leader = %id, "leads");
                    self.seen.set_leader(Some((id, created)));
                }
                (Entry::Leader, None) => self.seen.set_leader(None),
                (entry, Some(Content::Unreadable(reason))) => {
                    warn!("cannot read {}: {reason}", name_of(&entry));
                }
                _ => {}
            }
        }
    }

    fn show(&self) {
        let mut believed = self.seen.clone();
        if self.lease.borrow().is_none() && believed.term_of(&self.me).is_some() {
            believed.set_leader(None);
        }
        self.peers.send_if_modified(|shown| {
            let is_new = *shown != believed;
            if is_new {
                *shown = believed;
            }
            is_new
        });
    }

    /// Takes the leadership if nobody has it; answers when to try again by itself.
    async fn campaign(&mut self) -> Option<u64> {
        let lease = *self.lease.borrow();
        if self.seen.leader().is_some() || self.reached? < self.not_before {
            return None;
        }
        let transaction = Transaction {
            guards: vec![Guard::Absent(Entry::Leader)],
            effects: vec![Effect::PutLeased(Entry::Leader, Content::Host(self.me.clone()))],
        };
        match self.scribe.commit(&transaction, Some(lease?)).await {
            Ok(at) | Err(Uncommitted::Conflict(at)) => self.not_before = at,
            // The keeper shows a new lease.
            Err(Uncommitted::LeaseLost) => {}
            Err(other) => {
                warn!("cannot campaign for the leadership: {other}; trying again");
                return Some(clock::now_ms() + PAUSE_MS);
            }
        }
        None
    }

    async fn resign(&self) {
        let Some(term) = self.seen.term_of(&self.me) else { return };
        let transaction = Transaction {
            guards: vec![Guard::Created(Entry::Leader, term)],
            effects: vec![Effect::Remove(Entry::Leader)],
        };
        if let Err(error) = self.scribe.commit(&transaction, None).await {
            warn!("cannot give the leadership back: {error}; it ends with the lease");
        }
    }
}
