//! How far behind the sinks are, for people and for whoever measures.

use service_kit::db::{self, Tx};
use tokio::sync::watch;

use super::Relay;
use crate::store;

/// Older than this, somebody should look. With all sinks up, events are published within a second.
const TOO_OLD_MS: i64 = 5_000;

/// What has not reached every sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lag {
    /// Events that were not offered to anybody yet.
    pub unpublished: i64,
    /// Events that wait for one sink, by its name.
    pub queued: Vec<(String, i64)>,
    /// Age of the oldest of all these; 0 when there are none.
    pub oldest_ms: i64,
    /// Events that were given up.
    pub dead: i64,
}

impl Relay {
    /// Counts what waits.
    ///
    /// # Errors
    /// Of the store.
    pub async fn lag(&self) -> Result<Lag, db::Error> {
        let outbox = self.outbox;
        let count = async move |tx: &mut Tx<'_>| {
            let (unpublished, oldest) = outbox.waiting(tx).await?;
            let (queued, dead) = store::count(tx, outbox.source).await?;
            let oldest = oldest.into_iter().chain(queued.iter().filter_map(|(_, _, oldest)| *oldest)).min();
            let oldest_ms = oldest.map_or(0, |oldest| tx.now_ms().saturating_sub(oldest).max(0));
            let queued = queued.into_iter().map(|(sink, count, _)| (sink, count)).collect();
            Ok(Lag { unpublished, queued, oldest_ms, dead })
        };
        self.db.read(count).await
    }

    /// What was counted last, every few seconds while the relay runs. In a process that does not relay it stays as it was.
    pub fn watched(&self) -> watch::Receiver<Lag> {
        self.lag.subscribe()
    }

    pub(super) async fn watch(&self) -> Result<(), db::Error> {
        if !self.lease.hold().await? {
            return Ok(());
        }
        let lag = self.lag().await?;
        let source = self.outbox.source;
        if lag.oldest_ms > TOO_OLD_MS {
            tracing::warn!(source, ?lag, "events wait for a sink");
        } else {
            tracing::debug!(source, ?lag, "events that wait");
        }
        self.lag.send_replace(lag);
        Ok(())
    }
}
