//! Answers `/metrics`, `/healthz` and `/readyz` over plain HTTP.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{debug, info};

use super::Meters;

/// Connections at the same time; a further one is closed.
const CONNECTIONS_MAX: usize = 64;
/// How long the head of a request may take, and a connection may be silent.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(100);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Listens, and is to be served.
pub struct Server {
    listener: TcpListener,
    meters: Meters,
}

impl Server {
    /// Listens at an address, `127.0.0.1:9464` say.
    ///
    /// # Errors
    /// The address cannot be listened at.
    pub async fn bind(address: &str, meters: Meters) -> Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen at {address} (metrics)"))?;
        let server = Self { listener, meters };
        info!(address = %server.address()?, "metrics are served");
        Ok(server)
    }

    /// Where it listens: tells the port that was chosen for port 0.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().context("cannot tell where metrics are served")
    }
}

/// Serves for as long as it is polled.
pub async fn serve(server: Server) {
    let Server { listener, meters } = server;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                    connections.spawn(connection(stream, meters.clone()));
                }
                Ok(_) => debug!("a connection for metrics is one too many"),
                Err(why) => {
                    debug!("cannot take a connection for metrics: {why}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, meters: Meters) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = answer(request.method(), request.uri().path(), &meters);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
    // Whoever hangs up in the middle has seen enough.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

fn answer(method: &Method, path: &str, meters: &Meters) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (path, method) {
        (_, method) if method != Method::GET && method != Method::HEAD => {
            (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET is answered\n".to_owned())
        }
        ("/metrics", _) => (StatusCode::OK, OPEN_METRICS, meters.text()),
        ("/healthz", _) => (StatusCode::OK, PLAIN, "ok\n".to_owned()),
        ("/readyz", _) if meters.is_ready() => (StatusCode::OK, PLAIN, "ready\n".to_owned()),
        ("/readyz", _) => {
            let text = "not ready: this host has no lease of the store\n".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, PLAIN, text)
        }
        _ => {
            let text = "there are /metrics, /healthz and /readyz\n".to_owned();
            (StatusCode::NOT_FOUND, PLAIN, text)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http_body_util::BodyExt as _;

    use super::*;

    async fn said(method: &Method, path: &str, meters: &Meters) -> (u16, String) {
        let answer = answer(method, path, meters);
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_path_says_what_it_is_for_and_others_what_there_is() {
        let meters = Meters::new();
        let get = Method::GET;
        assert_eq!(said(&get, "/healthz", &meters).await, (200, "ok\n".into()));
        let (status, text) = said(&get, "/readyz", &meters).await;
        assert_eq!(status, 503);
        assert_eq!(text, "not ready: this host has no lease of the store\n");
        meters.ready(true);
        assert_eq!(said(&get, "/readyz", &meters).await, (200, "ready\n".into()));
        let (status, text) = said(&get, "/metrics", &meters).await;
        assert_eq!((status, text.ends_with("# EOF\n")), (200, true));
        let (status, text) = said(&get, "/", &meters).await;
        assert_eq!((status, &*text), (404, "there are /metrics, /healthz and /readyz\n"));
        let (status, text) = said(&Method::POST, "/metrics", &meters).await;
        assert_eq!((status, &*text), (405, "only GET is answered\n"));
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        let first = Server::bind("127.0.0.1:0", Meters::new()).await.unwrap();
        let taken = first.address().unwrap().to_string();
        let why = Server::bind(&taken, Meters::new()).await.err().unwrap();
        assert_eq!(why.to_string(), format!("cannot listen at {taken} (metrics)"));
    }
}
