//! The journal over SQL. One saga is one row, and a move is one conditional statement on it; its history and its events
//! follow in the same transaction. Rows are encoded and decoded before and after, so that the writer only binds.
//!
//! The statements of a saga's row stand in `row.rs`, those of its history in `history.rs`, of pages in `page.rs`.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use service_kit::args;
use service_kit::db::{Db, Tx};
use service_kit::outbox::Outbox;
use tokio::sync::watch;
use uuid::Uuid;

use super::hub::Hub;
use super::{Accepted, Adopted, Append, Entry, Error, Journal, Orphans, Query, Record, Statistics};
use crate::plans::Plans;

mod archive;
mod group;
mod history;
mod lease;
#[cfg(test)]
mod lint;
mod page;
mod park;
mod row;
mod statistics;
mod word;

pub use archive::Ended;
use group::Group;
use row::{Known, Write};
use word::Word;

const OUTBOX: Outbox = service_kit::outbox!("orchestrator");

const OWNED: &str = "select id from orchestrator_saga where owner = $1 and id > $2 and end_time is null \
    and state <> 'suspended' order by id limit $3";

/// A journal in the tables of the orchestrator, which must have been migrated.
#[derive(Debug)]
pub struct SqlJournal {
    db: Db,
    hub: Arc<Hub>,
    group: Group,
    /// How long incarnations live; none where this process alone holds the database.
    lease: Option<Duration>,
    /// What is adopted from the dead: `|kind version|` of each plan, or all when it is empty.
    plans: Arc<str>,
}

impl SqlJournal {
    /// A journal in `db`, whose incarnations live for `lease` where several processes share it.
    pub fn new(db: Db, lease: Duration) -> Self {
        let hub = Arc::default();
        let group = Group::new(&db, Word::new(&db, &hub), &hub);
        let lease = Some(lease).filter(|_| !db.is_exclusive());
        Self { db, hub, group, lease, plans: Arc::from("") }
    }

    /// The same, that is ahead of its database's commits: all that follows from its moves is written to the same log.
    #[must_use]
    pub fn ahead(self) -> Self {
        Self { group: self.group.ahead(), ..self }
    }

    /// The same, that adopts only sagas of these plans from the dead. Those of another build wait for one that knows them;
    /// whoever lives would keep them from it.
    #[must_use]
    pub fn adopting(self, plans: &Plans) -> Self {
        Self { plans: plans.names().into(), ..self }
    }

    /// The same with leases whatever the database says: for a simulation of several orchestrators in one process.
    pub fn shared(db: Db, lease: Duration) -> Self {
        Self { lease: Some(lease), ..Self::new(db, lease) }
    }

    /// The buckets that this database holds for ever: `wanted`, if it was never given any.
    ///
    /// # Errors
    /// Of the store.
    pub async fn buckets(&self, wanted: RangeInclusive<i64>) -> Result<RangeInclusive<i64>, Error> {
        Ok(self.db.write(async move |tx| lease::buckets(tx, wanted).await).await?)
    }

    /// The open sagas of owners who live no more, as they stand, by owner.
    async fn orphans(&self, owner: Uuid, limit: usize) -> Result<Vec<Known>, Error> {
        let plans = self.plans.clone();
        let find = async move |tx: &mut Tx<'_>| {
            let mut orphans = Vec::new();
            for dead in lease::dead_owners(tx, owner).await? {
                orphans.extend(row::open_of(tx, dead, (&plans, limit - orphans.len())).await?);
                if orphans.len() >= limit {
                    break;
                }
            }
            Ok(orphans)
        };
        self.db.read(find).await
    }
}

#[async_trait]
impl Journal for SqlJournal {
    fn lease(&self) -> Option<Duration> {
        self.lease
    }

    async fn register(&self, incarnation: Uuid) -> Result<(), Error> {
        let lease = self.lease;
        Ok(self.db.write(async move |tx| lease::register(tx, incarnation, lease).await).await?)
    }

    async fn renew(&self, incarnation: Uuid) -> Result<bool, Error> {
        let Some(lease) = self.lease else {
            return Ok(true);
        };
        Ok(self.db.write(async move |tx| lease::renew(tx, incarnation, lease).await).await?)
    }

    async fn release(&self, incarnation: Uuid) -> Result<(), Error> {
        Ok(self.db.write(async move |tx| lease::release(tx, incarnation).await).await?)
    }

    async fn is_eldest(&self, incarnation: Uuid) -> Result<bool, Error> {
        Ok(self.db.read(async move |tx| lease::is_eldest(tx, incarnation).await).await?)
    }

    async fn accept(&self, first: Append) -> Result<Accepted, Error> {
        let id = first.next.id;
        if self.group.write(Write::first(first)?).await? {
            return Ok(Accepted::New);
        }
        let existing = self.load(id).await?.ok_or(Error::Fenced)?;
        Ok(Accepted::Existing(Box::new(existing)))
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        if self.group.write(Write::later(append)?).await? { Ok(()) } else { Err(Error::Fenced) }
    }

    async fn adopt(&self, owner: Uuid, orphans: Orphans) -> Result<Vec<Adopted>, Error> {
        let adopted = match orphans {
            Orphans::One(id) => self.db.write(async move |tx| row::adopt_one(tx, id, owner).await).await?,
            Orphans::Any(limit) => {
                let known = Arc::new(self.orphans(owner, limit).await?);
                if known.is_empty() {
                    return Ok(Vec::new());
                }
                self.db.write(async move |tx| row::adopt(tx, &known, owner).await).await?
            }
        };
        for adopted in &adopted {
            if let Adopted::Saga(record) = adopted {
                self.hub.feed(&Arc::new(Record::clone(record)));
            }
        }
        Ok(adopted)
    }

    async fn park(&self, id: Uuid, problem: &str) -> Result<bool, Error> {
        let problem = problem.to_owned();
        Ok(self.db.write(async move |tx| park::park(tx, id, &problem).await).await?)
    }

    async fn settled(&self) -> Result<(), Error> {
        Ok(self.db.settled().await?)
    }

    async fn load(&self, id: Uuid) -> Result<Option<Record>, Error> {
        self.db.settled().await?;
        self.db.read(async move |tx| row::load(tx, id).await).await
    }

    async fn list(&self, query: &Query) -> Result<Vec<Record>, Error> {
        page::list(&self.db, query).await
    }

    async fn history(&self, id: Uuid, after: (i64, i64), limit: usize) -> Result<Vec<Entry>, Error> {
        self.db.read(async move |tx| history::page(tx, id, after, limit).await).await
    }

    async fn owned(&self, owner: Uuid, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, Error> {
        let after = after.unwrap_or_default();
        let owned = async move |tx: &mut Tx<'_>| tx.fetch_all(OWNED, args![owner, after, rows(limit)]).await;
        let ids: Vec<(Uuid,)> = self.db.read(owned).await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    async fn statistics(&self, since_ms: i64) -> Result<Statistics, Error> {
        statistics::fetch(&self.db, since_ms).await
    }

    fn watch(&self, id: Uuid) -> watch::Receiver<Option<Arc<Record>>> {
        self.hub.watch(id)
    }
}

/// A limit as statements take it.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
