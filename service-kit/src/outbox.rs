//! Events, written in the transaction of what they tell of and published afterwards, at least once and in order per
//! aggregate. Which sink they go to is the relay's affair.

use uuid::{Builder, Uuid};

use crate::db::{self, Arg, Tx};
use crate::{args, ids};

/// The statements of one service. Made by [`outbox!`](crate::outbox!).
#[derive(Debug)]
pub struct Outbox {
    /// `/ticketing/{service}`, the CloudEvents source.
    pub source: &'static str,
    /// Inserts an event.
    pub insert: &'static str,
    /// The oldest unpublished events.
    pub take: &'static str,
    /// Marks one as published.
    pub done: &'static str,
    /// Forgets published ones of a bucket with ids from before a time.
    pub purge: &'static str,
}

/// The outbox of the service whose tables start with the given prefix.
#[macro_export]
macro_rules! outbox {
    ($prefix:literal) => {
        $crate::outbox::Outbox {
            source: concat!("/ticketing/", $prefix),
            insert: concat!(
                "insert into ",
                $prefix,
                "_outbox (bucket, id, aggregate, type, saga_id, data, create_time, partition_key, version, publish_time) ",
                "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, null)"
            ),
            take: concat!(
                "select bucket, id, aggregate, type, saga_id, data, create_time, partition_key, version from ",
                $prefix,
                "_outbox ",
                "where publish_time is null order by create_time, id limit $1"
            ),
            done: concat!(
                "update ",
                $prefix,
                "_outbox set publish_time = $3 where bucket = $1 and id = $2 and publish_time is null"
            ),
            purge: concat!(
                "delete from ",
                $prefix,
                "_outbox where bucket = $1 and id in (select id from ",
                $prefix,
                "_outbox where bucket = $1 and id < $2 and publish_time is not null order by id limit $3)"
            ),
        }
    };
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where the row lies, once it is written; follows from the saga.
    pub bucket: i64,
    /// Its id for ever: consumers recognise a repeat by it.
    pub id: Uuid,
    /// The resource that it tells of: the unit of order.
    pub aggregate: String,
    /// `ticketing.<noun>.<past>.v1`.
    pub kind: String,
    /// The saga that caused it.
    pub saga: Option<Uuid>,
    /// The encoded payload, a message of `ticketing.event.v1`.
    pub data: Vec<u8>,
    /// When it happened.
    pub create_time: i64,
    /// What it is spread by: a reservation or a customer, whose events stay together.
    pub partition: String,
    /// The aggregate's version that it tells of: the order of its events.
    pub version: i64,
}

/// An event that is about to be written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// `ticketing.<noun>.<past>.v1`.
    pub kind: &'static str,
    /// The resource that it tells of: the unit of order.
    pub aggregate: String,
    /// The version of that resource after the change. It grows with each event; one event a kind and version.
    pub version: i64,
    /// What it is spread by: a reservation or a customer.
    pub partition: String,
    /// The saga that caused it.
    pub saga: Option<Uuid>,
    /// The encoded payload, a message of `ticketing.event.v1`.
    pub data: Vec<u8>,
}

impl db::FromRow for Event {
    fn from_row(row: &db::Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            bucket: row.get(0)?,
            id: row.get(1)?,
            aggregate: row.get(2)?,
            kind: row.get(3)?,
            saga: row.get(4)?,
            data: row.get(5)?,
            create_time: row.get(6)?,
            partition: row.get(7)?,
            version: row.get(8)?,
        })
    }
}

impl Outbox {
    /// Adds the event to the caller's transaction.
    ///
    /// # Errors
    /// Of the store.
    pub async fn put(&self, tx: &mut Tx<'_>, event: &Event) -> Result<(), db::Error> {
        let bucket = event.saga.map_or(0, |saga| tx.bucket(saga));
        let (sql, row) = self.insertion(bucket, event);
        tx.execute(sql, &row).await.map(drop)
    }

    /// Adds what happened to the caller's transaction. Its id follows from what it tells, so it is written once.
    ///
    /// # Errors
    /// Of the store.
    pub async fn announce(&self, tx: &mut Tx<'_>, draft: Draft) -> Result<(), db::Error> {
        let event = self.event(tx, draft);
        self.put(tx, &event).await
    }

    /// The event that [`Outbox::announce`] would add, for a caller who sends it together with other statements.
    pub fn event(&self, tx: &Tx<'_>, draft: Draft) -> Event {
        let now_ms = tx.now_ms();
        let what = format!("{}{}/{}@{}", self.source, draft.aggregate, draft.kind, draft.version);
        Event {
            bucket: draft.saga.map_or(0, |saga| tx.bucket(saga)),
            id: ids::derived_at(now_ms, Uuid::NAMESPACE_URL, &what),
            aggregate: draft.aggregate,
            kind: draft.kind.to_owned(),
            saga: draft.saga,
            data: draft.data,
            create_time: now_ms,
            partition: draft.partition,
            version: draft.version,
        }
    }

    /// The statement that adds the event, for a caller who sends several.
    pub fn insertion<'a>(&self, bucket: i64, event: &'a Event) -> (&'static str, Vec<Arg<'a>>) {
        let mut row = args![bucket, event.id, &event.aggregate, &event.kind, event.saga, &event.data].to_vec();
        row.extend_from_slice(args![event.create_time, &event.partition, event.version]);
        (self.insert, row)
    }

    /// The oldest events that are not published yet.
    ///
    /// # Errors
    /// Of the store.
    pub async fn take(&self, tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Event>, db::Error> {
        tx.fetch_all(self.take, args![limit]).await
    }

    /// Marks events as published, unless they are. Several may publish the same outbox: an event then goes out more than
    /// once, but each of them goes through those of an aggregate in order, so none goes out for the first time before an
    /// earlier one has.
    ///
    /// # Errors
    /// Of the store.
    pub async fn done(&self, tx: &mut Tx<'_>, events: &[Event]) -> Result<(), db::Error> {
        let now_ms = tx.now_ms();
        let mark = |event: &Event| (self.done, args![event.bucket, event.id, now_ms].to_vec());
        let marks: Vec<_> = events.iter().map(mark).collect();
        tx.execute_each(&marks).await.map(drop)
    }

    /// Forgets published events of a bucket that came about before `before_ms`, so many at most; tells how many. Their ids
    /// are ordered by time, so this reads what it deletes and no more.
    ///
    /// # Errors
    /// Of the store.
    pub async fn purge(&self, tx: &mut Tx<'_>, bucket: i64, before_ms: i64, limit: i64) -> Result<u64, db::Error> {
        let first_kept = Builder::from_unix_timestamp_millis(u64::try_from(before_ms).unwrap_or_default(), &[0; 10]);
        tx.execute(self.purge, args![bucket, first_kept.into_uuid(), limit]).await
    }
}
