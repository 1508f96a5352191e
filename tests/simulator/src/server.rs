//! The server: connections, and what becomes of a request on its way.

use crate::answer::Answer;
use crate::call::Call;
use crate::faults::Effect;
use crate::heat::api;
use crate::shared::{Shared, State, now};
use crate::{contrail, control, gohan, keystone};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// More than Heat takes, so that Heat's own refusal is what a client sees.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a connection ends without an answer.
#[derive(Debug)]
enum Cut {
    /// It is reset.
    Reset,
    /// It is closed.
    Close,
}

impl std::fmt::Display for Cut {
    fn fmt(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        to.write_str("cut on demand")
    }
}

impl std::error::Error for Cut {}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Cut>> + Send>>;

/// Serves until it is dropped; its connections end with it.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, shared.clone()));
                }
                // Out of descriptors: those that are open must end first.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers go out at once.
    let _ = stream.set_nodelay(true);
    let address = stream.local_addr().map(|address| address.to_string()).unwrap_or_default();
    let service = service_fn(move |request: Request<Incoming>| -> Answering {
        let (shared, address) = (shared.clone(), address.clone());
        Box::pin(async move { answer(request, &shared, &address).await })
    });
    let mut serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let Err(error) = (&mut serving).await else { return };
    let reset = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<Cut>())
        .is_some_and(|cut| matches!(cut, Cut::Reset));
    if reset {
        let _ = serving.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: &Shared,
    address: &str,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Err(Cut::Close);
    };
    let call = Call::new(&parts, body.to_bytes(), address);
    let own = call.path.first().is_some_and(|first| first == "simulator");
    if own {
        let answer = route(&mut shared.state(), &call);
        shared.changed.notify_waiters();
        return Ok(answer.spell(call.accept.as_deref()));
    }
    let effect = {
        let mut state = shared.state();
        state.record(&call, shared.options.requests_kept_max);
        state.faults.befall(call.stack().as_deref(), &call.method, &call.target)
    };
    shared.changed.notify_waiters();
    if !shared.options.latency.is_zero() {
        tokio::time::sleep(shared.options.latency).await;
    }
    let spelled = |answer: Answer| Ok(answer.spell(call.accept.as_deref()));
    let act = || {
        let answer = route(&mut shared.state(), &call);
        shared.changed.notify_waiters();
        answer
    };
    match effect {
        None | Some(Effect::Fail { .. }) => spelled(act()),
        Some(Effect::Slow { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            spelled(act())
        }
        Some(Effect::Answer { status, body, headers }) => {
            let answer = match body {
                serde_json::Value::Null => Answer::empty(status),
                serde_json::Value::String(text) => Answer::text(status, text),
                body => Answer::json(status, body),
            };
            spelled(headers.iter().fold(answer, |answer, (name, value)| answer.with(name, value)))
        }
        Some(Effect::Garbage { body }) => {
            let status = act().status;
            spelled(Answer::text(status, body).with("content-type", "application/json"))
        }
        Some(Effect::Reset) => Err(Cut::Reset),
        Some(Effect::Lose) => {
            act();
            Err(Cut::Reset)
        }
        Some(Effect::Hang { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Err(Cut::Close)
        }
    }
}

fn route(state: &mut State, call: &Call) -> Answer {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        [""] => api::versions(call),
        ["v1" | "v1.0", path @ ..] => {
            let options = &state.world.options;
            let closed = options.token.is_some() || options.credentials.is_some();
            let known = call.token.as_ref().is_some_and(|token| state.tokens.contains(token));
            if closed && !known {
                return keystone::unauthorized(call);
            }
            api::answer(&mut state.world, &mut state.faults, call, path, now())
        }
        ["v3", path @ ..] => keystone::answer(state, call, path),
        ["analytics", path @ ..] => contrail::answer(state, call, path),
        ["gohan", path @ ..] => gohan::answer(state, call, path),
        ["simulator", path @ ..] => control::answer(state, call, path),
        [version, ..] if is_version(version) => api::versions(call),
        _ => Answer::no_such_path(),
    }
}

/// Heat answers any `v` and digits with the versions that it has.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|letter| letter.is_ascii_digit() || letter == '.')
    })
}
