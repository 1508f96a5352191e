//! Datagrams to one agent and back.

use std::io::{ErrorKind, Result};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::agent::{DATAGRAM_BYTES_MAX, Link, Trouble};

/// The pause between two looks at the socket, at first and at most. Not every host of a sandbox can
/// be told how long a read may wait.
const LOOK: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(10));

/// A socket that hears one agent only.
pub(crate) struct Udp(UdpSocket);

impl Udp {
    /// A socket for this agent.
    pub(crate) fn to(agent: SocketAddr) -> std::result::Result<Self, Trouble> {
        let open = || {
            let any = match agent {
                SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
                SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(agent)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        open().map(Self).map_err(Trouble::of)
    }
}

impl Link for Udp {
    fn send(&mut self, datagram: &[u8]) -> Result<()> {
        self.0.send(datagram).map(|_| ())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Vec<u8>>> {
        let begun = Instant::now();
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut pause = LOOK.0;
        loop {
            match self.0.recv(&mut datagram) {
                Ok(bytes) => {
                    datagram.truncate(bytes);
                    return Ok(Some(datagram));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            sleep(pause.min(left));
            pause = (pause * 2).min(LOOK.1);
        }
    }
}
