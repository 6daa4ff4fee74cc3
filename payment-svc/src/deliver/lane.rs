//! The worker of one channel: looks once a second whether something is due, claims it, makes the attempts side by side,
//! and writes what became of them. Nothing is called while a transaction is open. Any number of processes may do so: each
//! gets what it has claimed, and what a dead one had claimed is due again when its lease is over.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use service_kit::crash_point;
use service_kit::db::{self, Db};
use service_kit::ids::Ids;
use tokio_util::sync::CancellationToken;

use super::delivery::{Channel, Delivery, Outcome};
use super::messenger::Messenger;
use super::pace::Pace;
use super::platform::Platform;
use super::store;

/// How often it is looked whether something is due, when there was nothing.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait when somebody else has taken what was due.
const RACE: Duration = Duration::from_millis(50);

/// Whom the deliveries of a channel are handed to.
#[derive(Debug, Clone)]
pub(crate) enum Outlet {
    Messenger(Messenger),
    Platform(Platform),
}

/// One channel at this process.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) db: Db,
    pub(crate) ids: Ids,
    pub(crate) channel: Channel,
    pub(crate) outlet: Outlet,
    /// Calls under way at a time.
    pub(crate) slots: usize,
    /// Deliveries that one call takes.
    pub(crate) per_call: usize,
    /// Longer than a call may take.
    pub(crate) lease_ms: i64,
}

impl Lane {
    /// Works until the stop. What is under way then is left to its lease.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut pace = Pace::default();
        let mut under_way = FuturesUnordered::new();
        loop {
            let slots = pace.slots(self.slots);
            let free = slots.saturating_sub(under_way.len());
            let wait = match free {
                // Nothing is looked for while little could be done about it: one claim for several is cheaper.
                _ if free < slots.div_ceil(4) => None,
                _ if !pace.pause().is_zero() => Some(pace.pause()),
                _ => match self.take(free, pace.is_probing()).await {
                    Ok((calls, wait)) => {
                        under_way.extend(calls.into_iter().map(|call| self.attempt(call)));
                        Some(wait)
                    }
                    Err(error) => {
                        tracing::warn!(channel = self.channel.name(), %error, "due deliveries cannot be claimed");
                        Some(LOOK)
                    }
                },
            };
            tokio::select! {
                () = stop.cancelled() => return,
                Some(outage) = under_way.next() => {
                    if let Some(pause) = pace.note(outage.is_some()) {
                        let (channel, pause_ms) = (self.channel.name(), pause.as_millis());
                        tracing::warn!(channel, problem = outage, pause_ms, "deliveries wait for the other side");
                    }
                }
                () = tokio::time::sleep(wait.unwrap_or(LOOK)), if wait.is_some() => {}
            }
        }
    }

    /// Claims and works on what is due, once; tells how many that were.
    pub(crate) async fn round(&self) -> Result<usize, db::Error> {
        let (calls, _) = self.take(self.slots, false).await?;
        let count = calls.iter().map(|(deliveries, _)| deliveries.len()).sum();
        join_all(calls.into_iter().map(|call| self.attempt(call))).await;
        Ok(count)
    }

    /// Claims what so many calls can carry, and tells how long to wait for more.
    async fn take(&self, calls: usize, is_probing: bool) -> Result<(Vec<Call>, Duration), db::Error> {
        let channel = self.channel;
        let look =
            async move |tx: &mut db::Tx<'_>| Ok::<_, db::Error>((store::next_due(tx, channel).await?, tx.now_ms()));
        let (due, now_ms) = self.db.read(look).await?;
        let wait_ms = due.map_or(i64::MAX, |due| due.saturating_sub(now_ms));
        if wait_ms > 0 {
            return Ok((Vec::new(), LOOK.min(Duration::from_millis(wait_ms.unsigned_abs()))));
        }
        let limit = if is_probing { 1 } else { calls.saturating_mul(self.per_call) };
        let (claimed, now_ms) = self.claim(limit).await?;
        let wait = match claimed.len() {
            0 => RACE,
            count if count < limit => LOOK,
            _ => Duration::ZERO,
        };
        let calls = claimed.chunks(self.per_call.max(1)).map(|part| (part.to_vec(), now_ms)).collect();
        Ok((calls, wait))
    }

    /// Claims so many due deliveries, in short transactions, and tells when.
    async fn claim(&self, limit: usize) -> Result<(Vec<Delivery>, i64), db::Error> {
        let (channel, lease_ms) = (self.channel, self.lease_ms);
        let (mut claimed, mut claimed_ms) = (Vec::new(), i64::MAX);
        while claimed.len() < limit {
            let count = (limit - claimed.len()).min(store::AT_ONCE);
            let claim = (i64::try_from(count).unwrap_or(i64::MAX), lease_ms);
            let claim = async move |tx: &mut db::Tx<'_>| Ok((store::claim(tx, channel, claim).await?, tx.now_ms()));
            let (some, now_ms): (Vec<Delivery>, i64) = match self.db.write::<_, db::Error, _>(claim).await {
                Ok(some) => some,
                Err(error) if claimed.is_empty() => return Err(error),
                Err(_) => break,
            };
            claimed_ms = claimed_ms.min(now_ms);
            let was_last = some.len() < count;
            claimed.extend(some);
            if was_last {
                break;
            }
        }
        Ok((claimed, claimed_ms))
    }

    /// Makes one call and writes what became of its deliveries. Tells what is wrong with the other side, if it is out.
    async fn attempt(&self, (deliveries, now_ms): Call) -> Option<String> {
        crash_point!("delivery.before_send", self.channel.name(), "");
        let outcomes = match &self.outlet {
            Outlet::Platform(platform) => platform.deliver(&deliveries, now_ms).await,
            Outlet::Messenger(messenger) => {
                join_all(deliveries.iter().map(|delivery| messenger.deliver(delivery, now_ms))).await
            }
        };
        crash_point!("delivery.before_settle", self.channel.name(), "");
        let outage = outcomes.iter().find_map(Outcome::outage).map(str::to_owned);
        let mut attempted = deliveries.into_iter().zip(outcomes).peekable();
        while attempted.peek().is_some() {
            let some = attempted.by_ref().take(store::AT_ONCE).collect();
            if let Err(error) = self.settle(some).await {
                let channel = self.channel.name();
                tracing::warn!(channel, %error, "what became of deliveries cannot be written; they go again");
            }
        }
        outage
    }

    /// Writes what became of some, in one transaction.
    async fn settle(&self, attempted: Arc<[(Delivery, Outcome)]>) -> Result<(), db::Error> {
        let jitter = self.ids.random();
        let settle = async move |tx: &mut db::Tx<'_>| {
            let now_ms = tx.now_ms();
            // Each has a jitter of its own, or they would all come back at once.
            let change = |place: usize, (delivery, outcome): &(Delivery, Outcome)| {
                delivery.after(outcome, now_ms, jitter.rotate_left(u32::try_from(place % 64).unwrap_or_default()))
            };
            let settled: Vec<_> =
                attempted.iter().enumerate().map(|(place, one)| (&one.0, change(place, one))).collect();
            store::settle(tx, &settled).await
        };
        self.db.write(settle).await?;
        crash_point!("delivery.after_settle", self.channel.name(), "");
        Ok(())
    }
}

/// What one call carries, and when it was claimed.
type Call = (Vec<Delivery>, i64);
