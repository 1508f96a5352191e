//! The network: only granted hosts, shared connections, bounded times and sizes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use stokehold::domain::{Failure, Fault, Json, Verdict};
use stokehold::http_client::HttpClient;
use stokehold::plugin::{Answer, PluginGrants, Worker};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{House, Logs, call, done, fault};

/// A server on this machine that counts the connections it accepts.
pub(crate) struct Server {
    pub(crate) authority: String,
    accepted: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                connections.spawn(async move { serve(stream).await });
            }
        });
        Self { authority, accepted, task }
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers requests one by one: the head of the request as body, or what the path asks for.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let head = read_request(&mut stream, &mut bytes).await?;
        let path = head.split(' ').nth(1)?.to_owned();
        let path_alone = path.split_once('?').map_or(path.as_str(), |(path, _)| path);
        // What is before the last part is a project's, say.
        match path_alone.rfind('/').map_or(path_alone, |at| &path_alone[at..]) {
            "/silent" => return std::future::pending().await,
            "/stall" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.ok()?;
                return std::future::pending().await;
            }
            "/hangup" => return None,
            // One byte now and then: so many, or more than anybody waits for.
            "/drip" => {
                let bytes = path.split_once('?').map_or("9999", |(_, bytes)| bytes);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.ok()?;
                for _ in 0..bytes.parse().ok()? {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    stream.write_all(b"x").await.ok()?;
                }
            }
            "/redirect" => {
                let to = path.split_once('?')?.1;
                let head = format!(
                    "HTTP/1.1 302 X\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.ok()?;
            }
            "/mirror" => {
                let told = head.lines().find_map(|line| line.strip_prefix("authorization: "))?;
                let head = format!("HTTP/1.1 200 X\r\nmirror: {told}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(head.as_bytes()).await.ok()?;
            }
            "/quiet" => {
                let told = head.lines().find_map(|line| line.strip_prefix("authorization: "))?;
                answer(&mut stream, 200, &told.len().to_string()).await?;
            }
            "/nonsense" => {
                stream.write_all(b"SMTP/9 hello\r\n\r\n").await.ok()?;
                return None;
            }
            "/large" => {
                let body = "x".repeat(path.split_once('?')?.1.parse().ok()?);
                answer(&mut stream, 200, &body).await?;
            }
            "/missing" => answer(&mut stream, 404, "no such thing").await?,
            _ => answer(&mut stream, 200, &head).await?,
        }
    }
}

async fn read_request<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &mut Vec<u8>,
) -> Option<String> {
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        let ended = stream.read_buf(bytes).await.ok()? == 0;
        // A greeting of TLS begins with this byte; here nobody speaks it.
        if ended || bytes.first() == Some(&0x16) {
            stream.write_all(b"no TLS here").await.ok()?;
            return None;
        }
    };
    let head = String::from_utf8(bytes.drain(..end).collect()).ok()?;
    if head.to_lowercase().contains("transfer-encoding: chunked") {
        while !bytes.ends_with(b"0\r\n\r\n") {
            if stream.read_buf(bytes).await.ok()? == 0 {
                return None;
            }
        }
        bytes.clear();
    }
    Some(head)
}

async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, status: u16, body: &str) -> Option<()> {
    let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.ok()
}

pub(super) fn granted(house: House, http: &[&str]) -> House {
    let http = http.iter().map(|&site| site.to_owned()).collect();
    house.guest("guest_http").grant("guest_http", PluginGrants { http, ..PluginGrants::default() })
}

pub(super) async fn fetch(worker: &Worker, input: Json) -> Answer {
    worker.handle(call(input)).await
}

/// The error the guest got.
pub(super) fn refused(answer: Answer) -> String {
    match answer.outcome {
        Ok(Verdict::Failed(Failure::Retry(why))) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_granted_host_is_reached_with_its_name_in_the_request() {
    let server = Server::start().await;
    let worker = granted(House::new(), &[&server.authority]).worker().await;
    let url = format!("http://me:secret@{}/path?query=1", server.authority);
    let report = done(fetch(&worker, json!({"url": url, "method": "PUT"})).await);
    assert_eq!(report["status"], 200);
    let head = report["body"].as_str().unwrap().to_lowercase();
    assert!(head.starts_with("put /path?query=1 http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {}\r\n", server.authority)), "{head}");
    assert!(!head.contains("secret"), "{head}");

    let url = format!("http://{}/missing", server.authority);
    let report = done(fetch(&worker, json!({"url": url, "method": "GET"})).await);
    assert_eq!((&report["status"], &report["body"]), (&json!(404), &json!("no such thing")));
}

#[tokio::test]
async fn a_host_that_was_not_granted_is_denied_and_the_log_says_how_to_grant_it() {
    let server = Server::start().await;
    let worker = granted(House::new(), &["heat.example:8004"]).worker().await;
    let (logs, _guard) = Logs::record();
    let url = format!("http://{}/path?token=opensesame", server.authority);
    let why = refused(fetch(&worker, json!({"url": url})).await);
    assert!(why.contains("HttpRequestDenied"), "{why}");
    assert_eq!(server.accepted(), 0);
    let line = logs.line("not granted");
    let teaching = format!(
        "guest_http asked for {0}, which it was not granted: add \"{0}\" to http under \
         [plugins.guest_http] in stokehold.toml, or start with --grant-http guest_http={0}",
        server.authority
    );
    assert!(line.contains("WARN") && line.contains(&teaching), "{line}");
    assert!(!line.contains("opensesame"), "{line}");
}

#[tokio::test]
async fn requests_share_a_handful_of_connections_within_and_between_calls() {
    let server = Server::start().await;
    let worker = granted(House::new(), &[&server.authority]).worker().await;
    let url = format!("http://{}/", server.authority);
    for times in [100, 50, 25, 24] {
        done(fetch(&worker, json!({"url": url, "times": times})).await);
    }
    done(fetch(&worker, json!({"url": url, "method": "POST", "body": "x".repeat(100_000)})).await);
    assert!(server.accepted() <= 3, "{} connections for 200 requests", server.accepted());
}

#[tokio::test]
async fn the_number_of_requests_of_a_call_is_bounded() {
    let server = Server::start().await;
    let house = granted(House::new(), &[&server.authority]);
    let worker = house.bounds(|bounds| bounds.http_requests_max = 5).worker().await;
    let url = format!("http://{}/", server.authority);
    done(fetch(&worker, json!({"url": url, "times": 5})).await);
    let (logs, _guard) = Logs::record();
    let why = refused(fetch(&worker, json!({"url": url, "times": 6})).await);
    assert!(why.contains("ConnectionLimitReached"), "{why}");
    let line = logs.line("guest_http has sent 5 requests in one call (http_requests_max)");
    assert!(line.contains("WARN"), "{line}");
}

#[tokio::test]
async fn requests_in_flight_are_bounded_and_the_others_wait() {
    let server = Server::start().await;
    let house = granted(House::new(), &[&server.authority]);
    let worker = house.worker().await;
    let url = |path: &str| format!("http://{}{path}", server.authority);
    done(fetch(&worker, json!({"url": url("/"), "together": 40})).await);
    let before = server.accepted();
    assert!(before <= 17, "{before} connections for 40 requests at once");

    let server = Server::start().await;
    let house = granted(House::new(), &[&server.authority]);
    let worker = house.bounds(|bounds| bounds.call_ms_max = 10_000).worker().await;
    let input = json!({"url": format!("http://{}/silent", server.authority), "together": 40});
    assert_eq!(fault(fetch(&worker, input).await), Fault::Deadline { call_ms_max: 10_000 });
    assert_eq!(server.accepted(), 16);
}

#[tokio::test]
async fn refusals_do_not_fill_the_log() {
    let server = Server::start().await;
    let house = granted(House::new(), &[&server.authority]);
    let worker = house.bounds(|bounds| bounds.http_requests_max = 10).worker().await;
    let (logs, _guard) = Logs::record();
    let input = json!({"url": "http://elsewhere:1/", "times": 50, "stubborn": true});
    done(fetch(&worker, input).await);
    let lines = logs.lines();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    logs.line("guest_http asked for elsewhere:1, which it was not granted");
    logs.line("guest_http has sent 10 requests in one call");
    assert!(logs.line("… 48 more requests refused").contains("WARN"));
}

#[tokio::test]
async fn a_requests_header_is_bounded() {
    let server = Server::start().await;
    let worker = granted(House::new(), &[&server.authority]).worker().await;
    let url = format!("http://{}/", server.authority);
    done(fetch(&worker, json!({"url": url, "header_bytes": 30 << 10})).await);
    let why = fault(fetch(&worker, json!({"url": url, "header_bytes": 32 << 10})).await);
    assert_eq!(why, Fault::Trap("total size of fields exceeds limit".to_owned()));
}

#[tokio::test]
async fn bodies_are_bounded_both_ways() {
    let server = Server::start().await;
    let house = granted(House::new(), &[&server.authority]);
    let worker = house.bounds(|bounds| bounds.http_body_bytes_max = 100_000).worker().await;
    let large = |bytes: usize| json!({"url": format!("http://{}/large?{bytes}", server.authority)});
    let report = done(fetch(&worker, large(100_000)).await);
    assert_eq!(report["body"].as_str().unwrap().len(), 100_000);
    let why = refused(fetch(&worker, large(100_001)).await);
    assert!(why.contains("response body size exceeds limit"), "{why}");

    let url = format!("http://{}/", server.authority);
    let send = |bytes| json!({"url": url, "method": "POST", "body": "x".repeat(bytes)});
    done(fetch(&worker, send(100_000)).await);
    let over = fetch(&worker, send(200_000)).await;
    assert!(matches!(over.outcome, Ok(Verdict::Failed(_))), "{over:?}");
}

#[tokio::test]
async fn the_guests_own_timeouts_are_kept() {
    let server = Server::start().await;
    let worker = granted(House::new(), &[&server.authority]).worker().await;
    let url = |path: &str| format!("http://{}{path}", server.authority);
    let why = refused(fetch(&worker, json!({"url": url("/silent"), "first_byte_ms": 50})).await);
    assert!(why.contains("ConnectionReadTimeout"), "{why}");
    let why = refused(fetch(&worker, json!({"url": url("/stall"), "between_bytes_ms": 50})).await);
    assert!(why.contains("connection read timeout"), "{why}");
    let patient = json!({"url": url("/"), "first_byte_ms": 5_000, "between_bytes_ms": 5_000});
    done(fetch(&worker, patient).await);
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_given_up() {
    // A full queue of a listener that never accepts makes the next connection wait.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    for _ in 0..8 {
        let wait = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address));
        queued.push(wait.await);
    }
    let worker = granted(House::new(), &[&address.to_string()]).worker().await;
    let input = json!({"url": format!("http://{address}/"), "connect_ms": 50});
    let why = refused(fetch(&worker, input).await);
    assert!(why.contains("ConnectionTimeout"), "{why}");
}

#[tokio::test]
async fn a_server_that_never_answers_ends_at_the_calls_deadline() {
    let server = Server::start().await;
    let house = granted(House::new(), &[&server.authority]);
    let worker = house.bounds(|bounds| bounds.call_ms_max = 300).worker().await;
    let input = json!({"url": format!("http://{}/silent", server.authority)});
    assert_eq!(fault(fetch(&worker, input).await), Fault::Deadline { call_ms_max: 300 });
}

#[tokio::test]
async fn trouble_of_the_network_is_told_apart() {
    let server = Server::start().await;
    let closed = format!("127.0.0.1:{}", stokehold_tests::ports::free::<1>().unwrap()[0]);
    let sites = [&*server.authority, &*closed, "no-such-host.invalid"];
    let worker = granted(House::new(), &sites).worker().await;
    let here = &server.authority;
    for (url, expected) in [
        (format!("http://{closed}/"), "ConnectionRefused"),
        (format!("http://{here}/hangup"), "ConnectionTerminated"),
        (format!("http://{here}/nonsense"), "HttpProtocolError"),
        (format!("https://{here}/"), "TlsProtocolError"),
        ("http://no-such-host.invalid/".to_owned(), "DnsError"),
    ] {
        let why = refused(fetch(&worker, json!({"url": url})).await);
        assert!(why.contains(expected), "{url}: {why}");
    }
}

#[tokio::test]
async fn a_grant_that_is_asked_for_but_not_given_is_a_warning() {
    let (logs, _guard) = Logs::record();
    granted(House::new(), &["heat.example"]).worker().await;
    let line = logs.line("guest_http asks for http never.granted:1, which it was not granted");
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains("or start with --grant-http guest_http=never.granted:1"), "{line}");
}

#[tokio::test]
async fn the_host_of_an_address_in_a_setting_is_asked_for_once_it_is_set() {
    for (url, warned) in [
        (None, None),
        (Some("http://heat.example/v1"), None),
        (Some("http://me:opensesame@heat.example:8004/v1"), Some("heat.example:8004")),
        (Some("https://other.example"), Some("other.example:443")),
        (Some("open sesame"), Some("no address")),
    ] {
        let config = url.map(|url| ("url".to_owned(), url.to_owned())).into_iter().collect();
        let granted = PluginGrants {
            http: vec!["heat.example".to_owned()],
            config,
            ..PluginGrants::default()
        };
        let house = House::new().guest("guest_http").grant("guest_http", granted);
        let (logs, _guard) = Logs::record();
        house.worker().await;
        let all = logs.lines();
        assert!(!all.join("").contains("sesame"), "{all:#?}");
        let told: Vec<_> = all.iter().filter(|line| line.contains("(its setting url)")).collect();
        match (warned, told.as_slice()) {
            (None, []) => {}
            (Some(words), [line]) => {
                assert!(line.contains("WARN") && line.contains(words), "{line}");
            }
            other => panic!("{url:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_hosts_own_requests_are_bounded_too() {
    let server = Server::start().await;
    let client = HttpClient::new().unwrap();
    let get = async |path: &str, bytes_max, ms| {
        let url = format!("http://{}{path}", server.authority);
        let mut headers = http::HeaderMap::new();
        headers.insert("x-auth-token", "abc".parse().unwrap());
        client.get(&url, &headers, Duration::from_millis(ms), bytes_max).await
    };
    let (status, body) = get("/", 1000, 30_000).await.unwrap();
    assert_eq!(status, 200);
    let head = String::from_utf8(body.to_vec()).unwrap();
    assert!(head.contains("x-auth-token: abc"), "{head}");
    assert_eq!(get("/missing", 1000, 30_000).await.unwrap().0, 404);
    assert_eq!(get("/large?10", 10, 30_000).await.unwrap().1.len(), 10);
    let why = format!("{:#}", get("/large?11", 10, 30_000).await.unwrap_err());
    assert!(why.contains("answer is longer than 10 bytes"), "{why}");
    let why = format!("{:#}", get("/silent", 10, 300).await.unwrap_err());
    assert!(why.starts_with("cannot get http://") && why.ends_with("no answer within 300ms"));
    let headers = http::HeaderMap::new();
    let why = client.get("no url", &headers, Duration::from_secs(1), 1).await.unwrap_err();
    assert_eq!(why.to_string(), "cannot read URL no url");
}
