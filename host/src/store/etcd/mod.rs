//! The store on etcd: shared by hosts on several machines.
//!
//! `place` says where it is, `link` keeps the connections and asks, `trouble` tells what a failure
//! allows to do next, `pace` decides sizes and pauses; `txn` and `watch` speak etcd's words.

mod link;
mod pace;
mod place;
mod range;
mod status;
mod trouble;
mod txn;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use etcd_client::{GetOptions, LeaseTimeToLiveResponse, ResponseHeader};

pub use self::place::{Address, EtcdOptions, NoAddress, Password};
pub use self::status::{MemberState, MemberStatus};

use self::link::{Link, Repeat};
use self::pace::Pages;
use self::trouble::Trouble;
use super::{KeyValue, LeaseId, Limits, Outcome, Page, Store, StoreError, Txn, Watch, Write};

/// The longest lease etcd grants, in seconds.
const TTL_SECONDS_MAX: u64 = 9_000_000_000;

/// An etcd that is open.
pub struct Etcd {
    link: Arc<Link>,
    pages: Pages,
    /// How long each lease lives that was granted here: its keeper must not wait longer.
    leases: Mutex<BTreeMap<LeaseId, Duration>>,
}

impl Etcd {
    /// One that nobody has asked anything yet, for those who want to know how it is.
    ///
    /// # Errors
    /// `Unusable`, with a text that says what helps, when certificates are in the way.
    pub fn unasked(options: &EtcdOptions) -> Result<Self, StoreError> {
        let link = Arc::new(Link::new(options)?);
        Ok(Self { link, pages: Pages::new(), leases: Mutex::default() })
    }

    /// Connects, and asks for one key to see that this may be done.
    ///
    /// # Errors
    /// `Unusable`, with a text that says what helps, when certificates, user, password or rights
    /// are in the way; `Unavailable` when nobody answers.
    pub async fn open(options: EtcdOptions) -> Result<Self, StoreError> {
        let store = Self::unasked(&options)?;
        let look = GetOptions::new().with_from_key().with_keys_only().with_limit(1);
        let seen = store.ask(Repeat::Freely, |client| {
            let look = look.clone();
            async move { client.kv_client().get("\0", Some(look)).await }
        });
        match seen.await {
            Ok(_) => Ok(store),
            Err(Trouble::Token(reason)) if options.user.is_none() => {
                let reason = format!("etcd wants a user and a password ({reason})");
                Err(link::unusable(&options, reason))
            }
            Err(Trouble::Barred(reason) | Trouble::Token(reason)) => {
                Err(link::unusable(&options, reason))
            }
            Err(trouble) => Err(trouble.told(None)),
        }
    }

    async fn ask<T, F>(
        &self,
        repeat: Repeat,
        request: impl FnMut(Arc<etcd_client::Client>) -> F + Send,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, etcd_client::Error>> + Send,
    {
        // What gRPC keeps for a call takes several kilobytes, which nobody wants inline.
        Box::pin(self.link.ask(repeat, self.link.request_timeout, request)).await
    }

    fn leases(&self) -> MutexGuard<'_, BTreeMap<LeaseId, Duration>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which of the leases that a transaction names has ended.
    async fn ended(&self, txn: &Txn) -> Result<Option<LeaseId>, Trouble> {
        let mut named: Vec<LeaseId> = txn.writes.iter().filter_map(lease_of).collect();
        named.sort_unstable();
        named.dedup();
        if let [only] = named.as_slice() {
            return Ok(Some(*only));
        }
        for lease in &named {
            let asked = self.ask(Repeat::Freely, |client| {
                let id = lease.0;
                async move { client.lease_client().time_to_live(id, None).await }
            });
            match asked.await.map(|answer: LeaseTimeToLiveResponse| answer.ttl()) {
                Ok(ttl) if ttl > 0 => {}
                Ok(_) | Err(Trouble::NoLease) => return Ok(Some(*lease)),
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(None)
    }
}

fn lease_of(write: &Write) -> Option<LeaseId> {
    match write {
        Write::Put { lease, .. } => *lease,
        Write::Delete { .. } => None,
    }
}

/// The revision an answer was given at.
fn revision(header: Option<&ResponseHeader>) -> Result<u64, StoreError> {
    let revision = header.and_then(|header| u64::try_from(header.revision()).ok());
    revision.ok_or_else(|| StoreError::Unavailable(anyhow!("etcd answered without a revision")))
}

#[async_trait]
impl Store for Etcd {
    fn limits(&self) -> Limits {
        txn::LIMITS
    }

    async fn get(&self, key: &str) -> Result<Option<KeyValue>, StoreError> {
        if key.is_empty() {
            return Ok(None);
        }
        let answer = self.ask(Repeat::Freely, |client| async move {
            client.kv_client().max_decoding_message_size(range::ANY_SIZE).get(key, None).await
        });
        let mut answer = answer.await.map_err(|trouble| trouble.told(None))?;
        Ok(answer.take_kvs().into_iter().find_map(range::key_value))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut range = range::Range::new(prefix, after);
        loop {
            let page = self.page(&range, limit).await?;
            // A page of keys that are no texts, and so not ours, says nothing but where to go on.
            match page {
                (page, Some(last)) if page.entries.is_empty() && page.more => range.go_on(last),
                (page, _) => return Ok(page),
            }
        }
    }

    async fn commit(&self, txn: Txn) -> Result<Outcome, StoreError> {
        txn::LIMITS.admit(&txn)?;
        let answer = self.ask(Repeat::IfNotDone, |client| {
            let theirs = txn::translate(&txn);
            async move { client.kv_client().txn(theirs).await }
        });
        match answer.await {
            Ok(answer) => {
                let revision = revision(answer.header())?;
                let held = answer.succeeded();
                Ok(if held { Outcome::Committed(revision) } else { Outcome::Conflict(revision) })
            }
            // etcd looks at the leases of the branch it takes: the compares did hold.
            Err(Trouble::NoLease) => {
                let lease = self.ended(&txn).await.map_err(|trouble| trouble.told(None))?;
                Err(Trouble::NoLease.told(lease))
            }
            Err(trouble) => Err(trouble.told(None)),
        }
    }

    async fn watch(&self, prefixes: &[&str], after: u64) -> Result<Box<dyn Watch>, StoreError> {
        Ok(Box::new(watch::EtcdWatch::start(Arc::clone(&self.link), prefixes, after)))
    }

    async fn grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
        let seconds = i64::try_from(seconds.clamp(1, TTL_SECONDS_MAX)).unwrap_or(i64::MAX);
        // A lease whose name got lost on the way ends by itself.
        let answer = self.ask(Repeat::Freely, |client| async move {
            client.lease_client().grant(seconds, None).await
        });
        let lease = LeaseId(answer.await.map_err(|trouble| trouble.told(None))?.id());
        self.leases().insert(lease, ttl);
        Ok(lease)
    }

    async fn keep(&self, lease: LeaseId) -> Result<(), StoreError> {
        let ttl = self.leases().get(&lease).copied();
        let within = pace::keep_within(ttl, self.link.request_timeout);
        let kept = self.link.ask(Repeat::Freely, within, |client| async move {
            client.lease_client().keep_alive(lease.0).await.map(drop)
        });
        let kept = kept.await;
        if let Err(Trouble::NoLease) = kept {
            self.leases().remove(&lease);
        }
        kept.map_err(|trouble| trouble.told(Some(lease)))
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        let revoked = self.ask(Repeat::Freely, |client| async move {
            client.lease_client().revoke(lease.0).await.map(drop)
        });
        match revoked.await {
            Ok(()) | Err(Trouble::NoLease) => {
                self.leases().remove(&lease);
                Ok(())
            }
            Err(trouble) => Err(trouble.told(Some(lease))),
        }
    }
}
