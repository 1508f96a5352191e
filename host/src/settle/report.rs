//! What a handler reported, as effects.

use super::Closing;
use crate::domain::{
    Action, Alias, Announcement, Content, Effect, Entry, Fault, Fields, Job, MonitorCall,
    Registration, Report, Target, Verdict,
};

/// The stack record and the registration; the reported fields have their own place.
pub(super) fn effects(job: &Job, closing: &Closing) -> Vec<Effect> {
    let mut effects = Vec::new();
    let of = &job.target;
    if let Some(stack) = &closing.report.stack {
        let content = Content::Stack(of.clone(), stack.clone());
        effects.push(Effect::Put(Entry::Stack(of.clone()), content));
    }
    if closing.report.monitor.is_empty() {
        return effects;
    }
    let registered = registered(job, closing.registration.as_ref(), &closing.report.monitor);
    if let Some(registration) = registered {
        let content = Content::Registration(of.clone(), registration);
        effects.push(Effect::Put(Entry::Registration(of.clone()), content));
    } else {
        effects.push(Effect::Remove(Entry::Registration(of.clone())));
        effects.push(Effect::Remove(Entry::Monitoring(of.clone())));
    }
    effects
}

/// What the workflow has reported so far, this report included.
pub(super) fn merged(before: &Fields, report: &Report) -> Fields {
    let mut fields = before.clone();
    fields.extend(report.fields.clone());
    fields
}

/// The merged fields, kept for the next job of the workflow.
pub(super) fn job_state(job: &Job, closing: &Closing) -> Effect {
    let fields = merged(&closing.fields, &closing.report);
    Effect::Put(Entry::JobState(job.target.clone()), Content::JobState(fields))
}

/// What is registered after these calls; `None` when nothing is left.
fn registered(
    job: &Job,
    before: Option<&Registration>,
    calls: &[MonitorCall],
) -> Option<Registration> {
    let mut registration = before.cloned().unwrap_or_default();
    registration.version = job.version;
    job.tenant().clone_into(&mut registration.tenant_id);
    for call in calls {
        match call {
            MonitorCall::Register(target) => {
                registration.targets.insert(target.name.clone(), target.clone());
            }
            MonitorCall::Unregister(name) => {
                registration.targets.remove(name);
            }
            MonitorCall::AddAlias(alias) => {
                if !registration.aliases.contains(alias) {
                    registration.aliases.push(alias.clone());
                }
            }
            MonitorCall::RemoveAlias(alias) => registration.aliases.retain(|known| known != alias),
            MonitorCall::Clear => {
                registration.targets.clear();
                registration.aliases.clear();
            }
        }
    }
    let empty = registration.targets.is_empty() && registration.aliases.is_empty();
    (!empty).then_some(registration)
}

/// Whether this outcome ends a take-down. Whatever became of the handler that registered something,
/// what is down is watched no more.
pub fn is_taken_down(job: &Job, outcome: &Result<Verdict, Fault>) -> bool {
    let takes_down = matches!(job.action, Action::Delete | Action::LogicalDelete);
    takes_down && job.is_last && matches!(outcome, Ok(Verdict::Completed))
}

/// What collectors outside are told of these calls: their effect in the end, what goes before what
/// comes. Whatever was registered is told again, also if it was told before.
pub fn announced(
    job: &Job,
    before: Option<&Registration>,
    calls: &[MonitorCall],
) -> Vec<Announcement> {
    let none = Registration::default();
    let before = before.unwrap_or(&none);
    let after = registered(job, Some(before), calls).unwrap_or_default();
    let left = before.targets.values().filter(|old| !after.targets.contains_key(&old.name));
    let dropped = before.aliases.iter().filter(|old| !after.aliases.contains(old));
    let named = |target: &&Target| {
        calls.iter().any(|call| matches!(call, MonitorCall::Register(t) if t.name == target.name))
    };
    let added = |alias: &&Alias| {
        calls.iter().any(|call| matches!(call, MonitorCall::AddAlias(a) if a == *alias))
    };
    left.cloned()
        .map(Announcement::Unwatch)
        .chain(dropped.cloned().map(Announcement::Drop))
        .chain(after.targets.values().filter(named).cloned().map(Announcement::Watch))
        .chain(after.aliases.iter().filter(added).cloned().map(Announcement::Know))
        .collect()
}
