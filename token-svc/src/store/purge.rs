//! The statements of forgetting: what ended long ago goes, a batch at a time.

use service_kit::args;
use service_kit::db::{self, Tx};
use uuid::Uuid;

/// Rooms in which nothing can happen any more, that closed before a time, and whose tokens are still there.
pub(crate) async fn unpurged_rooms(tx: &mut Tx<'_>, closed_by: i64, limit: i64) -> Result<Vec<Uuid>, db::Error> {
    const SELECT: &str = "select room_id from token_rooms where settled = 1 and purged = 0 and close_time <= $1 \
        order by room_id limit $2";
    let rooms: Vec<(Uuid,)> = tx.fetch_all(SELECT, args![closed_by, limit]).await?;
    Ok(rooms.into_iter().map(|(room,)| room).collect())
}

/// Forgets some ended tokens of a room; tells how many. Several may do so at once.
pub(crate) async fn delete_tokens(tx: &mut Tx<'_>, room: Uuid, limit: i64) -> Result<u64, db::Error> {
    const DELETE: &str = "delete from token_tokens where room_id = $1 and state > 2 and token_id in \
        (select token_id from token_tokens where room_id = $1 order by token_id limit $2)";
    tx.execute(DELETE, args![room, limit]).await
}

/// Notes that the tokens of a room are gone.
pub(crate) async fn set_purged(tx: &mut Tx<'_>, room: Uuid) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_rooms set purged = 1 where room_id = $1 and not exists \
        (select 1 from token_tokens where room_id = $1)";
    tx.execute(UPDATE, args![room]).await.map(drop)
}
