//! What single settings are: places, formats, secrets, and how each is read from its text.

use std::fmt;
use std::path::PathBuf;

/// Where Gohan shows its schemas.
const GOHAN_SCHEMAS: &str = "/gohan/v0.1/schemas";

/// How one setting is read from its text; the error says what is allowed.
pub(super) trait Setting: Sized {
    fn parse(text: &str) -> Result<Self, String>;
}

macro_rules! plain_numbers {
    ($($type:ty),*) => { $(
        impl Setting for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| "a smaller whole number".to_owned())
            }
        }
    )* };
}
plain_numbers!(u32, u64, usize);

impl Setting for String {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("some text".to_owned()) } else { Ok(text.to_owned()) }
    }
}

impl Setting for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("a path".to_owned()) } else { Ok(Self::from(text)) }
    }
}

impl<T: Setting> Setting for Option<T> {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
}

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// In files under this folder, by the host itself.
    Embedded(PathBuf),
    /// In the etcd with this address, as it was given.
    Etcd(String),
}

impl Setting for StorePlace {
    fn parse(text: &str) -> Result<Self, String> {
        if ["etcd://", "etcds://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::Etcd(text.to_owned()));
        }
        let path = text.strip_prefix("embedded:").unwrap_or(text);
        if path.is_empty() || path.contains("://") {
            return Err("a folder, as PATH or embedded:PATH, or etcd://host:2379".to_owned());
        }
        Ok(Self::Embedded(PathBuf::from(path)))
    }
}

/// The brokers of a Kafka, each as `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorOut(pub Vec<String>);

impl Setting for MonitorOut {
    fn parse(text: &str) -> Result<Self, String> {
        let brokers: Vec<_> = text
            .strip_prefix("kafka://")
            .unwrap_or_default()
            .split(',')
            .map(str::to_owned)
            .collect();
        let is_broker = |broker: &String| {
            let parts = broker.rsplit_once(':');
            parts.is_some_and(|(host, port)| {
                !host.is_empty()
                    && !host.contains(['/', '@', ' '])
                    && port.parse::<u16>().is_ok_and(|port| port > 0)
            })
        };
        if brokers.iter().all(is_broker) {
            Ok(Self(brokers))
        } else {
            Err("the brokers of a Kafka, as kafka://a:9092,b:9092".to_owned())
        }
    }
}

/// An address as it may be shown: what stands before the host may be a password.
pub fn without_login(text: &str) -> String {
    let shown = || {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find('/').unwrap_or(rest.len());
        let at = rest.get(..end)?.rfind('@')?;
        Some(format!("{scheme}://…{}", rest.get(at..)?))
    };
    shown().unwrap_or_else(|| text.to_owned())
}

/// Where the schemas come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaSource {
    /// A file that holds what Gohan would answer.
    File(PathBuf),
    /// Gohan itself: the whole address.
    Url(String),
}

impl Setting for SchemaSource {
    fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return PathBuf::parse(text).map(Self::File);
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains('@') {
            return Err(
                "an address without user and password; gohan_token is for a token".to_owned()
            );
        }
        if !matches!(scheme, "http" | "https") || host.is_empty() {
            return Err("a file, or an address as http://gohan:9091".to_owned());
        }
        let path = if path.is_empty() { GOHAN_SCHEMAS.to_owned() } else { format!("/{path}") };
        Ok(Self::Url(format!("{scheme}://{host}{path}")))
    }
}

/// How the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For eyes.
    Human,
    /// One JSON object a line.
    Json,
}

impl Setting for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err("human or json".to_owned()),
        }
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Setting for Secret {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }
}
