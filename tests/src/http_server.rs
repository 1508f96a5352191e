//! An HTTP server on this machine that answers with a function.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// With the query, as it came.
    pub path: String,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The server; it ends when it is dropped.
pub struct HttpServer {
    authority: String,
    task: JoinHandle<()>,
}

impl HttpServer {
    /// Starts it on a free port. The function gives status and body; null is no body.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub async fn start(
        answer: impl Fn(&Asked) -> (u16, Json) + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen")?;
        let authority = listener.local_addr()?.to_string();
        let task = tokio::spawn(serve(listener, Arc::new(answer)));
        Ok(Self { authority, task })
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answering = dyn Fn(&Asked) -> (u16, Json) + Send + Sync;

async fn serve(listener: TcpListener, answer: Arc<Answering>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let answer = Arc::clone(&answer);
        let service = service_fn(move |request| respond(request, Arc::clone(&answer)));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        // Those that have ended are let go.
        while connections.try_join_next().is_some() {}
    }
}

async fn respond(
    request: Request<Incoming>,
    answer: Arc<Answering>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(response(StatusCode::BAD_REQUEST, &Json::Null));
    };
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        body: body.to_bytes().to_vec(),
    };
    let (status, body) = answer(&asked);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(response(status, &body))
}

fn response(status: StatusCode, body: &Json) -> Response<Full<Bytes>> {
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}
