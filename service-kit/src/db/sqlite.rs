//! SQLite: one file, one writer. The writer's thread takes whatever has queued, runs each unit of work under a
//! savepoint of its own, commits once for all and only then answers; how it does so stands in `writer.rs`.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use super::{Arg, Error, FromRow, Migration, Row, Tx};
use crate::clock::Clock;

mod writer;

pub use writer::Stats;
use writer::{Counters, Job, Unit, Writer};

/// Units of work that may wait for the writer; callers beyond that wait for a place.
const QUEUE: usize = 4096;
/// Statements that a connection keeps prepared: all of ours.
const STATEMENTS: usize = 512;
/// Idle reading connections that are kept.
const READERS: usize = 8;
/// Pages in the log before the writer copies them back into the file.
const CHECKPOINT_PAGES: i64 = 4000;

/// One open database.
pub(super) struct Sqlite {
    mode: Mode,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    readers: Arc<Readers>,
    // Held for as long as the database is open: no second process may write it.
    _lock: Option<File>,
}

enum Mode {
    Thread(mpsc::Sender<Box<dyn Job>>),
    Inline(Mutex<Writer>),
    ReadOnly,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Sqlite {
    pub(super) fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let lock = lock(directory)?;
        let file = directory.join("skald.db");
        let connection = open_durable(&file)?;
        let counters = Arc::new(Counters::default());
        let (jobs, queue) = mpsc::channel(QUEUE);
        let writer = Writer::new(connection, clock.clone(), counters.clone());
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || writer::run(writer, queue))
            .map_err(|error| {
                Error::Unavailable(format!("cannot start the writer's thread: {error}"))
            })?;
        Ok(Self {
            mode: Mode::Thread(jobs),
            clock,
            counters,
            readers: Readers::new(Some(file)),
            _lock: Some(lock),
        })
    }

    pub(super) fn open_read_only(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let readers = Readers::new(Some(directory.join("skald.db")));
        readers.give(readers.take()?);
        Ok(Self {
            mode: Mode::ReadOnly,
            clock,
            counters: Arc::default(),
            readers,
            _lock: None,
        })
    }

    pub(super) fn open_inline(
        directory: Option<&Path>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let (connection, held) = match directory {
            Some(directory) => (
                open_durable(&directory.join("skald.db"))?,
                Some(lock(directory)?),
            ),
            None => (Connection::open_in_memory().map_err(classify)?, None),
        };
        prepare(&connection)?;
        let counters = Arc::new(Counters::default());
        let mode = Mode::Inline(Mutex::new(Writer::new(
            connection,
            clock.clone(),
            counters.clone(),
        )));
        Ok(Self {
            mode,
            clock,
            counters,
            readers: Readers::new(None),
            _lock: held,
        })
    }

    pub(super) fn stats(&self) -> Stats {
        self.counters.stats()
    }

    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Unit { work, answer });
        match &self.mode {
            Mode::Thread(jobs) => {
                jobs.send(job)
                    .await
                    .map_err(|_| E::from(Error::Unavailable("the writer has stopped".into())))?;
            }
            Mode::Inline(writer) => writer
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .run(std::iter::once(job)),
            Mode::ReadOnly => {
                return Err(E::from(Error::Unavailable(
                    "the database is open for reading only".into(),
                )));
            }
        }
        // The writer answers every unit of work that it takes; without an answer it died in the middle of one.
        answered.await.unwrap_or_else(|_| {
            Err(E::from(Error::InDoubt(
                "the writer stopped before it answered".into(),
            )))
        })
    }

    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let now_ms = self.clock.now_ms();
        if let Mode::Inline(writer) = &self.mode {
            return snapshot(
                writer
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .connection(),
                now_ms,
                work,
            );
        }
        let readers = self.readers.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut connection = readers.take()?;
            let result = snapshot(&mut connection, now_ms, work);
            readers.give(connection);
            result
        });
        reading
            .await
            .unwrap_or_else(|_| Err(E::from(Error::Bug("a read ended in a panic".into()))))
    }
}

/// Reading connections that wait for their next use.
#[derive(Debug)]
struct Readers {
    file: Option<PathBuf>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn new(file: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            file,
            idle: Mutex::default(),
        })
    }

    fn take(&self) -> Result<Connection, Error> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let file = self
            .file
            .as_deref()
            .ok_or_else(|| Error::Bug("an inline database has no readers".into()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags).map_err(|error| {
            Error::Unavailable(format!("cannot read {}: {error}", file.display()))
        })?;
        prepare(&connection)?;
        Ok(connection)
    }

    fn give(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READERS {
            idle.push(connection);
        }
    }
}

fn lock(directory: &Path) -> Result<File, Error> {
    let shown = directory.display();
    let cannot = |what: &str, error: std::io::Error| {
        Error::Unavailable(format!("cannot {what} {shown}: {error}"))
    };
    fs::create_dir_all(directory).map_err(|error| cannot("create the data directory", error))?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join("skald.lock"))
        .map_err(|error| cannot("write to the data directory", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Unavailable(format!(
            "the data directory {shown} is in use by another process; stop it or choose another one"
        ))),
        Err(fs::TryLockError::Error(error)) => Err(cannot("lock", error)),
    }
}

/// Opens the file and makes sure that an acknowledged commit survives a power loss.
fn open_durable(file: &Path) -> Result<Connection, Error> {
    let cannot = |error: rusqlite::Error| {
        Error::Unavailable(format!("cannot open {}: {error}", file.display()))
    };
    create_private(file).map_err(|error| {
        Error::Unavailable(format!("cannot create {}: {error}", file.display()))
    })?;
    let connection = Connection::open(file).map_err(cannot)?;
    prepare(&connection)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(cannot)?;
    connection
        .pragma_update(None, "synchronous", "full")
        .map_err(cannot)?;
    connection
        .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
        .map_err(cannot)?;
    let synchronous: i64 = connection
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .map_err(cannot)?;
    if mode != "wal" || synchronous != 2 {
        let file = file.display();
        return Err(Error::Unavailable(format!(
            "{file} is not durable: journal_mode {mode}, synchronous {synchronous}"
        )));
    }
    Ok(connection)
}

#[cfg(unix)]
fn create_private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(file)
        .map(drop)
}

#[cfg(not(unix))]
fn create_private(file: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(file)
        .map(drop)
}

fn prepare(connection: &Connection) -> Result<(), Error> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection
        .busy_timeout(std::time::Duration::from_secs(5))
        .map_err(classify)?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(classify)
}

fn snapshot<T, E: From<Error>>(
    connection: &mut Connection,
    now_ms: i64,
    work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    script(connection, "begin")?;
    let result = ready(work(&mut Tx { connection, now_ms }));
    script(connection, "rollback")?;
    result?
}

/// The output of a future that never waits, as all are whose only awaits are statements on SQLite.
fn ready<T>(future: impl Future<Output = T>) -> Result<T, Error> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(Error::Bug(
            "a unit of work waited for something that is not the database".into(),
        )),
    }
}

/// SQLite takes `$2` for a name and numbers names as they appear; only `?2` is the second argument wherever it stands.
fn statement<'a>(connection: &'a Connection, sql: &str) -> Result<CachedStatement<'a>, Error> {
    let sql = sql.replace('$', "?");
    connection.prepare_cached(&sql).map_err(classify)
}

pub(super) fn execute(connection: &Connection, sql: &str, args: &[Arg<'_>]) -> Result<u64, Error> {
    let mut statement = statement(connection, sql)?;
    bind(&mut statement, args)?;
    let changed = statement.raw_execute().map_err(classify)?;
    Ok(changed as u64)
}

pub(super) fn fetch_optional<T: FromRow>(
    connection: &Connection,
    sql: &str,
    args: &[Arg<'_>],
) -> Result<Option<T>, Error> {
    let mut statement = statement(connection, sql)?;
    bind(&mut statement, args)?;
    let mut rows = statement.raw_query();
    let first = rows
        .next()
        .map_err(classify)?
        .map(|row| T::from_row(&Row(row)))
        .transpose()?;
    // A statement that both writes and returns has written only once it has run to its end.
    while rows.next().map_err(classify)?.is_some() {}
    Ok(first)
}

pub(super) fn fetch_all<T: FromRow>(
    connection: &Connection,
    sql: &str,
    args: &[Arg<'_>],
) -> Result<Vec<T>, Error> {
    let mut statement = statement(connection, sql)?;
    bind(&mut statement, args)?;
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(classify)? {
        all.push(T::from_row(&Row(row))?);
    }
    Ok(all)
}

/// SQLite numbers a `$3` by where it first stands in the text; here it means the third argument, as on PostgreSQL.
fn bind(statement: &mut rusqlite::Statement<'_>, args: &[Arg<'_>]) -> Result<(), Error> {
    let count = statement.parameter_count();
    if count != args.len() {
        let given = args.len();
        return Err(Error::Bug(format!(
            "a statement of {count} parameters was given {given}"
        )));
    }
    for index in 1..=count {
        let name = statement.parameter_name(index).unwrap_or_default();
        let place = name.strip_prefix('$').and_then(|place| place.parse().ok());
        let arg = place.and_then(|place: usize| args.get(place.checked_sub(1)?));
        let arg = arg.ok_or_else(|| Error::Bug(format!("there is no argument for {name}")))?;
        statement.raw_bind_parameter(index, arg).map_err(classify)?;
    }
    Ok(())
}

pub(super) fn script(connection: &Connection, sql: &str) -> Result<(), Error> {
    connection.execute_batch(sql).map_err(classify)
}

pub(super) async fn migrate(
    tx: &mut Tx<'_>,
    service: &str,
    migrations: &[Migration],
) -> Result<(), Error> {
    tx.script(
        "create table if not exists skald_migration (service text not null, version bigint not null, name text not null, \
         applied_time bigint not null, primary key (service, version))",
    )
    .await?;
    let seen = "select coalesce(max(version), 0) from skald_migration where service = $1";
    let (seen,): (i64,) = tx.fetch_one(seen, crate::args![service]).await?;
    for migration in migrations
        .iter()
        .filter(|migration| migration.version > seen)
    {
        tx.script(migration.sql).await?;
        let now_ms = tx.now_ms();
        let note = "insert into skald_migration (service, version, name, applied_time) values ($1, $2, $3, $4)";
        tx.execute(
            note,
            crate::args![service, migration.version, migration.name, now_ms],
        )
        .await?;
    }
    Ok(())
}

fn classify(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Error::Constraint(text),
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory,
        ) => Error::Unavailable(text),
        _ => Error::Bug(text),
    }
}
