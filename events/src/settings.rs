//! What can be set about events, with its defaults: the section `[events]`, the same for every process.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use service_kit::config;
use service_kit::http::Client;
use service_kit::process::ports;

use crate::lane::Policy;
use crate::{kafka, nats};

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkName {
    /// The log.
    Log,
    /// An HTTP address.
    Webhook,
    /// NATS JetStream.
    Nats,
    /// Kafka.
    Kafka,
}

/// Where those who do something about events get them from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceName {
    /// The relays of the same process, and `POST /events`.
    Local,
    /// `POST /events` alone.
    Webhook,
    /// NATS JetStream.
    Nats,
    /// Kafka.
    Kafka,
}

/// Everything about events.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where events go, beside those who listen in the same process.
    #[serde(deserialize_with = "each_once")]
    pub sinks: Vec<SinkName>,
    /// Where those who do something about events get them from.
    pub source: SourceName,
    /// How long a published event is kept, in days.
    #[serde(deserialize_with = "config::positive")]
    pub keep_days: u32,
    /// Offers after which an event that a sink refuses for good is a dead letter.
    #[serde(deserialize_with = "config::positive")]
    pub refusals: u32,
    /// The same for an event that fails while the sink takes others.
    #[serde(deserialize_with = "config::positive")]
    pub failures: u32,
    /// Whether later events of the same resource wait until a person has seen to the one that is not taken, instead of
    /// going on without it.
    pub hold: bool,
    /// The webhook.
    pub webhook: WebhookSettings,
    /// The NATS server.
    pub nats: NatsSettings,
    /// The brokers of Kafka.
    pub kafka: KafkaSettings,
}

/// A webhook.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    /// `http://host:port/path`.
    #[serde(deserialize_with = "address")]
    pub url: String,
    /// What requests are signed with; empty: they are not.
    pub secret: String,
    /// How long the other side may take: less than a lane waits for a single event.
    #[serde(deserialize_with = "timeout")]
    pub timeout_ms: u64,
}

/// NATS JetStream.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NatsSettings {
    /// `nats://host:port`.
    #[serde(deserialize_with = "server")]
    pub url: String,
    /// The stream, made when it is missing.
    #[serde(deserialize_with = "stream")]
    pub stream: String,
}

/// Kafka.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSettings {
    /// `host:port` each.
    #[serde(deserialize_with = "brokers")]
    pub brokers: Vec<String>,
    /// The topic, made when it is missing.
    #[serde(deserialize_with = "name")]
    pub topic: String,
    /// Partitions of a topic that is made. An existing one keeps its own.
    #[serde(deserialize_with = "count")]
    pub partitions: i32,
    /// Copies of a topic that is made.
    #[serde(deserialize_with = "config::positive")]
    pub replicas: i16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sinks: vec![SinkName::Log],
            source: SourceName::Local,
            keep_days: 7,
            // Whoever refuses for good seldom changes his mind; twice more, in case he was only being restarted.
            refusals: 3,
            // At a minute between offers, an hour and a half to mend what is broken.
            failures: 100,
            hold: false,
            webhook: WebhookSettings::default(),
            nats: NatsSettings::default(),
            kafka: KafkaSettings::default(),
        }
    }
}

impl Default for WebhookSettings {
    fn default() -> Self {
        let url = format!("http://127.0.0.1:{}{}", ports::PAYMENT, crate::receiver::PATH);
        Self { url, secret: String::new(), timeout_ms: 5_000 }
    }
}

impl Default for NatsSettings {
    fn default() -> Self {
        Self { url: "nats://127.0.0.1:4222".into(), stream: "ticketing".into() }
    }
}

impl Default for KafkaSettings {
    fn default() -> Self {
        let brokers = vec!["127.0.0.1:9092".into()];
        // As many readers as a topic will ever need; more cannot be had later without moving keys.
        Self { brokers, topic: "ticketing.events".into(), partitions: 12, replicas: 1 }
    }
}

impl Settings {
    /// When an event is given up.
    pub fn policy(&self) -> Policy {
        Policy { refusals: self.refusals, failures: self.failures, go_on: !self.hold }
    }
}

impl WebhookSettings {
    /// How long the other side may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl From<&NatsSettings> for nats::Place {
    fn from(settings: &NatsSettings) -> Self {
        Self { url: settings.url.clone(), stream: settings.stream.clone() }
    }
}

impl From<&KafkaSettings> for kafka::Place {
    fn from(settings: &KafkaSettings) -> Self {
        let KafkaSettings { brokers, topic, partitions, replicas } = settings.clone();
        Self { brokers, topic, partitions, replicas }
    }
}

fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SinkName>, D::Error> {
    let sinks = Vec::<SinkName>::deserialize(deserializer)?;
    let mut known = sinks.clone();
    known.sort();
    known.dedup();
    if known.len() == sinks.len() { Ok(sinks) } else { Err(D::Error::custom("a sink can be named only once")) }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let address = String::deserialize(deserializer)?;
    Client::new(&address).map_err(D::Error::custom)?;
    Ok(address)
}

fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    config::within(deserializer, 1..=20_000)
}

fn server<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let url = String::deserialize(deserializer)?;
    let is_right = url.starts_with("nats://") && url.parse::<async_nats::ServerAddr>().is_ok();
    if is_right { Ok(url) } else { Err(D::Error::custom("must look like nats://host:port")) }
}

fn stream<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = name(deserializer)?;
    if name.contains('.') { Err(D::Error::custom("must be without dots")) } else { Ok(name) }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let is_right = (1..=100).contains(&name.len())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'));
    if is_right { Ok(name) } else { Err(D::Error::custom("must be 1 to 100 letters, digits, dots, - and _")) }
}

fn brokers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let brokers = Vec::<String>::deserialize(deserializer)?;
    let is_address = |broker: &String| {
        broker.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    let is_right = !brokers.is_empty() && brokers.iter().all(is_address);
    if is_right { Ok(brokers) } else { Err(D::Error::custom("must be a list of host:port, one at least")) }
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    config::within(deserializer, 1..=1_000)
}
