//! A real SNMP agent (net-snmp) on loopback, without root.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::ports;
use crate::process::{Process, program};

/// Names the program.
pub const VARIABLE: &str = "STOKEHOLD_SNMPD";
/// How often a start is tried: somebody else may take a port just before the agent does.
const STARTS_MAX: u32 = 5;
const READY_WITHIN: Duration = Duration::from_secs(20);
/// What the agent answers to: `sysUpTime.0`, community `inside`.
const HELLO: [u8; 41] = [
    0x30, 39, 2, 1, 1, 4, 6, b'i', b'n', b's', b'i', b'd', b'e', 0xa0, 26, 2, 2, 0x12, 0x34, 2, 1,
    0, 2, 1, 0, 0x30, 14, 0x30, 12, 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 5, 0,
];

/// A running agent; it ends when this is dropped.
pub struct Agent {
    process: Process,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Agent {
    /// Starts an agent at this address, at `port` or a free one, with more lines of configuration.
    /// Its community is `inside`. `None` where there is no such program.
    ///
    /// # Errors
    /// It does not start; with `CI=true` also when there is none.
    pub fn start(at: Ipv4Addr, port: Option<u16>, lines: &str) -> Result<Option<Self>> {
        let Some(program) = program(VARIABLE, "snmpd")? else { return Ok(None) };
        let mut tried = 1;
        loop {
            let address = SocketAddr::from((at, ports::this_or_free(port)?));
            let folder = tempfile::tempdir()?;
            let config = folder.path().join("snmpd.conf");
            let text =
                format!("rocommunity inside 127.0.0.0/8\nagentaddress udp:{address}\n{lines}\n");
            std::fs::write(&config, text)?;
            let mut command = Command::new(&program);
            command.args(["-f", "-Lo", "-C", "-c"]).arg(&config);
            command.args(["--noPersistentLoad=yes", "--noPersistentSave=yes"]);
            command.env("MIBS", "").env("SNMP_PERSISTENT_DIR", folder.path());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let process = Process::start(&mut command)?;
            let mut agent = Self { process, address, _folder: folder };
            match agent.wait_until_ready() {
                Ok(()) => return Ok(Some(agent)),
                Err(error) if tried == STARTS_MAX => return Err(error),
                Err(_) => tried += 1,
            }
        }
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(self.address)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let begun = Instant::now();
        while begun.elapsed() < READY_WITHIN {
            if self.process.has_ended() {
                bail!("snmpd at {} has ended", self.address);
            }
            let mut answer = [0; 1500];
            if socket.send(&HELLO).and_then(|_| socket.recv(&mut answer)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("snmpd at {} does not answer", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
