//! Starts what has ended by itself, as whoever runs services does, and counts it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::takeover::Takeovers;
use crate::who::Who;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// How often each process has ended by itself.
pub type Ended = BTreeMap<String, u64>;

/// The supervisor; clones count together.
#[derive(Debug, Clone)]
pub struct Supervisor {
    cluster: Arc<Cluster>,
    takeovers: Takeovers,
    ended: Arc<Mutex<Ended>>,
}

impl Supervisor {
    /// Nobody has ended yet.
    pub fn new(cluster: Arc<Cluster>, takeovers: Takeovers) -> Self {
        Self { cluster, takeovers, ended: Arc::default() }
    }

    /// Looks for ever.
    ///
    /// # Errors
    /// When something does not come up again.
    pub async fn run(&self) -> Result<std::convert::Infallible> {
        loop {
            self.look().await?;
            sleep(LOOK).await;
        }
    }

    /// Starts whatever does not run, and whom nobody is about to start.
    ///
    /// # Errors
    /// As [`Supervisor::run`].
    pub async fn look(&self) -> Result<()> {
        for part in self.cluster.parts() {
            let Ok(_turn) = part.turn.try_lock() else { continue };
            if part.has_ended()? {
                self.count(part.who);
                self.cluster.bring_up(part.who).await?;
                self.takeovers.born(part.who).await;
            }
        }
        Ok(())
    }

    /// The counts.
    pub fn ended(&self) -> Ended {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, who: Who) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended.entry(who.to_string()).or_default() += 1;
    }
}
