//! Databases on the engine that the environment names, so that one test holds for both: SQLite unless
//! `SKALD_TEST_ENGINE=postgres`. All databases of a test process then lie on one server, each in a schema of its own.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use service_kit::clock::Clock;
use service_kit::db::{Db, Durability, Error, Postgres, Tx};

use crate::postgres::{DATABASE, Options, Server};

const VARIABLE: &str = "SKALD_TEST_ENGINE";
/// One to write and one to read: a test that runs on its own thread asks for one thing at a time.
const FEW: usize = 2;
/// As many writers as a service has, and more than the machine has processors.
const MANY: usize = 16;
/// Tests run side by side, and each may hold several databases.
const MOST: u16 = 600;

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let options = Options { max_connections: MOST, ..Options::default() };
    Server::start(options).expect("a PostgreSQL server can be started for the tests")
});
static SCHEMAS: AtomicUsize = AtomicUsize::new(0);

/// The engines that tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The one that needs no server.
    Sqlite,
    /// A server of the test process's own.
    Postgres,
}

impl Engine {
    /// The engine that the environment names.
    pub fn named() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Ok("postgres") => Self::Postgres,
            Err(_) | Ok("" | "sqlite") => Self::Sqlite,
            Ok(other) => unknown(other),
        }
    }
}

#[expect(clippy::panic, reason = "a test that runs on another engine than it says is worse than none")]
fn unknown(engine: &str) -> ! {
    panic!("{VARIABLE} is {engine:?}; it can be sqlite or postgres")
}

/// An empty database for a test whose time may be paused: each unit of work is done on the caller's thread, or while that
/// waits, in a commit of its own, and goes by `clock`.
pub async fn db(clock: Arc<dyn Clock>) -> Db {
    match Engine::named() {
        Engine::Sqlite => Db::open_inline(None, clock).expect("an in-memory database opens"),
        Engine::Postgres => {
            Db::connect_inline(&schema(FEW), clock).await.expect("the tests' own server takes connections")
        }
    }
}

/// An empty database as it runs in production, where units of work meet: a file in `directory` with a writer's thread, or
/// many connections. It goes by `clock`.
pub async fn threaded(directory: &Path, clock: Arc<dyn Clock>) -> Db {
    match Engine::named() {
        Engine::Sqlite => Db::open(directory, clock).expect("a database opens in an empty directory"),
        Engine::Postgres => connected(clock).await,
    }
}

/// An empty database on PostgreSQL whatever the environment says, with many connections.
pub async fn connected(clock: Arc<dyn Clock>) -> Db {
    Db::connect_at(&schema(MANY), clock).await.expect("the tests' own server takes connections")
}

/// The server that all databases of this process lie on, and that is not to be stopped.
pub fn shared() -> &'static Server {
    &SERVER
}

/// Lets rows into the tables that their checks would refuse.
///
/// # Errors
/// As the engine reports.
pub async fn without_checks(db: &Db) -> Result<(), Error> {
    const DROP: &str = "do $$ declare it record; begin \
        for it in select conrelid::regclass as place, conname from pg_constraint \
            where contype = 'c' and connamespace = current_schema()::regnamespace loop \
            execute format('alter table %s drop constraint %I', it.place, it.conname); \
        end loop; end $$";
    let sql = if db.is_exclusive() { "pragma ignore_check_constraints = on" } else { DROP };
    db.write(async move |tx: &mut Tx<'_>| tx.execute(sql, &[]).await.map(drop)).await
}

/// A schema that nobody else has.
fn schema(connections: usize) -> Postgres {
    let schema = format!("test_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
    Postgres { connections, durability: Durability::Unchecked, ..Postgres::new(SERVER.url(DATABASE), schema) }
}
