//! One sink of a relay: how it is offered fresh events, and how it catches up with those that it has not taken.
//!
//! A sink that is down or slow is not waited for: until it has caught up, all that is for it goes through its queue, and it
//! is asked at its own pace.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use service_kit::clock::Stopwatch;
use service_kit::crash_point;
use service_kit::db::{Db, Tx};
use service_kit::outbox::{Batch, Event};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cloud_event::CloudEvent;
use crate::lease::{Error, Lease};
use crate::relay::wave;
use crate::sink::{Receipt, Sink};
use crate::store::{Due, Queue};

/// How long the others wait for it with a fresh batch.
const FRESH: Duration = Duration::from_secs(2);
/// How long it may take over what has waited anyway.
const WAITED: Duration = Duration::from_secs(30);
/// Aggregates of which an event is offered in one go at most, and how many more each time that it takes some. Half as many
/// are offered after it has taken none: what is too much to be answered in time would else be offered for ever.
const CATCH_UP: (i64, i64) = (128, 8);
/// How often it is looked whether something is due.
const PERIOD: Duration = Duration::from_secs(1);
/// First and longest pause before an event is offered again, and before a sink that is down is asked again.
const PAUSE_MS: (i64, i64) = (500, 60_000);
/// A sink that has taken nothing for so long is itself at fault, not the event.
const HEALTHY_MS: i64 = 600_000;

/// When an event is given up, and what then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Offers of an event that the sink refuses for good.
    pub refusals: u32,
    /// Offers of an event that fails while the sink takes others.
    pub failures: u32,
    /// Whether the later events of the aggregate go on without it. Else they wait for a person.
    pub go_on: bool,
}

/// An event of a batch that the sink has not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// Its place.
    pub(crate) event: usize,
    /// How often it was offered, as far as that counts.
    pub(crate) attempts: i64,
    /// What the sink said.
    pub(crate) error: String,
    /// When it is offered again.
    pub(crate) again_after_ms: i64,
}

/// One sink of one relay.
#[derive(Debug)]
pub(crate) struct Lane {
    /// What it has not taken.
    pub(crate) queue: Queue,
    db: Db,
    sink: Arc<dyn Sink>,
    lease: Arc<Lease>,
    policy: Policy,
    is_behind: AtomicBool,
    /// Times in a row that it was down.
    downs: AtomicU32,
    /// How many it is offered in one go.
    share: AtomicI64,
    last_taken: Mutex<Option<Stopwatch>>,
    woken: Notify,
}

impl Lane {
    pub(crate) fn new(
        db: &Db,
        (source, sink): (&'static str, Arc<dyn Sink>),
        lease: Arc<Lease>,
        policy: Policy,
    ) -> Self {
        Self {
            queue: Queue { source, sink: sink.name() },
            db: db.clone(),
            sink,
            lease,
            policy,
            is_behind: AtomicBool::new(false),
            downs: AtomicU32::new(0),
            share: AtomicI64::new(CATCH_UP.0),
            last_taken: Mutex::default(),
            woken: Notify::new(),
        }
    }

    /// Something was queued.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Offers the events of a batch whose aggregates are not held, and tells what is left of it, in its order.
    pub(crate) async fn offer(&self, batch: &Batch, mut held: BTreeSet<String>) -> Vec<Left> {
        let deadline = Instant::now() + FRESH;
        let mut left = Vec::new();
        let mut open: Vec<usize> = (0..batch.events.len()).collect();
        while !self.is_behind.load(Ordering::Relaxed) {
            left.extend(take_out(&mut open, |place| held.contains(&batch.events[place].aggregate)).map(waits));
            let wave = wave(batch, &mut open);
            if wave.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                // It takes what it is given, only not all of it in time.
                open.extend(wave);
                break;
            }
            let events: Vec<&Event> = wave.iter().map(|place| &batch.events[*place]).collect();
            let receipts = self.publish(&events, deadline).await;
            for (place, receipt) in wave.into_iter().zip(receipts) {
                if let Some(not_taken) = self.not_taken(place, receipt) {
                    held.insert(batch.events[place].aggregate.clone());
                    left.push(not_taken);
                }
            }
        }
        left.extend(open.drain(..).map(waits));
        left.sort_by_key(|left| left.event);
        left
    }

    fn not_taken(&self, place: usize, receipt: Receipt) -> Option<Left> {
        let left = |attempts, error, again_after_ms| Some(Left { event: place, attempts, error, again_after_ms });
        match receipt {
            Receipt::Taken => None,
            Receipt::Failed(error) | Receipt::Refused(error) => left(1, error, pause_ms(0)),
            Receipt::Unavailable(error) => {
                self.fall_behind(&error);
                left(0, error, 0)
            }
        }
    }

    /// Offers events of different aggregates; one that is not answered in time counts as not taken.
    async fn publish(&self, events: &[&Event], deadline: Instant) -> Vec<Receipt> {
        let outgoing: Vec<_> = events.iter().map(|event| CloudEvent::of(self.queue.source, event)).collect();
        let publish = AssertUnwindSafe(self.sink.publish(&outgoing)).catch_unwind();
        let mut receipts = match tokio::time::timeout_at(deadline, publish).await {
            Ok(Ok(receipts)) => receipts,
            Ok(Err(_panic)) => vec![Receipt::Failed("the sink panicked".into()); events.len()],
            Err(_) => vec![Receipt::Unavailable("it takes too long".into()); events.len()],
        };
        receipts.resize(events.len(), Receipt::Failed("the sink did not say what became of it".into()));
        if receipts.iter().any(Receipt::is_taken) {
            *self.last_taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(Stopwatch::start());
        }
        receipts
    }

    fn fall_behind(&self, error: &str) {
        if !self.is_behind.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                source = self.queue.source,
                sink = self.queue.sink,
                error,
                "a sink is not there; its events wait"
            );
        }
    }

    /// Catches up whenever there is something to catch up with. Never returns.
    pub(crate) async fn run(&self) {
        loop {
            match AssertUnwindSafe(self.catch_up()).catch_unwind().await {
                Ok(Err(Error::Store(error))) => {
                    tracing::warn!(source = self.queue.source, sink = self.queue.sink, %error, "events wait on");
                }
                // A panic is in the log already.
                Ok(Ok(()) | Err(Error::Lost)) | Err(_) => {}
            }
            match self.downs.load(Ordering::Relaxed) {
                0 => drop(tokio::time::timeout(PERIOD, self.woken.notified()).await),
                downs => tokio::time::sleep(Duration::from_millis(pause_ms(downs - 1).unsigned_abs())).await,
            }
        }
    }

    /// Offers what is due until nothing is, or the sink is down.
    pub(crate) async fn catch_up(&self) -> Result<(), Error> {
        while self.lease.hold().await? {
            let (queue, share) = (self.queue, self.share.load(Ordering::Relaxed));
            let due = self.db.read(async move |tx| queue.due(tx, share).await).await?;
            if due.is_empty() {
                if self.is_behind.swap(false, Ordering::Relaxed) {
                    tracing::info!(source = self.queue.source, sink = self.queue.sink, "a sink has caught up");
                }
                return Ok(());
            }
            let events: Vec<&Event> = due.iter().map(|due| &due.event).collect();
            let receipts = self.publish(&events, Instant::now() + WAITED).await;
            let is_down = !receipts.iter().any(Receipt::is_taken)
                && receipts.iter().any(|receipt| matches!(receipt, Receipt::Unavailable(_)));
            self.settle(due, receipts).await?;
            if is_down {
                self.share.store((share / 2).max(1), Ordering::Relaxed);
                self.is_behind.store(true, Ordering::Relaxed);
                self.downs.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            self.share.store(share.saturating_add(CATCH_UP.1).min(CATCH_UP.0), Ordering::Relaxed);
            self.downs.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Writes down what became of events of the queue.
    async fn settle(&self, due: Vec<Due>, receipts: Vec<Receipt>) -> Result<(), Error> {
        let (lease, queue) = (self.lease.clone(), self.queue);
        let ends: Vec<(Due, End)> =
            due.into_iter().zip(receipts).map(|(due, receipt)| self.end(due, receipt)).collect();
        let ends = Arc::new(ends);
        let written = ends.clone();
        let settle = async move |tx: &mut Tx<'_>| {
            lease.check(tx).await?;
            let now_ms = tx.now_ms();
            let mut statements = Vec::new();
            for (due, end) in written.iter() {
                match end {
                    End::Taken => statements.extend(queue.remove(&due.event, now_ms)),
                    End::Again { attempts, error, after_ms } => {
                        statements.push(queue.again(due, now_ms.saturating_add(*after_ms), (*attempts, error)));
                    }
                    End::Dead { attempts, error } => {
                        statements.push(queue.bury(&due.event, now_ms, (*attempts, error)));
                        statements.extend(queue.remove(&due.event, now_ms));
                    }
                    End::Later { error, after_ms } => {
                        statements.push(queue.again(due, now_ms.saturating_add(*after_ms), (due.attempts, error)));
                    }
                }
            }
            tx.execute_each(&statements).await?;
            Ok(())
        };
        crash_point!("lane.before_settle");
        let settled = self.db.write(settle).await;
        crash_point!("lane.after_settle");
        match &settled {
            Ok(()) => ends.iter().for_each(|(due, end)| self.tell(&due.event, end)),
            Err(_) => self.lease.forget().await,
        }
        settled
    }

    fn end(&self, due: Due, receipt: Receipt) -> (Due, End) {
        let attempts = due.attempts.saturating_add(1);
        let (error, most) = match receipt {
            Receipt::Taken => return (due, End::Taken),
            Receipt::Unavailable(error) => return (due, End::Later { error, after_ms: PAUSE_MS.0 }),
            Receipt::Failed(error) if !self.is_healthy() => return (due, End::Later { error, after_ms: PAUSE_MS.1 }),
            Receipt::Failed(error) => (error, self.policy.failures),
            Receipt::Refused(error) => (error, self.policy.refusals),
        };
        let end = if attempts < i64::from(most) {
            End::Again { attempts, error, after_ms: pause_ms(u32::try_from(due.attempts).unwrap_or(u32::MAX)) }
        } else if self.policy.go_on {
            End::Dead { attempts, error }
        } else {
            End::Again { attempts, error, after_ms: PAUSE_MS.1 }
        };
        (due, end)
    }

    fn is_healthy(&self) -> bool {
        let last = self.last_taken.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|last| last.elapsed_ms() < HEALTHY_MS)
    }

    fn tell(&self, event: &Event, end: &End) {
        let (sink, kind, aggregate) = (self.queue.sink, &event.kind, &event.aggregate);
        match end {
            End::Taken | End::Later { .. } => {}
            End::Again { attempts, error, .. } => {
                tracing::warn!(event.id = %event.id, kind, aggregate, sink, attempts, error, "an event was not taken");
            }
            End::Dead { attempts, error } => {
                tracing::error!(event.id = %event.id, kind, aggregate, sink, attempts, error, "an event was given up");
            }
        }
    }
}

/// What became of an event that was due.
enum End {
    Taken,
    Again {
        attempts: i64,
        error: String,
        after_ms: i64,
    },
    Dead {
        attempts: i64,
        error: String,
    },
    /// It says nothing about the event.
    Later {
        error: String,
        after_ms: i64,
    },
}

/// Waits for the earlier ones of its aggregate, or for the sink.
fn waits(event: usize) -> Left {
    Left { event, attempts: 0, error: String::new(), again_after_ms: 0 }
}

fn take_out(from: &mut Vec<usize>, which: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
    let (out, rest) = from.drain(..).partition(|place| which(*place));
    *from = rest;
    let out: Vec<usize> = out;
    out.into_iter()
}

fn pause_ms(attempts: u32) -> i64 {
    PAUSE_MS.0.saturating_mul(1 << attempts.min(16)).min(PAUSE_MS.1)
}
