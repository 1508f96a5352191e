//! `wasi:http`: only to granted hosts, over the connections that all guests share.

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::script::{self, Watch};
use crate::http_client::{HttpClient, Limits, SendError};
use crate::plugin::asked::not_granted;
use crate::plugin::call::Plugin;
use crate::plugin::convert::line;
use crate::plugin::witness::{Side, Witness};

pub(super) type Sending = dyn Future<Output = Result<Sent, Error>> + Send;
type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// Bytes of a body that a guest may hand over at once.
const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Requests of one call that wait for an answer; further ones wait for a place.
const IN_FLIGHT_MAX: usize = 16;
/// Bytes of a host's name; those of the DNS are not longer.
const HOST_BYTES_MAX: u64 = 255;

/// Decides on every request of one call.
pub(super) struct Gate {
    plugin: Arc<Plugin>,
    /// A plugin that describes itself has no network.
    is_open: bool,
    requests_left: u64,
    in_flight: Arc<Semaphore>,
    /// Kinds of refusals that were told: a stubborn guest does not fill the log.
    told: BTreeSet<Refusal>,
    untold: u64,
    witness: Option<Arc<Witness>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    Describing,
    TooMany,
    NotGranted,
}

impl Gate {
    pub(super) fn open(plugin: &Arc<Plugin>) -> Self {
        Self {
            plugin: Arc::clone(plugin),
            is_open: true,
            requests_left: plugin.bounds.http_requests_max,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            told: BTreeSet::new(),
            untold: 0,
            witness: None,
        }
    }

    /// Lets a witness see every request, and answer it if it has a script.
    pub(super) fn show(&mut self, witness: &Arc<Witness>) {
        self.witness = Some(Arc::clone(witness));
    }

    pub(super) fn closed(plugin: &Arc<Plugin>) -> Self {
        Self { is_open: false, ..Self::open(plugin) }
    }

    fn admit(&mut self, request: &Request<WasiBody>) -> Result<(), Error> {
        let left = self.requests_left.checked_sub(1);
        self.requests_left = left.unwrap_or_default();
        let name = Arc::clone(&self.plugin.name);
        if left.is_none() {
            let max = self.plugin.bounds.http_requests_max;
            self.refuse(Refusal::TooMany, || {
                format!("{name} has sent {max} requests in one call (http_requests_max)")
            });
            return Err(Error::ConnectionLimitReached);
        }
        let uri = request.uri();
        let host = uri.host().ok_or(Error::HttpRequestUriInvalid)?;
        let usual = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
        let port = uri.port_u16().unwrap_or(usual);
        // Only host and port are told: a path or query may hold a secret.
        let site = || format!("{}:{port}", line(host, HOST_BYTES_MAX));
        if !self.is_open {
            self.refuse(Refusal::Describing, || {
                format!("{name} asked for {} while it described itself", site())
            });
            return Err(Error::HttpRequestDenied);
        }
        if self.plugin.grants.allows(host, port) {
            return Ok(());
        }
        self.refuse(Refusal::NotGranted, || {
            let site = site();
            format!("{name} asked for {site}, {}", not_granted(&name, &site))
        });
        Err(Error::HttpRequestDenied)
    }

    fn refuse(&mut self, kind: Refusal, why: impl FnOnce() -> String) {
        if self.told.insert(kind) {
            tracing::warn!(plugin = &*self.plugin.name, "{}", why());
        } else {
            self.untold += 1;
        }
    }

    pub(super) fn finish(&self) {
        if self.untold > 0 {
            let untold = self.untold;
            tracing::warn!(plugin = &*self.plugin.name, "… {untold} more requests refused");
        }
    }
}

impl WasiHttpHooks for Gate {
    /// The client makes the header from the URI, without user and usual port.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES_MAX
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<Sending> {
        if let Some(witness) = self.witness.clone().filter(|witness| witness.is_scripted()) {
            // What a script answers reaches nobody, so that nobody has to grant it.
            let plugin = Arc::clone(&self.plugin);
            return Box::new(async move {
                let response = script::play(&plugin, &witness, request).await?;
                Ok((response, done()))
            });
        }
        let admitted = self.admit(&request);
        let witness = self.witness.clone();
        let client = self.plugin.engine.http().clone();
        let places = (Arc::clone(&self.in_flight), Arc::clone(self.plugin.engine.requests()));
        let bytes_max = self.plugin.bounds.http_body_bytes_max;
        let options = options.unwrap_or_default();
        Box::new(async move {
            admitted?;
            // Held until the head of the answer is there: a body that nobody reads takes no place from others.
            let closed = |_| Error::ConnectionLimitReached;
            let _own = places.0.acquire_owned().await.map_err(closed)?;
            let _shared = places.1.acquire_owned().await.map_err(closed)?;
            let watch = witness.map(|witness| Watch::begin(&witness, &request));
            let response = send(&client, request, options, bytes_max, watch).await?;
            Ok((response, done()))
        })
    }
}

fn done() -> Box<dyn Future<Output = Result<(), Error>> + Send> {
    Box::new(std::future::ready(Ok(())))
}

async fn send(
    client: &HttpClient,
    request: Request<WasiBody>,
    options: RequestOptions,
    bytes_max: u64,
    watch: Option<Watch>,
) -> Result<Response<WasiBody>, Error> {
    let tap = |side, body| match &watch {
        Some(watch) => watch.tap(side, body),
        None => body,
    };
    let request = request.map(|body| {
        let body = tap(Side::Request, body);
        let body = Bounded { body, left: bytes_max, over: too_much_sent, pause: None, wait: None };
        body.map_err(Into::into).boxed_unsync()
    });
    let limits =
        Limits { connect: options.connect_timeout, first_byte: options.first_byte_timeout };
    let response = client.send(request, limits).await.map_err(|why| {
        let why = send_error(&why);
        watch.iter().for_each(|watch| watch.failed(&why));
        why
    })?;
    let response = response.map(|body| {
        let body = Received(body);
        let pause = options.between_bytes_timeout;
        let over = too_much_received;
        tap(Side::Answer, Bounded { body, left: bytes_max, over, pause, wait: None }.boxed_unsync())
    });
    watch.iter().for_each(|watch| watch.answered(&response));
    Ok(response)
}

fn too_much_sent() -> Error {
    Error::HttpRequestBodySize(None)
}

fn too_much_received() -> Error {
    Error::HttpResponseBodySize(None)
}

/// A body of bounded length, with bounded pauses between its parts.
struct Bounded<B> {
    body: B,
    left: u64,
    over: fn() -> Error,
    pause: Option<Duration>,
    wait: Option<Pin<Box<Sleep>>>,
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
struct Received(Incoming);

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

fn send_error(why: &SendError) -> Error {
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
fn source<'a, E: std::error::Error + 'static>(
    why: &'a (dyn std::error::Error + 'static),
) -> Option<&'a E> {
    chain(why).filter_map(|part| part.downcast_ref::<E>()).last()
}
