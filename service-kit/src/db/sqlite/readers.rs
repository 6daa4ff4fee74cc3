//! Connections that read beside the writer, each a snapshot of what was committed before it began.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::{Counters, Error, Tx, open, perform, statement, transaction};

/// Reads at a time; further ones wait. They are short, and more would only take the processors from the writer.
const READERS: usize = 8;

/// The reading connections of one database.
#[derive(Debug)]
pub(super) struct Readers {
    file: PathBuf,
    counters: Arc<Counters>,
    idle: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Readers {
    pub(super) fn new(directory: &Path, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self {
            file: directory.join(open::FILE),
            counters,
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(READERS)),
            tasks: TaskTracker::new(),
        })
    }

    /// Where their statements are counted.
    pub(super) fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Makes sure that there is something to read.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.take().map(|connection| self.give(connection))
    }

    pub(super) async fn read<T, E, F>(self: &Arc<Self>, now_ms: i64, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return self.clone().read_at(place, now_ms, work).await;
        }
        let readers = self.clone();
        // In a task of its own: places are given in turn, and a caller that reads several things at once may not look
        // after one that was given a place, as long as another one waits for it.
        let reading = self.tasks.spawn(async move {
            let place = readers.places.clone().acquire_owned().await;
            readers.read_at(place.map_err(|_| shutting_down())?, now_ms, work).await
        });
        reading.await.unwrap_or_else(|_| Err(E::from(shutting_down())))
    }

    /// Reads to the end whoever looks after it, and gives the place back.
    fn read_at<T, E, F>(
        self: Arc<Self>,
        place: OwnedSemaphorePermit,
        now_ms: i64,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        // Begun at once, not when somebody polls it.
        let reading = tokio::task::spawn_blocking(move || {
            let _place = place;
            let mut connection = self.take()?;
            let result = snapshot(&mut connection, &self.counters, now_ms, work);
            self.give(connection);
            result
        });
        async move { reading.await.unwrap_or_else(|_| Err(E::from(shutting_down()))) }
    }

    fn take(&self) -> Result<Connection, Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open::reading(&self.file), Ok)
    }

    fn give(&self, connection: Connection) {
        // One that could not leave its snapshot would show old things to the next.
        if connection.is_autocommit() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

fn shutting_down() -> Error {
    Error::Unavailable("the process is shutting down".into())
}

/// Runs `work` on one snapshot and leaves nothing behind, whatever it does.
pub(super) fn snapshot<T, E: From<Error>>(
    connection: &mut Connection,
    counters: &Counters,
    now_ms: i64,
    work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    statement::script(connection, "begin")?;
    let result = perform(&mut transaction(connection, counters, now_ms), work);
    if !connection.is_autocommit() {
        statement::script(connection, "rollback")?;
    }
    result
}
