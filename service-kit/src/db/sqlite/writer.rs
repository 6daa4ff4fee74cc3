//! Group commit. Nobody is answered before the commit that covers him, unless he asked for that (`ahead.rs`); one unit of
//! work that fails takes back only what it wrote. A commit whose outcome is unknown, or that somebody was answered ahead of,
//! puts the database out of service when it fails: a restart looks at the file afresh.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::batch::Batch;
use super::log::Log;
use super::statement::{classify, execute, gone, script};
use super::{Aftermath, Counters, Error, Tx, perform, transaction};
use crate::clock::Clock;
use crate::crash_point;
use crate::db::queue::{Queue, queue};

/// Units of work that may wait for the writer; callers beyond that wait for a place.
const QUEUE: usize = 4096;

/// Takes back what the unit of work that is running has written.
pub(in crate::db) const RESTART: &str = "rollback to job";

/// One unit of work with somebody who waits for its answer.
pub(super) trait Job: Send {
    /// Runs inside the open transaction.
    fn run(self: Box<Self>, tx: &mut Tx<'_>) -> Verdict;
    /// Answers without having run.
    fn refuse(self: Box<Self>, error: Error);
    /// Whether it is answered before its commit.
    fn is_ahead(&self) -> bool;
}

/// What became of a unit of work within its batch.
pub(super) struct Verdict {
    /// What is left to be done once it is durable, unless it is not kept.
    kept: Option<Aftermath>,
    answer: Answer,
}

/// Answers with what the commit came to.
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// A unit of work as the callers of the database give it.
pub(super) struct Unit<T, E, F> {
    pub(super) work: F,
    pub(super) answer: oneshot::Sender<Result<T, E>>,
    pub(super) is_ahead: bool,
}

impl<T, E, F> Job for Unit<T, E, F>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: AsyncFnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
{
    fn run(self: Box<Self>, tx: &mut Tx<'_>) -> Verdict {
        let Self { work, answer, .. } = *self;
        let result = perform(tx, work);
        let kept = result.is_ok().then(|| tx.aftermath());
        // A caller that has gone does not need its answer.
        let answer =
            Box::new(move |committed: Result<(), Error>| drop(answer.send(committed.map_err(E::from).and(result))));
        Verdict { kept, answer }
    }

    fn refuse(self: Box<Self>, error: Error) {
        drop(self.answer.send(Err(E::from(error))));
    }

    fn is_ahead(&self) -> bool {
        self.is_ahead
    }
}

/// The writer's thread.
pub(super) struct Thread {
    // Both are there until the drop.
    jobs: Option<Queue<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts it. The lock is held until the connection is closed.
    pub(super) fn start(mut writer: Writer, lock: File) -> Result<Self, Error> {
        let (jobs, mut taken) = queue(QUEUE);
        let run = move || {
            while let Some(first) = taken.blocking_recv() {
                writer.run(&mut Batch::new(first.take(), &mut taken));
            }
            drop(writer);
            drop(lock);
        };
        let thread = std::thread::Builder::new().name("sqlite-writer".into()).spawn(run);
        let thread =
            thread.map_err(|error| Error::Unavailable(format!("cannot start the writer's thread: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Hands it a unit of work, which will be answered even if nobody waits any more.
    pub(super) async fn send(&self, job: Box<dyn Job>) -> Result<(), Error> {
        let stopped = || Error::Unavailable("the writer has stopped".into());
        self.jobs.as_ref().ok_or_else(stopped)?.send(job).await.map_err(|_| stopped())
    }
}

impl Drop for Thread {
    /// What has queued is still done, and the directory is free for the next one to open it.
    fn drop(&mut self) {
        drop(self.jobs.take());
        let ended = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id());
        if ended.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer's thread ended in a panic");
        }
    }
}

/// The writing connection and whether it may still be used.
pub(super) struct Writer {
    connection: Connection,
    commit: fn(&Connection) -> rusqlite::Result<()>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    // A database in memory has none.
    log: Option<Log>,
    broken: Option<Error>,
}

impl Writer {
    pub(super) fn new(connection: Connection, clock: Arc<dyn Clock>, counters: Arc<Counters>) -> Self {
        let commit = |connection: &Connection| connection.execute_batch("commit");
        let file = connection.path().filter(|file| !file.is_empty());
        let log = file.map(|file| Log::new(Path::new(file)));
        Self { connection, commit, clock, counters, log, broken: None }
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Runs the jobs in one transaction, commits it and answers them all.
    pub(super) fn run(&mut self, jobs: &mut dyn Jobs) {
        let mut done = Done::default();
        let committed = self.attempt(jobs, &mut done);
        if committed.is_ok() {
            self.counters.set_ahead(false);
            self.counters.committed(done.units, done.kept);
        }
        for answer in done.waiting {
            answer(committed.clone());
        }
        if let Err(error) = committed {
            while let Some(job) = jobs.next(true) {
                job.refuse(error.clone());
            }
        } else if let Some(log) = &mut self.log {
            log.check(&self.connection);
        }
    }

    /// An error other than [`Error::InDoubt`] means that nothing was kept.
    fn attempt(&mut self, jobs: &mut dyn Jobs, done: &mut Done) -> Result<(), Error> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        script(&self.connection, "begin immediate")?;
        let now_ms = self.clock.now_ms();
        let mut ran = Ok(());
        while ran.is_ok()
            && let Some(job) = jobs.next(done.hurries)
        {
            ran = run_job((&mut self.connection, &self.counters), now_ms, job, done);
        }
        crash_point!("sqlite.before_commit");
        let committed = ran.and_then(|()| (self.commit)(&self.connection).map_err(failed_commit));
        crash_point!("sqlite.after_commit");
        match &committed {
            Err(Error::InDoubt(why)) => self.leave_service(why),
            // What they were told has not come true.
            Err(error) if self.counters.is_ahead() => self.leave_service(&error.to_string()),
            Ok(()) | Err(_) => {}
        }
        if committed.is_err()
            && !self.connection.is_autocommit()
            && let Err(error) = script(&self.connection, "rollback")
        {
            self.leave_service(&error.to_string());
        }
        committed
    }

    fn leave_service(&mut self, why: &str) {
        tracing::error!(why, "the database takes no more writes: restart the process to see what it holds");
        self.counters.set_broken();
        self.broken = Some(Error::Unavailable(format!("out of service until a restart: {why}")));
    }
}

/// The units of work of a batch, in their order.
pub(super) trait Jobs {
    /// The next one, if the batch has one more. When nobody `hurries`, who was answered ahead can wait for others to join.
    fn next(&mut self, hurries: bool) -> Option<Box<dyn Job>>;
}

/// A batch that is complete.
impl Jobs for std::vec::IntoIter<Box<dyn Job>> {
    fn next(&mut self, _hurries: bool) -> Option<Box<dyn Job>> {
        Iterator::next(self)
    }
}

/// What a batch has come to so far.
#[derive(Default)]
struct Done {
    units: usize,
    kept: Vec<Aftermath>,
    waiting: Vec<Answer>,
    /// Somebody waits for the commit.
    hurries: bool,
}

impl Done {
    fn add(&mut self, verdict: Verdict, is_ahead: bool, counters: &Counters) {
        self.units += 1;
        self.hurries |= !is_ahead || verdict.kept.as_ref().is_some_and(|aftermath| aftermath.hurries);
        self.kept.extend(verdict.kept);
        if is_ahead {
            counters.set_ahead(true);
            (verdict.answer)(Ok(()));
        } else {
            self.waiting.push(verdict.answer);
        }
    }
}

/// Runs one job under a savepoint. An error tells that the transaction itself is lost, and with it the whole batch.
fn run_job(
    (connection, counters): (&mut Connection, &Counters),
    now_ms: i64,
    job: Box<dyn Job>,
    done: &mut Done,
) -> Result<(), Error> {
    if let Err(error) = execute(connection, "savepoint job", &[]) {
        job.refuse(error.clone());
        return Err(error);
    }
    let is_ahead = job.is_ahead();
    let verdict = job.run(&mut transaction(connection, counters, now_ms));
    let ended = end_job(connection, verdict.kept.is_some());
    match &ended {
        Ok(()) => done.add(verdict, is_ahead, counters),
        Err(_) => done.waiting.push(verdict.answer),
    }
    ended
}

fn end_job(connection: &Connection, keep: bool) -> Result<(), Error> {
    if connection.is_autocommit() {
        return Err(gone());
    }
    if !keep {
        execute(connection, RESTART, &[])?;
    }
    execute(connection, "release job", &[]).map(drop)
}

/// These come before the commit's mark is written. Of any other failure nobody knows what a restart will find.
fn failed_commit(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::ConstraintViolation) => classify(error),
        _ => Error::InDoubt(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
