//! The contract's exports, answered by the traits.

use std::marker::PhantomData;

use super::convert::{job, next, probing, subject};
use super::imports::Imports;
use super::trial::exports::stokehold::worker::trial;
use super::watcher::exports::stokehold::worker::prober;
use super::worker::exports::stokehold::worker::handler;
use super::worker::stokehold::worker::types;
use crate::{Failure, Prober, Trial, Worker};

/// A worker, seen by the host.
pub struct ExportedWorker<T>(PhantomData<T>);

impl<T: Worker> handler::Guest for ExportedWorker<T> {
    fn describe() -> types::Description {
        T::describe().into()
    }

    fn handle(given: types::Job, checkpoint: Option<types::Json>) -> types::Verdict {
        let verdict = (|| {
            let parse = |what: &str, text: &str| {
                serde_json::from_str(text)
                    .map_err(|e| Failure::fatal(format!("cannot read {what} of the job: {e}")))
            };
            let input = parse("resource_input", &given.resource_input)?;
            let checkpoint = checkpoint.map(|c| parse("checkpoint", &c)).transpose()?;
            let host = Imports { plugin: || T::describe().name };
            T::handle(&host, &job(given, input), checkpoint)
        })();
        match verdict {
            Ok(going_on) => next(going_on),
            Err(failure) => types::Verdict::Failed(failure.into()),
        }
    }
}

/// A prober, seen by the host.
pub struct ExportedProber<T>(PhantomData<T>);

impl<T: Prober> prober::Guest for ExportedProber<T> {
    fn describe() -> prober::Probing {
        probing(T::describe())
    }

    fn probe(given: prober::Subject) -> Result<prober::Status, types::Failure> {
        let properties = serde_json::from_str(&given.properties).map_err(|e| {
            Failure::fatal(format!("cannot read properties of {}: {e}", given.name))
        })?;
        let host = Imports { plugin: || T::describe().name };
        Ok(T::probe(&host, &subject(given, properties))?)
    }
}

/// A dry call, seen by the host.
pub struct ExportedTrial<T>(PhantomData<T>);

impl<T: Trial> trial::Guest for ExportedTrial<T> {
    fn attempt() -> Result<(), String> {
        let host = Imports { plugin: || "this plugin".to_owned() };
        T::attempt(&host).map_err(|failure| failure.words().to_owned())
    }
}
