//! What must hold over deliveries, and what others compare with their books. For verification only.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::verify::Check;
use uuid::Uuid;

pub use super::delivery::{Channel, State};

/// The rules of deliveries.
pub const CHECKS: &[Check] = &[
    Check {
        id: "D1",
        rule: "an event has at most one delivery a channel",
        sql: "select cast(null as uuid), event_source || ' ' || count(*) || ' deliveries to channel ' || channel \
            from payment_deliveries group by event_source, event_id, channel having count(*) > 1 limit 20",
    },
    Check {
        id: "D2",
        rule: "an open delivery goes on at some time, an ended one has ended",
        sql: "select id, 'state ' || state || ', next attempt ' || coalesce(next_attempt_time, 0) || ', end ' \
            || coalesce(end_time, 0) from payment_deliveries \
            where (state in (1, 3)) <> (next_attempt_time is not null) \
            or (state in (1, 3)) <> (end_time is null) limit 20",
    },
    Check {
        id: "D3",
        rule: "an SMS stands in for a notice that was given up, and nothing else",
        sql: "select s.id, 'its notice is in state ' || n.state from payment_deliveries s join payment_deliveries n \
            on n.event_source = s.event_source and n.event_id = s.event_id and n.channel = 1 \
            where s.channel = 2 and n.state <> 4 limit 20",
    },
];

/// Word that a checkout has completed, on its way or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The delivery.
    pub id: Uuid,
    /// The checkout, as its event says.
    pub saga: Option<Uuid>,
    /// The event.
    pub event: Uuid,
    /// Where it goes, as the contract spells it.
    pub channel: &'static str,
}

impl FromRow for Paid {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            id: row.get(0)?,
            saga: row.get(1)?,
            event: row.get(2)?,
            channel: super::store::channel(row, 3)?.name(),
        })
    }
}

/// Reads at most `limit` of them after `after`, in the order of their ids.
///
/// # Errors
/// Of the store.
pub async fn paid(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Paid>, db::Error> {
    const SELECT: &str = "select id, saga_id, event_id, channel from payment_deliveries \
        where id > $1 and event_type = 'ticketing.checkout.completed.v1' order by id limit $2";
    tx.fetch_all(SELECT, args![after, limit]).await
}

/// One delivery of whatever event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The delivery.
    pub id: Uuid,
    /// The event.
    pub event: Uuid,
    /// Its type.
    pub kind: String,
    /// Where it goes.
    pub channel: Channel,
    /// How far it is.
    pub state: State,
    /// When it was taken.
    pub create_time: i64,
}

impl FromRow for Delivered {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let number: i64 = row.get(4)?;
        let state = State::ALL.into_iter().find(|state| *state as i64 == number);
        Ok(Self {
            id: row.get(0)?,
            event: row.get(1)?,
            kind: row.get(2)?,
            channel: super::store::channel(row, 3)?,
            state: state.ok_or_else(|| row.corrupt(4, format!("no state has the number {number}")))?,
            create_time: row.get(5)?,
        })
    }
}

/// Reads at most `limit` deliveries after `after`, in the order of their ids.
///
/// # Errors
/// Of the store.
pub async fn delivered(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Delivered>, db::Error> {
    const SELECT: &str = "select id, event_id, event_type, channel, state, create_time from payment_deliveries \
        where id > $1 order by id limit $2";
    tx.fetch_all(SELECT, args![after, limit]).await
}

/// The types of events that customers are told of, where there is somebody to tell them.
pub const NOTICES: [&str; 3] =
    ["ticketing.checkout.completed.v1", "ticketing.cancellation.completed.v1", "ticketing.pointcharge.completed.v1"];
