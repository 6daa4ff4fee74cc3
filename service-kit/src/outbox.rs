//! Events, written in the transaction of what they tell of and published afterwards, at least once and in order per
//! aggregate. Which sink they go to is the relay's affair.

use std::collections::BTreeMap;

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
    /// The unpublished events of an aggregate with the lowest versions.
    pub lowest: &'static str,
    /// How many are unpublished, and since when.
    pub waiting: &'static str,
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
            lowest: concat!(
                "select bucket, id, aggregate, type, saga_id, data, create_time, partition_key, version from ",
                $prefix,
                "_outbox where publish_time is null and aggregate collate \"binary\" = $1 order by version, id limit $2"
            ),
            waiting: concat!(
                "select count(*), cast(min(create_time) as bigint) from ",
                $prefix,
                "_outbox where publish_time is null"
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

/// The rule of an outbox that `skald verify` checks.
#[macro_export]
macro_rules! outbox_check {
    ($prefix:literal) => {
        $crate::verify::Check {
            id: "X8b",
            rule: "no event stays behind a later one of its aggregate, nor 5 s behind the relay",
            sql: concat!(
                "select o.id, o.type || ' of ' || o.aggregate || ' at version ' || o.version || ' is unpublished' from ",
                $prefix,
                "_outbox o left join (select aggregate, max(version) as version from ",
                $prefix,
                "_outbox where publish_time is not null group by aggregate) p on p.aggregate = o.aggregate ",
                "where o.publish_time is null and (p.version > o.version or o.create_time + 5000 < ",
                "(select max(publish_time) from ",
                $prefix,
                "_outbox)) limit 20"
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

/// Events that are to be published, those of each aggregate in the order of their versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The oldest first, as far as their versions allow.
    pub events: Vec<Event>,
    /// Whether there may be more.
    pub more: bool,
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
        tx.announces();
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

    /// The event that [`Outbox::announce`] would add, for a caller who sends it together with other statements. Whoever
    /// waits for events is woken when this is committed.
    pub fn event(&self, tx: &mut Tx<'_>, draft: Draft) -> Event {
        tx.announces();
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

    /// The statement that adds the event, for a caller who sends several and says [`Tx::announces`].
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

    /// The events to publish next. The age of a row says when its transaction began, which may be before that of an earlier
    /// version of the aggregate; so the age says which aggregates are next, and the versions say in which order. All
    /// versions before one that can be seen can be seen as well, as changes of an aggregate wait for each other.
    ///
    /// # Errors
    /// Of the store.
    pub async fn next(&self, tx: &mut Tx<'_>, limit: i64) -> Result<Batch, db::Error> {
        let oldest = self.take(tx, limit).await?;
        let more = i64::try_from(oldest.len()).is_ok_and(|count| count >= limit);
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        for event in &oldest {
            *counts.entry(&event.aggregate).or_default() += 1;
        }
        // Without more, these are all there are.
        let mut ordered = if more {
            let lowest = |(aggregate, count)| (self.lowest, args![aggregate, count].to_vec());
            tx.fetch_each(&counts.into_iter().map(lowest).collect::<Vec<_>>()).await?
        } else {
            oldest.clone()
        };
        ordered.sort_by(|a: &Event, b| (&a.aggregate, b.version, b.id).cmp(&(&b.aggregate, a.version, a.id)));
        let mut versions: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for event in ordered {
            versions.entry(event.aggregate.clone()).or_default().push(event);
        }
        let next = |event: &Event| versions.get_mut(&event.aggregate)?.pop();
        Ok(Batch { events: oldest.iter().filter_map(next).collect(), more })
    }

    /// How many events are unpublished, and when the oldest of them came about.
    ///
    /// # Errors
    /// Of the store.
    pub async fn waiting(&self, tx: &mut Tx<'_>) -> Result<(i64, Option<i64>), db::Error> {
        tx.fetch_one(self.waiting, &[]).await
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
