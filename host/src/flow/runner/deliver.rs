//! What was registered is told to collectors outside before its job is settled.

use super::call::Tools;
use crate::domain::{Failure, Job, Registration, Verdict};
use crate::kafka::Message;
use crate::plugin::Answer;
use crate::{settle, wire};

impl Tools {
    /// Delivers what an answer changes of a registration, if there is somebody to tell. What a try
    /// reported that will be repeated is not told: the next one says it anew.
    ///
    /// # Errors
    /// Why it was not delivered; the job is to be tried again.
    pub(super) async fn deliver(
        &self,
        job: &Job,
        answer: &Answer,
        before: Option<&Registration>,
    ) -> Result<(), String> {
        let Some(outlet) = &self.outlet else { return Ok(()) };
        let counts = match &answer.outcome {
            Ok(
                Verdict::Completed | Verdict::Pending { .. } | Verdict::Failed(Failure::Fatal(_)),
            ) => true,
            Ok(Verdict::Failed(Failure::Retry(_))) | Err(_) => false,
        };
        if !counts || answer.report.monitor.is_empty() {
            return Ok(());
        }
        let announced = settle::announced(job, before, &answer.report.monitor);
        let messages = announced.iter().filter_map(|announcement| {
            let told = wire::announcement(&self.scribe.schemas, job, announcement)?;
            Some(Message { topic: told.topic, key: told.key, value: told.value })
        });
        outlet.deliver(messages.collect()).await.map_err(|error| format!("{error:#}"))
    }
}
