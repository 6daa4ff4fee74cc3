//! Statements about what is left behind a waiting room, and what it has been told of that. Each reaches what it looks for by
//! an index, so that looking now and then costs next to nothing.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use crate::state::{ConcertState, State as _};

/// A concert behind a waiting room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roomed {
    pub(crate) concert: Uuid,
    pub(crate) room: Uuid,
    /// Whether seats can be held now, as far as the concert goes.
    pub(crate) is_open: bool,
}

impl FromRow for Roomed {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let is_open = ConcertState::read(row, 2)? == ConcertState::Active && row.get::<i64>(3)? == 1;
        Ok(Self { concert: row.get(0)?, room: row.get(1)?, is_open })
    }
}

/// A page of the concerts behind waiting rooms that sell, or may come to, in the order of their ids.
pub(crate) async fn roomed_concerts(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Roomed>, db::Error> {
    let sql = "select concert_id, waiting_room_id, state, \
               cast(case when booking_open_time <= $2 then 1 else 0 end as bigint) \
               from concert_concerts where waiting_room_id is not null and state <> 4 and concert_id > $1 \
               and booking_close_time > $2 order by concert_id limit $3";
    let now_ms = tx.now_ms();
    tx.fetch_all(sql, args![after, now_ms, limit]).await
}

/// Whether a performance has a seat that is available.
pub(crate) async fn has_available(tx: &mut Tx<'_>, performance: Uuid) -> Result<bool, db::Error> {
    let sql = "select ordinal from concert_performance_seats where performance_id = $1 and state = 1 \
               order by ordinal limit 1";
    let found: Option<(i64,)> = tx.fetch_optional(sql, args![performance]).await?;
    Ok(found.is_some())
}

/// Whether somebody holds a seat of a performance and has not bought it yet.
pub(crate) async fn has_held(tx: &mut Tx<'_>, performance: Uuid) -> Result<bool, db::Error> {
    let sql = "select reservation_id from concert_reservations where performance_id = $1 and state in (1, 2) limit 1";
    let found: Option<(Uuid,)> = tx.fetch_optional(sql, args![performance]).await?;
    Ok(found.is_some())
}

/// Whether a waiting room has been told that nothing is left.
pub(crate) async fn is_told_sold_out(tx: &mut Tx<'_>, room: Uuid) -> Result<bool, db::Error> {
    let sql = "select room_id from concert_rooms_sold_out where room_id = $1";
    let found: Option<(Uuid,)> = tx.fetch_optional(sql, args![room]).await?;
    Ok(found.is_some())
}

/// Notes what a waiting room has been told.
pub(crate) async fn note_sold_out(tx: &mut Tx<'_>, room: Uuid, is_sold_out: bool) -> Result<(), db::Error> {
    if is_sold_out {
        let now_ms = tx.now_ms();
        let sql = "insert into concert_rooms_sold_out (room_id, create_time) values ($1, $2) on conflict do nothing";
        tx.execute(sql, args![room, now_ms]).await.map(drop)
    } else {
        tx.execute("delete from concert_rooms_sold_out where room_id = $1", args![room]).await.map(drop)
    }
}
