//! The disk itself on trial: where SQLite is told not to sync it must lose what it acknowledged, or a loss of power would
//! prove nothing; and where it is told to, it must not.

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use rusqlite::Connection;

use super::disk::Fate;
use super::mount::Shared;

/// Commits before the power goes.
const COMMITS: i64 = 50;

/// How many of its commits SQLite loses without syncs, and with.
pub(super) fn prove(seed: u64) -> Result<()> {
    let lost = |synchronous, fate| lose(synchronous, fate, seed).with_context(|| format!("synchronous={synchronous}"));
    let (off, normal) = (lost("off", Fate::Gone)?, lost("normal", Fate::Gone)?);
    let (full, torn) = (lost("full", Fate::Gone)?, lost("full", Fate::Torn)?);
    println!(
        "power: of {COMMITS} commits acknowledged SQLite loses {off} with synchronous=off, {normal} with normal, {full} \
         with full, {torn} with full and torn writes"
    );
    ensure!(off > 0 && normal > 0, "the disk keeps what it was not told to keep");
    ensure!((full, torn) == (0, 0), "the disk loses what it was told to keep");
    Ok(())
}

fn lose(synchronous: &str, fate: Fate, seed: u64) -> Result<i64> {
    let (shared, folder) = (Shared::default(), tempfile::tempdir()?);
    let mounted = shared.mount(folder.path())?;
    let file = folder.path().join("test.db");
    let connection = Connection::open(&file)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch("create table note (id integer primary key)")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    for id in 0..COMMITS {
        connection.execute("insert into note values (?1)", [id])?;
    }
    shared.disk().switch_off();
    // Closing finds the power gone; nothing can be said about that any more.
    drop(connection);
    mounted.end()?;
    shared.disk().switch_on(fate, &mut Rng::with_seed(seed));
    let copy = tempfile::tempdir()?;
    shared.disk().export(copy.path())?;
    let found = Connection::open(copy.path().join("test.db"))?;
    let count: i64 = found.query_row("select count(*) from note", [], |row| row.get(0))?;
    Ok(COMMITS - count)
}
