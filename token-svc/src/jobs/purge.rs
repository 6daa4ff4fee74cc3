//! Forgets the tokens of rooms that closed long ago. The rooms themselves stay, and so does what operators did.

use service_kit::db::{self, Tx};
use uuid::Uuid;

use super::{Jobs, PAGE};
use crate::store;

impl Jobs {
    /// One round: forgets all tokens that it is time for, a batch a transaction.
    ///
    /// # Errors
    /// Of the store.
    pub async fn purge(&self) -> Result<(), db::Error> {
        let (keep_ms, purge_batch) = (self.config.keep_tokens_ms, self.config.purge_batch);
        let due = async move |tx: &mut Tx<'_>| store::unpurged_rooms(tx, tx.now_ms() - keep_ms, PAGE).await;
        for room in self.db.read(due).await? {
            while self.db.write(async move |tx| purge_in(tx, room, purge_batch.max(1)).await).await? {}
        }
        Ok(())
    }
}

/// Forgets a batch; tells whether there may be more.
async fn purge_in(tx: &mut Tx<'_>, room: Uuid, batch: i64) -> Result<bool, db::Error> {
    let forgotten = store::delete_tokens(tx, room, batch).await?;
    if forgotten == 0 {
        store::set_purged(tx, room).await?;
    }
    Ok(forgotten > 0)
}
