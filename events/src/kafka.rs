//! Kafka: one topic for all events, those of a partition key in one partition and so in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::client::partition::{PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};

mod partition;
mod sink;
mod source;

pub use sink::Kafka;
pub use source::consume;

/// How long the brokers may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The client gives up before that.
const GIVE_UP: Duration = Duration::from_secs(3);
const TIMEOUT_MS: i32 = 3_000;

/// Where the brokers are, and which topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `host:port` each.
    pub brokers: Vec<String>,
    /// The topic, made when it is missing.
    pub topic: String,
    /// Partitions of a topic that is made.
    pub partitions: i32,
    /// Copies of a topic that is made.
    pub replicas: i16,
}

/// A connection to every partition.
#[derive(Debug)]
struct Connection {
    partitions: BTreeMap<i32, Arc<PartitionClient>>,
}

impl Connection {
    /// Connects, and makes the topic when it is missing.
    async fn open(place: &Place) -> Result<Self, String> {
        let opened = tokio::time::timeout(TIMEOUT, Self::connect(place)).await;
        opened.unwrap_or_else(|_| Err(format!("{} is not there", place.brokers.join(","))))
    }

    async fn connect(place: &Place) -> Result<Self, String> {
        let backoff = BackoffConfig {
            max_backoff: Duration::from_millis(500),
            deadline: Some(GIVE_UP),
            ..BackoffConfig::default()
        };
        let client = ClientBuilder::new(place.brokers.clone()).client_id("skald").backoff_config(backoff).build().await;
        let client = client.map_err(|error| error.to_string())?;
        let mut numbers = numbers(&client, place).await?;
        if numbers.is_empty() {
            let controller = client.controller_client().map_err(|error| error.to_string())?;
            let made = controller.create_topic(&place.topic, place.partitions, place.replicas, TIMEOUT_MS).await;
            // Somebody else may have made it at the same time.
            numbers = self::numbers(&client, place).await?;
            if numbers.is_empty() {
                let why = made.err().map_or_else(|| "it does not show yet".to_owned(), |error| error.to_string());
                return Err(format!("there is no topic {:?}: {why}", place.topic));
            }
        }
        let mut partitions = BTreeMap::new();
        for number in numbers {
            let partition = client.partition_client(&place.topic, number, UnknownTopicHandling::Error).await;
            partitions.insert(number, Arc::new(partition.map_err(|error| error.to_string())?));
        }
        Ok(Self { partitions })
    }
}

async fn numbers(client: &Client, place: &Place) -> Result<Vec<i32>, String> {
    let topics = client.list_topics().await.map_err(|error| error.to_string())?;
    let topic = topics.into_iter().find(|topic| topic.name == place.topic);
    Ok(topic.map(|topic| topic.partitions.into_iter().collect()).unwrap_or_default())
}
