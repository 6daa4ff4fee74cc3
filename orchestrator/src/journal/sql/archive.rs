//! Sagas that ended long ago. First they are archived: their history goes, and the row stays as they ended, so that a repeat
//! of their request still finds them. Much later the row goes too, and what is left is how far back rows are complete.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::{SqlJournal, rows};
use crate::journal::Error;

const ENDED: &str = "select id, kind, plan_version from orchestrator_saga \
    where end_time < $1 and archive_time is null order by end_time, id limit $2";
const FORGET_HISTORY: &str = "delete from orchestrator_saga_event where bucket = $1 and saga_id = $2";
const ARCHIVE: &str = "update orchestrator_saga set archive_time = $3 \
    where bucket = $1 and id = $2 and end_time is not null and archive_time is null";
const OLDEST: &str = "select id, create_time from orchestrator_saga \
    where create_time < $1 and archive_time is not null order by create_time, id limit $2";
const FORGET: &str = "delete from orchestrator_saga where bucket = $1 and id = $2 and archive_time is not null";

/// A saga that ended and is not archived yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub id: Uuid,
    /// Its plan.
    pub kind: String,
    /// The plan's version.
    pub plan_version: u32,
}

impl FromRow for Ended {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let plan_version = u32::try_from(row.get::<i64>(2)?).map_err(|error| row.corrupt(2, error.to_string()))?;
        Ok(Self { id: row.get(0)?, kind: row.get(1)?, plan_version })
    }
}

impl SqlJournal {
    /// Sagas that ended before `before_ms` and are not archived, the longest ended first, this many at most.
    ///
    /// # Errors
    /// Of the store.
    pub async fn ended(&self, before_ms: i64, limit: usize) -> Result<Vec<Ended>, Error> {
        let ended = async move |tx: &mut Tx<'_>| tx.fetch_all(ENDED, args![before_ms, rows(limit)]).await;
        Ok(self.db.read(ended).await?)
    }

    /// Archives ended sagas; those that are archived already stay so.
    ///
    /// # Errors
    /// Of the store; then none of them is.
    pub async fn archive(&self, sagas: Vec<Uuid>) -> Result<(), Error> {
        let archive = async move |tx: &mut Tx<'_>| {
            let now_ms = tx.now_ms();
            let each = |id: &Uuid| {
                let bucket = tx.bucket(*id);
                let history = (FORGET_HISTORY, args![bucket, *id].to_vec());
                [history, (ARCHIVE, args![bucket, *id, now_ms].to_vec())]
            };
            let statements: Vec<_> = sagas.iter().flat_map(each).collect();
            tx.execute_each(&statements).await.map(drop)
        };
        Ok(self.db.write(archive).await?)
    }

    /// Forgets archived sagas that were accepted before `before_ms`, this many at most; tells how many.
    ///
    /// # Errors
    /// Of the store.
    pub async fn forget(&self, before_ms: i64, limit: usize) -> Result<usize, Error> {
        let forget = async move |tx: &mut Tx<'_>| {
            let oldest: Vec<(Uuid, i64)> = tx.fetch_all(OLDEST, args![before_ms, rows(limit)]).await?;
            let Some((_, last)) = oldest.last() else { return Ok::<_, db::Error>(0) };
            super::lease::forgotten(tx, last.saturating_add(1)).await?;
            let each = |(id, _): &(Uuid, i64)| (FORGET, args![tx.bucket(*id), *id].to_vec());
            let statements: Vec<_> = oldest.iter().map(each).collect();
            tx.execute_each(&statements).await?;
            Ok(oldest.len())
        };
        Ok(self.db.write(forget).await?)
    }
}
