//! A journal in memory that answers as it is told to.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator::journal::{
    Accepted, Adopted, Append, Entry, Error, Journal, MemoryJournal, Orphans, Query, Record, Statistics,
};
use tokio::sync::watch;
use uuid::Uuid;

/// What is to come of an append.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It does not land, and this is answered.
    Fails(Error),
    /// It lands, and this is answered all the same.
    LandsAnd(Error),
    /// Another process takes the saga first.
    ComesTooLate,
}

/// What is to come of a renewal.
#[derive(Debug)]
pub(crate) enum Renewal {
    Hangs,
    Refused,
    Fails(Error),
}

/// What a reader finds instead of what is there.
#[derive(Debug)]
pub(crate) enum Sight {
    Error(Error),
    /// The saga, so many versions on.
    Ahead(i64),
    Nothing,
}

/// Whoever takes a saga in between.
pub(crate) const STRANGER: Uuid = Uuid::from_u128(0x5);

#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) memory: MemoryJournal,
    pub(crate) appends: Mutex<VecDeque<Fate>>,
    pub(crate) renewals: Mutex<VecDeque<Renewal>>,
    pub(crate) loads: Mutex<VecDeque<Sight>>,
    pub(crate) registered: Mutex<Vec<Uuid>>,
    pub(crate) adoptions: AtomicUsize,
}

impl Told {
    pub(crate) fn over(memory: MemoryJournal) -> Arc<Self> {
        let (appends, renewals, loads, registered) = Default::default();
        Arc::new(Self { memory, appends, renewals, loads, registered, adoptions: AtomicUsize::new(0) })
    }

    pub(crate) fn lives(&self) -> usize {
        self.registered.lock().unwrap().len()
    }
}

#[async_trait]
impl Journal for Told {
    fn lease(&self) -> Option<Duration> {
        self.memory.lease()
    }

    async fn renew(&self, incarnation: Uuid) -> Result<bool, Error> {
        let renewal = self.renewals.lock().unwrap().pop_front();
        match renewal {
            Some(Renewal::Hangs) => std::future::pending().await,
            Some(Renewal::Refused) => Ok(false),
            Some(Renewal::Fails(error)) => Err(error),
            None => self.memory.renew(incarnation).await,
        }
    }

    async fn register(&self, incarnation: Uuid) -> Result<(), Error> {
        self.registered.lock().unwrap().push(incarnation);
        self.memory.register(incarnation).await
    }

    async fn release(&self, incarnation: Uuid) -> Result<(), Error> {
        self.memory.release(incarnation).await
    }

    async fn is_eldest(&self, incarnation: Uuid) -> Result<bool, Error> {
        self.memory.is_eldest(incarnation).await
    }

    async fn settled(&self) -> Result<(), Error> {
        self.memory.settled().await
    }

    async fn accept(&self, first: Append) -> Result<Accepted, Error> {
        self.memory.accept(first).await
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        let fate = self.appends.lock().unwrap().pop_front();
        match fate {
            Some(Fate::Fails(error)) => Err(error),
            Some(Fate::LandsAnd(error)) => self.memory.append(append).await.and(Err(error)),
            Some(Fate::ComesTooLate) => {
                self.memory.adopt(STRANGER, Orphans::One(append.next.id)).await?;
                self.memory.append(append).await
            }
            None => self.memory.append(append).await,
        }
    }

    async fn adopt(&self, owner: Uuid, orphans: Orphans) -> Result<Vec<Adopted>, Error> {
        let adopted = self.memory.adopt(owner, orphans).await?;
        self.adoptions.fetch_add(adopted.len(), Ordering::SeqCst);
        Ok(adopted)
    }

    async fn park(&self, id: Uuid, problem: &str) -> Result<bool, Error> {
        self.memory.park(id, problem).await
    }

    async fn load(&self, id: Uuid) -> Result<Option<Record>, Error> {
        let sight = self.loads.lock().unwrap().pop_front();
        match sight {
            Some(Sight::Error(error)) => Err(error),
            Some(Sight::Nothing) => Ok(None),
            Some(Sight::Ahead(by)) => {
                let record = self.memory.load(id).await?;
                Ok(record.map(|record| Record { version: record.version + by, ..record }))
            }
            None => self.memory.load(id).await,
        }
    }

    async fn list(&self, query: &Query) -> Result<Vec<Record>, Error> {
        self.memory.list(query).await
    }

    async fn history(&self, id: Uuid, after: (i64, i64), limit: usize) -> Result<Vec<Entry>, Error> {
        self.memory.history(id, after, limit).await
    }

    async fn owned(&self, owner: Uuid, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, Error> {
        self.memory.owned(owner, after, limit).await
    }

    async fn statistics(&self, since_ms: i64) -> Result<Statistics, Error> {
        self.memory.statistics(since_ms).await
    }

    fn watch(&self, id: Uuid) -> watch::Receiver<Option<Arc<Record>>> {
        self.memory.watch(id)
    }
}
