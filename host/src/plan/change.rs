//! The table of changes: which jobs a change yields, and in which order.

use crate::domain::UpdateStyle;
use crate::domain::{Action, Base, Handler, HandlerName, Handlers, OnFailure, Param, TemplateId};

use super::resolve::Params;

/// What happened to a resource.
pub(super) enum Change<'a> {
    /// It is new.
    New { new: &'a Base },
    /// It differs from what was put up.
    Update { old: &'a Base, new: &'a Base },
    /// It is to be taken down, but its config stays. The new side has the templates of the old one.
    Marked { old: &'a Base, new: &'a Base },
    /// It is to be taken down, and its config is gone.
    Vanished { old: &'a Base },
}

/// One job to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) action: Action,
    pub(super) handler: HandlerName,
    /// What the handler is given to render.
    pub(super) template: TemplateId,
    pub(super) on_failure: OnFailure,
}

/// A handler's params of the new and of the old version.
#[derive(Default)]
pub(super) struct Sides {
    pub(super) new: Params,
    pub(super) old: Params,
}

/// Take-downs come first and in reverse order, then what is modified, then what is put up.
pub(super) fn tasks(handlers: &Handlers, change: &Change<'_>) -> Vec<Task> {
    match change {
        Change::New { new } => handlers.iter().filter_map(|h| put_up(h, new)).collect(),
        Change::Update { old, new } => {
            let downs = handlers.iter().rev().filter_map(|handler| {
                let stays = handler.update == UpdateStyle::Modify && has(new, handler);
                if stays { None } else { take_down(Action::Delete, handler, old) }
            });
            let modifies = handlers
                .iter()
                .filter(|handler| is_modified(handler, old, new))
                .filter_map(|handler| task(Action::Modify, handler, new, OnFailure::Fail));
            let ups = handlers
                .iter()
                .filter(|handler| !is_modified(handler, old, new))
                .filter_map(|handler| put_up(handler, new));
            downs.chain(modifies).chain(ups).collect()
        }
        Change::Marked { old, .. } => {
            let down = |handler| take_down(Action::LogicalDelete, handler, old);
            handlers.iter().rev().filter_map(down).collect()
        }
        Change::Vanished { old } => {
            let down = |handler| take_down(Action::Delete, handler, old);
            handlers.iter().rev().filter_map(down).collect()
        }
    }
}

/// The params of a job: values of the side it works on, references of both, repeated as the
/// original does.
pub(super) fn params(action: Action, change: &Change<'_>, sides: &Sides) -> Vec<Param> {
    let Sides { new, old } = sides;
    match (action, change) {
        (Action::Create, Change::New { .. }) => joined(new, &[]),
        (Action::Create, _) => joined(new, &[old, new]),
        (Action::Modify | Action::LogicalDelete, _) => joined(new, &[old]),
        (Action::Delete, _) => joined(old, &[new]),
    }
}

fn joined(base: &Params, others: &[&Params]) -> Vec<Param> {
    let mut params: Vec<_> = base.values().cloned().collect();
    for param in &mut params {
        let same = others.iter().filter_map(|side| side.get(&param.name));
        param.resources.extend(same.flat_map(|other| other.resources.iter().cloned()));
    }
    params
}

fn has(base: &Base, handler: &Handler) -> bool {
    base.templates.contains_key(&handler.name)
}

fn is_modified(handler: &Handler, old: &Base, new: &Base) -> bool {
    handler.update == UpdateStyle::Modify && has(old, handler) && has(new, handler)
}

fn put_up(handler: &Handler, new: &Base) -> Option<Task> {
    task(Action::Create, handler, new, OnFailure::Fail)
}

/// What is put up again anyway need not have been taken down well.
fn take_down(action: Action, handler: &Handler, old: &Base) -> Option<Task> {
    let on_failure = match handler.update {
        UpdateStyle::Modify => OnFailure::Fail,
        UpdateStyle::Recreate => OnFailure::Ignore,
    };
    task(action, handler, old, on_failure)
}

fn task(action: Action, handler: &Handler, base: &Base, on_failure: OnFailure) -> Option<Task> {
    let template = base.templates.get(&handler.name)?.clone();
    Some(Task { action, handler: handler.name.clone(), template, on_failure })
}
