//! What must hold over this service's tables, and the facts that others compare theirs with. For verification only: it
//! reads, on a snapshot, and nothing of the service depends on it.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::verify::Check;
use uuid::Uuid;

pub use crate::queue::TokenState;
use crate::store;

/// The rules of queues. Where the line is kept outside the tables (`line_generation` is above 0), the counts of a room are
/// those of its last tick; where it is or was (not 0), sequences may be missing, of places that nobody was told of. The
/// other rules hold alike.
pub const CHECKS: &[Check] = &[
    Check {
        id: "Q1",
        rule: "who is or was inside had his turn",
        sql: "select t.token_id, 'sequence ' || t.sequence || ' was ACTIVE, and the head is at ' || r.admitted_through \
            from token_tokens t join token_rooms r on r.room_id = t.room_id \
            where t.activate_time is not null and (t.sequence > r.admitted_through or t.sequence < 1) limit 20",
    },
    Check {
        id: "Q2",
        rule: "a room counts its tokens right, and has no more inside than its cap, unless the cap was lowered since",
        sql: "select room_id, 'counts ' || active_count || ' inside and ' || waiting_count || ' waiting, found ' \
            || inside || ' and ' || waiting || '; at most ' || max_active_tokens || ' may be inside' from \
            (select r.room_id, r.active_count, r.waiting_count, r.max_active_tokens, r.admit_time, r.update_time, \
            r.line_generation, \
            (select count(*) from token_tokens t where t.room_id = r.room_id and t.state <= 2 \
            and t.sequence between 1 and r.admitted_through) as inside, \
            (select count(*) from token_tokens t where t.room_id = r.room_id and t.state = 1 \
            and (t.sequence > r.admitted_through or t.sequence < 1)) as waiting from token_rooms r) as counted \
            where (line_generation <= 0 and (active_count <> inside or waiting_count <> waiting)) \
            or (inside > max_active_tokens and update_time < admit_time) limit 20",
    },
    Check {
        id: "Q3",
        rule: "a customer has one live token in a room",
        sql: "select room_id, 'a customer has ' || count(*) || ' live tokens in it' from token_tokens \
            where state <= 2 group by room_id, customer_id having count(*) > 1 limit 20",
    },
    Check {
        id: "Q4",
        rule: "each sequence up to the last was given out once, and the head is neither behind a turn nor past the last",
        sql: "select room_id, 'gave out ' || issued_count || ' sequences, ' || found || ' tokens have ' || different \
            || ' up to ' || newest || '; the head is at ' || admitted_through || ', a turn at ' || turn from \
            (select r.room_id, r.issued_count, r.admitted_through, r.line_generation, r.purged, \
            r.prequeued_count, r.drawn_count, count(t.token_id) as found, \
            count(distinct t.sequence) as different, coalesce(max(abs(t.sequence)), 0) as newest, \
            sum(case when t.sequence < 1 then 1 else 0 end) as undrawn, \
            (select coalesce(max(through_sequence), 0) from token_turns u where u.room_id = r.room_id) as turn \
            from token_rooms r left join token_tokens t on t.room_id = r.room_id \
            group by r.room_id, r.issued_count, r.admitted_through, r.line_generation, r.purged, \
            r.prequeued_count, r.drawn_count) as counted \
            where different <> found or turn > admitted_through or admitted_through > issued_count \
            or (line_generation = 0 and purged = 0 and (found <> issued_count or newest > issued_count)) \
            or (undrawn > 0 and drawn_count = prequeued_count) limit 20",
    },
    Check {
        id: "Q7",
        rule: "a shuffled prequeue stands in the order of its lots",
        sql: "select token_id, 'sequence ' || sequence || ' was drawn out of its order' from \
            (select token_id, sequence, shuffle_key, lag(shuffle_key) over (partition by room_id order by sequence) \
            as before from token_tokens where shuffle_key is not null and sequence > 0) as drawn \
            where before >= shuffle_key limit 20",
    },
    Check {
        id: "Q8",
        rule: "every token that a purchase has ended is told of once",
        // Events are forgotten a week after they were published.
        sql: "select t.token_id, 'it is told of as completed ' || coalesce(o.events, 0) || ' times' from token_tokens t \
            left join (select saga_id, count(*) as events from token_outbox \
            where type = 'ticketing.queuetoken.completed.v1' group by saga_id) o on o.saga_id = t.saga_id \
            where t.saga_id is not null and coalesce(o.events, 0) <> 1 \
            and t.end_time > (select coalesce(max(create_time), 0) from token_outbox) - 518400000 limit 20",
    },
];

/// A token that a saga has ended because its customer has bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompletedToken {
    /// The saga.
    pub saga: Uuid,
    /// The room.
    pub room: Uuid,
    /// The token.
    pub token: Uuid,
    /// Its state now: COMPLETED, or REVOKED afterwards.
    pub state: TokenState,
}

/// Reads at most `limit` tokens that were completed by the sagas after `after`, in the order of the sagas.
///
/// # Errors
/// Of the store.
pub async fn completed_tokens(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<CompletedToken>, db::Error> {
    const SELECT: &str = "select saga_id, room_id, token_id, state from token_tokens where saga_id > $1 \
        order by saga_id limit $2";
    tx.fetch_all(SELECT, args![after, limit]).await
}

/// A token that was ACTIVE at some time, and had a pass from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmittedToken {
    /// The room.
    pub room: Uuid,
    /// The token.
    pub token: Uuid,
    /// Whom it admits.
    pub customer: Uuid,
    /// Since when.
    pub activate_time: i64,
    /// Its state now, as stored: one whose time is over may still be ACTIVE.
    pub state: TokenState,
}

/// Reads at most `limit` tokens that were ACTIVE at some time, those after the token `after` of a room, in the order of
/// rooms and tokens.
///
/// # Errors
/// Of the store.
pub async fn admitted_tokens(
    tx: &mut Tx<'_>,
    after: (Uuid, Uuid),
    limit: i64,
) -> Result<Vec<AdmittedToken>, db::Error> {
    const SELECT: &str = "select room_id, token_id, customer_id, activate_time, state from token_tokens \
        where (room_id, token_id) > ($1, $2) and activate_time is not null order by room_id, token_id limit $3";
    tx.fetch_all(SELECT, args![after.0, after.1, limit]).await
}

impl FromRow for AdmittedToken {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let state = store::state(row, 4)?;
        Ok(Self { room: row.get(0)?, token: row.get(1)?, customer: row.get(2)?, activate_time: row.get(3)?, state })
    }
}

/// A room, and whether all of its tokens are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomFact {
    /// The room.
    pub room: Uuid,
    /// Whether none of its tokens is forgotten. That happens only once nothing can happen in the room any more; a line
    /// outside the tables does not say then how many there were.
    pub is_whole: bool,
}

/// Reads at most `limit` rooms after `after`, in order.
///
/// # Errors
/// Of the store.
pub async fn rooms(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<RoomFact>, db::Error> {
    const SELECT: &str = "select room_id, cast(case when settled = 0 then 1 when line_generation <> 0 or purged <> 0 then 0 \
        when issued_count = (select count(*) from token_tokens t where t.room_id = r.room_id) then 1 else 0 end as bigint) \
        from token_rooms r where room_id > $1 order by room_id limit $2";
    tx.fetch_all(SELECT, args![after, limit]).await
}

impl FromRow for RoomFact {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { room: row.get(0)?, is_whole: row.get::<i64>(1)? == 1 })
    }
}

impl FromRow for CompletedToken {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let state = store::state(row, 3)?;
        Ok(Self { saga: row.get(0)?, room: row.get(1)?, token: row.get(2)?, state })
    }
}
