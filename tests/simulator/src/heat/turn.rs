//! The end of a phase: what a stack becomes, and what begins next.

use super::catalogue::Kind;
use super::stack::{Ending, Moment, Phase, Resource, Revision, Stack};
use super::status::{Action, Progress, Status};
use crate::options::Options;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Resources as they were made, and why the first one failed, if one did.
struct Made {
    resources: BTreeMap<String, Resource>,
    failure: Option<String>,
}

impl Stack {
    /// Ends the phase that runs; nothing happens when none runs.
    pub(crate) fn turn(&mut self, now: Moment, options: &Options) {
        let Some(running) = self.running.take() else { return };
        match running.phase {
            Phase::Create => self.created(&running.ending, now, options),
            Phase::Update { next } => self.updated(*next, &running.ending, now, options),
            Phase::Delete => self.gone(running.ending, now, options),
            Phase::RollBackCreate => {
                self.resources.clear();
                self.deleted = Some(now.wall);
                self.settle(Action::Rollback, Progress::Complete, None, options);
            }
            Phase::RollBackUpdate { revision, resources } => {
                self.revision = *revision;
                self.resources = resources;
                self.settle(Action::Rollback, Progress::Complete, None, options);
            }
            Phase::Cancelling => {
                let prefix = match self.status.action {
                    Action::Create => "Resource CREATE failed: ",
                    _ => "",
                };
                let reason = format!("{prefix}Operation cancelled");
                self.settle(self.status.action, Progress::Failed, Some(reason), options);
                self.begin(Phase::Cancelled, None, now, options);
            }
            Phase::Cancelled => self.begin(Phase::Delete, None, now, options),
        }
    }

    /// Ends an action; without a reason it is the one of success.
    fn settle(
        &mut self,
        action: Action,
        progress: Progress,
        reason: Option<String>,
        options: &Options,
    ) {
        self.status = Status::new(action, progress);
        self.reason = reason.unwrap_or_else(|| {
            let told = options.overrides.reason(&self.status.to_string());
            told.unwrap_or_else(|| format!("Stack {} completed successfully", action.word()))
        });
    }

    fn created(&mut self, ending: &Ending, now: Moment, options: &Options) {
        let made = self.made(&self.revision, now, options);
        let reason = match ending {
            Ending::Computed => {
                made.failure.map(|failure| format!("Resource CREATE failed: {failure}"))
            }
            Ending::TimesOut => Some("Create timed out".into()),
            Ending::Fails(reason) => Some(reason.clone()),
        };
        self.resources = if *ending == Ending::Computed {
            made.resources
        } else {
            let order = self.revision.template.order().unwrap_or_default();
            unmade(made.resources, &order, reason.as_deref())
        };
        match reason {
            None => self.settle(Action::Create, Progress::Complete, None, options),
            Some(_) if !self.revision.disable_rollback => {
                self.begin(Phase::RollBackCreate, None, now, options);
            }
            reason => self.settle(Action::Create, Progress::Failed, reason, options),
        }
    }

    fn updated(&mut self, next: Revision, ending: &Ending, now: Moment, options: &Options) {
        let made = self.made(&next, now, options);
        let reason = match ending {
            Ending::Computed => made.failure,
            Ending::TimesOut => Some("Update timed out".into()),
            Ending::Fails(reason) => Some(reason.clone()),
        };
        let failed = reason.is_some();
        let rolls_back = failed && !next.disable_rollback;
        let revision = std::mem::replace(&mut self.revision, next);
        // An update that was told to fail has touched nothing.
        let resources = match ending {
            Ending::Computed => std::mem::replace(&mut self.resources, made.resources),
            _ => self.resources.clone(),
        };
        if rolls_back {
            let revision = Box::new(revision);
            let back = Phase::RollBackUpdate { revision, resources };
            self.begin(back, None, now, options);
        } else if failed {
            self.settle(Action::Update, Progress::Failed, reason, options);
        } else {
            self.settle(Action::Update, Progress::Complete, None, options);
        }
    }

    fn gone(&mut self, ending: Ending, now: Moment, options: &Options) {
        let reason = match ending {
            Ending::Computed => None,
            Ending::TimesOut => Some("Delete timed out".to_owned()),
            Ending::Fails(reason) => Some(reason),
        };
        if let Some(reason) = reason {
            for resource in self.resources.values_mut() {
                resource.properties = None;
                resource.status = "DELETE_FAILED".into();
                resource.reason.clone_from(&reason);
            }
            self.settle(Action::Delete, Progress::Failed, Some(reason), options);
        } else {
            self.resources.clear();
            self.deleted = Some(now.wall);
            self.settle(Action::Delete, Progress::Complete, None, options);
        }
    }

    /// Makes or changes the resources of a revision, each after all that it needs, until one
    /// fails.
    fn made(&self, revision: &Revision, now: Moment, options: &Options) -> Made {
        let template = &revision.template;
        let mut made = Made { resources: self.resources.clone(), failure: None };
        // The template was checked before: it has no circle.
        for name in template.order().unwrap_or_default() {
            let Some(definition) = template.resources.get(&name) else { continue };
            let old = self.resources.get(&name).cloned();
            if made.failure.is_some() {
                let waits = || untouched(definition.kind.clone(), now);
                let begun = old.filter(|old| old.status != "CREATE_IN_PROGRESS");
                made.resources.insert(name, begun.unwrap_or_else(waits));
                continue;
            }
            let scope = self.scope(revision, &made.resources, &options.overrides);
            let properties = match scope.resolve(&Json::Object(definition.properties.clone())) {
                Ok(Json::Object(properties)) => Ok(properties),
                Ok(_) => Ok(Map::new()),
                Err(why) => Err(format!("ValueError: resources.{name}: {why}")),
            };
            let (resource, failure) =
                self.made_one(&name, &definition.kind, properties, old, now, options);
            made.failure = failure;
            made.resources.insert(name, resource);
        }
        if made.failure.is_none() {
            made.resources.retain(|name, _| template.resources.contains_key(name));
        }
        made
    }

    fn made_one(
        &self,
        name: &str,
        kind: &Kind,
        properties: Result<Map<String, Json>, String>,
        old: Option<Resource>,
        now: Moment,
        options: &Options,
    ) -> (Resource, Option<String>) {
        // What failed before, or is of another type now, is replaced and not changed.
        let old = old.filter(|old| {
            old.properties.is_some() && old.kind == *kind && old.status.ends_with("_COMPLETE")
        });
        let action = if old.is_some() { Action::Update } else { Action::Create };
        let outcome = properties.and_then(|properties| {
            let same = old.as_ref().and_then(|old| old.properties.as_ref()) == Some(&properties);
            match kind.refuses(name, &properties) {
                Some(why) if !same => Err(why),
                _ => Ok(properties),
            }
        });
        let mut resource = old.unwrap_or_else(|| untouched(kind.clone(), now));
        resource.updated = now.wall;
        match outcome {
            Ok(properties) => {
                if resource.id.is_empty() {
                    let fresh = Uuid::new_v4();
                    let overrides = &options.overrides;
                    resource.id = kind.id(name, &self.name, &properties, overrides, &fresh);
                }
                resource.properties = Some(properties);
                resource.status = format!("{}_COMPLETE", action.word());
                resource.reason = "state changed".into();
                (resource, None)
            }
            Err(why) => {
                resource.status = format!("{}_FAILED", action.word());
                resource.reason.clone_from(&why);
                (resource, Some(why))
            }
        }
    }
}

/// A resource that nothing was done to yet.
pub(crate) fn untouched(kind: Kind, now: Moment) -> Resource {
    Resource {
        kind,
        id: String::new(),
        properties: None,
        status: "INIT_COMPLETE".into(),
        reason: String::new(),
        created: now.wall,
        updated: now.wall,
    }
}

/// The resources of a create that was told to fail: the first one in order did, the others were
/// not begun.
fn unmade(
    mut resources: BTreeMap<String, Resource>,
    order: &[String],
    reason: Option<&str>,
) -> BTreeMap<String, Resource> {
    for (name, resource) in &mut resources {
        resource.id.clear();
        resource.properties = None;
        let failed = order.first() == Some(name);
        let (status, reason) =
            if failed { ("CREATE_FAILED", reason) } else { ("INIT_COMPLETE", None) };
        status.clone_into(&mut resource.status);
        reason.unwrap_or_default().clone_into(&mut resource.reason);
    }
    resources
}
