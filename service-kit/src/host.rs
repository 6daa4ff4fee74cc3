//! What a service is given to live in: its database, time, ids, and the means to run and to end its background work.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::db::Db;
use crate::ids::Ids;
use crate::tasks::Tasks;

/// A job that was set to run all the time still lets the others run.
const SHORTEST: Duration = Duration::from_millis(10);

/// The surroundings of one service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Host {
    /// Where it keeps its tables.
    pub db: Db,
    /// The wall clock. Expiries are judged by the database's time instead ([`crate::db::Tx::now_ms`]).
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Ids,
    /// Its background work, which a shutdown waits for.
    pub tasks: Tasks,
    /// Fires when that work is to end.
    pub stop: CancellationToken,
}

impl Host {
    /// Surroundings that nothing runs in yet.
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Ids) -> Self {
        Self { db, clock, ids, tasks: Tasks::default(), stop: CancellationToken::new() }
    }

    /// Runs `round` every `period` until the stop. A round that fails or panics is logged; the next one tries again.
    pub fn every<E, F, R>(&self, period: Duration, name: &'static str, mut round: R)
    where
        E: std::fmt::Display,
        F: Future<Output = Result<(), E>> + Send,
        R: FnMut() -> F + Send + 'static,
    {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(period.max(SHORTEST))).await.is_some() {
                // A panic is in the log already.
                if let Ok(Err(error)) = AssertUnwindSafe(async { round().await }).catch_unwind().await {
                    tracing::warn!(job = name, %error, "a round of a job failed; the next one tries again");
                }
            }
        });
    }

    /// Ends the background work and waits for it.
    pub async fn shut_down(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
