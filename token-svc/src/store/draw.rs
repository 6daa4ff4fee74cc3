//! The statements of a draw: places get their sequences in the order of their lots, a batch at a time. Until then they have
//! sequences below 0, in the order in which they came.

use service_kit::args;
use service_kit::db::{self, Tx};
use uuid::Uuid;

use super::lock_room;
use crate::queue::Token;
use crate::room::Room;

/// Fixes who takes part: everybody who has no sequence yet. Nothing when that is done. Whoever joins has the room while he
/// does, so it is taken first: one who had it a moment ago would be counted by nobody, and be left behind for ever.
pub(crate) async fn begin_draw(tx: &mut Tx<'_>, room: Uuid) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_rooms set prequeued_count = \
        (select count(*) from token_tokens where room_id = $1 and sequence < 0) \
        where room_id = $1 and prequeued_count is null";
    lock_room(tx, room).await?;
    tx.execute(UPDATE, args![room]).await.map(drop)
}

/// Gives the next `limit` places their sequences; tells which. The order follows from the lots alone, so
/// whoever goes on with a draw goes on with the same.
pub(crate) async fn draw_some(
    tx: &mut Tx<'_>,
    room: Uuid,
    (drawn, limit): (i64, i64),
) -> Result<Vec<Token>, db::Error> {
    const UPDATE: &str = "update token_tokens as t set sequence = $2 + first.place from \
        (select lots.token_id as lot, row_number() over (order by lots.shuffle_key) as place from \
        (select token_id, shuffle_key from token_tokens where room_id = $1 and sequence < 0 \
        order by shuffle_key limit $3) as lots) as first \
        where t.room_id = $1 and t.token_id = first.lot and t.sequence < 0 returning \
        room_id, token_id, customer_id, sequence, state, create_time, activate_time, expire_time";
    tx.fetch_all(UPDATE, args![room, drawn, limit]).await
}

/// Counts places that were drawn; tells whether nobody else has drawn meanwhile.
pub(crate) async fn count_drawn(tx: &mut Tx<'_>, room: &Room, drawn: (i64, i64)) -> Result<bool, db::Error> {
    const UPDATE: &str = "update token_rooms set drawn_count = $3 where room_id = $1 and drawn_count = $2";
    Ok(tx.execute(UPDATE, args![room.id, drawn.0, drawn.1]).await? == 1)
}
