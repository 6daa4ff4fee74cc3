//! Syncs of a file, and commits of SQLite as the embedded default makes them.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use rusqlite::Connection;
use tokio::time::Instant;

use super::{BATCH, Floor, LASTS};

/// What a small commit writes.
const BLOCK: [u8; 4096] = [1; 4096];

pub(super) fn floors(directory: &Path) -> Result<Vec<Floor>> {
    Ok(vec![
        syncs(directory)?,
        commits(directory, "SQLite commit, one row", 1)?,
        commits(directory, "SQLite commit, 64 rows", BATCH)?,
    ])
}

fn syncs(directory: &Path) -> Result<Floor> {
    let mut file = File::create(directory.join("synced"))?;
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < LASTS {
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(Floor::of("fdatasync of 4 KiB", count, 1, started))
}

fn commits(directory: &Path, what: &'static str, rows: usize) -> Result<Floor> {
    let mut db = Connection::open(directory.join(format!("commits-{rows}.db")))?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.execute("create table rows (id integer primary key, data blob)", [])?;
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < LASTS {
        let tx = db.transaction()?;
        {
            let mut insert = tx.prepare_cached("insert into rows (data) values ($1)")?;
            for _ in 0..rows {
                insert.execute([&BLOCK[..200]])?;
            }
        }
        tx.commit()?;
        count += 1;
    }
    Ok(Floor::of(what, count, 1, started))
}
