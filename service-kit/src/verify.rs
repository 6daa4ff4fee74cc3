//! Rules that a service's tables must keep at every moment, each with the statement that looks for rows that break it.
//! Each service lists its own; whoever verifies a database runs them on a snapshot. Rules that span services are not
//! here: they are judged from facts that the services hand out.

use uuid::Uuid;

use crate::args;
use crate::barrier::State;
use crate::db::{self, FromRow, Row, Tx};

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its short name, unique among all services: `P3`.
    pub id: &'static str,
    /// What must hold, for people.
    pub rule: &'static str,
    /// Selects what breaks the rule, a few rows at most: the row's uuid or null, and a text that says what is wrong.
    pub sql: &'static str,
}

/// Something that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The row at fault, where there is one.
    pub row: Option<Uuid>,
    /// What is wrong with it.
    pub problem: String,
}

impl FromRow for Finding {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { row: row.get(0)?, problem: row.get(1)? })
    }
}

impl Check {
    /// What breaks the rule: nothing, as long as it holds.
    ///
    /// # Errors
    /// Of the store.
    pub async fn findings(&self, tx: &mut Tx<'_>) -> Result<Vec<Finding>, db::Error> {
        tx.fetch_all(self.sql, &[]).await
    }
}

/// What a participant has kept of one step of a saga.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The aggregate beside which it is kept.
    pub aggregate: Uuid,
    /// The saga.
    pub saga: Uuid,
    /// The id of the step.
    pub step: String,
    /// What became of it.
    pub state: State,
    /// The epoch of whoever sent the message that came first.
    pub epoch: i64,
    /// When that came.
    pub create_time: i64,
}

impl FromRow for Operation {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            aggregate: row.get(0)?,
            saga: row.get(1)?,
            step: row.get(2)?,
            state: State::read(row, 3)?,
            epoch: row.get(4)?,
            create_time: row.get(5)?,
        })
    }
}

/// The statement of [`operations`] for the service whose tables start with the given prefix.
#[macro_export]
macro_rules! operations_of {
    ($prefix:literal) => {
        concat!(
            "select aggregate_id, saga_id, step, state, epoch, create_time from ",
            $prefix,
            "_saga_op where (aggregate_id, saga_id, step) > ($1, $2, $3) order by aggregate_id, saga_id, step limit $4"
        )
    };
}

/// Reads everything that a participant has kept of the steps of sagas. `select` is made by
/// [`operations_of!`](crate::operations_of!).
///
/// # Errors
/// Of the store.
pub async fn operations(tx: &mut Tx<'_>, select: &'static str) -> Result<Vec<Operation>, db::Error> {
    const PAGE: i64 = 2_000;
    let mut all: Vec<Operation> = Vec::new();
    loop {
        let nothing = String::new();
        let (aggregate, saga, step) =
            all.last().map_or((Uuid::nil(), Uuid::nil(), &nothing), |last| (last.aggregate, last.saga, &last.step));
        let page: Vec<Operation> = tx.fetch_all(select, args![aggregate, saga, step, PAGE]).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// An event that a service has written for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its id, also for consumers.
    pub id: Uuid,
    /// Its type.
    pub kind: String,
    /// When.
    pub create_time: i64,
    /// Whether every sink has taken it, or will.
    pub is_published: bool,
}

impl FromRow for Written {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let publish_time: Option<i64> = row.get(3)?;
        Ok(Self { id: row.get(0)?, kind: row.get(1)?, create_time: row.get(2)?, is_published: publish_time.is_some() })
    }
}

/// The statement for all of them, of the service whose tables start with the given prefix.
#[macro_export]
macro_rules! written_by {
    ($prefix:literal) => {
        concat!(
            "select id, type, create_time, publish_time from ",
            $prefix,
            "_outbox where id > $1 order by id limit $2"
        )
    };
}

/// Reads all events that a service has written and not forgotten. `select` is made by
/// [`written_by!`](crate::written_by!).
///
/// # Errors
/// Of the store.
pub async fn written(tx: &mut Tx<'_>, select: &'static str) -> Result<Vec<Written>, db::Error> {
    const PAGE: i64 = 2_000;
    let mut all: Vec<Written> = Vec::new();
    loop {
        let after = all.last().map_or(Uuid::nil(), |last| last.id);
        let page: Vec<Written> = tx.fetch_all(select, args![after, PAGE]).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
