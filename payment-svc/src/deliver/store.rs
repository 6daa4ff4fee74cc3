//! The statements over deliveries. Whoever works on one has claimed it: its next attempt lies in the future until then, so
//! nobody else takes it, and comes by itself if he dies.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::delivery::{Change, Channel, Delivery, Draft, State};

/// Deliveries that are written in one transaction at most. Checkouts may wait for it, so it is short.
pub(crate) const AT_ONCE: usize = 100;

/// The columns of a delivery, in the order in which a row is read.
macro_rules! columns {
    () => {
        "id, event_source, event_id, event_type, channel, saga_id, customer_id, payload, expire_time, state, \
         attempt_count, version, last_error, next_attempt_time, accept_time, create_time, end_time"
    };
}

/// Writes deliveries that are due at once; those that are there already stay as they are.
pub(crate) async fn insert(tx: &mut Tx<'_>, drafts: &[Draft]) -> Result<(), db::Error> {
    const INSERT: &str = "insert into payment_deliveries (id, event_source, event_id, event_type, channel, saga_id, \
        customer_id, payload, expire_time, state, attempt_count, version, last_error, next_attempt_time, accept_time, \
        create_time, end_time) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, 0, 0, '', $10, null, $10, null) \
        on conflict do nothing";
    let now_ms = tx.now_ms();
    let rows: Vec<_> = drafts
        .iter()
        .map(|draft| {
            let mut row = args![draft.id(), &draft.event_source, draft.event_id, &draft.event_type].to_vec();
            row.extend_from_slice(args![draft.channel as i64, draft.saga, draft.customer, &draft.payload]);
            row.extend_from_slice(args![draft.expire_time, now_ms]);
            (INSERT, row)
        })
        .collect();
    tx.execute_each(&rows).await.map(drop)
}

/// When the next delivery to a channel is due.
pub(crate) async fn next_due(tx: &mut Tx<'_>, channel: Channel) -> Result<Option<i64>, db::Error> {
    const SELECT: &str = "select next_attempt_time from payment_deliveries where channel = $1 \
        and next_attempt_time is not null order by next_attempt_time limit 1";
    let due: Option<(i64,)> = tx.fetch_optional(SELECT, args![channel as i64]).await?;
    Ok(due.map(|(time,)| time))
}

/// Takes so many due deliveries for so long. Of two who take at once each gets others: the second finds those of the first
/// due no more.
pub(crate) async fn claim(
    tx: &mut Tx<'_>,
    channel: Channel,
    (limit, lease_ms): (i64, i64),
) -> Result<Vec<Delivery>, db::Error> {
    const CLAIM: &str = concat!(
        "update payment_deliveries set version = version + 1, next_attempt_time = $4, ",
        "attempt_count = attempt_count + case when accept_time is null then 1 else 0 end ",
        "where id in (select id from payment_deliveries where channel = $1 and next_attempt_time <= $2 ",
        "order by next_attempt_time limit $3) and next_attempt_time <= $2 returning ",
        columns!()
    );
    let now_ms = tx.now_ms();
    tx.fetch_all(CLAIM, args![channel as i64, now_ms, limit, now_ms.saturating_add(lease_ms)]).await
}

/// Writes what became of a claimed delivery, unless somebody else has claimed it meanwhile. What has arrived needs no
/// payload any more.
pub(crate) async fn settle(tx: &mut Tx<'_>, settled: &[(&Delivery, Change)]) -> Result<(), db::Error> {
    const UPDATE: &str = "update payment_deliveries set state = $3, next_attempt_time = $4, accept_time = $5, \
        last_error = $6, end_time = $7, payload = coalesce($8, payload) \
        where id = $1 and version = $2 and next_attempt_time is not null";
    let now_ms = tx.now_ms();
    let nothing: &[u8] = &[];
    let is_over = |state: State| matches!(state, State::Succeeded | State::Skipped);
    let updates: Vec<_> = settled
        .iter()
        .map(|(delivery, change)| {
            let end_time = change.next_attempt_time.is_none().then_some(now_ms);
            let payload = is_over(change.state).then_some(nothing);
            let mut row = args![delivery.id, delivery.version, change.state as i64, change.next_attempt_time].to_vec();
            row.extend_from_slice(args![change.accept_time, &change.last_error, end_time, payload]);
            (UPDATE, row)
        })
        .collect();
    let written = tx.execute_each(&updates).await?;
    let fallbacks = settled.iter().zip(written).filter(|(_, written)| *written == 1);
    let fallbacks: Vec<Draft> = fallbacks.filter_map(|((_, change), _)| change.fallback.clone()).collect();
    insert(tx, &fallbacks).await
}

/// Reads one.
pub(crate) async fn find(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Delivery>, db::Error> {
    const SELECT: &str = concat!("select ", columns!(), " from payment_deliveries where id = $1");
    tx.fetch_optional(SELECT, args![id]).await
}

/// Makes one due that has not arrived, and keeps why; tells whether it was still as it was found. What was given up because
/// its time was over gets time until `expire_time`. An attempt that is under way loses its claim.
pub(crate) async fn retry(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    (expire_time, reason): (i64, &str),
) -> Result<Option<Delivery>, db::Error> {
    const RETRY: &str = concat!(
        "update payment_deliveries set state = case when state = 1 then 1 else 3 end, next_attempt_time = $3, ",
        "version = version + 1, end_time = null, ",
        "expire_time = case when expire_time <= $3 then $4 else expire_time end ",
        "where id = $1 and version = $2 and state in (1, 3, 4) returning ",
        columns!()
    );
    const KEEP: &str = "insert into payment_delivery_retries (delivery_id, version, from_state, reason, create_time) \
        values ($1, $2, $3, $4, $5)";
    let now_ms = tx.now_ms();
    let retried: Option<Delivery> =
        tx.fetch_optional(RETRY, args![delivery.id, delivery.version, now_ms, expire_time]).await?;
    if let Some(retried) = &retried {
        tx.execute(KEEP, args![retried.id, retried.version, delivery.state as i64, reason, now_ms]).await?;
    }
    Ok(retried)
}

/// Which deliveries are asked for; every condition that is set must hold.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The ids between these two, both included.
    pub(crate) ids: (Uuid, Uuid),
    pub(crate) event: Option<Uuid>,
    pub(crate) channel: Option<i64>,
    pub(crate) state: Option<i64>,
    pub(crate) limit: i64,
}

/// Reads deliveries, newest first. Those that are open or given up are few and have indexes of their own, which take a
/// condition that stands in the statement.
pub(crate) async fn list(tx: &mut Tx<'_>, wanted: &Wanted) -> Result<Vec<Delivery>, db::Error> {
    macro_rules! select {
        ($condition:literal) => {
            concat!(
                "select ",
                columns!(),
                " from payment_deliveries where id >= $1 and id <= $2 and (event_id = $3 or $3 is null) ",
                "and (channel = $4 or $4 is null) and (state = $5 or $5 is null) ",
                $condition,
                "order by id desc limit $6"
            )
        };
    }
    let (first, last) = wanted.ids;
    let state = State::ALL.into_iter().find(|state| Some(*state as i64) == wanted.state);
    let select = match state {
        Some(State::Dead) => select!("and state = 4 "),
        Some(State::Pending | State::Retrying) => select!("and next_attempt_time is not null "),
        Some(State::Succeeded | State::Skipped) | None => select!(""),
    };
    tx.fetch_all(select, args![first, last, wanted.event, wanted.channel, wanted.state, wanted.limit]).await
}

/// Forgets so many deliveries that ended before a time, and so many tries of then that somebody asked for, which are few.
/// Tells how many of whichever were more.
pub(crate) async fn purge(tx: &mut Tx<'_>, before_ms: i64, limit: i64) -> Result<u64, db::Error> {
    const DELETE: &str = "delete from payment_deliveries where id in (select id from payment_deliveries \
        where end_time < $1 order by end_time limit $2)";
    const RETRIES: &str = "delete from payment_delivery_retries where (delivery_id, version) in (select delivery_id, \
        version from payment_delivery_retries where create_time < $1 limit $2)";
    let args = || args![before_ms, limit].to_vec();
    let purged = tx.execute_each(&[(DELETE, args()), (RETRIES, args())]).await?;
    Ok(purged.into_iter().max().unwrap_or_default())
}

/// How many deliveries of a channel are in a state in which somebody should care, and since when the oldest is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Where they go.
    pub channel: Channel,
    /// PENDING, RETRYING or DEAD.
    pub state: State,
    /// How many.
    pub count: i64,
    /// For how long the one that has waited longest has been due, in milliseconds; 0 if none is, and for DEAD.
    pub overdue_ms: i64,
}

/// Counts what is open or given up. Reads those alone, by their own indexes.
pub(crate) async fn backlog(tx: &mut Tx<'_>) -> Result<Vec<Backlog>, db::Error> {
    const OPEN: &str = "select channel, state, count(*), min(next_attempt_time) from payment_deliveries \
        where next_attempt_time is not null group by channel, state";
    const DEAD: &str = "select channel, state, count(*), cast(null as bigint) from payment_deliveries where state = 4 \
        group by channel, state";
    let now_ms = tx.now_ms();
    let counts: Vec<Count> = tx.fetch_each(&[(OPEN, Vec::new()), (DEAD, Vec::new())]).await?;
    let backlog = |count: Count| Backlog {
        channel: count.channel,
        state: count.state,
        count: count.count,
        overdue_ms: count.oldest.map_or(0, |due| now_ms.saturating_sub(due).max(0)),
    };
    Ok(counts.into_iter().map(backlog).collect())
}

struct Count {
    channel: Channel,
    state: State,
    count: i64,
    oldest: Option<i64>,
}

impl FromRow for Count {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { channel: channel(row, 0)?, state: state(row, 1)?, count: row.get(2)?, oldest: row.get(3)? })
    }
}

impl FromRow for Delivery {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let draft = Draft {
            event_source: row.get(1)?,
            event_id: row.get(2)?,
            event_type: row.get(3)?,
            channel: channel(row, 4)?,
            saga: row.get(5)?,
            customer: row.get(6)?,
            payload: row.get(7)?,
            expire_time: row.get(8)?,
        };
        Ok(Self {
            id: row.get(0)?,
            draft,
            state: state(row, 9)?,
            attempt_count: row.get(10)?,
            version: row.get(11)?,
            last_error: row.get(12)?,
            next_attempt_time: row.get(13)?,
            accept_time: row.get(14)?,
            create_time: row.get(15)?,
            end_time: row.get(16)?,
        })
    }
}

pub(super) fn channel(row: &Row<'_>, index: usize) -> Result<Channel, db::Error> {
    let number: i64 = row.get(index)?;
    let found = Channel::ALL.into_iter().find(|channel| *channel as i64 == number);
    found.ok_or_else(|| row.corrupt(index, format!("no channel has the number {number}")))
}

fn state(row: &Row<'_>, index: usize) -> Result<State, db::Error> {
    let number: i64 = row.get(index)?;
    let found = State::ALL.into_iter().find(|state| *state as i64 == number);
    found.ok_or_else(|| row.corrupt(index, format!("no state has the number {number}")))
}
