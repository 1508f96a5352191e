//! The other way out for what is registered: topics of a Kafka, for collectors outside.
//!
//! What is delivered is acknowledged by all of the broker's replicas that keep up. A message may come
//! twice, never not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use chrono::DateTime;
use rskafka::BackoffConfig;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use tokio::sync::Mutex;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes.
    pub topic: String,
    /// Messages of the same key come in the order in which they were delivered.
    pub key: String,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// A Kafka; connected when something is to be delivered.
pub struct Kafka {
    /// `host:port` of each.
    brokers: Vec<String>,
    timeout: Duration,
    /// Taken while something is delivered, so that nothing overtakes.
    link: Mutex<Option<Link>>,
}

struct Link {
    client: Client,
    partitions: BTreeMap<(String, i32), Arc<PartitionClient>>,
    /// How many partitions a topic has.
    counts: BTreeMap<String, usize>,
}

impl Kafka {
    /// A Kafka of these brokers, each `host:port`. One delivery may take `timeout`.
    pub fn new(brokers: Vec<String>, timeout: Duration) -> Self {
        Self { brokers, timeout, link: Mutex::new(None) }
    }

    /// Delivers all messages in this order.
    ///
    /// # Errors
    /// Not all of them were acknowledged in time; some may have been.
    pub async fn deliver(&self, messages: Vec<Message>) -> Result<()> {
        let brokers = self.brokers.join(",");
        let sent = tokio::time::timeout(self.timeout, self.attempt(messages)).await;
        let sent = sent.unwrap_or_else(|_| {
            Err(anyhow!("no answer within {} ms (kafka_timeout_ms)", self.timeout.as_millis()))
        });
        sent.with_context(|| format!("cannot deliver to kafka {brokers}"))
    }

    async fn attempt(&self, messages: Vec<Message>) -> Result<()> {
        let mut kept = self.link.lock().await;
        // Taken out: whatever fails or is given up begins with a new connection the next time.
        let mut link = match kept.take() {
            Some(link) => link,
            None => Link::to(self.brokers.clone(), self.timeout).await?,
        };
        for message in messages {
            link.send(message).await?;
        }
        *kept = Some(link);
        Ok(())
    }
}

impl Link {
    async fn to(brokers: Vec<String>, timeout: Duration) -> Result<Self> {
        // The client would try for ever; its own reason is better than that time is up.
        let backoff = BackoffConfig { deadline: Some(timeout / 2), ..BackoffConfig::default() };
        let client = ClientBuilder::new(brokers)
            .client_id(concat!("stokehold/", env!("CARGO_PKG_VERSION")))
            .backoff_config(backoff)
            .build()
            .await?;
        Ok(Self { client, partitions: BTreeMap::new(), counts: BTreeMap::new() })
    }

    async fn send(&mut self, Message { topic, key, value }: Message) -> Result<()> {
        let partition = self.partition(&topic, &key).await?;
        let known = self.partitions.get(&(topic.clone(), partition)).map(Arc::clone);
        let client = if let Some(client) = known {
            client
        } else {
            // Where the broker makes topics by itself, asking is what has it do so.
            let unknown = UnknownTopicHandling::Error;
            let client = self.client.partition_client(topic.as_str(), partition, unknown).await;
            let client = Arc::new(client.with_context(|| format!("cannot use topic {topic}"))?);
            self.partitions.insert((topic.clone(), partition), Arc::clone(&client));
            client
        };
        let record = Record {
            key: Some(key.into_bytes()),
            value: Some(value),
            headers: BTreeMap::new(),
            timestamp: DateTime::from_timestamp_millis(now_ms()).unwrap_or_default(),
        };
        let produced = client.produce(vec![record], Compression::NoCompression).await;
        produced.with_context(|| format!("cannot write to topic {topic}"))?;
        Ok(())
    }

    /// Where messages of this key go; the first partition of a topic that is not there yet.
    async fn partition(&mut self, topic: &str, key: &str) -> Result<i32> {
        if !self.counts.contains_key(topic) {
            let topics = self.client.list_topics().await?;
            let found = topics.into_iter().find(|found| found.name == topic);
            let Some(found) = found else { return Ok(0) };
            self.counts.insert(topic.to_owned(), found.partitions.len());
        }
        let count = self.counts.get(topic).copied().unwrap_or(1).max(1);
        let sum = key
            .bytes()
            .fold(5381_usize, |sum, byte| sum.wrapping_mul(33).wrapping_add(usize::from(byte)));
        Ok(i32::try_from(sum % count).unwrap_or_default())
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
