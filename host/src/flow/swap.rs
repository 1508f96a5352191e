//! The directory of plugins is looked at again and again; what has changed is loaded aside and put in service.
//!
//! It is looked at rather than listened to: a look costs a few system calls, and sees the same on every file system,
//! on those too that tell nothing of what others change (network, overlays, mounted configuration), and after an
//! overflow of events. Only what has not changed between two looks is read, and what changes while it is loaded is
//! thrown away, so that half a file never comes into service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::caught::caught;
use super::clock;
use super::roster::{Installed, Roster};
use crate::plugin::{Found, Loader, Mark};

type Marks = BTreeMap<PathBuf, Mark>;

/// A file that was loaded, and how it stood when that began.
type Came = (PathBuf, Mark, Result<Arrival, String>);

/// A version that is to take over, and the one to go back to if it faults.
pub(super) struct Arrival {
    pub(super) found: Found,
    /// The digest of the one before it that was trusted when the load began.
    pub(super) former: Option<String>,
    /// That one with the grants of now; `None` where there is none, or it is the same code.
    pub(super) way_back: Option<Found>,
}

struct Swapper {
    loader: Loader,
    roster: Arc<Roster>,
    /// What is known of, in service or refused, and how it stood then.
    done: Marks,
    /// What the last look saw.
    last: Marks,
    loading: BTreeMap<PathBuf, Mark>,
    tasks: JoinSet<Came>,
    is_unreadable: bool,
}

/// Looks every `look_ms` until stopped. `seen` is what the plugins were loaded from.
pub(super) async fn run(
    (loader, seen): (Loader, Marks),
    roster: Arc<Roster>,
    look_ms: u64,
    mut stopped: watch::Receiver<bool>,
) -> Result<()> {
    let is_unreadable = roster.refuses(loader.dir());
    let mut swapper = Swapper {
        loader,
        roster,
        last: seen.clone(),
        done: seen,
        loading: BTreeMap::new(),
        tasks: JoinSet::new(),
        is_unreadable,
    };
    let mut next_ms = clock::now_ms().saturating_add(look_ms);
    loop {
        tokio::select! {
            () = clock::sleep_until(Some(next_ms)) => {}
            Some(came) = swapper.tasks.join_next() => {
                swapper.take(came.context("the load of a plugin was cut off")?);
                continue;
            }
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        }
        swapper.look().await;
        next_ms = clock::now_ms().saturating_add(look_ms);
    }
}

impl Swapper {
    async fn look(&mut self) {
        let loader = self.loader.clone();
        let looked = tokio::task::spawn_blocking(move || loader.look()).await;
        let marks = match looked.unwrap_or_else(|broken| Err(broken.into())) {
            Ok(marks) => marks,
            Err(why) => {
                // Whoever exchanges the whole directory has it gone for a moment.
                if !std::mem::replace(&mut self.is_unreadable, true) {
                    let dir = self.loader.dir().display();
                    warn!("cannot read plugin directory {dir}: {why}; all plugins stay");
                }
                return;
            }
        };
        if std::mem::take(&mut self.is_unreadable) {
            info!("plugin directory can be read again");
            self.roster.remove(self.loader.dir());
        }
        for (path, mark) in &marks {
            let is_new = self.done.get(path) != Some(mark) && self.loading.get(path) != Some(mark);
            if is_new && self.last.get(path) == Some(mark) && !self.loading.contains_key(path) {
                self.load(path, mark);
            }
        }
        let gone = |path: &&PathBuf| !marks.contains_key(*path) && !self.last.contains_key(*path);
        let gone: Vec<PathBuf> = self.done.keys().filter(gone).cloned().collect();
        for path in gone {
            self.done.remove(&path);
            self.roster.remove(&path);
        }
        self.last = marks;
    }

    fn load(&mut self, path: &Path, mark: &Mark) {
        debug!(file = ?path, "plugin file has changed");
        self.loading.insert(path.to_owned(), mark.clone());
        let (loader, path, mark) = (self.loader.clone(), path.to_owned(), mark.clone());
        let former = self.roster.way_back(&path);
        self.tasks.spawn(async move {
            let arrival = caught(arrive(&loader, &path, former)).await.and_then(|arrival| arrival);
            (path, mark, arrival)
        });
    }

    fn take(&mut self, (path, mark, arrival): Came) {
        self.loading.remove(&path);
        if self.loader.mark(&path).as_ref() != Some(&mark) {
            // The next looks see what it is then.
            debug!(file = ?path, "plugin file has changed while it was loaded");
            return;
        }
        let installed = arrival.and_then(|arrival| self.roster.install(&path, arrival));
        if installed == Ok(Installed::Overtaken) {
            // The next look loads it again.
            return;
        }
        self.done.insert(path.clone(), mark);
        if let Err(reason) = installed {
            self.roster.refuse(&path, reason);
        }
    }
}

async fn arrive(
    loader: &Loader,
    path: &Path,
    former: Option<Arc<Found>>,
) -> Result<Arrival, String> {
    let found = loader.load_and_try(path).await?;
    let mut arrival =
        Arrival { found, former: former.as_ref().map(|it| it.digest().to_owned()), way_back: None };
    if let Some(former) = former.filter(|former| former.digest() != arrival.found.digest()) {
        match loader.granted_anew(path, &former).await {
            Ok(way_back) => arrival.way_back = Some(way_back),
            Err(why) => {
                let plugin = former.name();
                warn!(plugin, "its version in service cannot be gone back to: it {why}");
            }
        }
    }
    Ok(arrival)
}
