//! A handler that sends and connects where its input tells it to, with nothing but the standard library: `{"act",
//! "to", "times"}`. It reports what came back, or the kind of the error.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

use stokehold_sdk::{Description, Grant, Host, Job, Json, Next, Verdict, Worker, export_worker};

/// Talks.
pub struct Sockets;

impl Worker for Sockets {
    fn describe() -> Description {
        let grant = |kind: &str, value: &str| Grant { kind: kind.into(), value: value.into() };
        Description::new("guest_sockets").grant(grant("udp", "*:161")).grant(grant("tcp", "*:22"))
    }

    fn handle(host: &dyn Host, job: &Job, _checkpoint: Option<Json>) -> Verdict {
        let input = &job.resource_input;
        let to = input["to"].as_str().unwrap_or_default();
        let times = input["times"].as_u64().unwrap_or(1);
        let came = match input["act"].as_str().unwrap_or_default() {
            "udp" => udp(to, times),
            "connected udp" => connected(to),
            "tcp" => tcp(to),
            "listen" => TcpListener::bind(to).map(|_| "listens".to_owned()),
            "bind" => UdpSocket::bind(to).map(|_| "is bound".to_owned()),
            "name" => name(to),
            other => Err(io::Error::other(other.to_owned())),
        };
        let came = came.unwrap_or_else(|why| format!("{:?}", why.kind()));
        host.report("came", &Json::from(came));
        Ok(Next::Completed)
    }
}

/// Sends, and waits for as many answers.
fn udp(to: &str, times: u64) -> io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let to = v4(to)?;
    let mut came = String::new();
    for _ in 0..times {
        socket.send_to(b"how are you", to)?;
        let mut answer = [0; 512];
        let (length, from) = socket.recv_from(&mut answer)?;
        let answer = answer.get(..length).unwrap_or_default();
        came = format!("{} from {from}", String::from_utf8_lossy(answer));
    }
    Ok(came)
}

/// The first address of this version: that of the socket.
fn v4(of: &str) -> io::Result<SocketAddr> {
    let found = of.to_socket_addrs()?.find(SocketAddr::is_ipv4);
    found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

fn connected(to: &str) -> io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(to)?;
    socket.send(b"how are you")?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned())
}

fn tcp(to: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(b"how are you")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn name(of: &str) -> io::Result<String> {
    let mut found: Vec<_> = (of, 1).to_socket_addrs()?.map(|address| address.ip()).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

export_worker!(Sockets);
