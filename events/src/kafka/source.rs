//! The source: each partition from where the handler has got to, which stands in its own database. A crash between what
//! the handler did and that note brings some events again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use rskafka::client::error::{Error as KafkaError, ProtocolError};
use rskafka::client::partition::{OffsetAt, PartitionClient};
use rskafka::record::{Record, RecordAndOffset};
use service_kit::args;
use service_kit::db::{self, Db, Tx};
use service_kit::host::Host;

use super::{Connection, Place};
use crate::binary::Binding;
use crate::cloud_event::{CloudEvent, Malformed};
use crate::handler::Handler;
use crate::lease::{self, Lease};
use crate::source::{Insistence, TURN, lease_of};

/// Bytes in one go, and how long the broker waits for some.
const BYTES: std::ops::Range<i32> = 1..1 << 20;
const WAIT_MS: i32 = 500;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Answers in a row that say that the partition ends before what was already read, until that is believed.
const SHORTS: u32 = 10;

const LOAD: &str = "select next_offset from event_offset where consumer = $1 and topic = $2 and part = $3";
const STORE: &str = "insert into event_offset as o (consumer, topic, part, next_offset, update_time) \
    values ($1, $2, $3, $4, $5) on conflict (consumer, topic, part) do update \
    set next_offset = excluded.next_offset, update_time = excluded.update_time";

/// Whose events are read, from where, and who notes how far they are.
struct Reader {
    place: Place,
    handler: Arc<dyn Handler>,
    db: Db,
    lease: Arc<Lease>,
}

/// Reads for the handler until the host stops. The tables of events are in the host's database.
pub fn consume(host: &Host, place: Place, handler: Arc<dyn Handler>) {
    let holder = host.ids.next(host.clock.now_ms());
    let lease = Arc::new(Lease::new(host.db.clone(), lease_of(&*handler), holder));
    let reader = Reader { place, handler, db: host.db.clone(), lease };
    let stop = host.stop.clone();
    host.tasks.spawn(async move {
        stop.run_until_cancelled(reader.read_for_ever()).await;
        if let Err(error) = reader.lease.release().await {
            tracing::debug!(%error, "the next reader starts when this lease has ended");
        }
    });
}

impl Reader {
    async fn read_for_ever(&self) {
        loop {
            if self.lease.hold().await.unwrap_or(false)
                && let Err(error) = self.read().await
            {
                tracing::warn!(handler = self.handler.name(), error, "no events from Kafka for a moment");
            }
            tokio::time::sleep(TURN).await;
        }
    }

    /// Reads all partitions until it is another's turn, or one of them fails.
    async fn read(&self) -> Result<(), String> {
        let connection = Connection::open(&self.place).await?;
        let partitions = connection.partitions.iter().map(|(number, client)| self.read_partition(*number, client));
        try_join_all(partitions).await.map(drop)
    }

    async fn read_partition(&self, number: i32, client: &PartitionClient) -> Result<(), String> {
        let mut next = match self.load(number).await.map_err(|error| error.to_string())? {
            Some(next) => next,
            None => earliest(client).await?,
        };
        let mut shorts = 0;
        while self.lease.hold().await.map_err(|error| error.to_string())? {
            let fetched = tokio::time::timeout(TIMEOUT, client.fetch_records(next, BYTES, WAIT_MS)).await;
            match fetched.map_err(|_| "no answer in time".to_owned())? {
                // A new leader may not know for a moment how far the old one was.
                Ok((records, end)) if records.is_empty() && end < next && shorts < SHORTS => shorts += 1,
                Ok((records, end)) if records.is_empty() && end >= next => shorts = 0,
                Ok((records, _)) if !records.is_empty() => next = self.take(number, next, records).await?,
                Ok(_) => (next, shorts) = (gone(number, next, client).await?, 0),
                Err(error) if is_out_of_range(&error) => next = gone(number, next, client).await?,
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// Tells where the next record is.
    async fn take(&self, number: i32, next: i64, records: Vec<RecordAndOffset>) -> Result<i64, String> {
        // A broker may give more than it was asked for, from the beginning of its batch.
        let records: Vec<_> = records.into_iter().filter(|record| record.offset >= next).collect();
        let next = records.last().map_or(next, |last| last.offset.saturating_add(1));
        let mut events = Vec::with_capacity(records.len());
        for RecordAndOffset { record, offset } in records {
            match decode(record) {
                Ok(event) => events.push(event),
                Err(malformed) => tracing::error!(partition = number, offset, %malformed, "a record is given up"),
            }
        }
        let mut insistence = Insistence::new(events);
        while !insistence.attempt(&self.handler).await {
            insistence.rest().await;
        }
        self.store(number, next).await.map_err(|error| error.to_string())?;
        Ok(next)
    }

    async fn load(&self, number: i32) -> Result<Option<i64>, db::Error> {
        let (consumer, topic) = (self.handler.name(), self.place.topic.clone());
        let load = async move |tx: &mut Tx<'_>| {
            tx.fetch_optional::<(i64,)>(LOAD, args![consumer, &topic, i64::from(number)]).await
        };
        Ok(self.db.read(load).await?.map(|(next,)| next))
    }

    async fn store(&self, number: i32, next: i64) -> Result<(), lease::Error> {
        let (consumer, topic, lease) = (self.handler.name(), self.place.topic.clone(), self.lease.clone());
        let store = async move |tx: &mut Tx<'_>| {
            lease.check(tx).await?;
            let now_ms = tx.now_ms();
            tx.execute(STORE, args![consumer, &topic, i64::from(number), next, now_ms]).await?;
            Ok(())
        };
        self.db.write(store).await
    }
}

/// Some events are no longer there, or a broker lost all and counts from the beginning again: goes on with what there is.
async fn gone(number: i32, next: i64, client: &PartitionClient) -> Result<i64, String> {
    let first = earliest(client).await?;
    tracing::error!(partition = number, next, first, "events are gone before they were read");
    Ok(first)
}

async fn earliest(client: &PartitionClient) -> Result<i64, String> {
    let earliest = tokio::time::timeout(TIMEOUT, client.get_offset(OffsetAt::Earliest)).await;
    earliest.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())
}

fn is_out_of_range(error: &KafkaError) -> bool {
    matches!(error, KafkaError::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. })
}

fn decode(record: Record) -> Result<CloudEvent, Malformed> {
    let header = |name: &str| String::from_utf8(record.headers.get(name)?.clone()).ok();
    Binding::Kafka.event(header, record.value.clone().unwrap_or_default().into())
}
