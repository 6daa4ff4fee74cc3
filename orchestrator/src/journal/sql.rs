//! The journal over SQL. One saga is one row, and a move is one conditional statement on it; its history and its events
//! follow in the same transaction. Rows are encoded and decoded before and after, so that the writer only binds.
//!
//! The statements of a saga's row stand in `row.rs`, those of its history in `history.rs`, of pages in `page.rs`.

use std::sync::Arc;

use async_trait::async_trait;
use service_kit::args;
use service_kit::db::{self, Db, Tx};
use service_kit::outbox::Outbox;
use tokio::sync::watch;
use uuid::Uuid;

use super::hub::Hub;
use super::{Accepted, Adopted, Append, Entry, Error, Journal, Orphans, Query, Record};

mod history;
mod page;
mod row;

use row::Write;

const OUTBOX: Outbox = service_kit::outbox!("orchestrator");

/// A database whose lock this process holds has no other living owner of sagas.
const VOID_ALL: &str = "delete from orchestrator_incarnation";
const REGISTER: &str = "insert into orchestrator_incarnation (id, create_time) values ($1, $2)";
const RELEASE: &str = "delete from orchestrator_incarnation where id = $1";

/// The caller's own are never orphans, so that adopting comes to an end even if the caller's lease has not.
const ORPHANS: &str = "select id from orchestrator_saga where end_time is null and problem is null and owner <> $1 \
    and owner not in (select id from orchestrator_incarnation) order by owner, id limit $2";
const OWNED: &str = "select id from orchestrator_saga where owner = $1 and id > $2 and end_time is null \
    and state <> 'suspended' order by id limit $3";

/// A journal in the tables of the orchestrator, which must have been migrated.
#[derive(Debug)]
pub struct SqlJournal {
    db: Db,
    hub: Hub,
}

impl SqlJournal {
    /// A journal in `db`.
    pub fn new(db: Db) -> Self {
        Self { db, hub: Hub::default() }
    }

    async fn ids<F>(&self, work: F) -> Result<Vec<Uuid>, Error>
    where
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<Vec<(Uuid,)>, db::Error> + Clone + Send + 'static,
    {
        let ids = self.db.read(work).await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }
}

#[async_trait]
impl Journal for SqlJournal {
    async fn register(&self, incarnation: Uuid) -> Result<(), Error> {
        self.db
            .write(async move |tx| {
                let now_ms = tx.now_ms();
                tx.execute(VOID_ALL, &[]).await?;
                tx.execute(REGISTER, args![incarnation, now_ms]).await?;
                Ok(())
            })
            .await
    }

    async fn release(&self, incarnation: Uuid) -> Result<(), Error> {
        self.db
            .write(async move |tx| {
                tx.execute(RELEASE, args![incarnation]).await?;
                Ok(())
            })
            .await
    }

    async fn accept(&self, first: Append) -> Result<Accepted, Error> {
        let next = first.next.clone();
        let write = Arc::new(Write::encode(first)?);
        let work = async move |tx: &mut Tx<'_>| {
            let new = write.insert(tx).await?;
            if new {
                write.follow_up(tx).await?;
            }
            Ok::<_, Error>(new)
        };
        if self.db.write(work).await? {
            self.hub.feed(&next);
            return Ok(Accepted::New);
        }
        let existing = self.load(next.id).await?.ok_or(Error::Fenced)?;
        Ok(Accepted::Existing(Box::new(existing)))
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        let next = append.next.clone();
        let write = Arc::new(Write::encode(append)?);
        let work = async move |tx: &mut Tx<'_>| {
            if !write.update(tx).await? {
                return Err(Error::Fenced);
            }
            write.follow_up(tx).await
        };
        self.db.write(work).await?;
        self.hub.feed(&next);
        Ok(())
    }

    async fn adopt(&self, owner: Uuid, orphans: Orphans) -> Result<Vec<Adopted>, Error> {
        let ids = match orphans {
            Orphans::One(id) => vec![id],
            Orphans::Any(limit) => {
                let orphans = async move |tx: &mut Tx<'_>| tx.fetch_all(ORPHANS, args![owner, rows(limit)]).await;
                self.ids(orphans).await?
            }
        };
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let work = async move |tx: &mut Tx<'_>| {
            let mut adopted = Vec::with_capacity(ids.len());
            for id in ids {
                adopted.extend(row::adopt(tx, id, owner, orphans).await?);
            }
            Ok::<_, Error>(adopted)
        };
        let adopted = self.db.write(work).await?;
        for adopted in &adopted {
            if let Adopted::Saga(record) = adopted {
                self.hub.feed(&Arc::new(Record::clone(record)));
            }
        }
        Ok(adopted)
    }

    async fn load(&self, id: Uuid) -> Result<Option<Record>, Error> {
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
        self.ids(owned).await
    }

    fn watch(&self, id: Uuid) -> watch::Receiver<Option<Arc<Record>>> {
        self.hub.watch(id)
    }
}

/// A limit as statements take it.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
