//! The sink: each event in binary mode under its partition key, taken when the partition's leader has acknowledged it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient};
use rskafka::record::Record;
use tokio::sync::Mutex;

use super::{Connection, Place, TIMEOUT, partition};
use crate::binary::Binding;
use crate::cloud_event::CloudEvent;
use crate::sink::{Receipt, Sink};

/// Publishes events to a topic.
#[derive(Debug)]
pub struct Kafka {
    place: Place,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Kafka {
    /// A sink that connects when it has something to publish.
    pub fn new(place: Place) -> Self {
        Self { place, connection: Mutex::default() }
    }

    async fn connection(&self) -> Result<Arc<Connection>, String> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let connection = Arc::new(Connection::open(&self.place).await?);
        *kept = Some(connection.clone());
        Ok(connection)
    }
}

#[async_trait]
impl Sink for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    async fn publish(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(why) => return vec![Receipt::Unavailable(why); events.len()],
        };
        let clients: Vec<_> = connection.partitions.values().collect();
        let mut shares: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, event) in events.iter().enumerate() {
            shares.entry(partition::of(key(event), clients.len())).or_default().push(place);
        }
        let produce = shares.into_iter().map(async |(partition, places)| {
            let share: Vec<&CloudEvent> = places.iter().map(|place| &events[*place]).collect();
            let receipts = match clients.get(partition) {
                Some(client) => produce(client, &share).await,
                None => vec![Receipt::Unavailable("the topic has no partitions".into()); places.len()],
            };
            places.into_iter().zip(receipts)
        });
        let mut receipts: Vec<_> = join_all(produce).await.into_iter().flatten().collect();
        receipts.sort_by_key(|(place, _)| *place);
        let receipts: Vec<_> = receipts.into_iter().map(|(_, receipt)| receipt).collect();
        if receipts.iter().any(|receipt| matches!(receipt, Receipt::Unavailable(_))) {
            // Brokers may have moved.
            *self.connection.lock().await = None;
        }
        receipts
    }
}

/// Sends a share of the events to its partition. When they are refused, each is sent by itself: one of them may be fine.
async fn produce(client: &PartitionClient, events: &[&CloudEvent]) -> Vec<Receipt> {
    let receipt = send(client, events).await;
    if events.len() == 1 || !matches!(receipt, Receipt::Refused(_)) {
        return vec![receipt; events.len()];
    }
    let mut receipts = Vec::with_capacity(events.len());
    for event in events {
        receipts.push(send(client, &[event]).await);
    }
    receipts
}

async fn send(client: &PartitionClient, events: &[&CloudEvent]) -> Receipt {
    let records = events.iter().map(|event| record(event)).collect();
    match tokio::time::timeout(TIMEOUT, client.produce(records, Compression::NoCompression)).await {
        Ok(Ok(_offsets)) => Receipt::Taken,
        Ok(Err(error)) => not_taken(&error),
        Err(_) => Receipt::Unavailable(format!("no answer within {} ms", TIMEOUT.as_millis())),
    }
}

fn not_taken(error: &Error) -> Receipt {
    let is_refused = matches!(
        error,
        Error::ServerError {
            protocol_error: ProtocolError::MessageTooLarge
                | ProtocolError::RecordListTooLarge
                | ProtocolError::InvalidRecord,
            ..
        }
    );
    if is_refused { Receipt::Refused(error.to_string()) } else { Receipt::Unavailable(error.to_string()) }
}

fn record(event: &CloudEvent) -> Record {
    let headers = Binding::Kafka.headers(event).into_iter().map(|(name, value)| (name, value.into_bytes()));
    let since_epoch = Duration::from_millis(u64::try_from(event.time_ms).unwrap_or_default());
    let mut record = Record {
        key: Some(key(event).to_vec()),
        value: Some(event.data.to_vec()),
        headers: headers.collect(),
        // The epoch.
        timestamp: Default::default(),
    };
    record.timestamp += since_epoch;
    record
}

/// Without a partition key, events of a subject still stay together.
fn key(event: &CloudEvent) -> &[u8] {
    if event.partition.is_empty() { event.subject.as_bytes() } else { event.partition.as_bytes() }
}
