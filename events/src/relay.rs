//! Takes the events of one outbox to one or several sinks: at least once, and in the order of versions for each aggregate.
//!
//! A batch of unpublished events is offered to all sinks side by side. What a sink does not take in time goes into its
//! queue, in the same transaction that marks the batch as published; from there it is offered again (`lane.rs`). So no sink
//! waits for another, an event that is not taken holds back its own aggregate at its own sink and nothing else, and the
//! outbox is left as soon as everybody has been asked once. No transaction is open while a sink is asked.
//!
//! One process at a time does this for an outbox, under a lease. Should two do it for a moment, events go out twice and
//! only one of the two writes down how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{join_all, try_join_all};
use service_kit::crash_point;
use service_kit::db::{self, Db, Tx};
use service_kit::host::Host;
use service_kit::outbox::{Batch, Event, Outbox};
use tokio::sync::watch;

use crate::lane::{Lane, Left, Policy};
use crate::lease::{Error, Lease};
use crate::sink::Sink;
use crate::store::{self, Queue};

mod lag;

pub use lag::Lag;

/// How often the outbox is looked into when no commit has asked for it.
const PERIOD: Duration = Duration::from_secs(1);
/// What passes between two looks at least, so that small commits make batches.
const GATHER: Duration = Duration::from_millis(25);
/// Events published in one go: marked, or forgotten, in one commit, so that the writer is never held for long.
const BATCH: i64 = 256;
/// How often old events are forgotten.
const PURGE_PERIOD: Duration = Duration::from_secs(60 * 60);
/// How often it is looked how far behind the sinks are.
const LAG_PERIOD: Duration = Duration::from_secs(10);

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Moves events from one outbox to its sinks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Relay {
    db: Db,
    outbox: &'static Outbox,
    lanes: Arc<[Lane]>,
    lease: Arc<Lease>,
    lag: watch::Sender<Lag>,
}

/// What a batch was offered to, and what is left of it.
struct Offered {
    batch: Arc<Batch>,
    left: Vec<(Queue, Vec<Left>)>,
}

impl Relay {
    /// A relay that does nothing yet. The tables of `migrations::events` are there.
    pub fn new(host: &Host, (db, outbox): (&Db, &'static Outbox), sinks: &[Arc<dyn Sink>], policy: Policy) -> Self {
        let holder = host.ids.next(host.clock.now_ms());
        let lease = Arc::new(Lease::new(db.clone(), store::lease_of(outbox.source), holder));
        let lane = |sink: &Arc<dyn Sink>| Lane::new(db, (outbox.source, sink.clone()), lease.clone(), policy);
        let lanes = sinks.iter().map(lane).collect();
        Self { db: db.clone(), outbox, lanes, lease, lag: watch::Sender::default() }
    }

    /// Publishes until the host stops, and forgets what was published `days` ago.
    pub fn start(&self, host: &Host, days: u32) {
        let (relay, stop) = (self.clone(), host.stop.clone());
        host.tasks.spawn(async move { stop.run_until_cancelled(relay.run()).await });
        for place in 0..self.lanes.len() {
            let (relay, stop) = (self.clone(), host.stop.clone());
            host.tasks.spawn(async move { stop.run_until_cancelled(relay.lanes[place].run()).await });
        }
        let relay = self.clone();
        host.every(PURGE_PERIOD, "purge of events", move || {
            let relay = relay.clone();
            async move { if relay.lease.hold().await? { relay.purge(days).await } else { Ok(()) } }
        });
        let relay = self.clone();
        host.every(LAG_PERIOD, "look at events that wait", move || {
            let relay = relay.clone();
            async move { relay.watch().await }
        });
        let (relay, stop) = (self.clone(), host.stop.clone());
        host.tasks.spawn(async move {
            stop.cancelled().await;
            if let Err(error) = relay.lease.release().await {
                tracing::debug!(%error, "the next relay starts when this lease has ended");
            }
        });
    }

    async fn run(&self) {
        let mut announced = self.db.announcements();
        loop {
            // A panic is in the log already.
            match AssertUnwindSafe(self.publish()).catch_unwind().await {
                Ok(Err(Error::Lost)) => tracing::info!(source = self.outbox.source, "another process relays now"),
                Ok(Err(Error::Store(error))) => {
                    tracing::warn!(source = self.outbox.source, %error, "a round of the relay failed; the next one tries again");
                }
                Ok(Ok(())) | Err(_) => {}
            }
            tokio::time::sleep(GATHER).await;
            // Without word of commits there is still the period.
            drop(tokio::time::timeout(PERIOD, announced.changed()).await);
        }
    }

    /// One round: offers everything that is unpublished to all sinks, unless another process does it.
    ///
    /// # Errors
    /// Of the store, or when another process has taken over; what was offered and not marked is offered again.
    pub async fn publish(&self) -> Result<(), Error> {
        while self.lease.hold().await? {
            let batch = self.next().await?;
            if batch.events.is_empty() {
                break;
            }
            crash_point!("relay.before_offer");
            let offered = self.offer(batch).await?;
            crash_point!("relay.before_mark");
            let more = offered.batch.more;
            self.mark(offered).await?;
            crash_point!("relay.after_mark");
            if !more {
                break;
            }
        }
        Ok(())
    }

    async fn next(&self) -> Result<Batch, db::Error> {
        let outbox = self.outbox;
        self.db.read(async move |tx| outbox.next(tx, BATCH).await).await
    }

    /// Offers each event to each sink that has taken the earlier ones of its aggregate.
    async fn offer(&self, batch: Batch) -> Result<Offered, db::Error> {
        let batch = Arc::new(batch);
        let held = try_join_all(self.lanes.iter().map(|lane| self.held(lane, &batch))).await?;
        let offers = self.lanes.iter().zip(held).map(async |(lane, held)| (lane.queue, lane.offer(&batch, held).await));
        let left = join_all(offers).await;
        Ok(Offered { batch, left })
    }

    async fn held(&self, lane: &Lane, batch: &Arc<Batch>) -> Result<BTreeSet<String>, db::Error> {
        let (queue, batch) = (lane.queue, batch.clone());
        let held = async move |tx: &mut Tx<'_>| {
            let aggregates = batch.events.iter().map(|event| event.aggregate.as_str()).collect();
            queue.held(tx, &aggregates).await
        };
        self.db.read(held).await
    }

    /// Marks the batch as published, and queues what is left of it.
    async fn mark(&self, offered: Offered) -> Result<(), Error> {
        let (lease, outbox, offered) = (self.lease.clone(), self.outbox, Arc::new(offered));
        let behind: Vec<_> = offered.left.iter().map(|(_, left)| !left.is_empty()).collect();
        let mark = async move |tx: &mut Tx<'_>| {
            lease.check(tx).await?;
            let now_ms = tx.now_ms();
            let mut statements = Vec::new();
            for (queue, left) in &offered.left {
                for Left { event, attempts, error, again_after_ms } in left {
                    let event: &Event = &offered.batch.events[*event];
                    let due_ms = now_ms.saturating_add(*again_after_ms);
                    statements.extend(queue.add(event, (now_ms, due_ms), (*attempts, error)));
                }
            }
            tx.execute_each(&statements).await?;
            outbox.done(tx, &offered.batch.events).await?;
            Ok(())
        };
        let marked = self.db.write(mark).await;
        if marked.is_err() {
            self.lease.forget().await;
        }
        let queued = self.lanes.iter().zip(behind).filter(|(_, is_behind)| *is_behind);
        queued.for_each(|(lane, _)| lane.wake());
        marked
    }

    /// Offers what waits in the queues and is due, once.
    ///
    /// # Errors
    /// As [`Relay::publish`].
    pub async fn catch_up(&self) -> Result<(), Error> {
        try_join_all(self.lanes.iter().map(Lane::catch_up)).await.map(drop)
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
        let outbox = self.outbox;
        let purge = async move |tx: &mut Tx<'_>| {
            let before_ms = tx.now_ms().saturating_sub(i64::from(days) * DAY_MS);
            outbox.purge(tx, bucket, before_ms, BATCH).await
        };
        Ok(i64::try_from(self.db.write(purge).await?).is_ok_and(|count| count == BATCH))
    }
}

/// Takes the first of each aggregate out of `events`, places in a batch, and puts them into one wave.
pub(crate) fn wave(batch: &Batch, events: &mut Vec<usize>) -> Vec<usize> {
    let mut first = BTreeMap::new();
    let mut rest = Vec::new();
    for place in events.drain(..) {
        match first.entry(batch.events[place].aggregate.as_str()) {
            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(place)),
            std::collections::btree_map::Entry::Occupied(_) => rest.push(place),
        }
    }
    *events = rest;
    let mut wave: Vec<_> = first.into_values().collect();
    wave.sort_unstable();
    wave
}
