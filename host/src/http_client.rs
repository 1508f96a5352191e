//! One pooled HTTP client for the whole process: guests and the host itself share its connections.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service;

mod place;

pub use place::{Astray, Near, Reach, plain};

use place::Resolver;

/// How long a connection may take where the caller said nothing.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How long an unused connection is kept; servers often close after 60 s or 75 s.
const IDLE_LIMIT: Duration = Duration::from_secs(50);
/// How many unused connections are kept per host and port.
const IDLE_CONNECTIONS_MAX: usize = 64;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// How long a request may take, part by part; `None` leaves a part to the caller's own deadline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// To connect, TLS included.
    pub connect: Option<Duration>,
    /// From the connection to the head of the answer.
    pub first_byte: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The client could not connect, send or read.
    #[error(transparent)]
    Client(#[from] hyper_util::client::legacy::Error),
    /// The head of the answer took too long.
    #[error("no answer within {0:?}")]
    Slow(Duration),
}

/// Clones share the connections. What was connected under one reach is never used under another.
#[derive(Clone, Debug)]
pub struct HttpClient {
    anywhere: Client<Connector, Body>,
    local: Client<Connector, Body>,
    afar: Client<Connector, Body>,
}

impl HttpClient {
    /// A client that trusts the certificate authorities of the machine. Where there are none, `http` still works.
    ///
    /// # Errors
    /// The TLS library offers no usable protocol version.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self::with(&tls()?))
    }

    /// A client that trusts these certificate authorities, in PEM, and no others.
    ///
    /// # Errors
    /// There is no certificate in the text, or one that cannot be read.
    pub fn trusting(pem: &str) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.context("cannot read certificate")?;
            roots.add(certificate).context("cannot trust certificate")?;
        }
        anyhow::ensure!(!roots.is_empty(), "there is no certificate in it");
        Ok(Self::with(&tls_config()?.with_root_certificates(roots).with_no_client_auth()))
    }

    fn with(tls: &ClientConfig) -> Self {
        let client = |reach| {
            let mut tcp = HttpConnector::new_with_resolver(Resolver(reach));
            tcp.enforce_http(false);
            tcp.set_nodelay(true);
            tcp.set_keepalive(Some(Duration::from_mins(1)));
            let https = HttpsConnectorBuilder::new()
                .with_tls_config(tls.clone())
                .https_or_http()
                .enable_http1()
                .wrap_connector(tcp);
            Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE_LIMIT)
                .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
                .pool_timer(TokioTimer::new())
                .build(Connector(https))
        };
        Self {
            anywhere: client(Reach::Anywhere),
            local: client(Reach::Local),
            afar: client(Reach::Afar),
        }
    }

    /// Sends a request of the host's own and waits for the head of the answer. The `Host` header is made from the URI.
    ///
    /// # Errors
    /// No connection, no answer, or none in time.
    pub async fn send(
        &self,
        request: Request<Body>,
        limits: Limits,
    ) -> Result<Response<Incoming>, SendError> {
        self.send_within(Reach::Anywhere, request, limits).await
    }

    /// The same for a stranger's request: its name may not lead everywhere. No redirect is followed.
    ///
    /// # Errors
    /// Those of [`HttpClient::send`]; among the sources of the error is [`Astray`] where a name led too far.
    pub async fn send_within(
        &self,
        reach: Reach,
        mut request: Request<Body>,
        limits: Limits,
    ) -> Result<Response<Incoming>, SendError> {
        let client = match reach {
            Reach::Anywhere => &self.anywhere,
            Reach::Local => &self.local,
            Reach::Afar => &self.afar,
        };
        let connect = limits.connect.unwrap_or(CONNECT_LIMIT);
        let Some(first_byte) = limits.first_byte else {
            return Ok(CONNECT.scope(connect, client.request(request)).await?);
        };
        let mut captured = capture_connection(&mut request);
        let sending = CONNECT.scope(connect, client.request(request));
        tokio::pin!(sending);
        let connected = async {
            captured.wait_for_connection_metadata().await;
        };
        tokio::select! {
            biased;
            answer = &mut sending => return Ok(answer?),
            () = connected => {}
        }
        match tokio::time::timeout(first_byte, sending).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(SendError::Slow(first_byte)),
        }
    }

    /// Reads one URL to its end, in at most `timeout` and `body_bytes_max` bytes.
    ///
    /// # Errors
    /// An unreadable URL, no answer, or too long a one. Any status is an answer.
    pub async fn get(
        &self,
        url: &str,
        headers: &HeaderMap,
        timeout: Duration,
        body_bytes_max: usize,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let uri: Uri = url.parse().with_context(|| format!("cannot read URL {url}"))?;
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let mut request = Request::new(body);
        *request.headers_mut() = headers.clone();
        *request.uri_mut() = uri;
        let whole = async {
            let answer = self.send(request, Limits::default()).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), body_bytes_max).collect().await;
            let body = body.map_err(|why| match why.downcast::<LengthLimitError>() {
                Ok(_) => anyhow::anyhow!("answer is longer than {body_bytes_max} bytes"),
                Err(why) => anyhow::anyhow!(why),
            })?;
            anyhow::Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(timeout, whole)
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {timeout:?}")))
            .with_context(|| format!("cannot get {url}"))
    }
}

fn tls_config() -> anyhow::Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    let ring = rustls::crypto::ring::default_provider();
    ClientConfig::builder_with_provider(ring.into())
        .with_safe_default_protocol_versions()
        .context("cannot set up TLS")
}

fn tls() -> anyhow::Result<ClientConfig> {
    match tls_config()?.with_native_roots() {
        Ok(rooted) => Ok(rooted.with_no_client_auth()),
        Err(why) => {
            tracing::warn!("no certificate authorities found, https will fail: {why}");
            let roots = RootCertStore::empty();
            Ok(tls_config()?.with_root_certificates(roots).with_no_client_auth())
        }
    }
}

tokio::task_local! {
    /// The limit of the request being sent: the client's own is one for all requests.
    static CONNECT: Duration;
}

/// Connects within the limit of the request it connects for.
#[derive(Clone, Debug)]
struct Connector(HttpsConnector<HttpConnector<Resolver>>);

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = CONNECT.try_with(|limit| *limit).unwrap_or(CONNECT_LIMIT);
        let connecting = self.0.call(uri);
        Box::pin(async move {
            tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
                let text = format!("no connection within {limit:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, text).into())
            })
        })
    }
}
