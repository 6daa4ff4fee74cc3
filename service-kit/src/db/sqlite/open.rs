//! Opening the file: for one process at a time, private to its user, and so that an acknowledged commit survives a loss
//! of power. What is then done with a connection is not here.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::Error;
use super::statement::classify;

/// Name of the database within its directory.
pub(super) const FILE: &str = "skald.db";
/// Statements that a connection keeps prepared: all of ours.
const STATEMENTS: usize = 512;
/// How long to wait for the short locks that readers and the writer take of each other.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// Pages in the log before the writer copies them back into the file.
const CHECKPOINT_PAGES: i64 = 4000;
/// Kibibytes that the writer's pages may take: what a large batch dirties. SQLite walks over all of them at a commit, so
/// more costs more.
const CACHE_KIB: i64 = 8 * 1024;

/// Creates the directory and locks it for as long as the file that is returned stays open.
pub(super) fn lock(directory: &Path) -> Result<File, Error> {
    let shown = directory.display();
    let cannot = |what: &str, error: std::io::Error| Error::Unavailable(format!("cannot {what} {shown}: {error}"));
    create(directory).map_err(|error| cannot("create the data directory", error))?;
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
        Err(fs::TryLockError::Error(error)) => Err(cannot("lock the data directory", error)),
    }
}

/// A new directory must itself survive a loss of power, or all that is in it would go.
fn create(directory: &Path) -> std::io::Result<()> {
    let missing =
        || directory.ancestors().take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists());
    let parents: Vec<&Path> = missing().filter_map(Path::parent).collect();
    fs::create_dir_all(directory)?;
    for parent in parents {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        sync(parent)?;
    }
    Ok(())
}

/// The connection that writes.
pub(super) fn durable(file: &Path) -> Result<Connection, Error> {
    let cannot = |error: rusqlite::Error| Error::Unavailable(format!("cannot open {}: {error}", file.display()));
    create_private(file).map_err(|error| Error::Unavailable(format!("cannot create {}: {error}", file.display())))?;
    let connection = Connection::open(file).map_err(cannot)?;
    prepare(&connection)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(cannot)?;
    connection.pragma_update(None, "synchronous", "full").map_err(cannot)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(cannot)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(cannot)?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(cannot)?;
    if mode != "wal" || synchronous != 2 {
        let file = file.display();
        return Err(Error::Unavailable(format!(
            "{file} is not durable: journal_mode {mode}, synchronous {synchronous}"
        )));
    }
    Ok(connection)
}

/// A connection that reads beside the one that writes.
pub(super) fn reading(file: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)
        .map_err(|error| Error::Unavailable(format!("cannot read {}: {error}", file.display())))?;
    prepare(&connection)?;
    Ok(connection)
}

/// A connection to a database that ends with it.
pub(super) fn memory() -> Result<Connection, Error> {
    let connection = Connection::open_in_memory().map_err(classify)?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), Error> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(BUSY).map_err(classify)?;
    // Savepoints keep old pages aside: in memory, so that they need neither time nor a place on some other disk.
    connection.pragma_update(None, "temp_store", "memory").map_err(classify)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(classify)
}

#[cfg(unix)]
fn create_private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(file).map(drop)
}

#[cfg(not(unix))]
fn create_private(file: &Path) -> std::io::Result<()> {
    OpenOptions::new().create(true).truncate(false).write(true).open(file).map(drop)
}

#[cfg(unix)]
fn sync(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_directory: &Path) -> std::io::Result<()> {
    Ok(())
}
