//! Keeping the write-ahead log short. SQLite starts it again at its front only at a moment when nobody reads from it;
//! under reads that overlap without a pause that moment never comes, and the log would fill the disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::open::BUSY;

/// Bytes from which on the writer makes such a moment: twice what SQLite's own copying keeps it at.
const LONG: u64 = 32 * 1024 * 1024;
/// How long it holds up its next commit for that, waiting for reads that began before.
const WAIT: Duration = Duration::from_millis(100);

/// Watches the log of one database.
pub(super) struct Log {
    file: PathBuf,
    limit: u64,
    // Moves up when a read takes longer than we wait, so that it is not waited for at every commit.
    next: u64,
}

impl Log {
    pub(super) fn new(database: &Path) -> Self {
        let mut file = database.as_os_str().to_owned();
        file.push("-wal");
        Self { file: file.into(), limit: LONG, next: LONG }
    }

    #[cfg(test)]
    pub(super) fn with_limit(self, limit: u64) -> Self {
        Self { limit, next: limit, ..self }
    }

    /// Empties the log if it has grown too long.
    pub(super) fn check(&mut self, connection: &Connection) {
        let length = std::fs::metadata(&self.file).map_or(0, |log| log.len());
        if length < self.next {
            return;
        }
        let emptied = empty(connection).unwrap_or_else(|error| {
            tracing::warn!(%error, "the log of the database could not be emptied");
            false
        });
        self.next = if emptied { self.limit } else { length + self.limit };
    }
}

fn empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(WAIT)?;
    let busy = connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0));
    connection.busy_timeout(BUSY)?;
    busy.map(|busy: bool| !busy)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::open;
    use super::*;

    const LIMIT: u64 = 200_000;

    struct World {
        directory: tempfile::TempDir,
        writing: Connection,
        log: Log,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let writing = open::durable(&directory.path().join(open::FILE)).unwrap();
            writing.execute_batch("create table note (body text)").unwrap();
            let log = Log::new(&directory.path().join(open::FILE)).with_limit(LIMIT);
            Self { directory, writing, log }
        }

        /// Writes so often as half the limit takes, and tells how long the log was at the end.
        fn write(&mut self) -> u64 {
            for _ in 0..LIMIT / 2 / 4096 {
                self.writing.execute("insert into note values (zeroblob(1000))", []).unwrap();
                self.log.check(&self.writing);
            }
            std::fs::metadata(&self.log.file).unwrap().len()
        }

        /// A snapshot of this moment.
        fn read(&self) -> Connection {
            read(self.directory.path())
        }
    }

    fn read(directory: &Path) -> Connection {
        let reading = open::reading(&directory.join(open::FILE)).unwrap();
        reading.execute_batch("begin; select count(*) from note").unwrap();
        reading
    }

    #[test]
    fn the_log_stays_short_though_there_is_always_somebody_who_reads() {
        let mut world = World::new();
        let directory = world.directory.path().to_owned();
        let ended = AtomicBool::new(false);
        let longest = std::thread::scope(|threads| {
            threads.spawn(|| {
                let mut reading = read(&directory);
                while !ended.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(3));
                    // The next read begins before the last one ends.
                    let next = read(&directory);
                    drop(std::mem::replace(&mut reading, next));
                }
            });
            let longest = (0..40).map(|_| world.write()).max();
            ended.store(true, Ordering::Relaxed);
            longest.unwrap()
        });
        assert!(longest < 3 * LIMIT, "{longest}");
    }

    #[test]
    fn a_long_read_holds_up_the_writer_seldom_and_the_log_is_emptied_once_it_ends() {
        let mut world = World::new();
        let reading = world.read();
        let before = crate::clock::Stopwatch::start();
        let long = (0..8).map(|_| world.write()).max().unwrap();
        assert!(long > 3 * LIMIT, "{long}");
        assert!(before.elapsed_ms() < 2000, "it waited at every commit");
        drop(reading);
        world.write();
        let short = world.write().min(world.write());
        assert!(short < LIMIT, "{short}");
    }
}
