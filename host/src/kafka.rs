//! The other way out for what is registered: topics of a Kafka, for collectors outside.
//!
//! What is delivered is acknowledged by all of the broker's replicas that keep up. A message may come
//! twice, and it waits for as long as no broker takes it. Which topics there are is the operator's to
//! say, not a plugin's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Error, Result, anyhow};
use chrono::DateTime;
use rskafka::BackoffConfig;
use rskafka::client::error::{Error as ClientError, ProtocolError};
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

/// Why messages were not delivered.
#[derive(Debug)]
pub enum Undelivered {
    /// The broker does not take one of them as it is.
    Refused(Error),
    /// Not all were acknowledged in time; another try may do.
    OutOfReach(Error),
}

/// A topic's name may be so long, and no longer: a broker's own limit.
const TOPIC_BYTES_MAX: usize = 249;
/// Partitions whose clients are kept; with more, a new connection is begun.
const PARTITIONS_MAX: usize = 1000;

/// A Kafka; connected when something is to be delivered.
pub struct Kafka {
    /// `host:port` of each.
    brokers: Vec<String>,
    timeout: Duration,
    /// What the topics of targets begin with.
    topics: String,
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
    /// A Kafka of these brokers, each `host:port`. One delivery may take `timeout`; targets go to
    /// topics that begin with `topics`.
    pub fn new(brokers: Vec<String>, timeout: Duration, topics: String) -> Self {
        Self { brokers, timeout, topics, link: Mutex::new(None) }
    }

    /// Whether a target may go to a topic; one without a topic goes nowhere.
    ///
    /// # Errors
    /// Why it may not, and what would let it.
    pub fn admit(&self, topic: &str) -> Result<(), String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if topic.is_empty() {
            Ok(())
        } else if topic.len() > TOPIC_BYTES_MAX || !topic.bytes().all(is_plain) {
            Err(format!(
                "{topic:?} is no topic: it has letters, digits, \".\", \"_\" and \"-\", at most \
                 {TOPIC_BYTES_MAX} in all"
            ))
        } else if topic.starts_with(&self.topics) {
            Ok(())
        } else {
            let begin = &self.topics;
            Err(format!("topic {topic} does not begin with {begin} (kafka_topics)"))
        }
    }

    /// Delivers all messages in this order.
    ///
    /// # Errors
    /// Not all of them were acknowledged; some may have been.
    pub async fn deliver(&self, messages: Vec<Message>) -> Result<(), Undelivered> {
        let brokers = self.brokers.join(",");
        let sent = tokio::time::timeout(self.timeout, self.attempt(messages)).await;
        let sent = sent.unwrap_or_else(|_| {
            Err(anyhow!("no answer within {} ms (kafka_timeout_ms)", self.timeout.as_millis()))
        });
        let sent = sent.with_context(|| format!("cannot deliver to kafka {brokers}"));
        sent.map_err(|error| {
            if is_refusal(&error) {
                Undelivered::Refused(error)
            } else {
                Undelivered::OutOfReach(error)
            }
        })
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
        if link.partitions.len() <= PARTITIONS_MAX {
            *kept = Some(link);
        }
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
        let client = self.writer(&topic, partition).await?;
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

    /// What writes to a partition.
    async fn writer(&mut self, topic: &str, partition: i32) -> Result<Arc<PartitionClient>> {
        let place = (topic.to_owned(), partition);
        if let Some(known) = self.partitions.get(&place) {
            return Ok(Arc::clone(known));
        }
        // Where the broker makes topics by itself, asking is what has it do so.
        let unknown = UnknownTopicHandling::Error;
        let client = self.client.partition_client(topic, partition, unknown).await;
        let client = Arc::new(client.with_context(|| format!("cannot use topic {topic}"))?);
        self.partitions.insert(place, Arc::clone(&client));
        Ok(client)
    }

    /// Where messages of this key go.
    async fn partition(&mut self, topic: &str, key: &str) -> Result<i32> {
        let count = match self.counts.get(topic) {
            Some(count) => *count,
            None => self.count(topic).await?,
        };
        let sum = key
            .bytes()
            .fold(5381_usize, |sum, byte| sum.wrapping_mul(33).wrapping_add(usize::from(byte)));
        Ok(i32::try_from(sum.checked_rem(count).unwrap_or_default()).unwrap_or_default())
    }

    /// How many partitions a topic has. One that is not there yet is made first, where the broker
    /// does so by itself: a key whose first message went elsewhere would lose its order.
    async fn count(&mut self, topic: &str) -> Result<usize> {
        let mut found = self.known(topic).await?;
        if found.is_none() {
            self.writer(topic, 0).await?;
            found = self.known(topic).await?;
        }
        let count = found.with_context(|| format!("broker has no topic {topic}"))?;
        self.counts.insert(topic.to_owned(), count);
        Ok(count)
    }

    async fn known(&self, topic: &str) -> Result<Option<usize>> {
        let topics = self.client.list_topics().await?;
        let found = topics.into_iter().find(|found| found.name == topic);
        Ok(found.map(|found| found.partitions.len()))
    }
}

/// Whether the broker has looked at a message and will never take it.
fn is_refusal(error: &Error) -> bool {
    let told = error.downcast_ref::<ClientError>();
    let Some(ClientError::ServerError { protocol_error, .. }) = told else { return false };
    matches!(
        protocol_error,
        ProtocolError::MessageTooLarge
            | ProtocolError::RecordListTooLarge
            | ProtocolError::InvalidTopicException
            | ProtocolError::InvalidRecord
            | ProtocolError::PolicyViolation
    )
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_name_topics_within_bounds_only() {
        let kafka = |topics: &str| {
            Kafka::new(vec!["127.0.0.1:1".to_owned()], Duration::ZERO, topics.to_owned())
        };
        let long = format!("monitor_{}", "x".repeat(TOPIC_BYTES_MAX));
        for (topics, topic, admitted) in [
            ("monitor_", "monitor_nova_vm", true),
            ("monitor_", "", true),
            ("monitor_", "resource_mappings", false),
            ("monitor_", "payments", false),
            ("monitor_", "monitor_a/../b", false),
            ("monitor_", "monitor_ä", false),
            ("monitor_", long.as_str(), false),
            ("", "payments", true),
            ("", "two words", false),
        ] {
            assert_eq!(kafka(topics).admit(topic).is_ok(), admitted, "{topic}");
        }
        let words = kafka("monitor_").admit("payments").err();
        let expected = "topic payments does not begin with monitor_ (kafka_topics)";
        assert_eq!(words.as_deref(), Some(expected));
    }
}
