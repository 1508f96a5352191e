#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, Uri, response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::plugin::engine::{Engine, EngineSettings};
use crate::plugin::grant::{Bounds, Grants};
use crate::plugin::inject::{Injection, Withheld};

/// Stands for a service behind a name of its own, with a token that may have run out.
struct Service(SocketAddr);

#[async_trait]
impl Injection for Service {
    async fn prepare(&self, outgoing: &mut Outgoing) -> Result<(), Withheld> {
        let path = outgoing.parts.uri.path().to_owned();
        outgoing.parts.uri = format!("http://{}{path}", self.0).parse::<Uri>().unwrap();
        outgoing.reach = Reach::Anywhere;
        let token = HeaderValue::from_str(&format!("token-{}", outgoing.sent)).unwrap();
        outgoing.parts.headers.insert("x-auth-token", token);
        Ok(())
    }

    fn may_repeat(&self, outgoing: &Outgoing) -> bool {
        outgoing.parts.uri.host() == Some("heat.service")
    }

    async fn answered(&self, _: &Outgoing, answer: &mut response::Parts) -> Next {
        if answer.status == StatusCode::UNAUTHORIZED { Next::Again } else { Next::Deliver }
    }
}

/// What reached the service: each request as it was on the wire.
type Seen = Arc<Mutex<Vec<String>>>;

/// Takes this token and no other.
async fn service(known: &'static str) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let notes = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
                if !bytes.ends_with(b"boiler") {
                    continue;
                }
                let text = String::from_utf8(std::mem::take(&mut bytes)).unwrap();
                let status = if text.contains(known) { 200 } else { 401 };
                notes.lock().unwrap().push(text);
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (address, seen)
}

async fn sent(address: SocketAddr, body_bytes_max: u64) -> Result<StatusCode, Error> {
    let engine = EngineSettings { instances_max: 1, ..EngineSettings::default() };
    let engine = Engine::new(&engine).unwrap();
    let grants = Grants { injections: vec![Arc::new(Service(address))], ..Grants::default() };
    let bounds = Bounds { http_body_bytes_max: body_bytes_max, ..Bounds::default() };
    let plugin = Arc::new(Plugin::new("plain", String::new(), &engine, grants, bounds));
    let refusals = Refusals::new(&plugin.name);
    let sender = Sender { plugin, refusals, options: RequestOptions::default() };
    let body = Full::new(Bytes::from_static(b"boiler"));
    let body = body.map_err(|never| match never {}).boxed_unsync();
    let request = Request::post("http://heat.service/v1/stacks").body(body).unwrap();
    let answer = sender.send(request, Reach::Afar, None).await?;
    Ok(answer.status())
}

#[tokio::test]
async fn a_request_that_is_wanted_again_is_sent_once_more_with_all_of_its_body() {
    let (address, seen) = service("token-1").await;
    assert_eq!(sent(address, 100).await.unwrap(), StatusCode::OK);
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2, "{seen:#?}");
    for (token, request) in ["token-0", "token-1"].iter().zip(&seen) {
        assert!(request.starts_with("POST /v1/stacks HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(token) && request.ends_with("\r\n\r\nboiler"), "{request}");
    }
}

#[tokio::test]
async fn a_request_is_sent_twice_at_most_and_once_if_that_does() {
    let (address, seen) = service("no such token").await;
    assert_eq!(sent(address, 100).await.unwrap(), StatusCode::UNAUTHORIZED);
    assert_eq!(seen.lock().unwrap().len(), 2);
    let (address, seen) = service("token-0").await;
    assert_eq!(sent(address, 100).await.unwrap(), StatusCode::OK);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_kept_for_another_sending_is_bounded_like_any() {
    let (address, seen) = service("token-0").await;
    let why = sent(address, 5).await.unwrap_err();
    assert!(matches!(why, Error::HttpRequestBodySize(None)), "{why:?}");
    assert!(seen.lock().unwrap().is_empty());
    assert!(sent(address, 6).await.is_ok());
}
