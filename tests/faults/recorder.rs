//! Writes down all that happens in an etcd, from its first revision on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use etcd_client::{Client, ConnectOptions, EventType, WatchOptions, WatchResponse};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::history::{Change, Step, View};

/// The first revision that changes anything.
const FIRST: u64 = 2;
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// A stream that is silent for so long may have stalled; where nothing happens, another one costs
/// nothing.
const SILENT_MAX: Duration = Duration::from_secs(3);
/// The pause before another member is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// A recorder at work; it ends when dropped.
pub(super) struct Recorder {
    book: Arc<Mutex<Book>>,
    reached: watch::Receiver<u64>,
    _task: JoinSet<()>,
}

/// What was written down.
#[derive(Default)]
pub(super) struct Book {
    pub(super) history: Vec<Step>,
    /// What is there now.
    pub(super) view: View,
    /// Why nothing more is written down.
    trouble: Option<String>,
}

impl Recorder {
    /// Begins with the first revision of all; members are asked in turn.
    pub(super) fn start(members: Vec<String>) -> Self {
        let book = Arc::new(Mutex::new(Book::default()));
        let (told, reached) = watch::channel(FIRST - 1);
        let mut task = JoinSet::new();
        task.spawn(Writer { book: Arc::clone(&book), members, told }.run());
        Self { book, reached, _task: task }
    }

    /// Looks at what was written down so far.
    pub(super) fn look<T>(&self, at: impl FnOnce(&Book) -> T) -> T {
        at(&lock(&self.book))
    }

    /// Waits until everything up to a revision is written down.
    pub(super) async fn reach(&self, revision: u64, within: Duration) -> Result<()> {
        self.until(&format!("revision {revision} in the record"), within, |book| {
            (book.reached() >= revision).then_some(())
        })
        .await
    }

    /// Waits until what is written down has what is sought.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        within: Duration,
        mut sought: impl FnMut(&Book) -> Option<T>,
    ) -> Result<T> {
        let mut reached = self.reached.clone();
        let looking = async {
            loop {
                reached.borrow_and_update();
                if let Some(found) = self.look(&mut sought) {
                    return Ok(found);
                }
                if let Some(trouble) = self.look(|book| book.trouble.clone()) {
                    bail!("the record has a gap, this run proves nothing: {trouble}");
                }
                reached.changed().await.context("the recorder has ended")?;
            }
        };
        match timeout(within, looking).await {
            Ok(found) => found,
            Err(_) => bail!("waited {} ms in vain for {what}", within.as_millis()),
        }
    }

    /// Everything, if it has no gap.
    pub(super) fn history(&self) -> Result<Vec<Step>> {
        let book = lock(&self.book);
        ensure!(book.trouble.is_none(), "the record has a gap: {:?}", book.trouble);
        Ok(book.history.clone())
    }
}

impl Book {
    /// The last revision that is written down.
    pub(super) fn reached(&self) -> u64 {
        self.history.last().map_or(FIRST - 1, |step| step.revision)
    }

    /// Every revision changes something, so their numbers have no gap.
    fn take(&mut self, heard: &WatchResponse) -> Result<()> {
        for event in heard.events() {
            let kv = event.kv().context("an event without a key")?;
            let revision = u64::try_from(kv.mod_revision())?;
            let value = match event.event_type() {
                EventType::Put => Some(kv.value()),
                EventType::Delete => None,
            };
            let change = Change::new(kv.key_str()?, value, kv.lease());
            match self.history.last_mut() {
                Some(last) if last.revision == revision => last.changes.push(change),
                _ => {
                    let expected = self.reached() + 1;
                    ensure!(revision == expected, "{revision} came, {expected} was expected");
                    self.history.push(Step { revision, changes: vec![change] });
                }
            }
        }
        Ok(())
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer {
    book: Arc<Mutex<Book>>,
    members: Vec<String>,
    told: watch::Sender<u64>,
}

impl Writer {
    /// A stream that ends is taken up after the last revision it showed whole.
    async fn run(self) {
        for member in self.members.iter().cycle() {
            match self.follow(member).await {
                // The member was killed, most likely.
                Ok(()) => sleep(PAUSE).await,
                Err(gap) => {
                    lock(&self.book).trouble = Some(format!("{gap:#}"));
                    self.told.send_modify(|_| {});
                    return;
                }
            }
        }
    }

    async fn follow(&self, member: &str) -> Result<()> {
        let from = i64::try_from(lock(&self.book).reached() + 1)?;
        let options = ConnectOptions::new().with_connect_timeout(CONNECT_MAX);
        let Ok(mut client) = Client::connect([member], Some(options)).await else { return Ok(()) };
        let options = WatchOptions::new().with_from_key().with_start_revision(from);
        let opened = timeout(CONNECT_MAX, client.watch("\0", Some(options))).await;
        let Ok(Ok(mut stream)) = opened else { return Ok(()) };
        while let Ok(Ok(Some(heard))) = timeout(SILENT_MAX, stream.message()).await {
            if heard.canceled() {
                let compacted = heard.compact_revision();
                ensure!(compacted == 0, "history up to {compacted} is gone, {from} was wanted");
                return Ok(());
            }
            let mut book = lock(&self.book);
            let known = book.history.len();
            book.take(&heard)?;
            let Book { history, view, .. } = &mut *book;
            for step in &history[known..] {
                step.apply(view);
            }
            let reached = book.reached();
            drop(book);
            self.told.send_replace(reached);
        }
        Ok(())
    }
}
