//! A proxy in front of a server on loopback: it keeps what went through, and strikes where it is told to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `GET`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Of the answer.
    pub status: u16,
}

/// What happens to the request that is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The server does it; whoever asked waits for the answer in vain.
    Lost,
    /// Somebody else asks for the same a moment before.
    Second,
}

/// Accepts connections as long as it lives.
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

struct Shared {
    /// Host and port.
    server: String,
    steps: Mutex<Vec<Step>>,
    armed: Mutex<Option<Armed>>,
}

type When = Box<dyn FnMut(&str, &str) -> bool + Send>;

struct Armed {
    strike: Strike,
    when: When,
    told: oneshot::Sender<Step>,
}

impl Proxy {
    /// A proxy before `http://host:port/path`.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn before(url: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot bind a proxy")?;
        let rest = url.strip_prefix("http://").context("the proxy speaks http only")?;
        let (server, path) = rest.split_once('/').unwrap_or((rest, ""));
        let url = format!("http://{}/{path}", listener.local_addr()?);
        let (steps, armed) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { server: server.to_owned(), steps, armed });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { url, shared, accepting })
    }

    /// The server's address by way of the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything that was answered so far.
    pub fn steps(&self) -> Vec<Step> {
        lock(&self.shared.steps).clone()
    }

    /// Strikes once, at the first request of which `when` says so by method and path. Says which it was as soon as the
    /// server has answered it. Arming again disarms what was armed before.
    pub fn strike(
        &self,
        strike: Strike,
        when: impl FnMut(&str, &str) -> bool + Send + 'static,
    ) -> oneshot::Receiver<Step> {
        let (told, tells) = oneshot::channel();
        *lock(&self.shared.armed) = Some(Armed { strike, when: Box::new(when), told });
        tells
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(serve(stream, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        // In a task of its own: what a client has asked for goes on when it has gone away.
        async move { tokio::spawn(async move { shared.answer(request).await }).await? }
    });
    // A client that goes away is nothing to a proxy.
    let http = hyper::server::conn::http1::Builder::new();
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let (method, path) = (head.method.to_string(), head.uri.to_string());
        let struck = self.struck(&method, &path);
        if matches!(struck, Some((Strike::Second, _))) {
            self.forward(&head, &body).await?;
        }
        let response = self.forward(&head, &body).await?;
        let step = Step { method, path, status: response.status().as_u16() };
        lock(&self.steps).push(step.clone());
        if let Some((strike, told)) = struck {
            let _ = told.send(step);
            if strike == Strike::Lost {
                std::future::pending::<()>().await;
            }
        }
        Ok(response)
    }

    fn struck(&self, method: &str, path: &str) -> Option<(Strike, oneshot::Sender<Step>)> {
        let mut armed = lock(&self.armed);
        if !armed.as_mut().is_some_and(|armed| (armed.when)(method, path)) {
            return None;
        }
        armed.take().map(|armed| (armed.strike, armed.told))
    }

    async fn forward(&self, head: &Parts, body: &Bytes) -> Result<Response<Full<Bytes>>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.headers_mut() = head.headers.clone();
        // The body is whole now, however it came.
        request.headers_mut().remove("transfer-encoding");
        let stream = TcpStream::connect(&self.server).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driving = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        driving.abort();
        Ok(Response::from_parts(head, Full::new(body)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
