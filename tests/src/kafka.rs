//! A broker that speaks Kafka's protocol (Tansu), in memory, on loopback.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use serde_json::Value as Json;

use crate::ports;
use crate::process::{Process, program};

/// Names the program.
pub const VARIABLE: &str = "STOKEHOLD_KAFKA";
const READY_WITHIN: Duration = Duration::from_mins(1);
const STARTS_MAX: usize = 5;

/// A running broker; what it holds ends with it.
pub struct Broker {
    process: Process,
    port: u16,
}

impl Broker {
    /// Starts a broker at a free port, or at this one. `None` where there is no such program.
    ///
    /// # Errors
    /// It does not start; with `CI=true` also when there is none.
    pub fn start(port: Option<u16>) -> Result<Option<Self>> {
        let Some(program) = program(VARIABLE, "kafka")? else { return Ok(None) };
        let mut tried = 1;
        loop {
            match Self::launch(&program, ports::this_or_free(port)?) {
                Ok(broker) => return Ok(Some(broker)),
                Err(error) if tried == STARTS_MAX => return Err(error),
                Err(_) => tried += 1,
            }
        }
    }

    fn launch(program: &Path, port: u16) -> Result<Self> {
        let url = format!("tcp://127.0.0.1:{port}");
        let mut command = Command::new(program);
        command.args(["broker", "--storage-engine", "memory://tansu/"]);
        command.args(["--listener-url", &url, "--advertised-listener-url", &url]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut broker = Self { process: Process::start(&mut command)?, port };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if broker.process.has_ended() || begun.elapsed() > READY_WITHIN {
                bail!("the broker at port {port} does not start");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(broker)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// All messages, each with its topic; those of one partition in order.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn messages(&self) -> Result<Vec<(String, Json)>> {
        let client: Client = ClientBuilder::new(vec![self.address()]).build().await?;
        let mut messages = Vec::new();
        for topic in client.list_topics().await? {
            for partition in topic.partitions {
                let unknown = UnknownTopicHandling::Error;
                let client = client.partition_client(&topic.name, partition, unknown).await?;
                let end = client.get_offset(OffsetAt::Latest).await?;
                let mut next = 0;
                while next < end {
                    let (records, _) = client.fetch_records(next, 1..1_000_000, 1_000).await?;
                    for found in records {
                        next = found.offset + 1;
                        let value = found.record.value.unwrap_or_default();
                        messages.push((topic.name.clone(), serde_json::from_slice(&value)?));
                    }
                }
            }
        }
        Ok(messages)
    }
}
