//! Who follows which saga in this process. The journals feed it after each durable move; what nobody follows costs one
//! look-up. Nothing is remembered here for those who come later: they load.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use super::Record;

/// Channels below which no search for abandoned ones is worth its while.
const FEW: usize = 64;

/// The channels, by saga.
#[derive(Debug, Default)]
pub(super) struct Hub(Mutex<Channels>);

#[derive(Debug, Default)]
struct Channels {
    by_saga: HashMap<Uuid, watch::Sender<Option<Arc<Record>>>>,
    /// How many were left by the last sweep.
    kept: usize,
}

impl Hub {
    /// Follows a saga, which need not exist. The receiver starts with what the saga's other followers last saw, if any.
    pub(super) fn watch(&self, id: Uuid) -> watch::Receiver<Option<Arc<Record>>> {
        let mut channels = self.channels();
        channels.sweep();
        let channel = channels.by_saga.entry(id).or_default();
        channel.subscribe()
    }

    /// Shows a durable record to its followers. Moves of one saga may arrive here in another order than they became
    /// durable in; whoever comes late is dropped.
    pub(super) fn feed(&self, record: &Arc<Record>) {
        let mut channels = self.channels();
        let Some(channel) = channels.by_saga.get(&record.id) else {
            return;
        };
        if channel.is_closed() {
            channels.by_saga.remove(&record.id);
            return;
        }
        channel.send_if_modified(|seen| {
            let newer = seen.as_ref().is_none_or(|seen| age(seen) < age(record));
            if newer {
                *seen = Some(record.clone());
            }
            newer
        });
    }

    /// Whether somebody follows the saga.
    pub(super) fn is_followed(&self, id: Uuid) -> bool {
        self.channels().by_saga.get(&id).is_some_and(|channel| !channel.is_closed())
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channels {
    /// Drops the channels that nobody listens to any more. Runs when their number has doubled, so that it costs each
    /// follower a constant time.
    fn sweep(&mut self) {
        if self.by_saga.len() >= FEW.max(2 * self.kept) {
            self.by_saga.retain(|_, channel| !channel.is_closed());
            self.kept = self.by_saga.len();
        }
    }
}

/// Every move raises one of the two and lowers neither.
fn age(record: &Record) -> (i64, i64) {
    (record.version, record.epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abandoned_channels_are_given_up() {
        let hub = Hub::default();
        let kept = hub.watch(Uuid::nil());
        for id in 1..10_000 {
            drop(hub.watch(Uuid::from_u128(id)));
        }
        let channels = hub.channels();
        assert!(channels.by_saga.len() <= FEW, "{}", channels.by_saga.len());
        assert!(channels.by_saga.contains_key(&Uuid::nil()));
        drop(kept);
    }
}
