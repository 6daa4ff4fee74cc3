//! Draws the lots of shuffled prequeues once their rooms open: who takes part is fixed in one moment, then the places get
//! their sequences a batch at a time, in the order of the lots. A process that dies in between leaves a beginning to which
//! the next one adds the rest, as the order follows from the lots alone. Nobody is let in before all is drawn, and whoever
//! comes meanwhile queues behind.

use service_kit::db::{self, Tx};
use uuid::Uuid;

use super::Jobs;
use crate::queue::Token;
use crate::store;

impl Jobs {
    /// One round: draws all rooms that are due to their ends.
    ///
    /// # Errors
    /// The last failure; the other rooms have been served.
    pub async fn draw(&self) -> Result<(), db::Error> {
        let mut result = Ok(());
        for (room, now_ms) in self.unsettled().await? {
            if room.is_undrawn() && room.settings.open_time <= now_ms {
                result = self.draw_room(room.id, usize::MAX).await.and(result);
            }
        }
        result
    }

    /// Draws so many batches for every room that is due, and no more.
    ///
    /// # Errors
    /// As [`Jobs::draw`].
    pub async fn draw_some(&self, batches: usize) -> Result<(), db::Error> {
        for (room, now_ms) in self.unsettled().await? {
            if room.is_undrawn() && room.settings.open_time <= now_ms {
                self.draw_room(room.id, batches).await?;
            }
        }
        Ok(())
    }

    async fn draw_room(&self, id: Uuid, batches: usize) -> Result<(), db::Error> {
        self.db.write(async move |tx| store::begin_draw(tx, id).await).await?;
        self.line.changed(id).await;
        let limit = self.config.draw_batch.max(1);
        for _ in 0..batches {
            let drawn = self.db.write(async move |tx| draw_in(tx, id, limit).await).await?;
            self.line.settle(id, &drawn).await;
            if drawn.is_empty() {
                self.line.changed(id).await;
                break;
            }
        }
        Ok(())
    }
}

/// Draws a batch; tells the tokens with their new sequences, none when all are drawn.
async fn draw_in(tx: &mut Tx<'_>, id: Uuid, limit: i64) -> Result<Vec<Token>, db::Error> {
    let Some(room) = store::find_room(tx, id).await? else {
        return Ok(Vec::new());
    };
    let Some(draw) = room.draw.filter(|_| room.is_undrawn()) else {
        return Ok(Vec::new());
    };
    let drawn = store::draw_some(tx, id, (draw.drawn, limit.min(draw.places - draw.drawn))).await?;
    let through = draw.drawn + drawn.len() as i64;
    if drawn.is_empty() || !store::count_drawn(tx, &room, (draw.drawn, through)).await? {
        // Another process draws the same batch and was first.
        tx.restart().await?;
        return Ok(Vec::new());
    }
    Ok(drawn)
}
