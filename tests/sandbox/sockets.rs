//! Datagrams and connections: to granted addresses and ports, and to no others.

use serde_json::json;
use stokehold::domain::Fault;
use stokehold::plugin::{PluginGrants, Standing, Worker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::{House, Logs, call, done, fault};

/// Answers every datagram with `fine`, for as long as it lives.
struct Echo(std::net::SocketAddr, tokio::task::JoinHandle<()>);

impl Echo {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut bytes = [0; 512];
            while let Ok((_, from)) = socket.recv_from(&mut bytes).await {
                let _ = socket.send_to(b"fine", from).await;
            }
        });
        Self(address, task)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.1.abort();
    }
}

fn granted(udp: &[&str], tcp: &[&str]) -> House {
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    let grants = PluginGrants { udp: texts(udp), tcp: texts(tcp), ..PluginGrants::default() };
    House::new().guest("guest_sockets").grant("guest_sockets", grants)
}

async fn came(worker: &Worker, act: &str, to: &str) -> String {
    let answer = worker.handle(call(json!({"act": act, "to": to}))).await;
    done(answer)["came"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_granted_address_answers_and_every_other_port_is_refused_with_the_line_that_grants_it() {
    let (echo, other) = (Echo::start().await, Echo::start().await);
    let worker = granted(&[&echo.0.to_string()], &[]).worker().await;
    let there = echo.0.to_string();
    assert_eq!(came(&worker, "udp", &there).await, format!("fine from {there}"));
    assert_eq!(came(&worker, "connected udp", &there).await, "fine");

    let there = other.0.to_string();
    for act in ["udp", "connected udp"] {
        let (logs, _guard) = Logs::record();
        assert_eq!(came(&worker, act, &there).await, "PermissionDenied");
        let line = logs.line("asked for udp");
        let teaching = format!(
            "guest_sockets asked for udp {there}, which it was not granted: add \"{there}\" to udp \
             under [plugins.guest_sockets] in stokehold.toml, or start with --grant-udp \
             guest_sockets={there}"
        );
        assert!(line.contains("WARN") && line.contains(&teaching), "{line}");
    }
    // A grant of datagrams is none of connections.
    assert_eq!(came(&worker, "tcp", &echo.0.to_string()).await, "PermissionDenied");
}

#[tokio::test]
async fn who_is_granted_nothing_gets_no_socket() {
    let worker = granted(&[], &[]).worker().await;
    for act in ["udp", "tcp", "listen", "bind"] {
        assert_eq!(came(&worker, act, "127.0.0.1:9").await, "PermissionDenied", "{act}");
    }
}

#[tokio::test]
async fn a_network_with_a_range_of_ports_is_granted_as_a_whole() {
    let echo = Echo::start().await;
    let worker = granted(&["127.0.0.0/8:1-65535"], &[]).worker().await;
    assert!(came(&worker, "udp", &echo.0.to_string()).await.starts_with("fine from"));
    // All of the world does not include this machine.
    let worker = granted(&["0.0.0.0/0:1-65535"], &[]).worker().await;
    assert_eq!(came(&worker, "udp", &echo.0.to_string()).await, "PermissionDenied");
}

#[tokio::test]
async fn connections_go_to_granted_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 11];
        stream.read_exact(&mut asked).await.unwrap();
        stream.write_all(b"fine").await.unwrap();
    });
    let worker = granted(&[], &[&there]).worker().await;
    assert_eq!(came(&worker, "tcp", &there).await, "fine");
    server.await.unwrap();

    let (logs, _guard) = Logs::record();
    assert_eq!(came(&worker, "tcp", "127.0.0.1:9").await, "PermissionDenied");
    let line = logs.line("guest_sockets asked for tcp 127.0.0.1:9, which it was not granted");
    assert!(line.contains("--grant-tcp guest_sockets=127.0.0.1:9"), "{line}");
}

#[tokio::test]
async fn nobody_listens_and_nobody_takes_a_port_of_its_choice() {
    let worker = granted(&["127.0.0.0/8:1-65535"], &["127.0.0.0/8:1-65535"]).worker().await;
    let (logs, _guard) = Logs::record();
    assert_eq!(came(&worker, "listen", "127.0.0.1:0").await, "PermissionDenied");
    assert!(logs.line("wanted to listen at 127.0.0.1:").contains("which no plugin is granted"));
    assert_eq!(came(&worker, "bind", "127.0.0.1:7777").await, "PermissionDenied");
    assert_eq!(came(&worker, "bind", "127.0.0.1:0").await, "is bound");
}

#[tokio::test]
async fn only_granted_names_are_looked_up_and_none_leads_to_what_is_near() {
    let worker = granted(&["some-name:1-65535"], &[]).worker().await;
    let (logs, _guard) = Logs::record();
    // What the kind of the error is depends on the guest's library.
    let why = came(&worker, "name", "secret.of.elsewhere.invalid").await;
    assert!(["PermissionDenied", "Uncategorized"].contains(&&*why), "{why}");
    let line = logs.line("asked for the address of secret.of.elsewhere.invalid");
    assert!(line.contains("--grant-udp guest_sockets=secret.of.elsewhere.invalid:PORT"), "{line}");

    let echo = Echo::start().await;
    let worker = granted(&["localhost:1-65535"], &[]).worker().await;
    assert!(came(&worker, "name", "localhost").await.contains("127.0.0.1"));
    let there = format!("localhost:{}", echo.0.port());
    let here = came(&worker, "udp", &there).await;
    assert!(
        here.starts_with("fine from 127.0.0.1"),
        "the one name that means this machine: {here}"
    );
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_at_the_calls_deadline() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let there = silent.local_addr().unwrap().to_string();
    let house = granted(&[&there], &[]).bounds(|bounds| bounds.call_ms_max = 300);
    let worker = house.worker().await;
    let answer = worker.handle(call(json!({"act": "udp", "to": there}))).await;
    assert_eq!(fault(answer), Fault::Deadline { call_ms_max: 300 });
}

#[tokio::test]
async fn what_a_call_sends_is_bounded() {
    let echo = Echo::start().await;
    let there = echo.0.to_string();
    let house = granted(&[&there], &[]).bounds(|bounds| bounds.socket_sends_max = 5);
    let worker = house.worker().await;
    let send = |times| call(json!({"act": "udp", "to": there, "times": times}));
    assert_eq!(done(worker.handle(send(5)).await)["came"], json!(format!("fine from {there}")));
    let (logs, _guard) = Logs::record();
    assert_eq!(done(worker.handle(send(6)).await)["came"], json!("PermissionDenied"));
    let line = logs.line("has sent 5 times in one call (socket_sends_max)");
    assert!(line.contains("set socket_sends_max under [plugins.guest_sockets]"), "{line}");
}

#[tokio::test]
async fn asked_against_granted_is_told_by_the_loaded_plugin() {
    let (logs, _guard) = Logs::record();
    let worker = granted(&["10.0.0.0/8:161"], &[]).worker().await;
    let rows = worker.wishes();
    let standing: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.standing)).collect();
    assert_eq!(standing, [("udp", Standing::Granted), ("tcp", Standing::Refused)]);
    assert_eq!(rows[1].line.as_deref(), Some("tcp = [\"10.0.0.0/8:22\"]"));
    let line = logs.line("guest_sockets asks for tcp *:22, which it was not granted");
    assert!(line.contains("WARN"), "{line}");
}
