//! `wasi:http`: only to granted hosts, over the connections that all guests share.

use std::net::IpAddr;
use std::sync::Arc;

use http::uri::Scheme;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::body::{
    Bounded, Drained, Received, send_error, source, too_much_received, too_much_sent,
};
use super::refusals::{Refusal, Refusals};
use super::script::{self, Watch};
use crate::http_client::{self, Astray, Limits, Near, Reach, SendError};
use crate::plugin::asked::{more, not_granted};
use crate::plugin::call::Plugin;
use crate::plugin::convert::line;
use crate::plugin::grant::Missing;
use crate::plugin::inject::{Next, Note, Outgoing, Withheld, target};
use crate::plugin::keystone::PSEUDO;
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
        if missing == Missing::Host && host.ends_with(PSEUDO) {
            self.refusals.tell(Refusal::NotGranted, |stem| no_keystone(stem, &site()));
            return Err(Error::HttpRequestDenied);
        }
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
        let request = request.map(|body| Drained::new(body).boxed_unsync());
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
    async fn send(
        &self,
        request: Request<WasiBody>,
        reach: Reach,
        watch: Option<Watch>,
    ) -> Result<Response<WasiBody>, Error> {
        let tap = |side, body| match &watch {
            Some(watch) => watch.tap(side, body),
            None => body,
        };
        let request = request.map(|body| tap(Side::Request, body));
        let response = self.answer(request, reach).await.inspect_err(|why| {
            if let Some(watch) = &watch {
                watch.failed(why);
            }
        })?;
        let response = response.map(|body| {
            let (body, pause) = (Received(body), self.options.between_bytes_timeout);
            let left = self.plugin.bounds.http_body_bytes_max;
            let over = too_much_received;
            tap(Side::Answer, Bounded { body, left, over, pause, wait: None }.boxed_unsync())
        });
        if let Some(watch) = &watch {
            watch.answered(&response);
        }
        Ok(response)
    }

    /// The answer to the guest's request, or to its second sending.
    async fn answer(
        &self,
        request: Request<WasiBody>,
        reach: Reach,
    ) -> Result<Response<Incoming>, Error> {
        let bytes_max = self.plugin.bounds.http_body_bytes_max;
        let (parts, body) = request.into_parts();
        let body = Bounded { body, left: bytes_max, over: too_much_sent, pause: None, wait: None };
        let mut outgoing = Outgoing { parts, reach, sent: 0 };
        outgoing.parts.extensions.insert(Note::default());
        let repeats = self.plugin.grants.injections.iter().any(|one| one.may_repeat(&outgoing));
        if !repeats {
            return Ok(self.once(&outgoing, body.map_err(Into::into).boxed_unsync()).await?.0);
        }
        let kept = body.collect().await?.to_bytes();
        let whole = || Full::new(kept.clone()).map_err(|never| match never {}).boxed_unsync();
        let (answer, next) = self.once(&outgoing, whole()).await?;
        if next == Next::Deliver {
            return Ok(answer);
        }
        drop(answer);
        outgoing.sent = 1;
        Ok(self.once(&outgoing, whole()).await?.0)
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
            injection.prepare(&mut outgoing).await.map_err(|why| self.withheld(why))?;
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

    fn withheld(&self, why: Withheld) -> Error {
        match why {
            Withheld::Refused(refused) => {
                self.refusals.tell(Refusal::Injection, |stem| refused.told(stem));
                Error::HttpRequestDenied
            }
            Withheld::Trouble(why) => {
                self.refusals.tell(Refusal::Injection, |_| format!("has to wait: {why}"));
                Error::InternalError(Some(why))
            }
        }
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

/// A service of OpenStack is found by who may log in there.
fn no_keystone(stem: &str, site: &str) -> String {
    let table = format!("[plugins.{stem}.keystone]");
    format!(
        "asked for {site}, a service that is found at Keystone: say under {table} in \
         stokehold.toml where that is, who asks, and in services what may be asked"
    )
}

#[cfg(test)]
mod tests;
