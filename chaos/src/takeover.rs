//! How long the sagas of a replica that was killed or frozen wait for another owner. A replica's incarnation is learnt when
//! it has started, as the one that is new in the table; one that has begun another life since is not measured.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};

use crate::cluster::Store;
use crate::who::Who;

const NEWEST: &str = "select id from orchestrator.orchestrator_incarnation order by create_time desc limit 1";
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// What is not taken over by then is somebody else's finding.
const PATIENCE: Duration = Duration::from_secs(40);

/// Measures. Clones measure the same.
#[derive(Debug, Clone)]
pub struct Takeovers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    incarnations: Mutex<BTreeMap<Who, String>>,
    measuring: Mutex<JoinSet<Option<Takeover>>>,
}

/// One that was measured.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Takeover {
    /// What became of the owner.
    pub after: &'static str,
    /// Sagas that it owned.
    pub sagas: usize,
    /// Until it owned none any more, in seconds.
    pub seconds: f64,
}

/// An incarnation that is about to end.
#[derive(Debug)]
pub struct Watched(Option<String>);

impl Takeovers {
    /// Nothing is measured yet.
    pub fn new(store: Store) -> Self {
        let (incarnations, measuring) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { store, incarnations, measuring }))
    }

    /// A replica has just started.
    pub async fn born(&self, who: Who) {
        if !who.is_replica() {
            return;
        }
        let Some(newest) = self.first(NEWEST).await else { return };
        let mut known = self.known();
        if !known.values().any(|other| *other == newest) {
            known.insert(who, newest);
        }
    }

    /// It may begin another life from now on, which nobody is told of.
    pub fn forget(&self, who: Who) {
        self.known().remove(&who);
    }

    /// A replica is about to be hit.
    pub async fn watch(&self, who: Who) -> Watched {
        Watched(self.known().remove(&who))
    }

    /// It was hit just now.
    pub fn begin(&self, Watched(incarnation): Watched, after: &'static str) {
        let Some(incarnation) = incarnation else { return };
        let (takeovers, since) = (self.clone(), Instant::now());
        let mut measuring = self.0.measuring.lock().unwrap_or_else(PoisonError::into_inner);
        measuring.spawn(async move { takeovers.measure(&incarnation, after, since).await });
    }

    async fn measure(&self, incarnation: &str, after: &'static str, since: Instant) -> Option<Takeover> {
        let owned = format!(
            "select count(*) from orchestrator.orchestrator_saga where owner = '{incarnation}' and end_time is null"
        );
        let sagas = self.first(&owned).await?.parse().ok().filter(|sagas| *sagas > 0)?;
        while since.elapsed() < PATIENCE {
            if self.first(&owned).await.is_some_and(|left| left == "0") {
                return Some(Takeover { after, sagas, seconds: since.elapsed().as_secs_f64() });
            }
            sleep(LOOK).await;
        }
        None
    }

    /// All that were measured, once the last one is.
    pub async fn all(&self) -> Vec<Takeover> {
        let measuring = std::mem::take(&mut *self.0.measuring.lock().unwrap_or_else(PoisonError::into_inner));
        measuring.join_all().await.into_iter().flatten().collect()
    }

    /// Nothing while the database is down, or where only one could own a saga.
    async fn first(&self, sql: &str) -> Option<String> {
        let Store::Server(database) = self.0.store.clone() else { return None };
        let sql = sql.to_owned();
        spawn_blocking(move || database.lines(&sql)).await.ok()?.ok()?.into_iter().next()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Who, String>> {
        self.0.incarnations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
