//! A replica's way to the journal: it takes time, it fails before or after, and it is cut when the store is away. The
//! replica's process may stop or die at each of its awaits, so a write may land when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use orchestrator::journal::{
    Accepted, Adopted, Append, Entry, Error, Journal, LEASE, Orphans, Query, Record, Statistics,
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::dice::{mix, number, word};
use crate::faults::Kind;
use crate::mutants::Mutant;
use crate::process::Process;
use crate::store::{Store, in_doubt, unavailable};
use crate::world::{World, pause};

/// How far the copy lags behind from which a mutant reads status.
const LAG_MS: i64 = 400;
/// How long a mutant's acceptance stays in memory.
const EARLY_MS: u32 = 2;

const WRITES: &[Kind] = &[Kind::StoreBefore, Kind::StoreAfter, Kind::StoreSlow];
const READS: &[Kind] = &[Kind::StoreBefore, Kind::StoreSlow];

/// One replica's journal.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) world: Arc<World>,
    pub(crate) store: Arc<Store>,
    pub(crate) replica: u64,
    pub(crate) process: Arc<Process>,
    /// When the store is there again.
    pub(crate) away_until_ms: Arc<AtomicI64>,
    /// How far the replica's clock is off.
    pub(crate) skew_ms: Arc<AtomicI64>,
}

impl Link {
    async fn travel<T>(
        &self,
        (what, about): (&str, u64),
        kinds: &[Kind],
        apply: impl FnOnce(&Store) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let place = mix(&[word(what), about, self.replica]);
        let fault = self.world.fault(place, kinds);
        if let Some(fault) = fault {
            self.world.note(&[3, place, fault.kind as u64], || {
                format!("replica {} journal {what} {about:x}: {fault}", self.replica)
            });
        }
        pause(self.world.latency(place)).await;
        if self.world.now_ms() < self.away_until_ms.load(Ordering::Relaxed) {
            pause(50).await;
            return Err(unavailable());
        }
        match fault.map(|fault| (fault.kind, fault.ms)) {
            Some((Kind::StoreBefore, _)) => return Err(unavailable()),
            Some((Kind::StoreSlow, ms)) => pause(ms).await,
            _ => {}
        }
        let result = apply(&self.store);
        // Between the commit and the answer the process may stand still, or die.
        tokio::task::yield_now().await;
        match fault.map(|fault| fault.kind) {
            Some(Kind::StoreAfter) => Err(in_doubt()),
            _ => result,
        }
    }

    /// The time by which leases are judged.
    fn lease_time(&self) -> i64 {
        let skew_ms = if self.world.is(Mutant::LocalLeases) { self.skew_ms.load(Ordering::Relaxed) } else { 0 };
        self.world.now_ms() + skew_ms
    }

    /// What a caller is told of a saga.
    pub(crate) async fn status(&self, id: Uuid) -> Result<Option<Record>, Error> {
        let is_stale = self.world.is(Mutant::StaleStatus);
        let read = |store: &Store| Ok(if is_stale { store.load_as_of(id, LAG_MS) } else { store.load(id) });
        self.travel(("status", number(id)), READS, read).await
    }

    /// A mutant's acceptance, which a crash within a moment takes back.
    fn accept_early(&self, first: Append) -> Accepted {
        if let Some(known) = self.store.load(first.next.id) {
            return Accepted::Existing(Box::new(known));
        }
        let (store, dice) = (self.store.clone(), self.world.number(&[word("early"), number(first.next.id)]));
        // It dies in this very moment, and has promised what is not there.
        if dice.is_multiple_of(16) {
            self.process.die_in(4);
            return Accepted::New;
        }
        self.world.later(EARLY_MS, async move { drop(store.accept(first)) });
        Accepted::New
    }
}

#[async_trait]
impl Journal for Link {
    fn lease(&self) -> Option<Duration> {
        Some(LEASE)
    }

    async fn register(&self, incarnation: Uuid) -> Result<(), Error> {
        let now = || self.lease_time();
        let register = |store: &Store| {
            store.register(incarnation, now());
            Ok(())
        };
        self.travel(("register", 0), WRITES, register).await
    }

    async fn renew(&self, incarnation: Uuid) -> Result<bool, Error> {
        let now = || self.lease_time();
        self.travel(("renew", 0), WRITES, |store| Ok(store.renew(incarnation, now()))).await
    }

    async fn release(&self, incarnation: Uuid) -> Result<(), Error> {
        let release = |store: &Store| {
            store.release(incarnation);
            Ok(())
        };
        self.travel(("release", 0), WRITES, release).await
    }

    async fn is_eldest(&self, _: Uuid) -> Result<bool, Error> {
        Ok(false)
    }

    /// What travels back is durable.
    async fn settled(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn accept(&self, first: Append) -> Result<Accepted, Error> {
        if self.world.is(Mutant::EarlyAck) {
            return Ok(self.accept_early(first));
        }
        self.travel(("accept", number(first.next.id)), WRITES, |store| Ok(store.accept(first))).await
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        self.travel(("append", number(append.next.id)), WRITES, |store| store.append(append)).await
    }

    async fn adopt(&self, owner: Uuid, orphans: Orphans) -> Result<Vec<Adopted>, Error> {
        let about = match orphans {
            Orphans::Any(_) => 0,
            Orphans::One(id) => number(id),
        };
        let now = || self.lease_time();
        self.travel(("adopt", about), WRITES, |store| Ok(store.adopt(owner, orphans, now()))).await
    }

    /// No saga here fails its task or its plan.
    async fn park(&self, _: Uuid, _: &str) -> Result<bool, Error> {
        Ok(false)
    }

    async fn load(&self, id: Uuid) -> Result<Option<Record>, Error> {
        self.travel(("load", number(id)), READS, |store| Ok(store.load(id))).await
    }

    async fn list(&self, _: &Query) -> Result<Vec<Record>, Error> {
        Err(unavailable())
    }

    async fn history(&self, _: Uuid, _: (i64, i64), _: usize) -> Result<Vec<Entry>, Error> {
        Err(unavailable())
    }

    async fn owned(&self, owner: Uuid, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, Error> {
        self.travel(("owned", 0), READS, |store| Ok(store.owned(owner, after, limit))).await
    }

    async fn statistics(&self, _: i64) -> Result<Statistics, Error> {
        Err(unavailable())
    }

    fn watch(&self, _: Uuid) -> watch::Receiver<Option<Arc<Record>>> {
        watch::channel(None).1
    }
}
