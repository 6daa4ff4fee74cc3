//! Group commit. Nobody is answered before the commit that covers him; a unit of work that fails takes back only what it
//! wrote; what was taken back through no fault of its own runs again, alone; a commit whose answer is lost is in doubt.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::LocalSet;

use super::connect::Connector;
use super::fault::Fate;
use super::job::Job;
use super::session::{Mode, Session};
use super::{Aftermath, Connection, Counters, Error, Tx};
use crate::crash_point;
use crate::db::queue::Placed;

/// Units of work in one commit: enough to share its cost, few enough to hold nobody up.
const BATCH: usize = 32;
/// Runs of a unit of work that is taken back through no fault of its own.
const RUNS: usize = 3;
/// First and longest pause between tries to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// Longest pause before another run.
const STEP: Duration = Duration::from_millis(100);

/// Units of work that wait for a connection.
pub(super) struct Queue(Mutex<mpsc::Receiver<Placed<Box<dyn Job>>>>);

impl Queue {
    pub(super) fn new(jobs: mpsc::Receiver<Placed<Box<dyn Job>>>) -> Self {
        Self(Mutex::new(jobs))
    }

    /// Waits for units of work; none means that there will never be any more.
    async fn take(&self, most: usize) -> Vec<Box<dyn Job>> {
        let mut jobs = Vec::new();
        self.0.lock().await.recv_many(&mut jobs, most).await;
        jobs.into_iter().map(Placed::take).collect()
    }

    /// Answers whoever waits. Tells whether more can come.
    async fn refuse(&self, error: &Error) -> bool {
        let mut jobs = self.0.lock().await;
        while let Ok(job) = jobs.try_recv() {
            job.take().answer(Err(error.clone()));
        }
        !(jobs.is_closed() && jobs.is_empty())
    }

    /// Whether nobody waits and nobody can come; not for certain while another worker takes.
    fn is_over(&self) -> bool {
        self.0.try_lock().is_ok_and(|jobs| jobs.is_closed() && jobs.is_empty())
    }
}

/// What the thread of a pool works with.
pub(super) struct Work {
    pub(super) connector: Connector,
    pub(super) counters: Arc<Counters>,
    pub(super) connections: usize,
}

impl Work {
    /// Runs until nobody can ask for anything any more. Says `ready` once the first connection stands, or why not.
    pub(super) fn run(self, (writes, reads): (Queue, Queue), ready: oneshot::Sender<Result<(), Error>>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(Error::Unavailable(format!("no runtime: {error}"))))),
        };
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            let first = match self.connector.connect().await {
                Ok(session) => session,
                Err(error) => return drop(ready.send(Err(error))),
            };
            drop(ready.send(Ok(())));
            let work = Rc::new(self);
            let mut first = Some(first);
            let mut tasks = tokio::task::JoinSet::new();
            let writers = (work.connections / 4).max(1);
            let readers = work.connections.saturating_sub(writers).max(1);
            for (queue, mode, count) in [(writes, Mode::Batch, writers), (reads, Mode::Read, readers)] {
                let queue = Rc::new(queue);
                let connected = Rc::new(Cell::new(0));
                for _ in 0..count {
                    let worker = Worker {
                        work: work.clone(),
                        queue: queue.clone(),
                        mode,
                        connected: connected.clone(),
                        session: None,
                    };
                    tasks.spawn_local(worker.run(first.take()));
                }
            }
            while let Some(ended) = tasks.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a worker of the database ended in a panic");
                }
            }
        });
    }
}

/// One connection and what runs on it.
struct Worker {
    work: Rc<Work>,
    queue: Rc<Queue>,
    mode: Mode,
    /// Workers of this queue that have a connection.
    connected: Rc<Cell<usize>>,
    session: Option<Session>,
}

impl Worker {
    async fn run(mut self, first: Option<Session>) {
        self.set(first);
        loop {
            if self.session.is_none() && !self.connect().await {
                return;
            }
            let most = if self.mode == Mode::Read { 1 } else { BATCH };
            let jobs = self.queue.take(most).await;
            if jobs.is_empty() {
                return;
            }
            let again = if self.mode == Mode::Read { jobs } else { self.batch(jobs).await };
            self.one_by_one(again).await;
        }
    }

    /// Connects, however long it takes. Whoever asks meanwhile waits if another worker can serve him, and is told otherwise.
    /// False when nobody can ask any more.
    async fn connect(&mut self) -> bool {
        let mut pause = PAUSE.0;
        loop {
            let error = match self.work.connector.connect().await {
                Ok(session) => {
                    self.set(Some(session));
                    return true;
                }
                Err(error) => error,
            };
            tracing::warn!(%error, "the database cannot be reached; trying again");
            let more = self.connected.get() > 0 || self.queue.refuse(&error).await;
            if !more || self.queue.is_over() {
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    fn set(&mut self, session: Option<Session>) {
        let count = |session: &Option<Session>| usize::from(session.is_some());
        self.connected.set(self.connected.get() + count(&session) - count(&self.session));
        self.session = session;
    }

    /// Runs the jobs in one transaction and answers those that it settles; the others are to run again.
    async fn batch(&mut self, jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let Some(session) = &mut self.session else {
            return jobs;
        };
        let Ok(now_ms) = session.begin(Mode::Batch).await else {
            self.set(None);
            return jobs;
        };
        let share = jobs.len() > 1;
        let (mut done, mut again) = (Vec::with_capacity(jobs.len()), Vec::new());
        let mut jobs = jobs.into_iter();
        let (mut kept, mut lost) = (Vec::new(), false);
        for mut job in jobs.by_ref() {
            match run_job((session, &self.work.counters), &mut *job, now_ms, share).await {
                Ended::Kept(aftermath) => {
                    kept.push(aftermath);
                    done.push(job);
                }
                Ended::Refused => done.push(job),
                Ended::Again => again.push(job),
                Ended::Lost => {
                    again.push(job);
                    lost = true;
                    break;
                }
            }
        }
        if lost || session.fate() == Some(Fate::Lost) {
            self.set(None);
            return done.into_iter().chain(again).chain(jobs).collect();
        }
        match finish(session, !kept.is_empty()).await {
            Ok(()) => {
                self.work.counters.committed(done.len(), kept);
                done.into_iter().for_each(|job| job.answer(Ok(())));
            }
            Err(error @ Error::InDoubt(_)) => {
                self.set(None);
                done.into_iter().for_each(|job| job.answer(Err(error.clone())));
            }
            Err(_taken_back) => {
                self.set(None);
                again.extend(done);
            }
        }
        again
    }

    /// Settles the jobs, each in a transaction of its own. When the server is gone, none of them waits for it.
    async fn one_by_one(&mut self, jobs: Vec<Box<dyn Job>>) {
        let mut gone = None;
        for job in jobs {
            match &gone {
                Some(error) => job.answer(Err(Error::clone(error))),
                None => gone = self.alone(job).await.err(),
            }
        }
    }

    /// Runs a job until it is settled, or for as often as is decent. An error tells that the server cannot be reached.
    async fn alone(&mut self, mut job: Box<dyn Job>) -> Result<(), Error> {
        let mode = if self.mode == Mode::Read { Mode::Read } else { Mode::Alone };
        let mut runs = 0;
        let committed = loop {
            if self.session.is_none() {
                match self.work.connector.connect().await {
                    Ok(session) => self.set(Some(session)),
                    Err(error) => {
                        job.answer(Err(error.clone()));
                        return Err(error);
                    }
                }
            }
            let settled = self.once(&mut *job, mode).await;
            runs += 1;
            if runs == RUNS || matches!(settled, Ok(()) | Err(Error::InDoubt(_))) {
                break settled;
            }
            // Two that have locked each other out in step must fall out of step.
            tokio::time::sleep(STEP.mul_f64(fastrand::f64())).await;
        };
        job.answer(committed);
        Ok(())
    }

    async fn once(&mut self, job: &mut dyn Job, mode: Mode) -> Result<(), Error> {
        let session = self.session.as_mut().ok_or_else(|| Error::Unavailable("there is no connection".into()))?;
        let mut kept = None;
        let settled = match session.begin(mode).await {
            Ok(now_ms) => match run_job((session, &self.work.counters), job, now_ms, false).await {
                Ended::Kept(aftermath) if mode != Mode::Read => {
                    kept = Some(aftermath);
                    finish(session, true).await
                }
                Ended::Kept(_) | Ended::Refused => finish(session, false).await,
                Ended::Again => finish(session, false).await.and(Err(Error::Unavailable(
                    "the database gave the transaction up, as others held what it needs".into(),
                ))),
                Ended::Lost => Err(Error::Unavailable("the connection to the database was lost".into())),
            },
            Err(error) => Err(error),
        };
        if matches!(settled, Err(Error::InDoubt(_))) || settled.is_err() && session.fate().is_some() {
            self.set(None);
        } else if settled.is_ok() && mode != Mode::Read {
            self.work.counters.committed(1, kept);
        }
        settled
    }
}

impl Drop for Worker {
    /// Nobody counts on a worker that has ended, however it did.
    fn drop(&mut self) {
        self.set(None);
    }
}

/// How the run of a job ended.
enum Ended {
    Kept(Aftermath),
    Refused,
    Again,
    Lost,
}

/// Runs one job in the open transaction; unless it is kept, nothing of it stays there.
async fn run_job((session, counters): (&mut Session, &Counters), job: &mut dyn Job, now_ms: i64, share: bool) -> Ended {
    if share && session.mark().await.is_err() {
        return Ended::Lost;
    }
    let now_ms = job.now_ms().unwrap_or(now_ms);
    let mut tx = Tx::new(Connection::Postgres(session), now_ms, counters);
    let keep = job.run(&mut tx).await;
    let aftermath = tx.aftermath();
    match (session.fate(), keep) {
        (Some(Fate::Lost), _) => return Ended::Lost,
        (None, true) => return Ended::Kept(aftermath),
        (Some(Fate::Spoiled), true) => {
            job.fail(Error::Bug("a unit of work went on after a statement had failed".into()));
        }
        (_, false) | (Some(Fate::Again), true) => {}
    }
    let fate = session.fate();
    if session.restart().await.is_err() {
        return Ended::Lost;
    }
    if fate == Some(Fate::Again) { Ended::Again } else { Ended::Refused }
}

/// Ends the transaction. There is nothing to wait for when nothing is to be kept.
async fn finish(session: &mut Session, keeps: bool) -> Result<(), Error> {
    if !keeps {
        return session.rollback().await;
    }
    crash_point!("postgres.before_commit");
    let committed = session.commit().await;
    crash_point!("postgres.after_commit");
    committed
}
