//! SQLite: one file, one writer. The writer's thread takes whatever has queued, runs each unit of work under a
//! savepoint of its own, commits once for all and only then answers; how it does so stands in `writer.rs`.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::{oneshot, watch};

use super::{Aftermath, Arg, Counters, Error, FromRow, Row, Stats, Tx};
use crate::clock::Clock;
use crate::crash;

pub(super) mod ahead;
mod batch;
mod log;
mod open;
mod readers;
pub(super) mod statement;
mod writer;

use readers::{Readers, snapshot};
pub(in crate::db) use writer::RESTART;
use writer::{Job, Thread, Unit, Writer};

/// One open database.
pub(super) struct Sqlite {
    mode: Mode,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
}

enum Mode {
    Thread { readers: Arc<Readers>, writer: Thread },
    Inline { writer: Box<Mutex<Writer>>, _lock: Option<File> },
    ReadOnly { readers: Arc<Readers> },
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Sqlite {
    pub(super) fn open(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let lock = open::lock(directory)?;
        let connection = open::durable(&directory.join(open::FILE))?;
        let counters = Arc::new(Counters::default());
        let writer = Thread::start(Writer::new(connection, clock.clone(), counters.clone()), lock)?;
        let readers = Readers::new(directory, counters.clone());
        Ok(Self { mode: Mode::Thread { readers, writer }, clock, counters })
    }

    pub(super) fn open_read_only(directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let readers = Readers::new(directory, Arc::default());
        readers.check()?;
        let counters = readers.counters();
        Ok(Self { mode: Mode::ReadOnly { readers }, clock, counters })
    }

    pub(super) fn open_inline(directory: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let (lock, connection) = match directory {
            Some(directory) => (Some(open::lock(directory)?), open::durable(&directory.join(open::FILE))?),
            None => (None, open::memory()?),
        };
        let counters = Arc::new(Counters::default());
        let writer = Box::new(Mutex::new(Writer::new(connection, clock.clone(), counters.clone())));
        Ok(Self { mode: Mode::Inline { writer, _lock: lock }, clock, counters })
    }

    pub(super) fn is_out_of_service(&self) -> bool {
        self.counters.is_broken()
    }

    pub(super) fn stats(&self) -> Stats {
        self.counters.stats()
    }

    pub(super) fn announcements(&self) -> watch::Receiver<()> {
        self.counters.announcements()
    }

    pub(super) fn statements(&self) -> u64 {
        self.counters.statements()
    }

    /// Waits until whatever has been answered ahead of its commit is durable.
    pub(super) async fn settle(&self) -> Result<(), Error> {
        if self.counters.is_ahead() { self.unit(async |_: &mut Tx<'_>| Ok(()), false).await } else { Ok(()) }
    }

    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        self.unit(work, ahead::is_within(self)).await
    }

    async fn unit<T, E, F>(&self, work: F, is_ahead: bool) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = |is_ahead| -> Box<dyn Job> { Box::new(Unit { work, answer, is_ahead }) };
        match &self.mode {
            Mode::Thread { writer, .. } => writer.send(job(is_ahead)).await?,
            Mode::Inline { writer, .. } => {
                let job = job(false);
                crash::breathe().await;
                writer.lock().unwrap_or_else(PoisonError::into_inner).run(&mut vec![job].into_iter());
                crash::breathe().await;
            }
            Mode::ReadOnly { .. } => {
                return Err(E::from(Error::Unavailable("the database is open for reading only".into())));
            }
        }
        // The writer answers every unit of work that it takes; without an answer it died in the middle of one.
        answered.await.unwrap_or_else(|_| Err(E::from(Error::InDoubt("the writer stopped before it answered".into()))))
    }

    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let now_ms = self.clock.now_ms();
        match &self.mode {
            Mode::Thread { readers, .. } | Mode::ReadOnly { readers } => readers.read(now_ms, work).await,
            Mode::Inline { writer, .. } => {
                crash::breathe().await;
                let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                snapshot(writer.connection(), &self.counters, now_ms, work)
            }
        }
    }
}

fn transaction<'a>(connection: &'a mut rusqlite::Connection, counters: &'a Counters, now_ms: i64) -> Tx<'a> {
    Tx::new(super::Connection::Sqlite(connection), now_ms, counters)
}

/// Runs `work` to its end. It never waits, as its only awaits are statements on SQLite, and a panic is its error alone.
fn perform<T, E: From<Error>>(tx: &mut Tx<'_>, work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>) -> Result<T, E> {
    let polled = catch_unwind(AssertUnwindSafe(|| pin!(work(tx)).poll(&mut Context::from_waker(Waker::noop()))));
    let bug = |what: &str| Err(E::from(Error::Bug(what.into())));
    match polled {
        Ok(Poll::Ready(result)) => result,
        Ok(Poll::Pending) => bug("a unit of work waited for something that is not the database"),
        Err(_panic) => bug("a unit of work panicked"),
    }
}
