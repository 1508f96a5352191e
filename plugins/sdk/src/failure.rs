//! What goes wrong, and whether another try can help.

use std::fmt;

use crate::{Next, ResourceRef};

/// What came of a call: what comes next, or why it failed. `?` on whatever fails with a
/// [`Failure`], a [`NamedError`] or an [`HttpError`](crate::HttpError) gives the right verdict.
pub type Verdict = Result<Next, Failure>;

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Trouble of the moment: the host tries again with growing pauses.
    Retry(String),
    /// Final for this version of the config.
    Fatal(String),
}

impl Failure {
    /// Final, in these words.
    pub fn fatal(words: impl Into<String>) -> Self {
        Self::Fatal(words.into())
    }

    /// Worth another try, in these words.
    pub fn retry(words: impl Into<String>) -> Self {
        Self::Retry(words.into())
    }

    /// The words.
    pub fn words(&self) -> &str {
        match self {
            Self::Retry(words) | Self::Fatal(words) => words,
        }
    }

    /// The same kind of failure, other words.
    #[must_use]
    pub fn reworded(self, reword: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Retry(words) => Self::Retry(reword(words)),
            Self::Fatal(words) => Self::Fatal(reword(words)),
        }
    }
}

/// An output of another resource's stack that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFault {
    /// The resource whose stack was asked.
    pub of: ResourceRef,
    /// The output asked for.
    pub output_key: String,
    /// Why there is no value, in the words of who said so.
    pub reason: String,
}

/// Why a param has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamError {
    /// The job has no param of this name.
    Unknown(String),
    /// The resource has no stack yet, or none any more.
    MissingStack(OutputFault),
    /// The stack has no output of this key.
    MissingOutput(OutputFault),
    /// The stack has the output, but it could not be computed.
    FailedOutput(OutputFault),
    /// The store could not be asked; another try may help.
    Unavailable(String),
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "the job has no param {name}"),
            Self::MissingStack(fault) => write!(
                f,
                "it is output {} of {}, which has no stack ({})",
                fault.output_key, fault.of, fault.reason
            ),
            Self::MissingOutput(fault) => write!(
                f,
                "the stack of {} has no output {} ({})",
                fault.of, fault.output_key, fault.reason
            ),
            Self::FailedOutput(fault) => write!(
                f,
                "output {} of {} could not be computed: {}",
                fault.output_key, fault.of, fault.reason
            ),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

/// A param and its error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedError {
    /// The param's name.
    pub name: String,
    /// What is wrong with it.
    pub error: ParamError,
}

impl fmt::Display for NamedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot resolve param {}: {}", self.name, self.error)
    }
}

impl From<NamedError> for Failure {
    fn from(named: NamedError) -> Self {
        match named.error {
            ParamError::Unavailable(_) => Self::Retry(named.to_string()),
            ParamError::Unknown(_)
            | ParamError::MissingStack(_)
            | ParamError::MissingOutput(_)
            | ParamError::FailedOutput(_) => Self::Fatal(named.to_string()),
        }
    }
}

impl From<Box<NamedError>> for Failure {
    fn from(named: Box<NamedError>) -> Self {
        (*named).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(error: fn(OutputFault) -> ParamError) -> Failure {
        let fault = OutputFault {
            of: ResourceRef::new("network", "n1"),
            output_key: "id".to_owned(),
            reason: "why".to_owned(),
        };
        NamedError { name: "virtual_network".to_owned(), error: error(fault) }.into()
    }

    #[test]
    fn what_is_missing_is_final_and_says_of_which_resource() {
        type Case = (fn(OutputFault) -> ParamError, &'static str);
        let cases: [Case; 3] = [
            (ParamError::MissingStack, "it is output id of network:n1, which has no stack (why)"),
            (ParamError::MissingOutput, "the stack of network:n1 has no output id (why)"),
            (ParamError::FailedOutput, "output id of network:n1 could not be computed: why"),
        ];
        for (error, words) in cases {
            let expected = format!("cannot resolve param virtual_network: {words}");
            assert_eq!(named(error), Failure::Fatal(expected));
        }
    }

    #[test]
    fn a_store_out_of_reach_is_worth_another_try() {
        let error = ParamError::Unavailable("store is out of reach".to_owned());
        let failure = Failure::from(NamedError { name: "a".to_owned(), error });
        let words = "cannot resolve param a: store is out of reach".to_owned();
        assert_eq!(failure, Failure::Retry(words));
    }
}
