//! The statements with which a line that is kept outside the tables leans on them: it is loaded from them, and they hear
//! of each move of its head. What they count of it is as of its last tick.

use service_kit::args;
use service_kit::db::{self, Tx};
use uuid::Uuid;

use crate::queue::Token;
use crate::room::{Lease, Room};

/// Counts one more load of the line outside; from the first on the room is not counted here.
pub(crate) async fn count_load(tx: &mut Tx<'_>, room: Uuid) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_rooms set line_generation = abs(line_generation) + 1 where room_id = $1";
    tx.execute(UPDATE, args![room]).await.map(drop)
}

/// Gives all turns that are still noted the whole time to be claimed.
pub(crate) async fn renew_turns(tx: &mut Tx<'_>, room: Uuid) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_turns set admit_time = $2 where room_id = $1";
    tx.execute(UPDATE, args![room, tx.now_ms()]).await.map(drop)
}

/// The last sequence that somebody has or will draw.
pub(crate) async fn last_sequence(tx: &mut Tx<'_>, room: Uuid) -> Result<i64, db::Error> {
    const WRITTEN: &str = "select cast(coalesce(max(abs(sequence)), 0) as bigint) from token_tokens where room_id = $1";
    const TO_DRAW: &str =
        "select cast(coalesce(max(prequeued_count), 0) as bigint) from token_rooms where room_id = $1";
    let each = [WRITTEN, TO_DRAW].map(|sql| (sql, args![room].to_vec()));
    let last: Vec<(i64,)> = tx.fetch_each(&each).await?;
    Ok(last.into_iter().map(|(last,)| last).max().unwrap_or_default())
}

macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "select room_id, token_id, customer_id, sequence, state, create_time, activate_time, expire_time \
             from token_tokens where room_id = $1 and ",
            $rest
        )
    };
}

/// Live tokens of the customers after `after`, in their order.
pub(crate) async fn live_tokens(tx: &mut Tx<'_>, room: Uuid, after: Uuid, limit: i64) -> Result<Vec<Token>, db::Error> {
    const SELECT: &str = select_tokens!("state <= 2 and customer_id > $2 order by customer_id limit $3");
    tx.fetch_all(SELECT, args![room, after, limit]).await
}

/// The live tokens among those with the given sequences.
pub(crate) async fn live_at(tx: &mut Tx<'_>, room: Uuid, sequences: &[i64]) -> Result<Vec<Token>, db::Error> {
    const SELECT: &str = select_tokens!("sequence = $2 and state <= 2");
    let each: Vec<_> = sequences.iter().map(|sequence| (SELECT, args![room, *sequence].to_vec())).collect();
    tx.fetch_each(&each).await
}

/// Writes how a line outside stands and how far its head will be, and when the turns up to there come, if some do.
pub(crate) async fn mirror_line(tx: &mut Tx<'_>, room: &Room, come: bool) -> Result<(), db::Error> {
    const INSERT: &str = "insert into token_turns (room_id, through_sequence, admit_time) values ($1, $2, $3) \
        on conflict do nothing";
    const UPDATE: &str = "update token_rooms set issued_count = $2, admitted_through = $3, waiting_count = $4, \
        active_count = $5, admission_credit = $6, tick_time = $7, tick_owner = $8, lease_time = $9, \
        admit_time = case when $10 > 0 then $7 else admit_time end where room_id = $1";
    let Lease { owner, until } = room.lease;
    let args = args![
        room.id,
        room.issued_count,
        room.admitted_through,
        room.waiting_count,
        room.active_count,
        room.admission_credit,
        room.tick_time,
        owner,
        until,
        come
    ];
    let mut statements = vec![(UPDATE, args.to_vec())];
    if come {
        statements.push((INSERT, args![room.id, room.admitted_through, tx.now_ms()].to_vec()));
    }
    tx.execute_each(&statements).await.map(drop)
}

/// Rooms in which something may still happen and whose line is kept outside.
pub(crate) async fn rooms_elsewhere(tx: &mut Tx<'_>) -> Result<Vec<Uuid>, db::Error> {
    const SELECT: &str = "select room_id from token_rooms where settled = 0 and line_generation > 0 order by room_id";
    let rooms: Vec<(Uuid,)> = tx.fetch_all(SELECT, args![]).await?;
    Ok(rooms.into_iter().map(|(room,)| room).collect())
}

/// Rooms in which something may still happen and whose line is kept here.
pub(crate) async fn rooms_here(tx: &mut Tx<'_>) -> Result<Vec<Uuid>, db::Error> {
    const SELECT: &str = "select room_id from token_rooms where settled = 0 and line_generation <= 0 order by room_id";
    let rooms: Vec<(Uuid,)> = tx.fetch_all(SELECT, args![]).await?;
    Ok(rooms.into_iter().map(|(room,)| room).collect())
}

/// Counts a room here again, while nobody else changes its counts.
pub(crate) async fn recount(tx: &mut Tx<'_>, room: Uuid) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_rooms set line_generation = -abs(line_generation), issued_count = case when $2 > issued_count \
        then $2 else issued_count end, \
        active_count = (select count(*) from token_tokens t where t.room_id = $1 and t.state <= 2 \
        and t.sequence between 1 and token_rooms.admitted_through), \
        waiting_count = (select count(*) from token_tokens t where t.room_id = $1 and t.state = 1 \
        and (t.sequence > token_rooms.admitted_through or t.sequence < 1)) where room_id = $1";
    super::lock_room(tx, room).await?;
    let last = last_sequence(tx, room).await?;
    tx.execute(UPDATE, args![room, last]).await.map(drop)
}
