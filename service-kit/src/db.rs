//! One SQL text, whatever the engine. Stores hand their statements and arguments to a [`Tx`]; what an engine does
//! differently (pragmas, locking, group commit) stays in its own file below this one. No statement lives here.
//!
//! A unit of work is an async closure over the transaction. It runs on the engine's own thread and may be committed
//! together with others. On PostgreSQL it runs beside the units of other connections and processes (READ COMMITTED), and
//! runs again when its transaction was taken back for certain; so it is `Clone` and changes nothing but the database.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

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
mod tx;

pub use error::Error;
pub use migrate::Migration;
use postgres::Time;
pub use postgres::{Durability, Postgres};
pub use row::{Arg, FromColumn, FromRow, Row, Value};
use stats::Counters;
pub use stats::Stats;
pub use tx::Tx;
use tx::{Aftermath, Connection};

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

    /// Runs `future`, in which units of work that this database is given are answered once they are applied, ahead of the
    /// commit that makes them durable, where all that follows from them is in the same log: on a file. It commits in order, and
    /// when it cannot, nothing is written any more and the process ends. So `future` may go on to whatever ends in this
    /// database, but what it tells anybody outside the process has to wait for [`Db::settled`].
    pub async fn ahead<F: Future>(&self, future: F) -> F::Output {
        match &self.0 {
            Engine::Sqlite(engine) => sqlite::ahead::within(engine, future).await,
            Engine::Postgres(_) => future.await,
        }
    }

    /// Returns once everything that was answered through this handle is durable.
    ///
    /// # Errors
    /// When it never will be.
    pub async fn settled(&self) -> Result<(), Error> {
        match &self.0 {
            Engine::Sqlite(engine) => engine.settle().await,
            Engine::Postgres(_) => Ok(()),
        }
    }

    /// Whether `other` writes to the same log.
    pub fn is_one_with(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Engine::Sqlite(one), Engine::Sqlite(other)) => Arc::ptr_eq(one, other),
            (Engine::Postgres(one), Engine::Postgres(other)) => Arc::ptr_eq(one, other),
            (Engine::Sqlite(_), Engine::Postgres(_)) | (Engine::Postgres(_), Engine::Sqlite(_)) => false,
        }
    }

    /// Runs `work` on a consistent snapshot that holds everything that was durable before the call.
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

/// The arguments of a statement, in the order of its `$1`, `$2`, ….
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Arg::from($value)),*] };
}
