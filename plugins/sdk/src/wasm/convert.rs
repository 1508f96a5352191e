//! Generated words ⇄ plain ones.

use super::watcher::exports::stokehold::worker::prober;
use super::worker::stokehold::worker::{log, monitor, params, stack_output, types};
use crate::{
    Action, Description, Failure, Grant, Job, Json, Level, Limit, Mapping, NamedError, Next,
    Output, OutputFault, ParamError, Probing, ResourceRef, Stack, Subject, Target, UpdateStyle,
};

pub(super) fn job(given: types::Job, resource_input: Json) -> Job {
    Job {
        id: given.id,
        action: match given.action {
            types::Action::Create => Action::Create,
            types::Action::Modify => Action::Modify,
            types::Action::Delete => Action::Delete,
            types::Action::LogicalDelete => Action::LogicalDelete,
        },
        target: given.target.into(),
        version: given.version,
        attempt: given.attempt,
        template_id: given.template_id,
        template: given.template,
        resource_input,
    }
}

pub(super) fn next(next: Next) -> types::Verdict {
    match next {
        Next::Completed => types::Verdict::Completed,
        Next::Pending { after_ms, checkpoint } => {
            let checkpoint = checkpoint.to_string();
            types::Verdict::Pending(types::Pending { after_ms, checkpoint })
        }
    }
}

pub(super) fn probing(of: Probing) -> prober::Probing {
    prober::Probing {
        name: of.name,
        kinds: of.kinds,
        limits: of.limits.into_iter().map(Into::into).collect(),
        grants: of.grants.into_iter().map(Into::into).collect(),
    }
}

pub(super) fn subject(given: prober::Subject, properties: Json) -> Subject {
    Subject { of: given.of.into(), name: given.name, kind: given.kind, properties }
}

/// A JSON text from the host; it never is anything else.
pub(super) fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Retry(words) => Self::Retry(words),
            Failure::Fatal(words) => Self::Fatal(words),
        }
    }
}

impl From<Description> for types::Description {
    fn from(of: Description) -> Self {
        Self {
            name: of.name,
            after: of.after,
            update: match of.update {
                UpdateStyle::Modify => types::UpdateStyle::Modify,
                UpdateStyle::Recreate => types::UpdateStyle::Recreate,
            },
            limits: of.limits.into_iter().map(Into::into).collect(),
            grants: of.grants.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Limit> for types::Limit {
    fn from(limit: Limit) -> Self {
        Self { name: limit.name, value: limit.value }
    }
}

impl From<Grant> for types::Grant {
    fn from(grant: Grant) -> Self {
        Self { kind: grant.kind, value: grant.value }
    }
}

impl From<types::ResourceRef> for ResourceRef {
    fn from(of: types::ResourceRef) -> Self {
        Self { resource_type: of.resource_type, resource_id: of.resource_id }
    }
}

impl From<&ResourceRef> for types::ResourceRef {
    fn from(of: &ResourceRef) -> Self {
        Self { resource_type: of.resource_type.clone(), resource_id: of.resource_id.clone() }
    }
}

impl From<params::OutputFault> for OutputFault {
    fn from(fault: params::OutputFault) -> Self {
        Self { of: fault.of.into(), output_key: fault.output_key, reason: fault.reason }
    }
}

impl From<params::ParamError> for ParamError {
    fn from(error: params::ParamError) -> Self {
        match error {
            params::ParamError::Unknown(name) => Self::Unknown(name),
            params::ParamError::MissingStack(fault) => Self::MissingStack(fault.into()),
            params::ParamError::MissingOutput(fault) => Self::MissingOutput(fault.into()),
            params::ParamError::FailedOutput(fault) => Self::FailedOutput(fault.into()),
            params::ParamError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl From<params::NamedError> for NamedError {
    fn from(named: params::NamedError) -> Self {
        Self { name: named.name, error: named.error.into() }
    }
}

impl From<&Stack> for stack_output::Stack {
    fn from(stack: &Stack) -> Self {
        let output = |o: &Output| stack_output::Output {
            key: o.key.clone(),
            value: o.value.to_string(),
            description: o.description.clone(),
            error: o.error.clone(),
        };
        Self {
            stack_id: stack.stack_id.clone(),
            tenant_id: stack.tenant_id.clone(),
            status: stack.status.clone(),
            status_reason: stack.status_reason.clone(),
            outputs: stack.outputs.iter().map(output).collect(),
        }
    }
}

impl From<stack_output::Stack> for Stack {
    fn from(stack: stack_output::Stack) -> Self {
        let output = |o: stack_output::Output| Output {
            value: json(&o.value),
            key: o.key,
            description: o.description,
            error: o.error,
        };
        Self {
            stack_id: stack.stack_id,
            tenant_id: stack.tenant_id,
            status: stack.status,
            status_reason: stack.status_reason,
            outputs: stack.outputs.into_iter().map(output).collect(),
        }
    }
}

impl From<&Target> for monitor::Target {
    fn from(target: &Target) -> Self {
        Self {
            name: target.name.clone(),
            kind: target.kind.clone(),
            topic: target.topic.clone(),
            properties: target.properties.to_string(),
            interval_ms: target.interval_ms,
        }
    }
}

impl From<&Mapping> for monitor::Mapping {
    fn from(mapping: &Mapping) -> Self {
        Self {
            mapped_id: mapping.mapped_id.clone(),
            relation: mapping.relation.clone(),
            resource_type: mapping.resource_type.clone(),
            resource_id: mapping.resource_id.clone(),
        }
    }
}

impl From<Level> for log::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}
