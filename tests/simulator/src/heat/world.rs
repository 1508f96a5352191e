//! All stacks, and what requests do to them.

use super::parameters;
use super::request::{self, Wanted};
use super::stack::{Ending, Moment, Phase, Resource, Revision, Stack};
use super::status::{Action, Progress, Status};
use super::template::Template;
use super::turn::untouched;
use super::version::Version;
use crate::answer::Refusal;
use crate::options::Options;
use crate::overrides::Overrides;
use anyhow::{Context, Result, bail};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// All stacks of all tenants, deleted ones too.
pub(crate) struct World {
    pub(crate) options: Options,
    stacks: Vec<Stack>,
    by_id: HashMap<String, usize>,
    /// The newest stack of a tenant and a name.
    by_name: HashMap<(String, String), usize>,
    /// When phases end.
    due: BTreeSet<(Instant, usize)>,
    /// Resources that analytics knows about, by type and fully qualified name.
    backend: HashMap<(String, String), usize>,
    marks: HashMap<usize, Marks>,
}

/// What the indexes hold of a stack.
#[derive(Default)]
struct Marks {
    due: Option<Instant>,
    backend: Vec<(String, String)>,
}

/// The fully qualified name under which the backend knows a resource that exists.
fn backend_name(name: &str, resource: &Resource, overrides: &Overrides) -> Option<String> {
    let properties = resource.properties.as_ref()?;
    let named = resource.kind.attribute("fq_name", name, &resource.id, properties, overrides);
    match named.ok()? {
        Json::String(name) => Some(name),
        Json::Array(parts) => {
            Some(parts.iter().map(crate::text::shown).collect::<Vec<_>>().join(":"))
        }
        _ => None,
    }
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            stacks: Vec::new(),
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            due: BTreeSet::new(),
            backend: HashMap::new(),
            marks: HashMap::new(),
        }
    }

    /// Ends the phases that are over by now.
    pub(crate) fn catch_up(&mut self, now: Moment) {
        while let Some(&(at, index)) = self.due.first() {
            if at > now.at {
                break;
            }
            self.due.remove(&(at, index));
            // The next phase begins when this one ended, not when someone looked.
            self.turn(index, Moment { at, wall: now.wall });
        }
    }

    fn turn(&mut self, index: usize, now: Moment) {
        if let Some(stack) = self.stacks.get_mut(index) {
            stack.turn(now, &self.options);
        }
        self.after(index);
    }

    /// Keeps the indexes true after a change of a stack.
    fn after(&mut self, index: usize) {
        let Some(stack) = self.stacks.get(index) else { return };
        let marks = self.marks.entry(index).or_default();
        if let Some(due) = marks.due.take() {
            self.due.remove(&(due, index));
        }
        for key in marks.backend.drain(..) {
            self.backend.remove(&key);
        }
        if let Some(due) = stack.running.as_ref().and_then(|running| running.due) {
            self.due.insert((due, index));
            marks.due = Some(due);
        }
        for (name, resource) in &stack.resources {
            if let Some(fq_name) = backend_name(name, resource, &self.options.overrides) {
                let key = (resource.kind.name.clone(), fq_name);
                self.backend.insert(key.clone(), index);
                marks.backend.push(key);
            }
        }
    }

    /// The stacks, oldest first.
    pub(crate) fn stacks(&self) -> &[Stack] {
        &self.stacks
    }

    /// The stack that made a resource of this type and name and is complete.
    pub(crate) fn maker(&self, kind: &str, fq_name: &str) -> Option<&Stack> {
        let index = self.backend.get(&(kind.to_owned(), fq_name.to_owned()))?;
        let stack = self.stacks.get(*index)?;
        (stack.status.progress == Progress::Complete && stack.deleted.is_none()).then_some(stack)
    }

    fn live(&self, tenant: &str, name: &str) -> Option<usize> {
        let index = *self.by_name.get(&(tenant.to_owned(), name.to_owned()))?;
        self.stacks.get(index).filter(|stack| stack.deleted.is_none()).map(|_| index)
    }

    /// The stack of a name that is not deleted, or of an id.
    pub(crate) fn look_up(&self, tenant: &str, name: &str) -> Result<&Stack, Refusal> {
        let of_tenant =
            |index: usize| self.stacks.get(index).filter(|stack| stack.tenant == tenant);
        self.live(tenant, name)
            .and_then(of_tenant)
            .or_else(|| self.by_id.get(name).and_then(|index| of_tenant(*index)))
            .ok_or_else(|| Refusal::no_stack(name))
    }

    fn index(&self, tenant: &str, name: &str, id: &str) -> Result<usize, Refusal> {
        let known = self.by_id.get(id).copied().filter(|index| {
            self.stacks
                .get(*index)
                .is_some_and(|stack| stack.tenant == tenant && stack.name == name)
        });
        known.ok_or_else(|| Refusal::no_stack(name))
    }

    /// The stack of this name and id, deleted or not.
    pub(crate) fn exact(&self, tenant: &str, name: &str, id: &str) -> Result<&Stack, Refusal> {
        let index = self.index(tenant, name, id)?;
        self.stacks.get(index).ok_or_else(|| Refusal::no_stack(name))
    }

    /// Makes a stack; the answer is its id.
    pub(crate) fn create(
        &mut self,
        tenant: &str,
        wanted: Wanted,
        doom: impl FnOnce(&str) -> Option<String>,
        now: Moment,
    ) -> Result<&Stack, Refusal> {
        let given_name = wanted.name.clone().unwrap_or_default();
        if let Some(read) = &wanted.read {
            Version::of(&read.body)?;
        }
        if let Some(index) = given_name.as_str().and_then(|name| self.live(tenant, name)) {
            let name = self.stacks.get(index).map(|stack| stack.name.clone()).unwrap_or_default();
            let message = format!("The Stack ({name}) already exists.");
            return Err(Refusal::conflict("StackExists", message));
        }
        let name = request::name(&given_name)?;
        let revision = self.revision(wanted, None)?;
        let mut resources = BTreeMap::new();
        for (resource, definition) in &revision.template.resources {
            let mut begun = untouched(definition.kind.clone(), now);
            begun.status = "CREATE_IN_PROGRESS".into();
            begun.reason = "state changed".into();
            resources.insert(resource.clone(), begun);
        }
        let doom = doom(&name);
        let mut stack = Stack {
            id: Uuid::new_v4().to_string(),
            name,
            tenant: tenant.to_owned(),
            created: now.wall,
            updated: None,
            deleted: None,
            revision,
            resources,
            status: Status::new(Action::Create, Progress::InProgress),
            reason: String::new(),
            outputs_given: None,
            running: None,
        };
        stack.begin(Phase::Create, doom, now, &self.options);
        let index = self.stacks.len();
        self.by_id.insert(stack.id.clone(), index);
        self.by_name.insert((stack.tenant.clone(), stack.name.clone()), index);
        let name = stack.name.clone();
        self.stacks.push(stack);
        self.after(index);
        self.stacks.get(index).ok_or_else(|| Refusal::no_stack(&name))
    }

    /// Changes a stack. `patch` keeps the template and the parameters that are not given.
    pub(crate) fn update(
        &mut self,
        (tenant, name, id): (&str, &str, &str),
        wanted: Wanted,
        form: request::Form,
        doom: impl FnOnce(&str) -> Option<String>,
        now: Moment,
    ) -> Result<(), Refusal> {
        let index = self.index(tenant, name, id)?;
        let Some(stack) = self.stacks.get(index).filter(|stack| stack.deleted.is_none()) else {
            return Err(Refusal::no_stack(name));
        };
        let patch = form == request::Form::Patch;
        if patch && stack.status.progress != Progress::Complete {
            let message = "PATCH update to non-COMPLETE stack is not supported.";
            return Err(Refusal::bad("NotSupported", message));
        }
        let next = self.revision(wanted, Some((&stack.revision, patch)))?;
        if stack.running.is_some() {
            return Err(Refusal::conflict(
                "ActionInProgress",
                format!(
                    "Stack {name} already has an action ({}) in progress.",
                    stack.status.action.word()
                ),
            ));
        }
        let doom = doom(name);
        if let Some(stack) = self.stacks.get_mut(index) {
            stack.updated = Some(now.wall);
            stack.begin(Phase::Update { next: Box::new(next) }, doom, now, &self.options);
        }
        self.after(index);
        Ok(())
    }

    /// Begins to delete a stack, also one that is being made or changed.
    pub(crate) fn delete(
        &mut self,
        (tenant, name, id): (&str, &str, &str),
        doom: impl FnOnce(&str) -> Option<String>,
        now: Moment,
    ) -> Result<(), Refusal> {
        let index = self.index(tenant, name, id)?;
        let Some(stack) = self.stacks.get_mut(index).filter(|stack| stack.deleted.is_none()) else {
            return Err(Refusal::no_stack(name));
        };
        match stack.running.as_ref().map(|running| &running.phase) {
            Some(Phase::Delete | Phase::Cancelling | Phase::Cancelled) => return Ok(()),
            Some(Phase::Create | Phase::Update { .. }) => {
                stack.begin(Phase::Cancelling, None, now, &self.options);
            }
            Some(Phase::RollBackCreate | Phase::RollBackUpdate { .. }) | None => {
                stack.begin(Phase::Delete, doom(name), now, &self.options);
            }
        }
        self.after(index);
        Ok(())
    }

    /// Checks a template without making anything of it.
    pub(crate) fn validate(&self, wanted: Wanted) -> Result<Template, Refusal> {
        Template::new(wanted.read.unwrap_or_default(), &self.options.overrides)
            .map_err(|refusal| refusal.of_kind("HTTPBadRequest"))
    }

    /// What a request asks for, checked; `before` is the revision that it changes, and whether it
    /// keeps what is not given.
    fn revision(
        &self,
        wanted: Wanted,
        before: Option<(&Revision, bool)>,
    ) -> Result<Revision, Refusal> {
        let overrides = &self.options.overrides;
        let kept = before.filter(|(_, patch)| *patch).map(|(revision, _)| revision);
        let template = match (wanted.read, kept) {
            (Some(read), _) => Arc::new(Template::new(read, overrides)?),
            (None, Some(kept)) => kept.template.clone(),
            (None, None) => return Err(Refusal::request("No template specified")),
        };
        let known = |name: &String| template.schemas.iter().any(|(other, _)| other == name);
        let mut given: BTreeMap<String, Json> = wanted.defaults;
        if let Some(kept) = kept {
            given.extend(kept.given.clone());
            // Of those it has, a patch drops the ones that the template no longer knows; Heat
            // also lets unknown new ones pass.
            given.extend(wanted.given);
            given.retain(|name, _| known(name));
        } else {
            given.retain(|name, _| known(name));
            given.extend(wanted.given);
        }
        let values = parameters::values(&template.schemas, &given)?;
        template.check(&values, overrides)?;
        let before = before.map(|(revision, _)| revision);
        Ok(Revision {
            template,
            given,
            values,
            files: wanted.files,
            disable_rollback: wanted
                .disable_rollback
                .unwrap_or_else(|| before.is_none_or(|before| before.disable_rollback)),
            // Zero is taken, and means no timeout.
            timeout_mins: wanted
                .timeout_mins
                .filter(|minutes| *minutes > 0)
                .or_else(|| before.and_then(|before| before.timeout_mins)),
        })
    }

    /// Whether anything is being done to the newest stack of this name.
    pub(crate) fn runs(&self, name: &str) -> bool {
        self.stacks.iter().rfind(|stack| stack.name == name).is_some_and(|s| s.running.is_some())
    }

    /// Ends the phase that a stack is in, by hand. `end` says how; none: as it would by itself.
    pub(crate) fn step(&mut self, name: &str, end: Option<End>, now: Moment) -> Result<()> {
        let index =
            self.stacks.iter().rposition(|stack| stack.name == name).with_context(|| {
                format!("cannot finish stack {name}: there is none of this name")
            })?;
        let Some(stack) = self.stacks.get_mut(index) else { return Ok(()) };
        let Some(running) = &mut stack.running else {
            bail!("cannot finish stack {name}: it is {} and nothing runs", stack.status);
        };
        if let Some(End { status, reason, outputs }) = end {
            if status.action != stack.status.action {
                bail!("cannot finish stack {name} as {status}: it is {}", stack.status);
            }
            running.ending = match status.progress {
                Progress::Failed => Ending::Fails(reason.clone()),
                Progress::Complete => Ending::Computed,
                Progress::InProgress => {
                    bail!("cannot finish stack {name} as {status}: that is no end")
                }
            };
            stack.turn(now, &self.options);
            stack.status = status;
            stack.reason = reason;
            stack.outputs_given = outputs;
            // The status was given: no rollback follows.
            stack.running = None;
        } else {
            stack.turn(now, &self.options);
        }
        self.after(index);
        Ok(())
    }
}

/// How a test ends a phase.
pub(crate) struct End {
    pub(crate) status: Status,
    pub(crate) reason: String,
    pub(crate) outputs: Option<Vec<Json>>,
}
