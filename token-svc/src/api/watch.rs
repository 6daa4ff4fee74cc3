//! Those who follow a room: however many they are, the room is read once a second, and all hear the same message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::token::v1 as pb;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use uuid::Uuid;

use crate::line::Line;
use crate::wire;

type Senders = HashMap<Uuid, watch::Sender<pb::WaitingRoomProgress>>;

/// A room could not be read; those who follow it hear nothing new this time.
#[derive(Debug, thiserror::Error)]
#[error("waitingRooms/{0} cannot be read; those who follow it hear nothing this second")]
pub(super) struct Unread(Uuid);

/// The rooms that somebody follows.
#[derive(Debug, Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<Senders>>);

impl Watchers {
    /// What happens in a room from `now` on.
    pub(super) fn follow(&self, room: Uuid, now: pb::WaitingRoomProgress) -> WatchStream<pb::WaitingRoomProgress> {
        let mut senders = self.senders();
        let sender = senders.entry(room).or_insert_with(|| watch::Sender::new(now));
        WatchStream::new(sender.subscribe())
    }

    /// Tells all who follow a room how far it is; forgets the rooms that nobody follows any more.
    pub(super) async fn tell(&self, line: &dyn Line) -> Result<(), Unread> {
        let mut result = Ok(());
        for id in self.followed() {
            match line.room(id).await {
                Ok((room, now_ms)) => self.send(id, wire::rooms::progress(&room, now_ms)),
                Err(_) => result = Err(Unread(id)),
            }
        }
        result
    }

    fn send(&self, room: Uuid, progress: pb::WaitingRoomProgress) {
        if let Some(sender) = self.senders().get(&room) {
            sender.send_replace(progress);
        }
    }

    fn followed(&self) -> Vec<Uuid> {
        let mut senders = self.senders();
        senders.retain(|_, sender| sender.receiver_count() > 0);
        senders.keys().copied().collect()
    }

    fn senders(&self) -> MutexGuard<'_, Senders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
