//! Those who follow a room: however many they are, the room is read once a second, and all hear the same message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::token::v1 as pb;
use service_kit::db::{self, Db};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use uuid::Uuid;

use crate::{store, wire};

type Senders = HashMap<Uuid, watch::Sender<pb::WaitingRoomProgress>>;

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
    pub(super) async fn tell(&self, db: &Db) -> Result<(), db::Error> {
        let followed = self.followed();
        if followed.is_empty() {
            return Ok(());
        }
        let read = db.read(async move |tx| {
            let mut news = Vec::new();
            for id in followed {
                if let Some(room) = store::find_room(tx, id).await? {
                    news.push((id, wire::rooms::progress(&room, tx.now_ms())));
                }
            }
            Ok::<_, db::Error>(news)
        });
        let news = read.await?;
        let senders = self.senders();
        for (room, progress) in news {
            if let Some(sender) = senders.get(&room) {
                sender.send_replace(progress);
            }
        }
        Ok(())
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
