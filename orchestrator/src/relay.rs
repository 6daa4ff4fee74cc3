//! Publishes the events of an outbox: oldest first, at least once, in order for each aggregate. An event that the sink did
//! not take holds back the later ones of its aggregate and nothing else; the next round tries it again.
//!
//! What the events are and when they come about is not known here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use service_kit::db::{self, Db, Tx};
use service_kit::host::Host;
use service_kit::outbox::{Event, Outbox};

use crate::runner::Runner;

mod log;

pub use log::LogSink;

/// How often the outbox is looked into.
const PERIOD: Duration = Duration::from_secs(1);
/// Events published in one go: marked, or forgotten, in one commit, so that the writer is never held for long.
const BATCH: i64 = 256;
/// How often old events are forgotten.
const PURGE_PERIOD: Duration = Duration::from_secs(60 * 60);

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Why a sink did not take an event.
#[derive(Debug, thiserror::Error)]
#[error("the sink did not take the event: {0}")]
pub struct SinkError(pub String);

/// Where events go.
#[async_trait]
pub trait Sink: std::fmt::Debug + Send + Sync + 'static {
    /// Takes an event for good, or fails; then it comes again. It may come again all the same: by its source and id a
    /// consumer recognises it.
    ///
    /// # Errors
    /// When it is not certain that the event was taken.
    async fn publish(&self, source: &str, event: &Event) -> Result<(), SinkError>;
}

/// Publishes an outbox until the host stops, and forgets what was published `days` ago. One of several orchestrators does
/// it at a time, so that consumers hear of most events once.
pub fn start(host: &Host, relay: Relay, runner: &Runner, days: u32) {
    let publishing = (relay, runner.clone());
    let purging = publishing.clone();
    host.every(PERIOD, "relay", move || {
        let (relay, runner) = publishing.clone();
        async move { if runner.is_eldest().await { relay.publish().await } else { Ok(()) } }
    });
    host.every(PURGE_PERIOD, "purge of events", move || {
        let (relay, runner) = purging.clone();
        async move { if runner.is_eldest().await { relay.purge(days).await } else { Ok(()) } }
    });
}

/// Moves events from one outbox to one sink.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Where the outbox is.
    pub db: Db,
    /// Its statements.
    pub outbox: Arc<Outbox>,
    /// Where its events go.
    pub sink: Arc<dyn Sink>,
}

impl Relay {
    /// One round: publishes until nothing is left, or nothing but what the sink does not take.
    ///
    /// # Errors
    /// Of the store; what was published and not marked is published again.
    pub async fn publish(&self) -> Result<(), db::Error> {
        loop {
            let outbox = self.outbox.clone();
            let batch = self.db.read(async move |tx| outbox.take(tx, BATCH).await).await?;
            let is_last = i64::try_from(batch.len()).is_ok_and(|count| count < BATCH);
            let done = self.offer(batch).await;
            let stuck = done.is_empty();
            self.mark(done).await?;
            if is_last || stuck {
                return Ok(());
            }
        }
    }

    /// Offers each event to the sink and returns those that it took.
    async fn offer(&self, batch: Vec<Event>) -> Vec<Event> {
        let mut held = BTreeSet::new();
        let mut done = Vec::with_capacity(batch.len());
        for event in batch {
            if held.contains(&event.aggregate) {
                continue;
            }
            match self.sink.publish(self.outbox.source, &event).await {
                Ok(()) => done.push(event),
                Err(error) => {
                    tracing::warn!(event.id = %event.id, event.aggregate, %error, "an event stays in the outbox");
                    held.insert(event.aggregate);
                }
            }
        }
        done
    }

    async fn mark(&self, done: Vec<Event>) -> Result<(), db::Error> {
        if done.is_empty() {
            return Ok(());
        }
        let outbox = self.outbox.clone();
        self.db.write(async move |tx| outbox.done(tx, &done).await).await
    }

    /// Forgets what was published and came about more than `days` ago.
    ///
    /// # Errors
    /// Of the store.
    pub async fn purge(&self, days: u32) -> Result<(), db::Error> {
        for bucket in 0..self.db.buckets() {
            while self.purge_some(bucket, days).await? {}
        }
        Ok(())
    }

    /// Tells whether there may be more.
    async fn purge_some(&self, bucket: i64, days: u32) -> Result<bool, db::Error> {
        let outbox = self.outbox.clone();
        let purge = async move |tx: &mut Tx<'_>| {
            let before_ms = tx.now_ms().saturating_sub(i64::from(days) * DAY_MS);
            outbox.purge(tx, bucket, before_ms, BATCH).await
        };
        Ok(i64::try_from(self.db.write(purge).await?).is_ok_and(|count| count == BATCH))
    }
}
