//! The plugins in service on this host, and the way to each call: which version, and whether there may be one.
//!
//! The thoughts are those of `rollout`; here they are kept, and what they say is done. Calls hold the version that they
//! were begun with: it goes when the last of them has ended.

mod admit;
mod post;
mod shift;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tracing::{error, info, warn};

use self::post::{Post, Version};
pub(super) use self::shift::{Blame, Shift};
use super::clock;
use super::swap::Arrival;
use crate::admin::Meters;
use crate::domain::{
    Fault, HandlerName, Handlers, JobId, PluginFault, PluginKind, PluginStatus, ProberKinds,
};
use crate::plugin::{Found, Loaded, Prober, Worker};
use crate::rollout::{Ended, Gate, Rules, Side, Ticket, Turn};

/// What became of a version that was to come into service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Installed {
    /// It is in service.
    Done,
    /// While it was loaded, the version that it might have to be rolled back to became another one: it is to be loaded
    /// again.
    Overtaken,
}

/// Who is in service.
pub(super) struct Roster {
    posts: Mutex<Posts>,
    changes: watch::Sender<u64>,
    rules: Rules,
    meters: Meters,
    /// Somebody else watches what is registered, not this host's probers.
    is_watched_outside: bool,
}

#[derive(Default)]
struct Posts {
    by_name: BTreeMap<String, Post>,
    /// Files of which nothing is in service, and why.
    refused: BTreeMap<PathBuf, String>,
}

impl Roster {
    /// Takes in what was loaded at the start.
    pub(super) fn new(
        loaded: Loaded,
        rules: Rules,
        meters: Meters,
        is_watched_outside: bool,
    ) -> Arc<Self> {
        let now_ms = clock::now_ms();
        let mut posts = Posts::default();
        let files = loaded.marks;
        let workers = loaded.workers.into_values().map(Found::Worker);
        for found in workers.chain(loaded.probers.into_iter().map(Found::Prober)) {
            let name = found.name().to_owned();
            let is_its = |file: &&PathBuf| file.file_stem().is_some_and(|stem| *stem == *name);
            let file = files.keys().find(is_its).cloned().unwrap_or_default();
            meters.loaded(&name);
            posts.by_name.insert(name, Post::new(file, Version::new(found, now_ms)));
        }
        for fault in loaded.faults {
            meters.refused(&stem(&fault.file));
            posts.refused.insert(fault.file, fault.reason);
        }
        let (changes, _) = watch::channel(0);
        let posts = Mutex::new(posts);
        Arc::new(Self { posts, changes, rules, meters, is_watched_outside })
    }

    /// What is counted.
    pub(super) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Shows that something has changed, whatever it is.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Puts a version in service that has passed all checks of its own, in one step.
    ///
    /// # Errors
    /// Why it does not fit those that are in service; what was in service still is.
    pub(super) fn install(&self, file: &Path, arrival: Arrival) -> Result<Installed, String> {
        let Arrival { found, former, way_back } = arrival;
        let mut posts = self.posts();
        let trusted = posts.way_back(&self.rules, file);
        if trusted.map(|version| version.plugin.digest()) != former.as_deref() {
            return Ok(Installed::Overtaken);
        }
        if let Some(why) = posts.has_gone(&found) {
            // Whatever is granted now holds for the one that came back for it, too.
            posts.grant_anew(way_back);
            return Err(why);
        }
        posts.admit(&found, way_back.as_ref())?;
        let name = found.name().to_owned();
        let digest = short(found.digest());
        let version = Version::new(found, clock::now_ms());
        posts.refused.remove(file);
        let is_paused = match posts.by_name.get_mut(&name) {
            None => {
                info!(plugin = name, digest, "plugin is in service");
                posts.by_name.insert(name.clone(), Post::new(file.to_owned(), version));
                false
            }
            Some(post) => {
                post.replace(&self.rules, version, way_back);
                post.is_paused()
            }
        };
        self.meters.loaded(&name);
        // The same code with other grants goes on with its pause. Under the lock, so that no turn comes between.
        self.meters.paused(&name, is_paused);
        drop(posts);
        self.tell();
        Ok(Installed::Done)
    }

    /// The version that a new one of this file would be rolled back to.
    pub(super) fn way_back(&self, file: &Path) -> Option<Arc<Found>> {
        self.posts().way_back(&self.rules, file).map(|version| Arc::clone(&version.plugin))
    }

    /// Whether nothing could be read under this path.
    pub(super) fn refuses(&self, path: &Path) -> bool {
        self.posts().refused.contains_key(path)
    }

    /// A file that cannot be used: what is in service stays, and tells why.
    pub(super) fn refuse(&self, file: &Path, reason: String) {
        let name = stem(file);
        self.meters.refused(&name);
        let mut posts = self.posts();
        if let Some(post) = posts.by_name.get_mut(&name) {
            error!(
                plugin = name,
                in_service = short(post.present.plugin.digest()),
                "new version is refused, the one in service stays: {reason}"
            );
            post.refused = Some(reason);
        } else {
            error!(?file, "plugin is not used: {reason}");
            posts.refused.insert(file.to_owned(), reason);
        }
        drop(posts);
        self.tell();
    }

    /// A file has gone, and its plugin with it. Calls that are under way end as ever.
    pub(super) fn remove(&self, file: &Path) {
        let name = stem(file);
        let mut posts = self.posts();
        posts.refused.remove(file);
        if posts.by_name.get(&name).is_some_and(|post| post.file == file) {
            warn!(plugin = name, "plugin is out of service: its file has gone; its jobs wait");
            posts.by_name.remove(&name);
            self.meters.paused(&name, false);
        }
        drop(posts);
        self.tell();
    }

    /// The handlers in working order. Those of one host were checked when each came.
    pub(super) fn handlers(&self) -> Handlers {
        Handlers::in_order(self.posts().handlers()).unwrap_or_default()
    }

    /// The kinds of target that this host can probe.
    pub(super) fn kinds(&self) -> BTreeSet<String> {
        if self.is_watched_outside {
            return BTreeSet::new();
        }
        let posts = self.posts();
        let probers = posts.by_name.values().filter_map(|post| prober(&post.present.plugin));
        probers.flat_map(Prober::kinds).cloned().collect()
    }

    /// How many calls of each handler there may be beside those under way, and when to ask again.
    pub(super) fn places(
        &self,
        slots: usize,
        now_ms: u64,
    ) -> (BTreeMap<HandlerName, usize>, Option<u64>) {
        let posts = self.posts();
        let mut places = BTreeMap::new();
        let mut wake_ms: Option<u64> = None;
        for post in posts.by_name.values() {
            let Some(worker) = worker(&post.present.plugin) else { continue };
            let free = match post.rollout.gate(now_ms) {
                Gate::Open => slots,
                Gate::One => 1,
                Gate::Trying => 0,
                Gate::Closed { until_ms } => {
                    wake_ms = Some(wake_ms.map_or(until_ms, |wake| wake.min(until_ms)));
                    0
                }
            };
            places.insert(worker.handler().name.clone(), free);
        }
        (places, wake_ms)
    }

    /// Begins a call of a handler; `None` while there may be none.
    pub(super) fn call(self: &Arc<Self>, handler: &HandlerName, job: &JobId) -> Option<Shift> {
        self.begin(handler.as_str(), job.as_str(), |_| true)
    }

    /// Begins a probe; `None` while there may be none.
    pub(super) fn probe(self: &Arc<Self>, kind: &str, subject: &str) -> Option<Shift> {
        let knows = |post: &Post| {
            prober(&post.present.plugin).is_some_and(|it| it.kinds().iter().any(|k| k == kind))
        };
        let name = {
            let posts = self.posts();
            posts.by_name.iter().find(|(_, post)| knows(post)).map(|(name, _)| name.clone())?
        };
        // A target is probed again and again: others go first each minute, or a canary might get none.
        let minute = clock::now_ms() / 60_000;
        let knows = |found: &Found| {
            prober(found).is_some_and(|prober| prober.kinds().iter().any(|known| known == kind))
        };
        self.begin(&name, &format!("{subject} {minute}"), knows)
    }

    /// Those that do not know how go to no former version.
    fn begin(
        self: &Arc<Self>,
        name: &str,
        subject: &str,
        knows: impl Fn(&Found) -> bool,
    ) -> Option<Shift> {
        let mut posts = self.posts();
        let post = posts.by_name.get_mut(name)?;
        let mut ticket = post.rollout.begin(&self.rules, subject, clock::now_ms())?;
        let former = post.former.as_ref().filter(|former| knows(&former.plugin));
        let version = if let (Side::Former, Some(former)) = (ticket.side, former) {
            former
        } else {
            ticket.side = Side::Present;
            &post.present
        };
        let plugin = Arc::clone(&version.plugin);
        let roster = Arc::clone(self);
        Some(Shift {
            roster,
            name: name.into(),
            plugin,
            ticket: Some(ticket),
            begun: Instant::now(),
        })
    }

    fn end(&self, shift: &Shift, ticket: Ticket, fault: Option<&Fault>) -> Blame {
        let mut posts = self.posts();
        let Some(post) = posts.by_name.get_mut(&shift.name) else { return Blame::Job };
        let ended = if fault.is_some() { Ended::Faulted } else { Ended::Good };
        let digest = shift.plugin.digest();
        let turn = if post.has(digest) {
            post.rollout.end(&self.rules, ticket, ended, clock::now_ms())
        } else {
            // It is here no more: its file had gone and another one came, or it lost the grants it needs.
            post.rollout.abandon(ticket);
            Turn::None
        };
        post.perform(turn, &shift.name, &self.meters, fault);
        // Whatever is in service answers for its faults.
        let is_gone = fault.is_some()
            && post.rolled_back.as_ref().is_some_and(|it| it.digest == digest)
            && post.present.plugin.digest() != digest;
        drop(posts);
        if turn != Turn::None {
            self.tell();
        }
        if is_gone { Blame::Version } else { Blame::Job }
    }

    fn abandon(&self, name: &str, ticket: Ticket) {
        if let Some(post) = self.posts().by_name.get_mut(name) {
            post.rollout.abandon(ticket);
        }
    }

    /// Every plugin in service.
    pub(super) fn statuses(&self) -> Vec<PluginStatus> {
        let posts = self.posts();
        posts.by_name.iter().map(|(name, post)| post.status(name, &self.rules)).collect()
    }

    /// Who probes: every prober in service, or whoever is told of registrations.
    pub(super) fn probers(&self) -> Vec<ProberKinds> {
        if self.is_watched_outside {
            return vec![ProberKinds::outside("kafka")];
        }
        let posts = self.posts();
        let probers = posts.by_name.values().filter_map(|post| prober(&post.present.plugin));
        let kinds =
            |it: &Prober| ProberKinds { name: it.name().into(), kinds: it.kinds().to_vec() };
        probers.map(kinds).collect()
    }

    /// Files that are not in service, whether or not an older version of them is.
    pub(super) fn faults(&self) -> Vec<PluginFault> {
        let posts = self.posts();
        let newer =
            posts.by_name.values().filter_map(|post| Some((&post.file, post.refused.as_ref()?)));
        let all: BTreeMap<_, _> = posts.refused.iter().chain(newer).collect();
        let fault = |(file, reason): (&PathBuf, &String)| PluginFault {
            file: file.display().to_string(),
            reason: reason.clone(),
        };
        all.into_iter().map(fault).collect()
    }

    fn posts(&self) -> MutexGuard<'_, Posts> {
        // Whoever panicked under it left it as it was before or after a change.
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

fn worker(found: &Found) -> Option<&Worker> {
    match found {
        Found::Worker(worker) => Some(worker),
        Found::Prober(_) => None,
    }
}

fn prober(found: &Found) -> Option<&Prober> {
    match found {
        Found::Worker(_) => None,
        Found::Prober(prober) => Some(prober),
    }
}

fn kind(found: &Found) -> PluginKind {
    match found {
        Found::Worker(_) => PluginKind::Handler,
        Found::Prober(_) => PluginKind::Prober,
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// As much of a digest as tells versions apart.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}
