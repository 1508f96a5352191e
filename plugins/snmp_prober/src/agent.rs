//! One agent: requests, and the answers that belong to them.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::message::{self, Answer, Ask};

/// The largest datagram there is.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 65_507;
/// Datagrams that are passed over before a try counts as unanswered: late answers, mostly.
const STRAYS_MAX: usize = 16;

/// The way to one agent and back.
pub trait Link {
    /// Sends a datagram.
    fn send(&mut self, datagram: &[u8]) -> io::Result<()>;

    /// The next datagram; none if none comes in time.
    fn receive(&mut self, timeout: Duration) -> io::Result<Option<Vec<u8>>>;
}

/// How long an agent may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// To answer one try.
    pub timeout: Duration,
    /// How often it is asked the same.
    pub tries: u32,
}

/// Why an agent could not be asked, or not be understood. That says nothing about it.
#[derive(Debug)]
pub enum Trouble {
    /// The host does not let this plugin talk to it.
    Refused(io::Error),
    /// The network could not be used.
    Link(io::Error),
    /// What it answers makes no sense.
    Garbled(String),
}

impl Trouble {
    pub(crate) fn of(error: io::Error) -> Self {
        if error.kind() == ErrorKind::PermissionDenied {
            Self::Refused(error)
        } else {
            Self::Link(error)
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => {
                write!(f, "{error}; grant it with udp under [plugins.snmp_prober]")
            }
            Self::Link(error) => write!(f, "{error}"),
            Self::Garbled(what) => f.write_str(what),
        }
    }
}

/// Whom to ask.
pub struct Agent<'a> {
    link: &'a mut dyn Link,
    community: &'a [u8],
    patience: Patience,
    /// The number of the last request.
    id: i32,
}

impl<'a> Agent<'a> {
    /// The agent at the other end of a link.
    pub fn new(link: &'a mut dyn Link, community: &'a [u8], patience: Patience) -> Self {
        Self { link, community, patience, id: 0 }
    }

    /// Asks; none if the agent does not answer at all. An agent does not answer whoever names a
    /// wrong community either.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Result<Option<Answer>, Trouble> {
        for _ in 0..self.patience.tries {
            // Each try has a number of its own: a late answer to the last one is none to this.
            self.id = self.id.wrapping_add(1);
            let request = message::request(self.community, self.id, ask);
            if let Some(answer) = self.attempt(&request)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    fn attempt(&mut self, request: &[u8]) -> Result<Option<Answer>, Trouble> {
        match self.link.send(request) {
            Ok(()) => {}
            Err(error) if is_silence(&error) => return Ok(None),
            Err(error) => return Err(Trouble::of(error)),
        }
        for _ in 0..STRAYS_MAX {
            match self.link.receive(self.patience.timeout) {
                Ok(None) => return Ok(None),
                Ok(Some(datagram)) => match message::answer(&datagram, self.community, self.id) {
                    Ok(Some(answer)) => return Ok(Some(answer)),
                    Ok(None) => {}
                    Err(what) => return Err(Trouble::Garbled(what)),
                },
                Err(error) if is_silence(&error) => return Ok(None),
                Err(error) => return Err(Trouble::of(error)),
            }
        }
        Ok(None)
    }
}

/// Whether an error only says that nobody is there.
fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::HostUnreachable
    )
}
