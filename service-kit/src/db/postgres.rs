//! PostgreSQL: one thread with a fixed set of connections. Each takes whatever units of work have queued, runs them in one
//! transaction, a savepoint each, commits once and only then answers; so batches form by themselves under load, and an
//! idle caller waits for nobody. What a batch does stands in `worker.rs`, what one connection does in `session.rs`.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::{Aftermath, Arg, Connection, Counters, Error, FromRow, Hints, Row, Stats, Tx, Value};
use crate::clock::Clock;

mod connect;
mod fault;
mod hints;
mod job;
mod session;
mod value;
mod worker;

use connect::Connector;
use job::{Job, Unit};
pub(super) use session::Session;
use worker::Queue;

/// Units of work that may wait for a connection; callers beyond that wait for a place.
const QUEUE: usize = 4096;

/// How to reach a PostgreSQL server.
#[derive(Clone, PartialEq, Eq)]
pub struct Postgres {
    /// `postgres://user:password@host:port/database`. Several hosts may stand in it, with
    /// `target_session_attrs=read-write`: then the one that takes writes is found again after a fail-over.
    pub url: String,
    /// The schema that the tables lie in; made when it is missing.
    pub schema: String,
    /// Connections that are held open, of which one in four writes. One alone makes the fullest batches; far from the server
    /// several keep the waits for it apart.
    pub connections: usize,
    /// Whether the server must keep what it acknowledges.
    pub durability: Durability,
}

/// What a server is asked before it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It must flush what it acknowledges: `fsync`, `full_page_writes`, `synchronous_commit`.
    Checked,
    /// Nothing: for tests of everything but durability.
    Unchecked,
}

impl std::fmt::Debug for Postgres {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("schema", &self.schema).field("connections", &self.connections).finish()
    }
}

impl Postgres {
    /// A durable server with the usual number of connections.
    pub fn new(url: impl Into<String>, schema: impl Into<String>) -> Self {
        Self { url: url.into(), schema: schema.into(), connections: 4, durability: Durability::Checked }
    }
}

type Jobs = super::queue::Queue<Box<dyn Job>>;

/// The connections to one server, on a thread of their own.
pub(super) struct Pool {
    // Both, and the thread, are there until the drop.
    writes: Option<Jobs>,
    reads: Option<Jobs>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
    schema: String,
    config: tokio_postgres::Config,
    time: Time,
}

/// What transactions go by.
pub(super) enum Time {
    /// The server's clock.
    Server,
    /// This one, as it stands when a unit of work is asked for.
    Given(Arc<dyn Clock>),
    /// The same, and a caller's thread waits for its answer, instead of its task alone.
    Inline(Arc<dyn Clock>),
}

impl Time {
    /// Asked on the caller's thread: there a clock that follows a paused runtime tells that runtime's time.
    fn now_ms(&self) -> Option<i64> {
        match self {
            Self::Server => None,
            Self::Given(clock) | Self::Inline(clock) => Some(clock.now_ms()),
        }
    }

    fn is_inline(&self) -> bool {
        matches!(self, Self::Inline(_))
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("schema", &self.schema).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) async fn connect(options: &Postgres, time: Time) -> Result<Self, Error> {
        let counters = Arc::new(Counters::default());
        let (writes, write_queue) = super::queue::queue(QUEUE);
        let (reads, read_queue) = super::queue::queue(QUEUE);
        let queues = (Queue::new(write_queue), Queue::new(read_queue));
        let connector = Connector::new(options, matches!(time, Time::Server))?;
        let config = connector.config();
        let (ready, readied) = oneshot::channel();
        let work = worker::Work { connector, counters: counters.clone(), connections: options.connections };
        let thread = std::thread::Builder::new().name(format!("postgres-{}", options.schema));
        let thread = thread.spawn(move || work.run(queues, ready));
        let thread =
            thread.map_err(|error| Error::Unavailable(format!("cannot start the database's thread: {error}")))?;
        let gone = || Error::Unavailable("the database's thread ended before it had connected".into());
        if time.is_inline() {
            wait(readied).ok_or_else(gone)??;
        } else {
            readied.await.map_err(|_| gone())??;
        }
        let (writes, reads, thread) = (Some(writes), Some(reads), Some(thread));
        Ok(Self { writes, reads, thread, counters, schema: options.schema.clone(), config, time })
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn hints(&self) -> Option<Hints> {
        (!self.time.is_inline()).then(|| hints::open(self.config.clone(), format!("skald_{}", self.schema)))
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

    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone + Send + 'static,
    {
        self.run(self.writes.as_ref(), work).await
    }

    pub(super) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone + Send + 'static,
    {
        self.run(self.reads.as_ref(), work).await
    }

    async fn run<T, E, F>(&self, queue: Option<&Jobs>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Clone + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let stopped = || Error::Unavailable("the database's thread has stopped".into());
        let queue = queue.ok_or_else(stopped)?;
        queue.send(Box::new(Unit::new(work, answer, self.time.now_ms()))).await.map_err(|_| stopped())?;
        let answer = if self.time.is_inline() { wait(answered) } else { answered.await.ok() };
        // The thread answers every unit of work that it takes; without an answer it died in the middle of one.
        answer
            .unwrap_or_else(|| Err(E::from(Error::InDoubt("the database's thread stopped before it answered".into()))))
    }
}

impl Drop for Pool {
    /// What has queued is still done.
    fn drop(&mut self) {
        drop((self.writes.take(), self.reads.take()));
        let ended = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id());
        if ended.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the database's thread ended in a panic");
        }
    }
}

/// Waits on this thread, which does nothing else meanwhile: a paused clock of its runtime stands still.
fn wait<T>(answered: oneshot::Receiver<T>) -> Option<T> {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    // A task that has had its share is woken again by its runtime, which stands still.
    let mut answered = std::pin::pin!(tokio::task::unconstrained(answered));
    loop {
        match answered.as_mut().poll(&mut context) {
            std::task::Poll::Ready(answer) => return answer.ok(),
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
