//! A journal that dies: before or after its n-th write nothing gets through any more, as if the process were gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator::journal::{Accepted, Adopted, Append, Entry, Error, Journal, Orphans, Query, Record, Statistics};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// When the process dies, counting the writes from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// Just before this write.
    Before(usize),
    /// Just after this write, which is durable, and before anybody hears of it.
    After(usize),
    /// Never.
    Never,
}

/// A journal of a process that may die.
#[derive(Debug)]
pub struct Crashing {
    inner: Arc<dyn Journal>,
    point: CrashPoint,
    writes: AtomicUsize,
    /// Fires when the process dies.
    pub dead: CancellationToken,
}

impl Crashing {
    /// `inner`, until `point`.
    pub fn new(inner: Arc<dyn Journal>, point: CrashPoint) -> Self {
        Self { inner, point, writes: AtomicUsize::new(0), dead: CancellationToken::new() }
    }

    /// How many writes there were.
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// One write, at which the process may die.
    async fn write<T>(&self, write: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.alive().await;
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.point == CrashPoint::Before(number) {
            self.die().await;
        }
        let result = write.await;
        if self.point == CrashPoint::After(number) {
            self.die().await;
        }
        self.alive().await;
        result
    }

    /// A dead process hears nothing.
    async fn alive(&self) {
        if self.dead.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }

    async fn die(&self) {
        self.dead.cancel();
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl Journal for Crashing {
    fn lease(&self) -> Option<Duration> {
        self.inner.lease()
    }

    async fn renew(&self, incarnation: Uuid) -> Result<bool, Error> {
        self.alive().await;
        self.inner.renew(incarnation).await
    }

    async fn register(&self, incarnation: Uuid) -> Result<(), Error> {
        self.inner.register(incarnation).await
    }

    async fn release(&self, incarnation: Uuid) -> Result<(), Error> {
        self.inner.release(incarnation).await
    }

    async fn is_eldest(&self, incarnation: Uuid) -> Result<bool, Error> {
        self.inner.is_eldest(incarnation).await
    }

    async fn settled(&self) -> Result<(), Error> {
        self.inner.settled().await
    }

    async fn accept(&self, first: Append) -> Result<Accepted, Error> {
        self.write(self.inner.accept(first)).await
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        self.write(self.inner.append(append)).await
    }

    async fn adopt(&self, owner: Uuid, orphans: Orphans) -> Result<Vec<Adopted>, Error> {
        self.alive().await;
        self.inner.adopt(owner, orphans).await
    }

    async fn park(&self, id: Uuid, problem: &str) -> Result<bool, Error> {
        self.alive().await;
        self.inner.park(id, problem).await
    }

    async fn load(&self, id: Uuid) -> Result<Option<Record>, Error> {
        self.alive().await;
        self.inner.load(id).await
    }

    async fn list(&self, query: &Query) -> Result<Vec<Record>, Error> {
        self.alive().await;
        self.inner.list(query).await
    }

    async fn history(&self, id: Uuid, after: (i64, i64), limit: usize) -> Result<Vec<Entry>, Error> {
        self.alive().await;
        self.inner.history(id, after, limit).await
    }

    async fn owned(&self, owner: Uuid, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, Error> {
        self.alive().await;
        self.inner.owned(owner, after, limit).await
    }

    async fn statistics(&self, since_ms: i64) -> Result<Statistics, Error> {
        self.alive().await;
        self.inner.statistics(since_ms).await
    }

    fn watch(&self, id: Uuid) -> watch::Receiver<Option<Arc<Record>>> {
        self.inner.watch(id)
    }
}

/// Dies before and after each write in turn, from the write `first` on, until an orchestrator lives to the end; tells how
/// often one died. `die_at` tells whether it died at its point.
pub async fn die_everywhere(first: usize, die_at: impl AsyncFn(CrashPoint) -> bool) -> usize {
    let mut deaths = 0;
    for write in first.. {
        if !(die_at(CrashPoint::Before(write)).await) {
            break;
        }
        assert!(die_at(CrashPoint::After(write)).await);
        deaths += 2;
    }
    deaths
}
