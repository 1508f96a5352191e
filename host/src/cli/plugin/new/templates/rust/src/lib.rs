//! A handler for Stokehold: it reports its params back, so that `/state` shows what a template's mapping yields.

// The bindings of the world in `wit/world.wit`.
wit_bindgen::generate!({ path: "wit", world: "plugin", generate_all });

use exports::stokehold::worker::handler::{Description, Guest, Job, Verdict};
use stokehold::worker::log::{self, Level};
use stokehold::worker::params::{self, NamedError, ParamError};
use stokehold::worker::state;
use stokehold::worker::types::{Action, Failure, UpdateStyle};

struct Plugin;

impl Guest for Plugin {
    fn describe() -> Description {
        Description {
            name: "my_worker".to_owned(),
            // In every workflow it comes after these.
            after: vec!["heat_worker".to_owned()],
            update: UpdateStyle::Modify,
            limits: Vec::new(),
            grants: Vec::new(),
        }
    }

    fn handle(job: Job, _checkpoint: Option<String>) -> Verdict {
        match work(job.action, params::resolve_all) {
            Ok(Some(report)) => state::report("my_worker", &report),
            Ok(None) => log::write(Level::Info, "there is nothing to take down"),
            Err(failure) => return Verdict::Failed(failure),
        }
        Verdict::Completed
    }
}

/// What is to be reported for a job, as JSON. It may be called twice for the same job: after a crash the host cannot
/// know whether the first call had an effect.
fn work(
    action: Action,
    resolve_all: impl FnOnce() -> Result<String, NamedError>,
) -> Result<Option<String>, Failure> {
    match action {
        Action::Create | Action::Modify => resolve_all().map(Some).map_err(failure),
        Action::Delete | Action::LogicalDelete => Ok(None),
    }
}

/// Whether another try can help, in words that end up in the resource's state.
fn failure(NamedError { name, error }: NamedError) -> Failure {
    match error {
        ParamError::Unavailable(why) => {
            Failure::Retry(format!("cannot resolve param {name}: {why}"))
        }
        other => Failure::Fatal(format!("cannot resolve param {name}: {other:?}")),
    }
}

export!(Plugin);

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> Result<String, NamedError> {
        Ok(r#"{"name":"one"}"#.to_owned())
    }

    #[test]
    fn what_is_put_up_is_reported() {
        for action in [Action::Create, Action::Modify] {
            assert_eq!(work(action, params).unwrap(), params().ok());
        }
    }

    #[test]
    fn what_is_taken_down_asks_for_nothing() {
        for action in [Action::Delete, Action::LogicalDelete] {
            assert_eq!(work(action, || unreachable!()).unwrap(), None);
        }
    }

    #[test]
    fn only_trouble_of_the_moment_is_worth_another_try() {
        let failing = |error| {
            let named = NamedError { name: "name".to_owned(), error };
            work(Action::Create, || Err(named)).unwrap_err()
        };
        let moment = failing(ParamError::Unavailable("the store is away".to_owned()));
        assert!(matches!(moment, Failure::Retry(_)));
        assert!(matches!(failing(ParamError::Unknown("name".to_owned())), Failure::Fatal(_)));
    }
}
