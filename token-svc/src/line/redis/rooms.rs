//! What operators have set, remembered for a moment, so that those who poll need not ask the tables for it. A tick and a
//! change look for themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use service_kit::db::Db;
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::room::Room;
use crate::tokens;

/// How old what is remembered may be.
const FRESH_MS: i64 = 1_000;
/// Rooms that are remembered; more are not in use at a time.
const MOST: usize = 10_000;

/// Rooms as they were a moment ago; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Rooms(Arc<Mutex<HashMap<Uuid, (Room, i64)>>>);

impl Rooms {
    /// A room as it was at most a second ago. Of many who ask at once for one that is older, one reads it for all.
    pub(super) async fn get(&self, db: &Db, id: Uuid, now_ms: i64) -> Result<Room, Fault> {
        if let Some(room) = self.remembered(id, now_ms) {
            return Ok(room);
        }
        let room = db.read(async move |tx| tokens::expect_room(tx, id).await).await?;
        let mut rooms = self.rooms();
        if rooms.len() >= MOST {
            rooms.clear();
        }
        rooms.insert(id, (room.clone(), now_ms));
        Ok(room)
    }

    /// Forgets a room that has changed.
    pub(super) fn forget(&self, id: Uuid) {
        self.rooms().remove(&id);
    }

    fn remembered(&self, id: Uuid, now_ms: i64) -> Option<Room> {
        let mut rooms = self.rooms();
        let (room, read) = rooms.get_mut(&id)?;
        let fresh = (*read..*read + FRESH_MS).contains(&now_ms);
        // Whoever finds it old reads it; the others go on with what there is.
        *read = if fresh { *read } else { now_ms };
        fresh.then(|| room.clone())
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<Uuid, (Room, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
