//! Bodies on their way, bounded in length and in pauses, and what the client's errors are called towards a guest.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::http_client::SendError;

pub(super) fn too_much_sent() -> Error {
    Error::HttpRequestBodySize(None)
}

pub(super) fn too_much_received() -> Error {
    Error::HttpResponseBodySize(None)
}

/// A request's body that is taken to its end, by whoever sends it or by nobody. A guest that is still writing when its
/// request has failed would otherwise see its stream closed, and not why.
pub(super) struct Drained(Option<WasiBody>);

impl Drained {
    pub(super) fn new(body: WasiBody) -> Self {
        Self(Some(body))
    }
}

impl Body for Drained {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(mut body) = self.0.take().filter(|body| !body.is_end_stream()) else { return };
        // It ends with the guest's call at the latest: nobody writes any more then.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
        }
    }
}

/// A body of bounded length, with bounded pauses between its parts.
pub(super) struct Bounded<B> {
    pub(super) body: B,
    pub(super) left: u64,
    pub(super) over: fn() -> Error,
    pub(super) pause: Option<Duration>,
    pub(super) wait: Option<Pin<Box<Sleep>>>,
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for Bounded<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            // The pause begins when somebody waits: a guest may take its time between two reads.
            let Some(pause) = this.pause else { return Poll::Pending };
            let wait = this.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            return wait.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)));
        };
        this.wait = None;
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            match this.left.checked_sub(data.len() as u64) {
                Some(left) => this.left = left,
                None => return Poll::Ready(Some(Err((this.over)()))),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The client's body with the guest's errors.
pub(super) struct Received(pub(super) Incoming);

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(|why| hyper_error(&why))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

pub(super) fn send_error(why: &SendError) -> Error {
    let why = match why {
        SendError::Slow(_) => return Error::ConnectionReadTimeout,
        SendError::Client(why) => why,
    };
    tracing::debug!("request of a guest failed: {why:?}");
    if let Some(io) = source::<io::Error>(why)
        && why.is_connect()
    {
        match io.kind() {
            io::ErrorKind::TimedOut => return Error::ConnectionTimeout,
            io::ErrorKind::ConnectionRefused => return Error::ConnectionRefused,
            _ => {}
        }
    }
    match source::<rustls::Error>(why) {
        Some(rustls::Error::InvalidCertificate(_)) => return Error::TlsCertificateError,
        Some(_) => return Error::TlsProtocolError,
        None => {}
    }
    if let Some(Error::HttpRequestBodySize(size)) = source::<Error>(why) {
        return Error::HttpRequestBodySize(*size);
    }
    if why.is_connect() {
        // The connector has no public type for a name that is not found, only these words.
        let no_name = chain(why).any(|part| part.to_string().starts_with("dns error"));
        return if no_name {
            Error::DnsError { rcode: None, info_code: None }
        } else {
            Error::DestinationUnavailable
        };
    }
    source::<hyper::Error>(why).map_or(Error::HttpProtocolError, hyper_error)
}

fn hyper_error(why: &hyper::Error) -> Error {
    if why.is_timeout() {
        Error::HttpResponseTimeout
    } else if why.is_incomplete_message()
        || why.is_closed()
        || why.is_canceled()
        || source::<io::Error>(why).is_some()
    {
        Error::ConnectionTerminated
    } else {
        Error::HttpProtocolError
    }
}

/// An error and its causes. What an I/O error wraps counts as its cause, which it does not say itself.
fn chain<'a>(
    why: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(why), |part| {
        let wrapped = part.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map_or_else(|| part.source(), |inner| Some(inner))
    })
}

/// The innermost cause of this type: wrappers of the same type say less.
pub(super) fn source<'a, E: std::error::Error + 'static>(
    why: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    chain(why).filter_map(|part| part.downcast_ref::<E>()).last()
}
