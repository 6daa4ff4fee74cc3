//! What the service does unasked: it moves the heads of open rooms, draws the lots of shuffled prequeues, ends what has
//! lapsed, and forgets what ended long ago. Each round can be run by hand; several processes may run them, for what is due
//! is decided in the transaction that does it.

use std::sync::Arc;
use std::time::Duration;

use service_kit::db::{self, Db, Tx};
use service_kit::host::Host;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::admission;
use crate::brake::Brake;
use crate::config::Config;
use crate::events;
use crate::line::{Line, Ticker};
use crate::room::Room;
use crate::store;

mod draw;
mod purge;
mod sweep;

/// Rooms that are read at once.
const PAGE: i64 = 100;
/// Forgetting is in no hurry.
const PURGE_PERIOD: Duration = Duration::from_secs(600);
/// Ticks that a leader may miss before another process takes over.
const MISSED_TICKS: u64 = 3;

/// The rounds of one process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Jobs {
    db: Db,
    line: Arc<dyn Line>,
    config: Config,
    /// This process among those that share the database.
    owner: Uuid,
    brake: Brake,
}

impl Jobs {
    pub(crate) fn new(host: &Host, line: Arc<dyn Line>, config: Config, brake: Brake) -> Self {
        let owner = host.ids.next(host.clock.now_ms());
        Self { db: host.db.clone(), line, config, owner, brake }
    }

    /// Runs the rounds until the host stops.
    pub(crate) fn spawn(&self, host: &Host) {
        let Config { tick_period_ms, sweep_period_ms, .. } = self.config.clone();
        // A little less than the period, so that one who comes a little early is not passed over for it.
        let spacing_ms = i64::try_from(tick_period_ms - tick_period_ms / 10).unwrap_or(i64::MAX);
        let (ticks, sweeps) = (Duration::from_millis(tick_period_ms), Duration::from_millis(sweep_period_ms));
        let (jobs, stop) = (self.clone(), host.stop.clone());
        host.every(ticks, "admission tick", move || {
            let (jobs, stop) = (jobs.clone(), stop.clone());
            async move { until(&stop, jobs.admit(spacing_ms)).await }
        });
        let (jobs, stop) = (self.clone(), host.stop.clone());
        host.every(ticks, "shuffle draw", move || {
            let (jobs, stop) = (jobs.clone(), stop.clone());
            async move { until(&stop, jobs.draw()).await }
        });
        let (jobs, stop) = (self.clone(), host.stop.clone());
        host.every(sweeps, "token sweeper", move || {
            let (jobs, stop) = (jobs.clone(), stop.clone());
            async move { until(&stop, jobs.sweep()).await }
        });
        let jobs = self.clone();
        host.every(PURGE_PERIOD, "purge of tokens", move || {
            let jobs = jobs.clone();
            async move { jobs.purge().await }
        });
    }

    /// One tick: moves the head of every open room in which somebody waits, by one write for everybody in it, unless the
    /// brake is on. A room whose last tick is less than `spacing_ms` ago, or that another process moves, is left as it is.
    /// Tells also that rooms have opened or closed.
    ///
    /// # Errors
    /// The last failure; the other rooms have been served.
    pub async fn admit(&self, spacing_ms: i64) -> Result<(), db::Error> {
        let lease_ms = i64::try_from(self.config.tick_period_ms.saturating_mul(MISSED_TICKS)).unwrap_or(i64::MAX);
        let ticker = Ticker { owner: self.owner, spacing_ms, lease_ms };
        let mut result = Ok(());
        for (room, now_ms) in self.unsettled().await? {
            if room.news(now_ms).is_some() {
                result = self.tell_news(room.id).await.and(result);
            }
            if admission::is_due(&room, ticker, now_ms) && !self.brake.is_on(now_ms) {
                result = self.line.tick(&room, ticker).await.and(result);
            }
        }
        result
    }

    async fn tell_news(&self, id: Uuid) -> Result<(), db::Error> {
        let tell = async move |tx: &mut Tx<'_>| match store::lock_room(tx, id).await? {
            Some(mut room) => events::room_news(tx, &mut room).await,
            None => Ok(()),
        };
        self.db.write(tell).await
    }

    /// Every room in which something may still happen, as it was at a time.
    async fn unsettled(&self) -> Result<Vec<(Room, i64)>, db::Error> {
        self.db
            .read(async |tx| {
                let (mut rooms, mut after) = (Vec::new(), Uuid::nil());
                loop {
                    let page = store::unsettled_rooms(tx, after, PAGE).await?;
                    let Some(last) = page.last() else {
                        return Ok(rooms);
                    };
                    after = last.id;
                    rooms.extend(page.into_iter().map(|room| (room, tx.now_ms())));
                }
            })
            .await
    }
}

/// Leaves a round to the next process when this one ends: with many rooms and a Redis that does not answer, it would last.
async fn until(stop: &CancellationToken, round: impl Future<Output = Result<(), db::Error>>) -> Result<(), db::Error> {
    stop.run_until_cancelled(round).await.unwrap_or(Ok(()))
}
