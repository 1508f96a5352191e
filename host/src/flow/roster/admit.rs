//! Whether a version fits those that are in service, and those that a rollback may bring back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::post::{Post, Version};
use super::{Posts, kind, prober, stem, worker};
use crate::domain::{Handler, HandlerName, Handlers};
use crate::plugin::{Found, Prober, Worker};
use crate::rollout::Rules;

impl Posts {
    pub(super) fn handlers(&self) -> Vec<Handler> {
        let workers = self.by_name.values().filter_map(|post| worker(&post.present.plugin));
        workers.map(|worker| worker.handler().clone()).collect()
    }

    /// The version that a new one of this file would be rolled back to.
    pub(super) fn way_back(&self, rules: &Rules, file: &Path) -> Option<&Version> {
        let post = self.by_name.get(&stem(file)).filter(|post| post.file == file)?;
        post.trusted().filter(|_| rules.keeps_former())
    }

    /// Whether a version is one that was rolled back, and why.
    pub(super) fn has_gone(&self, found: &Found) -> Option<String> {
        let gone = self.by_name.get(found.name())?.rolled_back.as_ref()?;
        let why = || format!("{}; the same is not tried again: change the file", gone.why);
        (gone.digest == found.digest()).then(why)
    }

    /// The version in service goes on with other grants.
    pub(super) fn grant_anew(&mut self, version: Option<Found>) {
        let Some(version) = version else { return };
        let Some(post) = self.by_name.get_mut(version.name()) else { return };
        if post.present.plugin.digest() == version.digest() {
            post.present.plugin = Arc::new(version);
        }
    }

    /// # Errors
    /// Why a version does not fit.
    pub(super) fn admit(&self, found: &Found, way_back: Option<&Found>) -> Result<(), String> {
        let name = found.name();
        let was = self.by_name.get(name).map(|post| kind(&post.present.plugin));
        if let Some(was) = was.filter(|was| *was != kind(found)) {
            return Err(format!(
                "is a {}, and the {name} in service is a {}: remove the file first",
                kind(found).word(),
                was.word()
            ));
        }
        match found {
            Found::Worker(own) => self.admit_worker(own, way_back.and_then(worker)),
            Found::Prober(own) => self.admit_prober(own),
        }
    }

    /// Handlers have to have an order, whichever of their versions is in service.
    fn admit_worker(&self, own: &Worker, way_back: Option<&Worker>) -> Result<(), String> {
        let mut all: BTreeMap<&HandlerName, Handler> = BTreeMap::new();
        let others = self.others(own.name()).flat_map(Post::versions).filter_map(worker);
        for worker in others.chain(way_back).chain([own]) {
            let handler = worker.handler();
            let known = all.entry(&handler.name).or_insert_with(|| handler.clone());
            known.after.extend(handler.after.iter().cloned());
        }
        Handlers::in_order(all.into_values().collect()).map(|_| ()).map_err(|circle| {
            let names: Vec<_> = circle.iter().map(ToString::to_string).collect();
            format!(
                "cannot be ordered: {} wait for one another (`after`; versions that a rollback may \
                 bring back count as well)",
                names.join(", ")
            )
        })
    }

    fn admit_prober(&self, own: &Prober) -> Result<(), String> {
        for other in self.others(own.name()).flat_map(Post::versions).filter_map(prober) {
            if let Some(kind) = own.kinds().iter().find(|kind| other.kinds().contains(kind)) {
                let other = other.name();
                return Err(format!(
                    "knows the kind \"{kind}\", and so does {other}: one prober per kind"
                ));
            }
        }
        Ok(())
    }

    fn others<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Post> {
        self.by_name.iter().filter(move |(other, _)| *other != name).map(|(_, post)| post)
    }
}
