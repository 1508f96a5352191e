//! A small HTTP client for tests: one connection a request, redirects are not followed.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use std::time::Duration;
use tokio::net::TcpStream;

/// Asks a server on a plain HTTP address.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    bound: Duration,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The header `Location`.
    pub location: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The header `X-Subject-Token`.
    pub subject_token: Option<String>,
    /// The body: JSON, a text if it is none, null if it is empty.
    pub body: Json,
}

impl Client {
    /// For paths under this base, `http://host:port/v1/tenant`.
    pub fn new(base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { base, token: None, bound: Duration::from_secs(30) }
    }

    /// With this `X-Auth-Token`.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Each request fails after this time; 30 s by default.
    #[must_use]
    pub fn bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// GET of a path under the base, or of a whole URL.
    pub async fn get(&self, path: &str) -> Result<Reply> {
        self.send("GET", path, None).await
    }

    /// Sends a request with a JSON body; JSON text is sent as the raw body.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Json>) -> Result<Reply> {
        let asked = || format!("cannot send {method} {path}");
        tokio::time::timeout(self.bound, self.exchange(method, path, body))
            .await
            .with_context(asked)?
            .with_context(asked)
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<&Json>) -> Result<Reply> {
        let whole = path.starts_with("http://");
        let url = if whole { path.to_owned() } else { format!("{}{path}", self.base) };
        let rest = url.strip_prefix("http://").context("only http:// can be asked")?;
        let (host, _) = rest.split_once('/').unwrap_or((rest, ""));
        let target = rest.strip_prefix(host).filter(|path| !path.is_empty()).unwrap_or("/");
        let bytes = match body {
            None => Bytes::new(),
            Some(Json::String(raw)) => Bytes::from(raw.clone()),
            Some(body) => Bytes::from(body.to_string()),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", host)
            .header("accept", "application/json")
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("x-auth-token", token);
        }
        let request = request.body(Full::new(bytes))?;
        let stream = TcpStream::connect(host).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driving = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (location, content_type) = (header("location"), header("content-type"));
        let subject_token = header("x-subject-token");
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        driving.abort();
        let body = if bytes.is_empty() {
            Json::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Json::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Ok(Reply { status, location, content_type, subject_token, body })
    }
}
