//! What went wrong, as far as it decides what to do next.

use std::error::Error as StdError;
use std::io;

use anyhow::anyhow;
use etcd_client::Error;

use crate::store::{LeaseId, StoreError};

/// An answer that is none.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Certainly not done; here or elsewhere it may succeed.
    NotDone(String),
    /// Nobody knows whether it was done.
    Unknown(String),
    /// Not done: the token of this connection has run out, or was made before a change of rights.
    Token(String),
    /// Not done: there is no such lease.
    NoLease,
    /// Not done, and never will be as it is.
    Refused(String),
    /// Not done, and trying again does not help until somebody changes something.
    Barred(String),
    /// The answer is larger than what was to be taken.
    TooLarge,
}

const INVALID_ARGUMENT: i32 = 3;
const PERMISSION_DENIED: i32 = 7;
const OUT_OF_RANGE: i32 = 11;
const UNIMPLEMENTED: i32 = 12;
const UNAUTHENTICATED: i32 = 16;

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::GRpcStatus(status) => {
                let text = explain(status.message(), &status);
                let tls = chain(&status, is_of_tls);
                let connecting = chain(&status, <dyn StdError>::is::<tonic::ConnectError>);
                match () {
                    () if tls => Self::Barred(format!(
                        "TLS failed; look at ca_file, cert_file and key_file, and at the names in the \
                         server's certificate ({text})"
                    )),
                    () if connecting => Self::NotDone(text),
                    () => said(status.code() as i32, status.message(), text),
                }
            }
            // The client's own word for an answer with no time left to live.
            Error::LeaseKeepAliveError(text) if text == "lease not found" => Self::NoLease,
            Error::TransportError(error) => {
                let text = explain(&error.to_string(), &error);
                Self::Barred(format!("the connection cannot be set up ({text})"))
            }
            Error::InvalidArgs(_) | Error::InvalidUri(_) | Error::InvalidMetadataValue(_) => {
                Self::Barred(error.to_string())
            }
            other => Self::Unknown(other.to_string()),
        }
    }
}

/// Whether TLS failed. Of an alert that comes after the handshake only its text is left.
fn is_of_tls(error: &(dyn StdError + 'static)) -> bool {
    error.is::<rustls::Error>() || error.to_string().contains("received fatal alert")
}

/// What etcd, or the client, said in a status.
fn said(code: i32, message: &str, text: String) -> Trouble {
    let about = message.strip_prefix("etcdserver: ").unwrap_or(message);
    match about {
        "requested lease not found" => Trouble::NoLease,
        "request is too large"
        | "too many operations in txn request"
        | "duplicate key given in txn request" => Trouble::Refused(text),
        "no leader" | "too many requests" => Trouble::NotDone(text),
        "invalid auth token" | "revision of auth store is old" | "user name is empty" => {
            Trouble::Token(text)
        }
        "authentication failed, invalid user ID or password" => {
            Trouble::Barred("etcd knows no such user with this password".to_owned())
        }
        "mvcc: database space exceeded" | "no space" => Trouble::Barred(format!(
            "etcd has reached its quota: compact and defragment it, then disarm its alarm ({text})"
        )),
        _ if code == OUT_OF_RANGE && message.contains("message length too large") => {
            Trouble::TooLarge
        }
        _ if code == UNAUTHENTICATED => Trouble::Token(text),
        _ if code == PERMISSION_DENIED => Trouble::Barred(DENIED.to_owned()),
        _ if code == INVALID_ARGUMENT || code == UNIMPLEMENTED => Trouble::Barred(text),
        _ => Trouble::Unknown(text),
    }
}

/// What to do about missing rights.
pub(super) const DENIED: &str = "etcd denies it to this user: the host's user needs to read and \
                                 write all keys (`etcdctl role grant-permission ROLE readwrite --prefix ''`)";

/// Whether etcd said that it has no users at all.
pub(super) fn has_no_users(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status)
        if status.message() == "etcdserver: authentication is not enabled")
}

/// The message, and the innermost cause if it says more.
fn explain(message: &str, error: &(dyn StdError + 'static)) -> String {
    let mut innermost = String::new();
    chain(error, |error| {
        innermost = error.to_string();
        false
    });
    if innermost.is_empty() || message.contains(&innermost) || innermost.contains(message) {
        return message.to_owned();
    }
    format!("{message}: {innermost}")
}

/// Whether one of the causes is meant. What an I/O error wraps is not its source.
fn chain(
    error: &(dyn StdError + 'static),
    mut meant: impl FnMut(&(dyn StdError + 'static)) -> bool,
) -> bool {
    let mut next = error.source();
    while let Some(error) = next {
        if meant(error) {
            return true;
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

impl Trouble {
    /// What a caller of the store is told. `LeaseLost` names the lease that the request was about.
    pub(super) fn told(self, lease: Option<LeaseId>) -> StoreError {
        match self {
            Self::NoLease => match lease {
                Some(lease) => StoreError::LeaseLost(lease),
                None => StoreError::Unavailable(anyhow!("etcd knows no such lease")),
            },
            Self::Refused(text) => StoreError::Refused(text),
            trouble => StoreError::Unavailable(anyhow!("{}", trouble.text())),
        }
    }

    /// The same in words.
    pub(super) fn text(self) -> String {
        match self {
            Self::NotDone(text)
            | Self::Unknown(text)
            | Self::Token(text)
            | Self::Refused(text)
            | Self::Barred(text) => text,
            Self::NoLease => "etcd knows no such lease".to_owned(),
            Self::TooLarge => "the answer is too large".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_certainly_not_done_may_be_tried_again() {
        let (unavailable, exhausted, unknown) = (14, 8, 2);
        let kind = |code, message: &str| match said(code, message, message.to_owned()) {
            Trouble::NotDone(_) => "not done",
            Trouble::Unknown(_) => "unknown",
            Trouble::Token(_) => "token",
            Trouble::NoLease => "no lease",
            Trouble::Refused(_) => "refused",
            Trouble::Barred(_) => "barred",
            Trouble::TooLarge => "too large",
        };
        let cases = [
            (unavailable, "etcdserver: no leader", "not done"),
            (exhausted, "etcdserver: too many requests", "not done"),
            (unavailable, "etcdserver: request timed out", "unknown"),
            (unavailable, "etcdserver: leader changed", "unknown"),
            (unavailable, "etcdserver: server stopped", "unknown"),
            (unavailable, "error reading a body from connection", "unknown"),
            (unknown, "transport error", "unknown"),
            (UNAUTHENTICATED, "etcdserver: invalid auth token", "token"),
            (unknown, "etcdserver: invalid auth token", "token"),
            (INVALID_ARGUMENT, "etcdserver: revision of auth store is old", "token"),
            (5, "etcdserver: requested lease not found", "no lease"),
            (INVALID_ARGUMENT, "etcdserver: request is too large", "refused"),
            (PERMISSION_DENIED, "etcdserver: permission denied", "barred"),
            (exhausted, "etcdserver: mvcc: database space exceeded", "barred"),
            (OUT_OF_RANGE, "Error, decoded message length too large: found 9", "too large"),
        ];
        for (code, message, expected) in cases {
            assert_eq!(kind(code, message), expected, "{message}");
        }
    }
}
