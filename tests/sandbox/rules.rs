//! What a granted host does not mean: other methods, other schemes, other places its name or its answers lead to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use stokehold::domain::Fault;
use stokehold::plugin::PluginGrants;
use stokehold_tests::etcd::Certificates;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use super::network::{Server, fetch, granted, refused, serve};
use super::{House, Logs, done, fault};

#[tokio::test]
async fn only_granted_methods_are_sent_and_the_log_says_how_to_grant_another() {
    let server = Server::start().await;
    let site = &server.authority;
    let worker = granted(House::new(), &[&format!("GET,HEAD {site}")]).worker().await;
    let send = |method: &str| json!({"url": format!("http://{site}/"), "method": method});
    assert_eq!(done(fetch(&worker, send("GET")).await)["status"], 200);
    let (logs, _guard) = Logs::record();
    let why = refused(fetch(&worker, send("DELETE")).await);
    assert!(why.contains("HttpRequestDenied"), "{why}");
    let line = logs.line("which it was not granted");
    let teaching = format!(
        "guest_http asked for DELETE {site}, which it was not granted: add \"DELETE {site}\" to \
         http under [plugins.guest_http] in stokehold.toml, or start with --grant-http \
         'guest_http=DELETE {site}'"
    );
    assert!(line.contains("WARN") && line.contains(&teaching), "{line}");
}

#[tokio::test]
async fn a_grant_of_one_scheme_is_none_of_the_other() {
    let server = Server::start().await;
    let site = &server.authority;
    let worker = granted(House::new(), &[&format!("https://{site}")]).worker().await;
    let (logs, _guard) = Logs::record();
    let why = refused(fetch(&worker, json!({"url": format!("http://{site}/")})).await);
    assert!(why.contains("HttpRequestDenied"), "{why}");
    let words = format!("guest_http asked for http://{site}, which it was not granted");
    assert!(logs.line(&words).contains(&format!("add \"http://{site}\" to http")), "{words}");
    assert_eq!(server.accepted(), 0);
    // The granted one is sent, and finds that nobody speaks TLS there.
    let why = refused(fetch(&worker, json!({"url": format!("https://{site}/")})).await);
    assert!(why.contains("TlsProtocolError"), "{why}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_where_it_leads_is_checked_like_any_request() {
    let (server, other) = (Server::start().await, Server::start().await);
    let worker = granted(House::new(), &[&server.authority]).worker().await;
    let url = format!("http://{}/redirect?{}", server.authority, other.authority);
    let report = done(fetch(&worker, json!({"url": url, "method": "GET"})).await);
    assert_eq!(report["status"], 302);
    let to = report["headers"]["location"].as_str().unwrap().to_owned();
    assert_eq!(to, format!("http://{}/", other.authority));
    let why = refused(fetch(&worker, json!({"url": to})).await);
    assert!(why.contains("HttpRequestDenied"), "{why}");
    assert_eq!(other.accepted(), 0, "neither host nor guest got there");
    let both = [&*server.authority, &*other.authority];
    let worker = granted(House::new(), &both).worker().await;
    done(fetch(&worker, json!({"url": to})).await);
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_unless_the_grant_says_so() {
    let server = Server::start().await;
    let port = server.authority.rsplit_once(':').unwrap().1;
    // No address for a URL, but one for the system's resolver, which asks nobody: 127.0.0.1.
    let name = format!("127.1:{port}");
    let url = json!({"url": format!("http://{name}/"), "method": "GET"});
    let (logs, _guard) = Logs::record();
    let worker = granted(House::new(), &[&name]).worker().await;
    let why = refused(fetch(&worker, url.clone()).await);
    assert!(why.contains("DestinationIpProhibited"), "{why}");
    assert_eq!(server.accepted(), 0);
    let line = logs.line("its name leads to");
    let teaching = format!(
        "guest_http asked for {name}, but its name leads to 127.0.0.1, which is this machine \
         itself: if that is meant, write \"{name} local\" in http under [plugins.guest_http]"
    );
    assert!(line.contains("WARN") && line.contains(&teaching), "{line}");

    let worker = granted(House::new(), &[&format!("{name} local")]).worker().await;
    assert_eq!(done(fetch(&worker, url).await)["status"], 200);
    // Nobody has to say of localhost, or of a literal address, that it is meant.
    let localhost = format!("localhost:{port}");
    let worker = granted(House::new(), &[&localhost]).worker().await;
    let url = json!({"url": format!("http://{localhost}/"), "method": "GET"});
    assert_eq!(done(fetch(&worker, url).await)["status"], 200);
}

#[tokio::test]
async fn connections_of_one_plugin_do_not_let_another_near_this_machine() {
    let server = Server::start().await;
    let port = server.authority.rsplit_once(':').unwrap().1;
    let name = format!("127.1:{port}");
    let url = json!({"url": format!("http://{name}/"), "method": "GET"});
    let mut house = granted(House::new(), &[&format!("{name} local")]);
    let trusted = house.worker().await;
    done(fetch(&trusted, url.clone()).await);
    house = house.grant("guest_http", PluginGrants { http: vec![name], ..Default::default() });
    let why = refused(fetch(&house.worker().await, url).await);
    assert!(why.contains("DestinationIpProhibited"), "the kept connection was used: {why}");
}

#[tokio::test]
async fn the_metadata_address_is_out_of_reach_for_every_name() {
    // 169.254.169.254 as the resolver also reads it; `local` is for this machine alone.
    let name = "169.254.43518:80";
    let worker = granted(House::new(), &[&format!("{name} local")]).worker().await;
    let (logs, _guard) = Logs::record();
    let why = refused(fetch(&worker, json!({"url": format!("http://{name}/latest")})).await);
    assert!(why.contains("DestinationIpProhibited"), "{why}");
    let line = logs.line("which is a metadata service");
    assert!(line.contains("grant the address itself, \"169.254.169.254:80\", in http"), "{line}");
    let why = refused(fetch(&worker, json!({"url": "http://169.254.169.254/latest"})).await);
    assert!(why.contains("HttpRequestDenied"), "{why}");
    logs.line("guest_http asked for 169.254.169.254:80, which it was not granted");
}

#[tokio::test]
async fn the_metadata_address_itself_is_tried_by_whom_it_was_granted_to() {
    // A port at which no cloud answers: what comes of it is up to the machine, but no rule of ours stands before it.
    let site = "169.254.169.254:9";
    let worker = granted(House::new(), &[site]).worker().await;
    let (logs, _guard) = Logs::record();
    let input = json!({"url": format!("http://{site}/"), "method": "GET", "connect_ms": 200});
    let answer = fetch(&worker, input).await;
    let came = format!("{:?}", answer.outcome);
    for refusal in ["HttpRequestDenied", "DestinationIpProhibited"] {
        assert!(!came.contains(refusal), "{came}");
    }
    assert!(!logs.lines().iter().any(|line| line.contains("guest_http asked for")), "{came}");
}

#[tokio::test]
async fn who_writes_a_long_body_is_told_why_nobody_takes_it() {
    let [granted_port, other] = stokehold_tests::ports::free().unwrap();
    let site = |port: u16| format!("127.0.0.1:{port}");
    let worker = granted(House::new(), &[&site(granted_port)]).worker().await;
    for (port, expected) in [(granted_port, "ConnectionRefused"), (other, "HttpRequestDenied")] {
        for _ in 0..10 {
            let url = format!("http://{}/", site(port));
            let input = json!({"url": url, "method": "PUT", "body": "x".repeat(300_000)});
            let why = refused(fetch(&worker, input).await);
            assert!(why.contains(expected), "{why}");
        }
    }
}

#[tokio::test]
async fn a_body_that_drips_for_ever_ends_with_its_call_and_holds_up_no_other() {
    let server = Server::start().await;
    let house = granted(House::new(), &[&server.authority]);
    let worker = house.bounds(|bounds| bounds.call_ms_max = 5_000).worker().await;
    let url = |path: &str| json!({"url": format!("http://{}{path}", server.authority)});
    let begin = Instant::now();
    let (drips, other) = tokio::join!(fetch(&worker, url("/drip")), async {
        let answer = fetch(&worker, url("/")).await;
        (answer, begin.elapsed())
    });
    assert_eq!(fault(drips), Fault::Deadline { call_ms_max: 5_000 });
    done(other.0);
    assert!(other.1 < Duration::from_secs(5), "{:?}", other.1);
}

#[tokio::test]
async fn a_body_that_drips_and_ends_in_time_is_read_to_its_end() {
    let server = Server::start().await;
    let worker = granted(House::new(), &[&server.authority]).worker().await;
    let begin = Instant::now();
    let url = format!("http://{}/drip?10", server.authority);
    let report = done(fetch(&worker, json!({"url": url, "method": "GET"})).await);
    assert_eq!(report["body"], json!("x".repeat(10)));
    assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
}

/// A server that speaks TLS, with a certificate signed by `ca.pem` in the folder.
async fn speaks_tls(dir: &std::path::Path) -> (String, tokio::task::JoinHandle<()>) {
    let chain = CertificateDer::pem_file_iter(dir.join("server.pem")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { serve(acceptor.accept(stream).await.ok()?).await });
        }
    });
    (authority, task)
}

#[tokio::test]
async fn https_trusts_the_plugins_own_authorities_and_then_no_others() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Certificates::make(ours.path()).unwrap();
    Certificates::make(theirs.path()).unwrap();
    let (site, server) = speaks_tls(ours.path()).await;
    let get = json!({"url": format!("https://{site}/"), "method": "GET"});
    let trusting = |dir: Option<&std::path::Path>| {
        let http_ca = dir.map(|dir| std::fs::read_to_string(dir.join("ca.pem")).unwrap());
        let grants = PluginGrants { http: vec![site.clone()], http_ca, ..PluginGrants::default() };
        House::new().guest("guest_http").grant("guest_http", grants)
    };
    let report = done(fetch(&trusting(Some(ours.path())).worker().await, get.clone()).await);
    assert_eq!(report["status"], 200);
    for stranger in [None, Some(theirs.path())] {
        let why = refused(fetch(&trusting(stranger).worker().await, get.clone()).await);
        assert!(why.contains("TlsCertificateError"), "{why}");
    }
    server.abort();
}
