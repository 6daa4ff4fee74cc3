//! The statements over turns: when the head came to which sequence, one row a tick for everybody. They are written with
//! the head itself, in `rooms.rs`.

use service_kit::args;
use service_kit::db::{self, Tx};
use uuid::Uuid;

/// When the turn of a sequence came; nothing once all turns of that time are claimed or given back.
pub(crate) async fn turn_time(tx: &mut Tx<'_>, room: Uuid, sequence: i64) -> Result<Option<i64>, db::Error> {
    const SELECT: &str = "select admit_time from token_turns where room_id = $1 and through_sequence >= $2 \
        order by through_sequence limit 1";
    let found: Option<(i64,)> = tx.fetch_optional(SELECT, args![room, sequence]).await?;
    Ok(found.map(|(time,)| time))
}

/// The last sequence whose turn came at `time` or before, among those that are still noted; 0 when there is none.
pub(crate) async fn turns_through(tx: &mut Tx<'_>, room: Uuid, time: i64) -> Result<i64, db::Error> {
    const SELECT: &str = "select cast(coalesce(max(through_sequence), 0) as bigint) from token_turns \
        where room_id = $1 and admit_time <= $2";
    let (through,) = tx.fetch_one(SELECT, args![room, time]).await?;
    Ok(through)
}

/// Forgets the turns up to a sequence, unless one of them is still to be claimed or given back.
pub(crate) async fn delete_turns(tx: &mut Tx<'_>, room: Uuid, through: i64) -> Result<(), db::Error> {
    const DELETE: &str = "delete from token_turns where room_id = $1 and through_sequence <= $2 and not exists \
        (select 1 from token_tokens where room_id = $1 and state = 1 and sequence between 1 and $2)";
    tx.execute(DELETE, args![room, through]).await.map(drop)
}
