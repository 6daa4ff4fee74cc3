//! One SQL text, whatever the engine. Stores hand their statements and arguments to a [`Tx`]; what an engine does
//! differently (pragmas, locking, group commit) stays in its own file below this one. No statement lives here.
//!
//! A unit of work is an async closure over the transaction. It runs on the engine's own thread and may be committed
//! together with others. On PostgreSQL it runs beside the units of other connections and processes (READ COMMITTED), and
//! runs again when its transaction was taken back for certain; so it is `Clone` and changes nothing but the database.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::clock::Clock;
use crate::ids;

mod append_only;
mod error;
mod migrate;
mod postgres;
mod queue;
mod row;
mod sqlite;
mod stats;

pub use error::Error;
pub use migrate::Migration;
use postgres::Time;
pub use postgres::{Durability, Postgres};
pub use row::{Arg, FromColumn, FromRow, Row, Value};
use sqlite::statement;
use stats::Counters;
pub use stats::Stats;

/// A handle on one database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(Engine);

#[derive(Debug, Clone)]
enum Engine {
    Sqlite(Arc<sqlite::Sqlite>),
    Postgres(Arc<postgres::Pool>),
}

impl Db {
    /// Opens the SQLite database in `directory`, creating both; locks the directory for this process.
    ///
    /// # Errors
    /// When the directory cannot be written, is in use by another process, or the file is not durable.
    pub fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        sqlite::Sqlite::open(directory, clock).map(Self::sqlite)
    }

    /// Opens an existing SQLite database for reading only, beside the process that writes it.
    ///
    /// # Errors
    /// When there is no such database.
    pub fn open_read_only(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        sqlite::Sqlite::open_read_only(directory, clock).map(Self::sqlite)
    }

    /// A database that runs every unit of work on the caller's thread, each in a commit of its own: deterministic,
    /// for simulations and small tests. In memory when there is no directory.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub fn open_inline(directory: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        sqlite::Sqlite::open_inline(directory, clock).map(Self::sqlite)
    }

    /// Connects to a PostgreSQL server, whose clock is then the time of every transaction.
    ///
    /// # Errors
    /// When it cannot be reached, takes no writes, or does not keep what it acknowledges.
    pub async fn connect(options: &Postgres) -> Result<Self, Error> {
        postgres::Pool::connect(options, Time::Server).await.map(|pool| Self(Engine::Postgres(Arc::new(pool))))
    }

    /// The same for tests: transactions go by `clock`.
    ///
    /// # Errors
    /// As [`Db::connect`].
    pub async fn connect_at(options: &Postgres, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        postgres::Pool::connect(options, Time::Given(clock)).await.map(|pool| Self(Engine::Postgres(Arc::new(pool))))
    }

    /// The same for tests whose time is paused: a caller's thread waits for the server without letting its runtime go on.
    ///
    /// # Errors
    /// As [`Db::connect`].
    pub async fn connect_inline(options: &Postgres, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        postgres::Pool::connect(options, Time::Inline(clock)).await.map(|pool| Self(Engine::Postgres(Arc::new(pool))))
    }

    /// Applies the migrations of `service` that this database has not seen yet, and tells their names.
    ///
    /// # Errors
    /// When a statement fails, and then its migration is not applied; or when the tables are newer than this program.
    pub async fn migrate(
        &self,
        service: &'static str,
        migrations: &'static [Migration],
    ) -> Result<Vec<&'static str>, Error> {
        match &self.0 {
            Engine::Sqlite(_) => self.write(async move |tx| migrate::all(tx, service, migrations).await).await,
            Engine::Postgres(pool) => migrate::one_by_one(self, pool.schema(), service, migrations).await,
        }
    }

    /// Runs `work` and returns once what it wrote is durable. An error from `work` leaves nothing behind.
    ///
    /// # Errors
    /// The error of `work`, or why it could not be committed.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone + Send + 'static,
    {
        match &self.0 {
            Engine::Sqlite(engine) => engine.write(work).await,
            Engine::Postgres(pool) => pool.write(work).await,
        }
    }

    /// Runs `work` on a consistent snapshot that holds everything that was committed before the call.
    ///
    /// # Errors
    /// The error of `work`, or why the database could not be read.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone + Send + 'static,
    {
        match &self.0 {
            Engine::Sqlite(engine) => engine.read(work).await,
            Engine::Postgres(pool) => pool.read(work).await,
        }
    }

    /// Whether a commit has failed in a way that only a restart can clear up; nothing is written any more.
    pub fn is_out_of_service(&self) -> bool {
        match &self.0 {
            Engine::Sqlite(engine) => engine.is_out_of_service(),
            // The server itself finds out what its disk holds.
            Engine::Postgres(_) => false,
        }
    }

    /// How many buckets rows of sagas are spread over: those below this number. See [`Tx::bucket`].
    pub fn buckets(&self) -> i64 {
        match &self.0 {
            Engine::Sqlite(_) => 1,
            Engine::Postgres(_) => ids::BUCKETS,
        }
    }

    /// Whether no other process can write to this database while this one has it open.
    pub fn is_exclusive(&self) -> bool {
        matches!(&self.0, Engine::Sqlite(_))
    }

    /// A channel to all processes that use this database and schema; none where there are no others. Its background work
    /// ends when nobody can say anything any more.
    pub fn hints(&self) -> Option<Hints> {
        match &self.0 {
            Engine::Sqlite(_) => None,
            Engine::Postgres(pool) => pool.hints(),
        }
    }

    /// Changes after each commit through this handle that announced something, of whichever service. Commits of other
    /// processes are not heard of.
    pub fn announcements(&self) -> watch::Receiver<()> {
        match &self.0 {
            Engine::Sqlite(engine) => engine.announcements(),
            Engine::Postgres(pool) => pool.announcements(),
        }
    }

    /// What has been written through this handle so far.
    pub fn stats(&self) -> Stats {
        match &self.0 {
            Engine::Sqlite(engine) => engine.stats(),
            Engine::Postgres(pool) => pool.stats(),
        }
    }

    /// How many statements units of work have run through this handle so far, those included that only read or were taken
    /// back. What the engine adds by itself (begin, savepoint, commit) is not counted.
    pub fn statements(&self) -> u64 {
        match &self.0 {
            Engine::Sqlite(engine) => engine.statements(),
            Engine::Postgres(pool) => pool.statements(),
        }
    }

    fn sqlite(engine: sqlite::Sqlite) -> Self {
        Self(Engine::Sqlite(Arc::new(engine)))
    }
}

/// Word from process to process, at once when all is well; some may get lost, so whoever needs to know also looks.
#[derive(Debug)]
pub struct Hints {
    /// Tells the others, who do not hear what they said themselves. At most 8,000 bytes.
    pub say: mpsc::Sender<String>,
    /// What the others said.
    pub heard: mpsc::Receiver<String>,
}

/// One open transaction.
#[derive(Debug)]
pub struct Tx<'a> {
    connection: Connection<'a>,
    now_ms: i64,
    announces: bool,
    counters: &'a Counters,
}

#[derive(Debug)]
enum Connection<'a> {
    Sqlite(&'a mut rusqlite::Connection),
    Postgres(&'a mut postgres::Session),
}

impl Tx<'_> {
    /// The database's time: what every expiry is judged by. It stands still within a transaction.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Says that whoever waits for announcements is to be woken when this is committed.
    pub fn announces(&mut self) {
        self.announces = true;
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

    async fn script(&mut self, sql: &str) -> Result<(), Error> {
        match &mut self.connection {
            Connection::Sqlite(connection) => statement::script(connection, sql),
            Connection::Postgres(session) => session.script(sql).await,
        }
    }
}

/// The arguments of a statement, in the order of its `$1`, `$2`, ….
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Arg::from($value)),*] };
}
