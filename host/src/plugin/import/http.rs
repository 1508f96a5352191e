//! `wasi:http`: only to granted hosts, over the connections that all guests share.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::Semaphore;
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::refusals::{Refusal, Refusals};
use super::script::{self, Watch};
use crate::http_client::{self, Astray, Limits, Near, Reach, SendError};
use crate::plugin::asked::{more, not_granted};
use crate::plugin::call::Plugin;
use crate::plugin::convert::line;
use crate::plugin::grant::Missing;
use crate::plugin::inject::{Next, Outgoing, Refused, target};
use crate::plugin::witness::{Side, Witness};

pub(super) type Sending = dyn Future<Output = Result<Sent, Error>> + Send;
type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// Bytes of a body that a guest may hand over at once.
const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Requests of one call that wait for an answer; further ones wait for a place.
const IN_FLIGHT_MAX: usize = 16;
/// Bytes of a host's name; those of the DNS are not longer.
const HOST_BYTES_MAX: u64 = 255;
/// Bytes of a method that are told.
const METHOD_BYTES_MAX: u64 = 32;

/// Decides on every request of one call.
pub(super) struct Gate {
    plugin: Arc<Plugin>,
    /// A plugin that describes itself has no network.
    is_open: bool,
    requests_left: u64,
    in_flight: Arc<Semaphore>,
    refusals: Arc<Refusals>,
    witness: Option<Arc<Witness>>,
}

impl Gate {
    pub(super) fn new(plugin: &Arc<Plugin>, is_open: bool, refusals: &Arc<Refusals>) -> Self {
        Self {
            plugin: Arc::clone(plugin),
            is_open,
            requests_left: plugin.bounds.http_requests_max,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            refusals: Arc::clone(refusals),
            witness: None,
        }
    }

    /// Lets a witness see every request, and answer it if it has a script.
    pub(super) fn show(&mut self, witness: &Arc<Witness>) {
        self.witness = Some(Arc::clone(witness));
    }

    /// How far the request may go.
    fn admit(&mut self, request: &Request<WasiBody>) -> Result<Reach, Error> {
        let left = self.requests_left.checked_sub(1);
        self.requests_left = left.unwrap_or_default();
        if left.is_none() {
            let max = self.plugin.bounds.http_requests_max;
            self.refusals.tell(Refusal::TooMany, |stem| {
                let remedy = more(stem, "http_requests_max");
                format!("has sent {max} requests in one call (http_requests_max): {remedy}")
            });
            return Err(Error::ConnectionLimitReached);
        }
        let (scheme, host, port) = target(request.uri()).ok_or(Error::HttpRequestUriInvalid)?;
        let method = request.method();
        // Only host and port are told: a path or query may hold a secret.
        let site = || format!("{}:{port}", line(host, HOST_BYTES_MAX));
        if !self.is_open {
            self.refusals.tell(Refusal::Describing, |_| {
                format!("asked for {} while it described itself", site())
            });
            return Err(Error::HttpRequestDenied);
        }
        let missing = match self.plugin.grants.admit(&scheme, method, host, port) {
            Ok(reach) => return Ok(reach),
            Err(missing) => missing,
        };
        let (kind, wish) = match missing {
            Missing::Host => (Refusal::NotGranted, site()),
            Missing::Scheme => (Refusal::Scheme, format!("{scheme}://{}", site())),
            Missing::Method => {
                let method = line(method.as_str(), METHOD_BYTES_MAX);
                (Refusal::Method, format!("{method} {}", site()))
            }
        };
        self.refusals
            .tell(kind, |stem| format!("asked for {wish}, {}", not_granted("http", stem, &wish)));
        Err(Error::HttpRequestDenied)
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
        let places = (Arc::clone(&self.in_flight), Arc::clone(self.plugin.engine.requests()));
        let sender = Sender {
            plugin: Arc::clone(&self.plugin),
            refusals: Arc::clone(&self.refusals),
            options: options.unwrap_or_default(),
        };
        Box::new(async move {
            let reach = admitted?;
            // Held until the head of the answer is there: a body that nobody reads takes no place from others.
            let closed = |_| Error::ConnectionLimitReached;
            let _own = places.0.acquire_owned().await.map_err(closed)?;
            let _shared = places.1.acquire_owned().await.map_err(closed)?;
            let watch = witness.map(|witness| Watch::begin(&witness, &request));
            let response = sender.send(request, reach, watch).await?;
            Ok((response, done()))
        })
    }
}

fn done() -> Box<dyn Future<Output = Result<(), Error>> + Send> {
    Box::new(std::future::ready(Ok(())))
}

/// Sends one admitted request.
struct Sender {
    plugin: Arc<Plugin>,
    refusals: Arc<Refusals>,
    options: RequestOptions,
}

impl Sender {
    /// What a watch sees is what the guest sent: nothing was put into it yet.
    async fn send(
        &self,
        request: Request<WasiBody>,
        reach: Reach,
        watch: Option<Watch>,
    ) -> Result<Response<WasiBody>, Error> {
        let bytes_max = self.plugin.bounds.http_body_bytes_max;
        let tap = |side, body| match &watch {
            Some(watch) => watch.tap(side, body),
            None => body,
        };
        let request = request.map(|body| tap(Side::Request, body));
        let response = self.sent(request, reach).await.inspect_err(|why| {
            watch.iter().for_each(|watch| watch.failed(why));
        })?;
        let response = response.map(|body| {
            let (body, pause) = (Received(body), self.options.between_bytes_timeout);
            let over = too_much_received;
            let body = Bounded { body, left: bytes_max, over, pause, wait: None };
            tap(Side::Answer, body.boxed_unsync())
        });
        watch.iter().for_each(|watch| watch.answered(&response));
        Ok(response)
    }

    /// Sends it once, or twice if an injection asks for that.
    async fn sent(
        &self,
        request: Request<WasiBody>,
        reach: Reach,
    ) -> Result<Response<Incoming>, Error> {
        let bytes_max = self.plugin.bounds.http_body_bytes_max;
        let (parts, body) = request.into_parts();
        let body = Bounded { body, left: bytes_max, over: too_much_sent, pause: None, wait: None };
        let mut outgoing = Outgoing { parts, reach, sent: 0 };
        let repeats = self.plugin.grants.injections.iter().any(|one| one.may_repeat(&outgoing));
        if !repeats {
            return Ok(self.once(&outgoing, body.map_err(Into::into).boxed_unsync()).await?.0);
        }
        let kept = body.collect().await?.to_bytes();
        let whole = || Full::new(kept.clone()).map_err(|never| match never {}).boxed_unsync();
        match self.once(&outgoing, whole()).await? {
            (response, Next::Deliver) => Ok(response),
            (answer, Next::Again) => {
                drop(answer);
                outgoing.sent = 1;
                Ok(self.once(&outgoing, whole()).await?.0)
            }
        }
    }

    /// Sends it as the injections want it, and asks them what to do with the answer.
    async fn once(
        &self,
        asked: &Outgoing,
        body: http_client::Body,
    ) -> Result<(Response<Incoming>, Next), Error> {
        let grants = &self.plugin.grants;
        let mut outgoing = asked.clone();
        for injection in &grants.injections {
            injection.prepare(&mut outgoing).await.map_err(|Refused(why)| {
                self.refusals.tell(Refusal::Injection, |stem| {
                    format!("{why} under [plugins.{stem}] in stokehold.toml")
                });
                Error::HttpRequestDenied
            })?;
        }
        let client = grants.client.as_ref().unwrap_or(self.plugin.engine.http());
        let Outgoing { parts, reach, .. } = outgoing;
        let limits = Limits {
            connect: self.options.connect_timeout,
            first_byte: self.options.first_byte_timeout,
        };
        let request = Request::from_parts(parts, body);
        let response = client.send_within(reach, request, limits).await;
        let response = response.map_err(|why| self.send_error(asked, &why))?;
        let (mut head, body) = response.into_parts();
        let mut next = Next::Deliver;
        for injection in &grants.injections {
            if injection.answered(asked, &mut head).await == Next::Again {
                next = Next::Again;
            }
        }
        Ok((Response::from_parts(head, body), next))
    }

    fn send_error(&self, asked: &Outgoing, why: &SendError) -> Error {
        let SendError::Client(client) = why else { return send_error(why) };
        let Some(astray) = source::<Astray>(client) else { return send_error(why) };
        let (_, host, port) = asked.target().unwrap_or((Scheme::HTTPS, "", 0));
        let site = format!("{}:{port}", line(host, HOST_BYTES_MAX));
        self.refusals.tell(Refusal::Astray, |stem| {
            let remedy = match (astray.near, astray.ip) {
                (Near::Loopback, _) => format!("write \"{site} local\""),
                (_, IpAddr::V4(ip)) => format!("grant the address itself, \"{ip}:{port}\","),
                (_, IpAddr::V6(ip)) => format!("grant the address itself, \"[{ip}]:{port}\","),
            };
            format!(
                "asked for {site}, but {astray}: if that is meant, {remedy} in http under \
                 [plugins.{stem}] in stokehold.toml"
            )
        });
        Error::DestinationIpProhibited
    }
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
