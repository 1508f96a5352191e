//! One job from its claim to its answer.

use std::sync::Arc;

use anyhow::{Context, Result};
use async_trait::async_trait;
use tracing::warn;

use super::{Came, PAUSE};
use crate::domain::{
    Action, Content, Entry, Failure, Fault, Fields, JobId, Json, MonitorCall, Posted, Registration,
    Report, ResourceRef, Revision, Stack, Step, TemplateId, Transaction, Verdict,
};
use crate::flow::roster::{Blame, Shift};
use crate::flow::scribe::{Scribe, Uncommitted};
use crate::flow::{clock, recordings};
use crate::kafka::Kafka;
use crate::plugin::{self, Lookup};
use crate::settle::{self, Closing};
use crate::store::LeaseId;
use crate::wire::key;

/// What a call needs to know.
pub(super) struct Call {
    pub(super) posted: Arc<Posted>,
    pub(super) step: Option<Step>,
    pub(super) claim: Transaction,
    /// What the workflow has reported so far.
    pub(super) fields: Fields,
    /// The template's text, or why there is none.
    pub(super) template: Result<String, String>,
    /// Which version is called; taken when it is.
    pub(super) shift: Option<Shift>,
}

/// The hands that a call needs.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) scribe: Scribe,
    lookup: Arc<dyn Lookup>,
    /// Where registrations are told, besides the store.
    pub(super) outlet: Option<Arc<Kafka>>,
}

impl Tools {
    pub(super) fn new(scribe: Scribe, outlet: Option<Arc<Kafka>>) -> Self {
        let lookup = Arc::new(StoreLookup(scribe.clone()));
        Self { scribe, lookup, outlet }
    }

    /// Claims the job and calls its handler.
    pub(super) async fn work(&self, mut call: Call, lease: LeaseId) -> Came {
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
        let takes_down = matches!(call.posted.job.action, Action::Delete | Action::LogicalDelete);
        let text = match call.template.clone() {
            Ok(text) => text,
            // What was put up must come down, even when its template has gone.
            Err(_) if takes_down => String::new(),
            Err(why) => {
                let outcome = Ok(Verdict::Failed(Failure::Fatal(why)));
                return Came::Answered(Box::new(closing(&call, claim, outcome)));
            }
        };
        let (template_id, checkpoint) = match call.step.clone() {
            Some(step) => (step.template, step.checkpoint),
            None => (TemplateId::new(""), None),
        };
        let asked = plugin::Call {
            job: Arc::clone(&call.posted),
            template_id,
            template_text: text,
            checkpoint,
            lookup: Arc::clone(&self.lookup),
        };
        let Some(mut shift) = call.shift.take() else { return Came::GivenBack(claim) };
        shift.clock_in();
        let Some(worker) = shift.worker() else { return Came::GivenBack(claim) };
        let mut answer = recordings::handle(worker, asked).await;
        if shift.ended(answer.outcome.as_ref().err()) == Blame::Version {
            return Came::GivenBack(claim);
        }
        // Only what changes a registration needs to know it.
        let is_taken_down = settle::is_taken_down(&call.posted.job, &answer.outcome);
        let registration = if answer.report.monitor.is_empty() && !is_taken_down {
            Ok(None)
        } else {
            self.registration(&call.posted.job.target).await
        };
        if is_taken_down && matches!(registration, Ok(Some(_))) {
            answer.report.monitor.push(MonitorCall::Clear);
        }
        let registration = match registration {
            Ok(registration) => {
                let told = self.deliver(&call.posted.job, &answer, registration.as_ref()).await;
                if let Err(outcome) = told {
                    return Came::Answered(Box::new(closing(&call, claim, outcome)));
                }
                Ok(registration)
            }
            Err(error) => Err(error),
        };
        Came::Answered(Box::new(match registration {
            Ok(registration) => Closing {
                report: answer.report,
                registration,
                ..closing(&call, claim, answer.outcome)
            },
            Err(error) => closing(&call, claim, Err(Fault::Host(format!("{error:#}")))),
        }))
    }

    async fn registration(&self, of: &ResourceRef) -> Result<Option<Registration>> {
        match self.scribe.read(&Entry::Registration(of.clone())).await? {
            Some(Content::Registration(_, registration)) => Ok(Some(registration)),
            _ => Ok(None),
        }
    }
}

fn closing(call: &Call, claim: Revision, outcome: Result<Verdict, Fault>) -> Closing {
    Closing {
        job: call.posted.job.id.clone(),
        claim,
        outcome,
        report: Report::default(),
        fields: call.fields.clone(),
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
