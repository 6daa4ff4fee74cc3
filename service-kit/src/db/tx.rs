//! One open transaction, as a unit of work sees it: statements go to whichever engine it runs on.

use uuid::Uuid;

use super::sqlite::{self, statement};
use super::stats::Counters;
use super::{Arg, Error, FromRow, postgres};
use crate::ids;

/// One open transaction.
#[derive(Debug)]
pub struct Tx<'a> {
    pub(super) connection: Connection<'a>,
    now_ms: i64,
    aftermath: Aftermath,
    counters: &'a Counters,
}

#[derive(Debug)]
pub(super) enum Connection<'a> {
    Sqlite(&'a mut rusqlite::Connection),
    Postgres(&'a mut postgres::Session),
}

/// What is to happen once a unit of work is committed.
#[derive(Default)]
pub(super) struct Aftermath {
    pub(super) announces: bool,
    pub(super) hurries: bool,
    then: Vec<Box<dyn FnOnce() + Send>>,
}

impl Aftermath {
    /// It is committed. Tells whether that is to be announced.
    pub(super) fn run(self) -> bool {
        self.then.into_iter().for_each(|then| then());
        self.announces
    }
}

impl std::fmt::Debug for Aftermath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aftermath").field("announces", &self.announces).finish_non_exhaustive()
    }
}

impl<'a> Tx<'a> {
    pub(super) fn new(connection: Connection<'a>, now_ms: i64, counters: &'a Counters) -> Self {
        Self { connection, now_ms, aftermath: Aftermath::default(), counters }
    }

    /// What is to happen if the unit of work is kept; asked once, at its end.
    pub(super) fn aftermath(&mut self) -> Aftermath {
        std::mem::take(&mut self.aftermath)
    }
}

impl Tx<'_> {
    /// The database's time: what every expiry is judged by. It stands still within a transaction.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Says that whoever waits for announcements is to be woken when this is committed.
    pub fn announces(&mut self) {
        self.aftermath.announces = true;
    }

    /// Runs `then` once this is committed, and before whoever waits for that is answered. Not at all unless it is kept.
    pub fn after_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.aftermath.then.push(Box::new(then));
    }

    /// Says that somebody waits for this to be durable, although its own caller does not: see [`Db::ahead`](super::Db::ahead).
    pub fn hurries(&mut self) {
        self.aftermath.hurries = true;
    }

    /// The bucket that a saga's rows lie in. A file is not spread: one bucket keeps rows of the same time side by side.
    pub fn bucket(&self, saga: Uuid) -> i64 {
        match &self.connection {
            Connection::Sqlite(_) => 0,
            Connection::Postgres(_) => ids::bucket(saga),
        }
    }

    /// Runs one statement and tells how many rows it changed.
    ///
    /// # Errors
    /// As the engine reports.
    pub async fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Error> {
        self.counters.count_statements(1);
        match &mut self.connection {
            Connection::Sqlite(connection) => statement::execute(connection, sql, args),
            Connection::Postgres(session) => session.execute(sql, args).await,
        }
    }

    /// Runs statements that do not depend on each other's results, in their order, and tells how many rows each of them
    /// changed. Over a network they travel together.
    ///
    /// # Errors
    /// As the engine reports, of the first that failed.
    pub async fn execute_each(&mut self, statements: &[(&'static str, Vec<Arg<'_>>)]) -> Result<Vec<u64>, Error> {
        self.counters.count_statements(statements.len());
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                statements.iter().map(|(sql, args)| statement::execute(connection, sql, args)).collect()
            }
            Connection::Postgres(session) => session.execute_each(statements).await,
        }
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As the engine reports, or when the row cannot be read.
    pub async fn fetch_optional<T: FromRow>(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Option<T>, Error> {
        self.counters.count_statements(1);
        match &mut self.connection {
            Connection::Sqlite(connection) => statement::fetch_optional(connection, sql, args),
            Connection::Postgres(session) => Ok(session.fetch(sql, args).await?.into_iter().next()),
        }
    }

    /// All rows. The statement carries its own limit.
    ///
    /// # Errors
    /// As [`Tx::fetch_optional`].
    pub async fn fetch_all<T: FromRow>(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<T>, Error> {
        self.counters.count_statements(1);
        match &mut self.connection {
            Connection::Sqlite(connection) => statement::fetch_all(connection, sql, args),
            Connection::Postgres(session) => session.fetch(sql, args).await,
        }
    }

    /// The rows of statements that do not depend on each other's results, in their order. Over a network they travel
    /// together.
    ///
    /// # Errors
    /// As [`Tx::fetch_optional`], of the first that failed.
    pub async fn fetch_each<T: FromRow>(
        &mut self,
        statements: &[(&'static str, Vec<Arg<'_>>)],
    ) -> Result<Vec<T>, Error> {
        self.counters.count_statements(statements.len());
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                let rows = statements.iter().map(|(sql, args)| statement::fetch_all(connection, sql, args));
                Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
            }
            Connection::Postgres(session) => session.fetch_each(statements).await,
        }
    }

    /// As [`Tx::fetch_optional`], and nobody else changes the row before this transaction has ended.
    ///
    /// # Errors
    /// As [`Tx::fetch_optional`].
    pub async fn lock_optional<T: FromRow>(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Option<T>, Error> {
        Ok(self.lock_all(sql, args).await?.into_iter().next())
    }

    /// As [`Tx::fetch_all`], and nobody else changes the rows before this transaction has ended. Whoever locks several
    /// does so in one order everywhere.
    ///
    /// # Errors
    /// As [`Tx::fetch_optional`].
    pub async fn lock_all<T: FromRow>(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<T>, Error> {
        self.counters.count_statements(1);
        match &mut self.connection {
            // There is one writer.
            Connection::Sqlite(connection) => statement::fetch_all(connection, sql, args),
            Connection::Postgres(session) => session.lock(sql, args).await,
        }
    }

    /// As [`Tx::lock_all`], but rows that somebody else has locked are passed over as if they were not there: so several
    /// who take work, or seats, from one table each get other rows, and nobody waits.
    ///
    /// # Errors
    /// As [`Tx::fetch_optional`].
    pub async fn claim_all<T: FromRow>(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<T>, Error> {
        self.counters.count_statements(1);
        match &mut self.connection {
            // There is one writer.
            Connection::Sqlite(connection) => statement::fetch_all(connection, sql, args),
            Connection::Postgres(session) => session.claim(sql, args).await,
        }
    }

    /// Exactly one row, as aggregates give.
    ///
    /// # Errors
    /// As [`Tx::fetch_optional`], and when there is no row.
    pub async fn fetch_one<T: FromRow>(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<T, Error> {
        let row = self.fetch_optional(sql, args).await?;
        row.ok_or_else(|| Error::Bug("a statement that always gives a row gave none".into()))
    }

    /// Takes back everything that this unit of work has written, which may then write something else.
    ///
    /// # Errors
    /// As the engine reports.
    pub async fn restart(&mut self) -> Result<(), Error> {
        match &mut self.connection {
            Connection::Sqlite(connection) => statement::execute(connection, sqlite::RESTART, &[]).map(drop),
            Connection::Postgres(session) => session.restart().await,
        }
    }

    pub(super) async fn script(&mut self, sql: &str) -> Result<(), Error> {
        match &mut self.connection {
            Connection::Sqlite(connection) => statement::script(connection, sql),
            Connection::Postgres(session) => session.script(sql).await,
        }
    }
}
