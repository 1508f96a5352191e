//! Watches: one stream over all keys, filtered here.
//!
//! etcd would watch every prefix apart, but each of these streams moves on at its own pace, and
//! when all of them have passed a revision is told reliably by new versions only: before 3.4.25 and
//! 3.5.8 an answer about progress may overtake the events it speaks of. Every revision changes some
//! key, so a watch of all keys passes every revision, each in one piece, and there is nothing to
//! ask. What it carries too much are the changes under other prefixes, and those of the host are
//! few.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use async_trait::async_trait;
use etcd_client::{EventType, GetOptions, WatchOptions, WatchResponse, WatchStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use super::link::{Link, Repeat};
use super::pace::Pauses;
use super::range::ANY_SIZE;
use super::trouble::{DENIED, Trouble};
use crate::store::{Batch, Event, StoreError, Watch};

/// Batches that wait for a busy watcher; after that etcd waits.
const BATCHES_MAX: usize = 8;
/// Silence after which etcd is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(5);
/// Pauses between the tries to take a watch up again.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A running watch; its task ends when it is dropped.
pub(super) struct EtcdWatch {
    batches: mpsc::Receiver<Result<Batch, StoreError>>,
    _task: JoinSet<()>,
}

impl EtcdWatch {
    pub(super) fn start(link: Arc<Link>, prefixes: &[&str], after: u64) -> Self {
        let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        let (out, batches) = mpsc::channel(BATCHES_MAX);
        let mut task = JoinSet::new();
        task.spawn(Follower { link, prefixes, shown: after, out }.run());
        Self { batches, _task: task }
    }
}

#[async_trait]
impl Watch for EtcdWatch {
    async fn next(&mut self) -> Result<Batch, StoreError> {
        match self.batches.recv().await {
            Some(batch) => batch,
            None => Err(StoreError::Unavailable(anyhow!("the watch is over"))),
        }
    }
}

/// Why a stream ended.
enum End {
    /// Another one may go on where it ended.
    Broken(String),
    /// This member will not do.
    Barred(String),
    /// There is no going on.
    Over(StoreError),
    /// Nobody listens any more.
    Unheard,
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Barred(text) => Self::Barred(text),
            trouble => Self::Broken(trouble.text()),
        }
    }
}

struct Follower {
    link: Arc<Link>,
    prefixes: Vec<String>,
    /// Everything up to here has been shown.
    shown: u64,
    out: mpsc::Sender<Result<Batch, StoreError>>,
}

impl Follower {
    async fn run(mut self) {
        let fresh = Pauses::new(PAUSE_MIN, PAUSE_MAX);
        let (mut pauses, mut barred, mut told) = (fresh, 0, false);
        let first = self.link.first();
        for at in first.. {
            let (before, since) = (self.shown, Instant::now());
            let end = match self.open(at).await {
                Ok(stream) if at == first => self.follow(stream).await,
                Ok(stream) => match self.look_back().await {
                    Ok(()) => self.follow(stream).await,
                    Err(end) => end,
                },
                Err(end) => end,
            };
            // A stream that ends as soon as it was opened is worth as little as none.
            if self.shown > before || since.elapsed() > self.link.request_timeout + SILENCE {
                (pauses, barred, told) = (fresh, 0, false);
            }
            let text = match end {
                End::Unheard => return,
                End::Over(error) => return self.give_up(error).await,
                End::Barred(text) => {
                    barred += 1;
                    if barred >= self.link.size() {
                        return self.give_up(StoreError::Unavailable(anyhow!("{text}"))).await;
                    }
                    text
                }
                End::Broken(text) => text,
            };
            if !std::mem::replace(&mut told, true) {
                warn!(after = self.shown, "a watch broke off and is taken up again: {text}");
            }
            tokio::time::sleep(pauses.take()).await;
        }
    }

    async fn give_up(self, error: StoreError) {
        // Whoever dropped the watch does not mind.
        let _ = self.out.send(Err(error)).await;
    }

    /// A stream of all changes from the last shown revision on, on a connection of its own: one
    /// watcher that is slow must not hold up requests, nor other watches.
    async fn open(&self, at: usize) -> Result<WatchStream, End> {
        // The last shown one comes again. If it was compacted the next one may lack deletions, and
        // etcd does not tell.
        let begin = i64::try_from(self.shown.max(1)).unwrap_or(i64::MAX);
        let options = WatchOptions::new().with_from_key().with_start_revision(begin);
        let open = async {
            let client = self.link.connect(at).await?;
            let mut client = client.watch_client().max_decoding_message_size(ANY_SIZE);
            Ok::<_, Trouble>(client.watch("\0", Some(options)).await?)
        };
        match timeout(self.link.request_timeout, open).await {
            Ok(opened) => Ok(opened?),
            Err(_) => Err(End::Broken("etcd did not answer in time".to_owned())),
        }
    }

    /// That etcd still has what it has shown: a watch would wait in silence for the revisions that are lost. What one
    /// member has not heard yet is no loss: the answer is that of most members.
    async fn look_back(&self) -> Result<(), End> {
        let look = GetOptions::new().with_from_key().with_keys_only().with_limit(1);
        let seen = self.link.ask(Repeat::Freely, self.link.request_timeout, |client| {
            let look = look.clone();
            async move { client.kv_client().get("\0", Some(look)).await }
        });
        let seen = Box::pin(seen).await?;
        let now = seen.header().and_then(|header| u64::try_from(header.revision()).ok());
        match now {
            Some(now) if now < self.shown => {
                Err(End::Over(StoreError::Rewound { seen: self.shown, now }))
            }
            _ => Ok(()),
        }
    }

    async fn follow(&mut self, mut stream: WatchStream) -> End {
        let mut asked = false;
        loop {
            let patience = if asked { self.link.request_timeout } else { SILENCE };
            let heard = match timeout(patience, stream.message()).await {
                Ok(Ok(Some(heard))) => heard,
                Ok(Ok(None)) => return End::Broken("etcd ended the stream".to_owned()),
                Ok(Err(error)) => return Trouble::from(error).into(),
                Err(_) if asked => return End::Broken("etcd is silent".to_owned()),
                Err(_) => {
                    // The answer's revision is not used, see above: any answer will do.
                    if stream.request_progress().await.is_err() {
                        return End::Broken("the stream cannot be written to".to_owned());
                    }
                    asked = true;
                    continue;
                }
            };
            asked = false;
            if let Err(end) = self.take(&heard).await {
                return end;
            }
        }
    }

    async fn take(&mut self, heard: &WatchResponse) -> Result<(), End> {
        if heard.canceled() {
            return Err(self.cancelled(heard));
        }
        let batch = batch(heard, &self.prefixes, self.shown);
        if batch.revision > self.shown {
            self.shown = batch.revision;
            self.out.send(Ok(batch)).await.map_err(|_| End::Unheard)?;
        }
        Ok(())
    }

    fn cancelled(&self, heard: &WatchResponse) -> End {
        let reason = heard.cancel_reason();
        match u64::try_from(heard.compact_revision()) {
            Ok(oldest) if oldest > 0 => {
                End::Over(StoreError::Compacted { wanted: self.shown, oldest })
            }
            _ if reason.contains("permission denied") => End::Barred(DENIED.to_owned()),
            _ => End::Broken(format!("etcd cancelled the watch: {reason}")),
        }
    }
}

/// What is new, as far as it is under the prefixes. Revisions are not spread over answers unless
/// one asks for it.
fn batch(heard: &WatchResponse, prefixes: &[String], shown: u64) -> Batch {
    let mut batch = Batch { events: Vec::new(), revision: shown };
    for event in heard.events() {
        let Some(kv) = event.kv() else { continue };
        let revision = u64::try_from(kv.mod_revision()).unwrap_or_default();
        if revision <= shown {
            continue;
        }
        batch.revision = batch.revision.max(revision);
        let Ok(key) = kv.key_str() else { continue };
        if !prefixes.iter().any(|prefix| key.starts_with(prefix.as_str())) {
            continue;
        }
        let (value, created) = match event.event_type() {
            EventType::Put => (Some(kv.value().to_vec()), kv.create_revision()),
            EventType::Delete => (None, 0),
        };
        let created = u64::try_from(created).unwrap_or_default();
        batch.events.push(Event { key: key.to_owned(), value, created, revision });
    }
    batch
}
