//! One job from its claim to its answer.

use std::sync::Arc;

use anyhow::{Context, Result};
use async_trait::async_trait;
use tracing::warn;

use super::{Came, PAUSE};
use crate::domain::{
    Action, Content, Entry, Failure, Fault, Fields, JobId, Json, Posted, Registration, Report,
    ResourceRef, Revision, Stack, Step, TemplateId, Transaction, Verdict,
};
use crate::flow::clock;
use crate::flow::scribe::{Scribe, Uncommitted};
use crate::plugin::{self, Lookup, Worker};
use crate::settle::Closing;
use crate::store::LeaseId;
use crate::wire::key;

/// What a call needs to know.
pub(super) struct Call {
    pub(super) posted: Arc<Posted>,
    pub(super) step: Option<Step>,
    pub(super) claim: Transaction,
    pub(super) worker: Arc<Worker>,
}

/// The hands that a call needs.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) scribe: Scribe,
    lookup: Arc<dyn Lookup>,
}

impl Tools {
    pub(super) fn new(scribe: Scribe) -> Self {
        let lookup = Arc::new(StoreLookup(scribe.clone()));
        Self { scribe, lookup }
    }

    /// Claims the job and calls its handler.
    pub(super) async fn work(&self, call: Call, lease: LeaseId) -> Came {
        let id = call.posted.job.id.clone();
        let claim = match self.scribe.commit(&call.claim, Some(lease)).await {
            Ok(at) => at,
            Err(Uncommitted::Conflict(at)) => return Came::Done(at),
            Err(other) => {
                warn!(job = %id, "cannot claim: {other}; trying again");
                tokio::time::sleep(PAUSE).await;
                return Came::OutOfReach(None);
            }
        };
        let ground = match self.ground(&call).await {
            Ok(ground) => ground,
            Err(error) => {
                let fault = Fault::Host(format!("{error:#}"));
                return Came::Answered(Box::new(closing(&call, claim, Err(fault))));
            }
        };
        let text = match ground.template {
            Ok(text) => text,
            Err(why) => {
                let outcome = Ok(Verdict::Failed(Failure::Fatal(why)));
                let closing = Closing { fields: ground.fields, ..closing(&call, claim, outcome) };
                return Came::Answered(Box::new(closing));
            }
        };
        let (template_id, checkpoint) = match call.step.clone() {
            Some(step) => (step.template, step.checkpoint),
            None => (TemplateId::new(""), None),
        };
        let answer = call
            .worker
            .handle(plugin::Call {
                job: Arc::clone(&call.posted),
                template_id,
                template_text: text,
                checkpoint,
                lookup: Arc::clone(&self.lookup),
            })
            .await;
        Came::Answered(Box::new(Closing {
            report: answer.report,
            fields: ground.fields,
            registration: ground.registration,
            ..closing(&call, claim, answer.outcome)
        }))
    }

    /// What is there before the call: the template's text, what the workflow reported, what is registered.
    async fn ground(&self, call: &Call) -> Result<Ground> {
        let job = &call.posted.job;
        let template = match &call.step {
            Some(step) => {
                let id = &step.template;
                match self.scribe.read(&Entry::Template(id.clone())).await? {
                    Some(Content::Template(template)) => Ok(template.text),
                    Some(Content::Unreadable(why)) => {
                        Err(format!("template `{id}` cannot be read: {why}"))
                    }
                    _ => Err(format!("template `{id}` is not in /config any more")),
                }
            }
            None => Err("the job's own record is gone, and with it which template it has".into()),
        };
        // What was put up must come down, even when its template has gone.
        let takes_down = matches!(job.action, Action::Delete | Action::LogicalDelete);
        let template = if takes_down { template.or(Ok(String::new())) } else { template };
        let fields = match self.scribe.read(&Entry::JobState(job.target.clone())).await? {
            Some(Content::JobState(fields)) => fields,
            _ => Fields::new(),
        };
        let entry = Entry::Registration(job.target.clone());
        let registration = match self.scribe.read(&entry).await? {
            Some(Content::Registration(_, registration)) => Some(registration),
            _ => None,
        };
        Ok(Ground { template, fields, registration })
    }
}

struct Ground {
    /// Its text, or why there is none.
    template: Result<String, String>,
    fields: Fields,
    registration: Option<Registration>,
}

fn closing(call: &Call, claim: Revision, outcome: Result<Verdict, Fault>) -> Closing {
    Closing {
        job: call.posted.job.id.clone(),
        claim,
        outcome,
        report: Report::default(),
        fields: Fields::new(),
        registration: None,
        now_ms: clock::now_ms(),
    }
}

/// What comes of a call whose task broke.
pub(super) fn broken(job: JobId, claim: Revision) -> Closing {
    Closing {
        job,
        claim,
        outcome: Err(Fault::Host("its task broke; the host's log tells where".to_owned())),
        report: Report::default(),
        fields: Fields::new(),
        registration: None,
        now_ms: clock::now_ms(),
    }
}

/// Looks things up in the store while a handler asks for them.
struct StoreLookup(Scribe);

#[async_trait]
impl Lookup for StoreLookup {
    async fn stack(&self, of: &ResourceRef) -> Result<Option<Stack>> {
        match self.0.read(&Entry::Stack(of.clone())).await? {
            Some(Content::Stack(_, stack)) => Ok(Some(stack)),
            Some(Content::Unreadable(reason)) => {
                anyhow::bail!("cannot read the stack record of {of}: {reason}")
            }
            _ => Ok(None),
        }
    }

    async fn state(&self, of: &ResourceRef) -> Result<Option<Json>> {
        let key = key::spell(&self.0.schemas, &Entry::State(of.clone()))?;
        let Some(found) = self.0.store.get(&key).await.context("cannot read the store")? else {
            return Ok(None);
        };
        serde_json::from_slice(&found.value).map(Some).with_context(|| format!("cannot read {key}"))
    }
}
