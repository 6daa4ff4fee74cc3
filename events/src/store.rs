//! What relays keep beside the outbox: events that a sink has not taken, by aggregate, and dead letters.

use std::collections::BTreeSet;

use service_kit::args;
use service_kit::db::{self, Arg, FromRow, Row, Tx};
use service_kit::outbox::Event;
use uuid::Uuid;

use crate::lease;

/// Aggregates of which it is known at a glance that a sink has not taken all; beyond that, it is asked about each.
const GLANCE: i64 = 1_000;

const HELD: &str = "select aggregate from event_held where source = $1 and sink = $2 limit $3";
const IS_HELD: &str = "select aggregate from event_held where source = $1 and sink = $2 and aggregate = $3";
const QUEUE: &str = "insert into event_queue (source, sink, aggregate, version, id, bucket, type, saga_id, data, \
    create_time, partition_key) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
    on conflict (source, sink, aggregate, version, id) do nothing";
const HOLD: &str = "insert into event_held (source, sink, aggregate, attempts, due_time, held_time, last_error) \
    values ($1, $2, $3, $4, $5, $6, $7) on conflict (source, sink, aggregate) do nothing";
const DUE: &str = "select aggregate, attempts from event_held where source = $1 and sink = $2 and due_time <= $3 \
    order by due_time, aggregate limit $4";
const FIRST: &str = "select bucket, id, aggregate, type, saga_id, data, create_time, partition_key, version \
    from event_queue where source = $1 and sink = $2 and aggregate = $3 order by version, id limit 1";
const REMOVE: &str = "delete from event_queue where source = $1 and sink = $2 and aggregate = $3 and version = $4 \
    and id = $5";
const AGAIN: &str = "update event_held set attempts = $4, due_time = $5, last_error = $6 \
    where source = $1 and sink = $2 and aggregate = $3";
const FREE: &str = "delete from event_held where source = $1 and sink = $2 and aggregate = $3 and not exists \
    (select 1 from event_queue q where q.source = $1 and q.sink = $2 and q.aggregate = $3)";
const BURY: &str = "insert into event_dead (source, sink, aggregate, version, id, bucket, type, saga_id, data, \
    create_time, partition_key, attempts, dead_time, last_error) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict (source, sink, id) do nothing";
const DEAD: &str = "select bucket, id, aggregate, type, saga_id, data, create_time, partition_key, version, \
    source, sink, attempts, dead_time, last_error from event_dead order by dead_time, id limit $1";
const DEAD_ONE: &str = "select bucket, id, aggregate, type, saga_id, data, create_time, partition_key, version, \
    source, sink, attempts, dead_time, last_error from event_dead where source = $1 and sink = $2 and id = $3";
const UNBURY: &str = "delete from event_dead where source = $1 and sink = $2 and id = $3";
const QUEUED: &str = "select sink, count(*), cast(min(create_time) as bigint) from event_queue where source = $1 \
    group by sink order by sink";
const DEAD_COUNT: &str = "select count(*) from event_dead where source = $1";

/// The events of one source that one sink has not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Whose events.
    pub(crate) source: &'static str,
    /// Which sink.
    pub(crate) sink: &'static str,
}

/// An aggregate whose next event is to be offered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    /// The event.
    pub(crate) event: Event,
    /// How often it was offered and not taken, as far as that counts.
    pub(crate) attempts: i64,
}

/// What a sink will not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event.
    pub event: Event,
    /// Whose it is.
    pub source: String,
    /// Who did not take it.
    pub sink: String,
    /// How often it was offered.
    pub attempts: i64,
    /// When it was given up.
    pub dead_time: i64,
    /// What the sink said last.
    pub last_error: String,
}

impl FromRow for DeadLetter {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            event: Event::from_row(row)?,
            source: row.get(9)?,
            sink: row.get(10)?,
            attempts: row.get(11)?,
            dead_time: row.get(12)?,
            last_error: row.get(13)?,
        })
    }
}

/// The oldest dead letters of all sources in the database.
///
/// # Errors
/// Of the store.
pub async fn dead_letters(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<DeadLetter>, db::Error> {
    tx.fetch_all(DEAD, args![limit]).await
}

/// The lease under which events of a source are relayed.
pub(crate) fn lease_of(source: &str) -> String {
    format!("relay of {source}")
}

/// Has a dead letter offered again. Tells whether there is one.
///
/// # Errors
/// Of the store.
pub async fn offer_again(tx: &mut Tx<'_>, source: &str, sink: &str, id: Uuid) -> Result<bool, db::Error> {
    lease::wait(tx, &lease_of(source)).await?;
    let Some(dead) = tx.lock_optional::<DeadLetter>(DEAD_ONE, args![source, sink, id]).await? else {
        return Ok(false);
    };
    let now_ms = tx.now_ms();
    let hold = args![source, sink, &dead.event.aggregate, 0_i64, now_ms, now_ms, &dead.last_error].to_vec();
    let queue = row(source, sink, &dead.event);
    tx.execute_each(&[(QUEUE, queue), (HOLD, hold), (UNBURY, args![source, sink, id].to_vec())]).await?;
    Ok(true)
}

/// How many events each sink has not taken, with when the oldest of them came about; and how many dead letters there are.
pub(crate) async fn count(tx: &mut Tx<'_>, source: &str) -> Result<(Vec<(String, i64, Option<i64>)>, i64), db::Error> {
    let queued = tx.fetch_all(QUEUED, args![source]).await?;
    let (dead,): (i64,) = tx.fetch_one(DEAD_COUNT, args![source]).await?;
    Ok((queued, dead))
}

type Statement<'a> = (&'static str, Vec<Arg<'a>>);

impl Queue {
    /// Which of the aggregates have events in it.
    pub(crate) async fn held(
        self,
        tx: &mut Tx<'_>,
        aggregates: &BTreeSet<&str>,
    ) -> Result<BTreeSet<String>, db::Error> {
        let all: Vec<(String,)> = tx.fetch_all(HELD, args![self.source, self.sink, GLANCE]).await?;
        if i64::try_from(all.len()).is_ok_and(|count| count < GLANCE) {
            return Ok(all.into_iter().map(|(aggregate,)| aggregate).collect());
        }
        let ask = |aggregate| (IS_HELD, args![self.source, self.sink, aggregate].to_vec());
        let asked: Vec<_> = aggregates.iter().copied().map(ask).collect();
        let held: Vec<(String,)> = tx.fetch_each(&asked).await?;
        Ok(held.into_iter().map(|(aggregate,)| aggregate).collect())
    }

    /// Adds an event behind those of its aggregate; `attempts`, `due_ms` and `error` are for the case that it is the first.
    pub(crate) fn add<'a>(
        self,
        event: &'a Event,
        (now_ms, due_ms): (i64, i64),
        (attempts, error): (i64, &'a str),
    ) -> [Statement<'a>; 2] {
        let hold = args![self.source, self.sink, &event.aggregate, attempts, due_ms, now_ms, error];
        [(QUEUE, row(self.source, self.sink, event)), (HOLD, hold.to_vec())]
    }

    /// The first events of aggregates whose time has come, the longest due first.
    pub(crate) async fn due(self, tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Due>, db::Error> {
        let now_ms = tx.now_ms();
        let due: Vec<(String, i64)> = tx.fetch_all(DUE, args![self.source, self.sink, now_ms, limit]).await?;
        let first = |aggregate| (FIRST, args![self.source, self.sink, aggregate].to_vec());
        let wanted: Vec<_> = due.iter().map(|(aggregate, _)| first(aggregate.as_str())).collect();
        let events: Vec<Event> = tx.fetch_each(&wanted).await?;
        let attempts = |event: &Event| due.iter().find(|(aggregate, _)| *aggregate == event.aggregate);
        let due = |event: Event| Due { attempts: attempts(&event).map_or(0, |(_, attempts)| *attempts), event };
        Ok(events.into_iter().map(due).collect())
    }

    /// Takes an event out, and has the next one of its aggregate offered, if there is one.
    pub(crate) fn remove(self, event: &Event, now_ms: i64) -> [Statement<'_>; 3] {
        let aggregate = event.aggregate.as_str();
        let place = args![self.source, self.sink, aggregate];
        let remove = [place.as_slice(), args![event.version, event.id]].concat();
        let next = [place.as_slice(), args![0_i64, now_ms, ""]].concat();
        [(REMOVE, remove), (AGAIN, next), (FREE, place.to_vec())]
    }

    /// Has an event offered again later.
    pub(crate) fn again<'a>(self, due: &'a Due, due_ms: i64, (attempts, error): (i64, &'a str)) -> Statement<'a> {
        (AGAIN, args![self.source, self.sink, &due.event.aggregate, attempts, due_ms, error].to_vec())
    }

    /// Keeps an event as a dead letter.
    pub(crate) fn bury<'a>(self, event: &'a Event, now_ms: i64, (attempts, error): (i64, &'a str)) -> Statement<'a> {
        let mut bury = row(self.source, self.sink, event);
        bury.extend_from_slice(args![attempts, now_ms, error]);
        (BURY, bury)
    }
}

fn row<'a>(source: &'a str, sink: &'a str, event: &'a Event) -> Vec<Arg<'a>> {
    let mut row = args![source, sink, &event.aggregate, event.version, event.id, event.bucket, &event.kind].to_vec();
    row.extend_from_slice(args![event.saga, &event.data, event.create_time, &event.partition]);
    row
}
