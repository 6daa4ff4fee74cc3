//! Ends tokens that are no longer in time, those inside and those that have not claimed their turn, and gives their places
//! to others; empties closed rooms.

use service_kit::db::{self, Tx};
use uuid::Uuid;

use super::Jobs;
use crate::queue::Token;
use crate::room::{Room, RoomState};
use crate::{events, store};

/// Batches of a room in one round: a million who are sent away when their room closes do not hold up the other rooms.
const BATCHES: usize = 100;

/// What a batch came to.
struct Swept {
    /// Those that it ended.
    ended: Vec<Token>,
    /// Whether there may be more.
    more: bool,
}

impl Jobs {
    /// One sweep of all rooms.
    ///
    /// # Errors
    /// The last failure; the other rooms have been served.
    pub async fn sweep(&self) -> Result<(), db::Error> {
        let mut result = Ok(());
        for (room, now_ms) in self.unsettled().await? {
            let counted_elsewhere = room.line_generation > 0;
            if room.active_count > 0 || counted_elsewhere || room.state(now_ms) == RoomState::Closed {
                result = self.sweep_room(&room).await.and(result);
            }
        }
        result
    }

    async fn sweep_room(&self, room: &Room) -> Result<(), db::Error> {
        let (id, batch) = (room.id, self.config.sweep_batch.max(1));
        for _ in 0..BATCHES {
            let swept = self.db.write(async move |tx| sweep_in(tx, id, batch).await).await?;
            self.line.settle(id, &swept.ended).await;
            if !swept.more {
                return self.line.mend(room, batch).await;
            }
        }
        // The next round goes on.
        Ok(())
    }
}

async fn sweep_in(tx: &mut Tx<'_>, id: Uuid, batch: i64) -> Result<Swept, db::Error> {
    let now_ms = tx.now_ms();
    let Some(room) = store::find_room(tx, id).await? else {
        return Ok(Swept { ended: Vec::new(), more: false });
    };
    let closed = room.state(now_ms) == RoomState::Closed;
    let turns = match closed {
        // Also those whose places were never drawn.
        true => (i64::MIN, i64::MAX),
        false => (1, store::turns_through(tx, id, now_ms - room.settings.claim_ttl_ms).await?),
    };
    let inside = store::expire_active(tx, id, batch).await?;
    let in_line = store::expire_waiting(tx, id, turns, batch).await?;
    if !inside.is_empty() || !in_line.is_empty() {
        count_off(tx, id, &inside, &in_line).await?;
    }
    let more = inside.len() as i64 >= batch || in_line.len() as i64 >= batch;
    if !more {
        tidy_up(tx, &room, (closed, turns.1)).await?;
    }
    let ended = [inside, in_line].concat();
    events::tokens_ended(tx, &ended, None).await?;
    Ok(Swept { ended, more })
}

/// Counts off those whose time inside is over, and those in line, whose turn may have come until now.
async fn count_off(tx: &mut Tx<'_>, id: Uuid, inside: &[Token], in_line: &[Token]) -> Result<(), db::Error> {
    let Some(room) = store::lock_room(tx, id).await? else {
        return Ok(());
    };
    let had_turn = |token: &&Token| (1..=room.admitted_through).contains(&token.sequence);
    let unclaimed = in_line.iter().filter(had_turn).count() as i64;
    store::count_off_many(tx, id, (inside.len() as i64 + unclaimed, in_line.len() as i64 - unclaimed)).await
}

/// Forgets turns that are all taken or given back, and a closed room that nobody is left in.
async fn tidy_up(tx: &mut Tx<'_>, room: &Room, (closed, through): (bool, i64)) -> Result<(), db::Error> {
    if through > 0 {
        store::delete_turns(tx, room.id, through).await?;
    }
    if !closed {
        return Ok(());
    }
    if let Some(mut room) = store::lock_room(tx, room.id).await? {
        events::room_news(tx, &mut room).await?;
    }
    store::settle_room(tx, room.id).await
}
