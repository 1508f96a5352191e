//! What was registered is told to collectors outside before its job is settled.

use super::call::Tools;
use crate::domain::{Announcement, Failure, Fault, Job, Registration, Verdict};
use crate::kafka::{Message, Undelivered};
use crate::plugin::Answer;
use crate::{settle, wire};

impl Tools {
    /// Delivers what an answer changes of a registration, if there is somebody to tell. What a try
    /// reported that will be repeated is not told: the next one says it anew.
    ///
    /// # Errors
    /// It was not delivered; what the job comes to instead.
    pub(super) async fn deliver(
        &self,
        job: &Job,
        answer: &Answer,
        before: Option<&Registration>,
    ) -> Result<(), Result<Verdict, Fault>> {
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
        let mut messages = Vec::new();
        for announcement in settle::announced(job, before, &answer.report.monitor) {
            match &announcement {
                Announcement::Watch(target) => {
                    outlet.admit(&target.topic).map_err(|why| {
                        let why = format!("cannot tell of {}: {why}", target.name);
                        Ok(Verdict::Failed(Failure::Fatal(why)))
                    })?;
                }
                // Nothing goes there, an end no more than a beginning.
                Announcement::Unwatch(target) if outlet.admit(&target.topic).is_err() => continue,
                _ => {}
            }
            if let Some(told) = wire::announcement(&self.scribe.schemas, job, &announcement) {
                messages.push(Message { topic: told.topic, key: told.key, value: told.value });
            }
        }
        outlet.deliver(messages).await.map_err(|undelivered| match undelivered {
            Undelivered::Refused(error) => {
                Ok(Verdict::Failed(Failure::Retry(format!("{error:#}"))))
            }
            Undelivered::OutOfReach(error) => Err(Fault::Undelivered(format!("{error:#}"))),
        })
    }
}
