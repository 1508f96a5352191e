//! A stack: what it was asked to be, what it is, and what happens to it next.

use super::catalogue::Kind;
use super::functions::{Scope, Seen};
use super::parameters::Parameter;
use super::status::{Action, Progress, Status};
use super::template::Template;
use crate::options::Options;
use crate::overrides::Overrides;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Now: for waiting, and for showing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The clock that only goes forward.
    pub(crate) at: Instant,
    /// The clock on the wall.
    pub(crate) wall: SystemTime,
}

/// What a request asked a stack to be.
#[derive(Debug, Clone)]
pub(crate) struct Revision {
    pub(crate) template: Arc<Template>,
    /// The parameters as they were given.
    pub(crate) given: BTreeMap<String, Json>,
    /// The parameters with the defaults.
    pub(crate) values: BTreeMap<String, Parameter>,
    pub(crate) files: Map<String, Json>,
    pub(crate) disable_rollback: bool,
    pub(crate) timeout_mins: Option<u64>,
}

/// A resource of a stack.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    /// Its id in the backend; empty while it was never there.
    pub(crate) id: String,
    /// The properties it has in the backend; none while it is not there.
    pub(crate) properties: Option<Map<String, Json>>,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) created: SystemTime,
    pub(crate) updated: SystemTime,
}

/// A stack.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) created: SystemTime,
    pub(crate) updated: Option<SystemTime>,
    pub(crate) deleted: Option<SystemTime>,
    pub(crate) revision: Revision,
    pub(crate) resources: BTreeMap<String, Resource>,
    pub(crate) status: Status,
    pub(crate) reason: String,
    /// Outputs that a test has given in place of the computed ones.
    pub(crate) outputs_given: Option<Vec<Json>>,
    pub(crate) running: Option<Running>,
}

/// The phase that a stack is in, and when and how it ends.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) phase: Phase,
    /// None when a test decides.
    pub(crate) due: Option<Instant>,
    pub(crate) ending: Ending,
}

/// What is being done to a stack.
#[derive(Debug, Clone)]
pub(crate) enum Phase {
    Create,
    Update {
        next: Box<Revision>,
    },
    Delete,
    /// Takes away what a failed create has left.
    RollBackCreate,
    /// Goes back to what the stack was before a failed update.
    RollBackUpdate {
        revision: Box<Revision>,
        resources: BTreeMap<String, Resource>,
    },
    /// Still shown as running, but a deletion waits.
    Cancelling,
    /// Shown as failed; the deletion is about to begin.
    Cancelled,
}

/// How a phase ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As the resources say.
    Computed,
    /// It takes longer than `timeout_mins`.
    TimesOut,
    /// It fails, with this reason.
    Fails(String),
}

impl Stack {
    /// Begins a phase at `now`: what is shown, and until when. `doom` is the reason of a failure
    /// that was asked for.
    pub(crate) fn begin(
        &mut self,
        phase: Phase,
        doom: Option<String>,
        now: Moment,
        options: &Options,
    ) {
        let (action, shown) = match &phase {
            Phase::Create => (Action::Create, Some("Stack CREATE started".to_owned())),
            Phase::Update { .. } => (Action::Update, Some("Stack UPDATE started".to_owned())),
            Phase::Delete => (
                Action::Delete,
                Some(format!("Stack DELETE started at {}", crate::text::micros(now.wall))),
            ),
            Phase::RollBackCreate | Phase::RollBackUpdate { .. } => {
                (Action::Rollback, Some("Stack ROLLBACK started".to_owned()))
            }
            Phase::Cancelling | Phase::Cancelled => (self.status.action, None),
        };
        if let Some(reason) = shown {
            self.status = Status::new(action, Progress::InProgress);
            self.reason = reason;
            self.outputs_given = None;
        }
        let (lasts, times_out) = self.lasting(&phase, options);
        let due = (!options.manual).then(|| now.at + lasts);
        let ending = match doom {
            Some(reason) => Ending::Fails(reason),
            None if times_out && !options.manual => Ending::TimesOut,
            None => Ending::Computed,
        };
        self.running = Some(Running { phase, due, ending });
    }

    /// How long a phase lasts, and whether `timeout_mins` cuts it short.
    fn lasting(&self, phase: &Phase, options: &Options) -> (Duration, bool) {
        let pace = &options.pace;
        let (action, revision) = match phase {
            Phase::Create => (Action::Create, Some(&self.revision)),
            Phase::Update { next } => (Action::Update, Some(&**next)),
            Phase::Delete => (Action::Delete, None),
            Phase::RollBackCreate | Phase::RollBackUpdate { .. } => (Action::Rollback, None),
            Phase::Cancelling | Phase::Cancelled => {
                return (pace.lasting(&self.name, Action::Delete) / 3, false);
            }
        };
        let slow = revision.map_or(0, |revision| self.seconds(revision, &options.overrides));
        let lasts = pace.lasting(&self.name, action) + Duration::from_secs(slow);
        let minutes = revision.unwrap_or(&self.revision).timeout_mins.unwrap_or(0);
        let limit = options.minute.saturating_mul(u32::try_from(minutes).unwrap_or(u32::MAX));
        if minutes > 0 && lasts > limit { (limit, true) } else { (lasts, false) }
    }

    /// The seconds that the slowest resource which is yet to be made takes.
    fn seconds(&self, revision: &Revision, overrides: &Overrides) -> u64 {
        let scope = self.scope(revision, &self.resources, overrides);
        let seconds = revision.template.resources.iter().filter_map(|(name, definition)| {
            if self.resources.get(name).is_some_and(|known| known.properties.is_some()) {
                return None;
            }
            let properties = Json::Object(definition.properties.clone());
            match scope.resolve(&properties) {
                Ok(Json::Object(properties)) => Some(definition.kind.seconds(name, &properties)),
                _ => None,
            }
        });
        seconds.max().unwrap_or(0)
    }

    /// What the functions of a revision see.
    pub(crate) fn scope<'a>(
        &'a self,
        revision: &'a Revision,
        resources: &'a BTreeMap<String, Resource>,
        overrides: &'a Overrides,
    ) -> Scope<'a> {
        let template = &revision.template;
        let seen = template.resources.iter().map(|(name, definition)| {
            let known = resources.get(name);
            let seen = Seen {
                kind: &definition.kind,
                id: known.map(|known| known.id.as_str()).filter(|id| !id.is_empty()),
                properties: known.and_then(|known| known.properties.as_ref()),
            };
            (name.as_str(), seen)
        });
        Scope {
            version: template.version,
            parameters: &revision.values,
            pseudo: self.pseudo(),
            resources: seen.collect(),
            overrides,
            files: &revision.files,
        }
    }

    /// The parameters that every stack has.
    pub(crate) fn pseudo(&self) -> BTreeMap<&'static str, &str> {
        BTreeMap::from([
            ("OS::stack_id", self.id.as_str()),
            ("OS::stack_name", self.name.as_str()),
            ("OS::project_id", self.tenant.as_str()),
        ])
    }

    /// The output of this key, if the stack has one and is not gone.
    pub(crate) fn output(&self, key: &str, overrides: &Overrides) -> Option<Json> {
        if let Some(given) = &self.outputs_given {
            return given
                .iter()
                .find(|output| output.get("output_key") == Some(&key.into()))
                .cloned();
        }
        let output = self.revision.template.outputs.get(key)?;
        let creating = self.status == Status::new(Action::Create, Progress::InProgress);
        let value = match overrides.output(key) {
            Some(overridden) if !creating => overridden,
            _ => self.scope(&self.revision, &self.resources, overrides).resolve(&output.value),
        };
        let mut shown = json!({"output_key": key, "description": output.description});
        if let Json::Object(shown) = &mut shown {
            let (value, error) = match value {
                Ok(value) => (value, None),
                Err(error) => (Json::Null, Some(error)),
            };
            shown.insert("output_value".into(), value);
            if let Some(error) = error {
                shown.insert("output_error".into(), Json::String(error));
            }
        }
        Some(shown)
    }

    /// All outputs; none of a stack that was deleted.
    pub(crate) fn outputs(&self, overrides: &Overrides) -> Option<Vec<Json>> {
        if self.status == Status::new(Action::Delete, Progress::Complete) {
            return None;
        }
        if let Some(given) = &self.outputs_given {
            return Some(given.clone());
        }
        let keys = self.revision.template.outputs.keys();
        Some(keys.filter_map(|key| self.output(key, overrides)).collect())
    }
}
