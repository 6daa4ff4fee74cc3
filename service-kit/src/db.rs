//! One SQL text, whatever the engine. Stores hand their statements and arguments to a [`Tx`]; what an engine does
//! differently (pragmas, locking, group commit) stays in its own file below this one. No statement lives here.
//!
//! A unit of work is an async closure over the transaction. On SQLite every statement is ready at once, so the closure
//! runs to its end on the writer's thread and may be committed together with others.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use crate::clock::Clock;

mod migrate;
mod row;
mod sqlite;

pub use migrate::Migration;
pub use row::{Arg, FromColumn, FromRow, Row};
pub use sqlite::Stats;
use sqlite::statement;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Nothing was written, for certain. Asking again may succeed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The commit may or may not be durable; only a fresh look can tell.
    #[error("the outcome of the commit is unknown: {0}")]
    InDoubt(String),
    /// A unique key or check refused the row. Nothing was written.
    #[error("a constraint refused the row: {0}")]
    Constraint(String),
    /// A stored row cannot be read back. Nothing was written.
    #[error("column {column} of a stored row cannot be read: {problem}")]
    Corrupt {
        /// Which column of the statement, by name where the engine tells it.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The statement itself is wrong. Nothing was written.
    #[error("the statement failed: {0}")]
    Bug(String),
}

/// A handle on one database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(Arc<sqlite::Sqlite>);

impl Db {
    /// Opens the SQLite database in `directory`, creating both; locks the directory for this process.
    ///
    /// # Errors
    /// When the directory cannot be written, is in use by another process, or the file is not durable.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        sqlite::Sqlite::open(directory, clock).map(|engine| Self(Arc::new(engine)))
    }

    /// Opens an existing SQLite database for reading only, beside the process that writes it.
    ///
    /// # Errors
    /// When there is no such database.
    pub fn open_read_only(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        sqlite::Sqlite::open_read_only(directory, clock).map(|engine| Self(Arc::new(engine)))
    }

    /// A database that runs every unit of work on the caller's thread, each in a commit of its own: deterministic,
    /// for simulations and small tests. In memory when there is no directory.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub fn open_inline(directory: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        sqlite::Sqlite::open_inline(directory, clock).map(|engine| Self(Arc::new(engine)))
    }

    /// Applies the migrations of `service` that this database has not seen yet.
    ///
    /// # Errors
    /// When a statement fails, and then none of them is applied; or when the tables are newer than this program.
    pub async fn migrate(&self, service: &'static str, migrations: &'static [Migration]) -> Result<(), Error> {
        self.write(async move |tx| migrate::migrate(tx, service, migrations).await).await
    }

    /// Runs `work` and returns once what it wrote is durable. An error from `work` leaves nothing behind.
    ///
    /// # Errors
    /// The error of `work`, or why it could not be committed.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.0.write(work).await
    }

    /// Runs `work` on a consistent snapshot that holds everything that was committed before the call.
    ///
    /// # Errors
    /// The error of `work`, or why the database could not be read.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.0.read(work).await
    }

    /// Whether a commit has failed in a way that only a restart can clear up; nothing is written any more.
    pub fn is_out_of_service(&self) -> bool {
        self.0.is_out_of_service()
    }

    /// How many buckets rows of sagas are spread over: those below this number. See [`Tx::bucket`].
    pub fn buckets(&self) -> i64 {
        1
    }

    /// What the writer has done so far.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }
}

/// One open transaction.
#[derive(Debug)]
pub struct Tx<'a> {
    connection: &'a mut rusqlite::Connection,
    now_ms: i64,
}

#[expect(clippy::unused_async, reason = "an engine behind a network waits here")]
impl Tx<'_> {
    /// The database's time: what every expiry is judged by. It stands still within a transaction.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The bucket that a saga's rows lie in. A file is not spread: one bucket keeps rows of the same time side by side.
    pub fn bucket(&self, _saga: Uuid) -> i64 {
        0
    }

    /// Runs one statement and tells how many rows it changed.
    ///
    /// # Errors
    /// As the engine reports.
    pub async fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Error> {
        statement::execute(self.connection, sql, args)
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
        statement::fetch_optional(self.connection, sql, args)
    }

    /// All rows. The statement carries its own limit.
    ///
    /// # Errors
    /// As [`Tx::fetch_optional`].
    pub async fn fetch_all<T: FromRow>(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<T>, Error> {
        statement::fetch_all(self.connection, sql, args)
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
        self.execute(sqlite::RESTART, &[]).await.map(drop)
    }

    async fn script(&mut self, sql: &'static str) -> Result<(), Error> {
        statement::script(self.connection, sql)
    }
}

/// The arguments of a statement, in the order of its `$1`, `$2`, ….
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Arg::from($value)),*] };
}

/// A uuid from its 16 stored bytes.
pub(crate) fn uuid_from(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}
