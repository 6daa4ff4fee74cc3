//! Drives sagas: takes an event, has it decided, has the decision written, and only then does what follows from it. The
//! outcome of a call is the next event. A saga that was left by another process is taken over by the same loop.
//!
//! Nothing here chooses what happens next (that is `saga::decide`) and nothing here writes a row (that is the journal).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use saga::{Command, Event, Illegal, Moment};
use service_kit::crash_point;
use service_kit::host::Host;
use service_kit::ids::Ids;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::journal::{self, Accepted, Journal, Record};
use crate::participants::Participants;
use crate::plans::{Definition, Plans};

mod adopt;
mod budget;
mod drive;
mod life;
mod new;
mod points;
mod poison;
mod write;

use budget::Gates;
pub use budget::Limits;
use drive::{Drive, Start};
use life::Life;
pub use new::NewSaga;
use write::Writing;

/// Interventions that may wait for one saga.
const SIGNALS: usize = 16;
/// Times that an intervention looks for the task that drives its saga.
const INTERVENTION_TRIES: usize = 5;
/// How often sagas of processes that have died are looked for.
const ADOPTION_PERIOD: Duration = Duration::from_secs(1);
/// How often own open sagas that no task drives are looked for.
const WATCH_PERIOD: Duration = Duration::from_secs(2);

/// What a runner works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where sagas are written.
    pub journal: Arc<dyn Journal>,
    /// The sagas that are known.
    pub plans: Plans,
    /// Who is called.
    pub participants: Arc<Participants>,
    /// Time, ids and background work.
    pub host: Host,
    /// How much at once.
    pub limits: Limits,
}

/// Why a saga was not accepted, or an intervention not applied.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many sagas are under way.
    #[error("too many sagas are under way")]
    Overloaded,
    /// This orchestrator is about to end.
    #[error("this orchestrator is shutting down")]
    Stopping,
    /// This orchestrator may own no sagas at the moment.
    #[error("this orchestrator has lost its lease")]
    Adrift,
    /// There is no such saga.
    #[error("there is no such saga")]
    NotFound,
    /// The saga follows a plan that this build does not have.
    #[error("this build does not know version {version} of the plan {kind}")]
    UnknownPlan {
        /// The plan.
        kind: String,
        /// Its version.
        version: u32,
    },
    /// The saga has moved on since the version that was decided on.
    #[error("the saga is at version {0} by now")]
    Moved(i64),
    /// The saga does not allow it.
    #[error("the saga does not allow it: {0:?}")]
    Illegal(Illegal),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

/// What a person wants of one saga.
#[derive(Debug, Clone)]
pub struct Intervention {
    /// What.
    pub event: Event,
    /// The version that it was decided on, if that matters.
    pub expected_version: Option<i64>,
}

/// An intervention on its way to the task that drives the saga.
struct Signal {
    intervention: Intervention,
    answer: oneshot::Sender<Result<Arc<Record>, Error>>,
}

/// Drives all sagas that this orchestrator owns; cheap to clone.
#[derive(Debug, Clone)]
pub struct Runner(Arc<Inner>);

struct Inner {
    parts: Parts,
    life: Mutex<Arc<Life>>,
    gates: Gates,
    driven: Mutex<BTreeMap<Uuid, mpsc::Sender<Signal>>>,
    /// Open sagas of this incarnation that no task drove when the watch last looked.
    suspects: Mutex<BTreeSet<Uuid>>,
    /// Open sagas of plans that this build does not know: they wait for one that does.
    foreign: Mutex<BTreeSet<Uuid>>,
    /// How often the tasks of sagas have failed that have not come to rest since.
    failed: Mutex<BTreeMap<Uuid, u32>>,
    draining: AtomicBool,
    /// Sagas that are being accepted.
    accepting: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let driven = self.driven().len();
        f.debug_struct("Runner").field("life", &self.life()).field("driven", &driven).finish_non_exhaustive()
    }
}

impl Inner {
    fn life(&self) -> Arc<Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn begin(&self, life: Arc<Life>) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = life;
    }

    /// The life in which sagas can be owned.
    fn alive(&self) -> Result<Arc<Life>, Error> {
        Some(self.life()).filter(|life| !life.is_over()).ok_or(Error::Adrift)
    }

    fn driven(&self) -> MutexGuard<'_, BTreeMap<Uuid, mpsc::Sender<Signal>>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn suspects(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn foreign(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.foreign.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> Moment {
        Moment { now_ms: self.parts.host.clock.now_ms(), jitter: self.ids().random() }
    }

    fn ids(&self) -> &Ids {
        &self.parts.host.ids
    }
}

impl Runner {
    /// Registers a new incarnation, takes over what earlier ones left, and keeps looking for more.
    ///
    /// # Errors
    /// When the journal cannot be reached.
    pub async fn start(parts: Parts) -> Result<Self, journal::Error> {
        let life = Self::born(&parts).await?;
        let gates = Gates::new(parts.participants.names(), parts.limits);
        let runner = Self(Arc::new(Inner {
            parts,
            life: Mutex::new(life),
            gates,
            driven: Mutex::default(),
            suspects: Mutex::default(),
            foreign: Mutex::default(),
            failed: Mutex::default(),
            draining: AtomicBool::new(false),
            accepting: Arc::default(),
        }));
        runner.stay_alive();
        runner.adopt_orphans().await?;
        let adopting = runner.clone();
        runner.0.parts.host.every(ADOPTION_PERIOD, "adoption", move || {
            let runner = adopting.clone();
            async move { runner.adopt_orphans().await }
        });
        let watching = runner.clone();
        runner.0.parts.host.every(WATCH_PERIOD, "watch", move || {
            let runner = watching.clone();
            async move { runner.watch().await }
        });
        Ok(runner)
    }

    /// Makes a saga durable and starts it, or finds the one that the same id started before. Runs to its end even if
    /// the caller goes away.
    ///
    /// # Errors
    /// [`Error::Overloaded`] before anything is written; an error of the journal means that the outcome is unknown, and
    /// that the same id asks again.
    pub async fn accept(&self, new: NewSaga) -> Result<Accepted, Error> {
        if self.0.draining.load(Ordering::Relaxed) {
            return Err(Error::Stopping);
        }
        // Those that wait for the journal count: it may be slow, and callers who left do not make them fewer.
        let place = Place::take(&self.0.accepting);
        if self.0.driven().len() + place.taken > self.0.parts.limits.sagas {
            // Whoever repeats his request must not hear that nothing was started.
            let known = self.0.parts.journal.load(new.id).await?;
            return known.map(|record| Accepted::Existing(Box::new(record))).ok_or(Error::Overloaded);
        }
        let runner = self.clone();
        let accepting = self.0.parts.host.tasks.spawn(async move {
            let _place = place;
            runner.accept_now(new).await
        });
        accepting.await.unwrap_or(Err(Error::Stopping))
    }

    /// Has an intervention decided and written, and returns the saga as it stands then. A saga that is not driven here is
    /// taken over first.
    ///
    /// # Errors
    /// When there is no such saga, it has moved on, or it does not allow it; then nothing was written.
    pub async fn intervene(&self, id: Uuid, intervention: Intervention) -> Result<Arc<Record>, Error> {
        for _ in 0..INTERVENTION_TRIES {
            let (answer, answered) = oneshot::channel();
            let signal = Signal { intervention: intervention.clone(), answer };
            match self.signals(id) {
                Some(signals) => drop(signals.send(signal).await),
                None => self.take_over(id, signal).await?,
            }
            // A drive that was just ending drops the signal; the next try finds out how it ended.
            if let Ok(result) = answered.await {
                let record = result?;
                self.0.parts.journal.settled().await?;
                return Ok(record);
            }
        }
        Err(Error::Stopping)
    }

    /// How many sagas are under way here.
    pub fn driven(&self) -> usize {
        self.0.driven().len()
    }

    /// Whether a new saga would be turned away.
    pub fn is_full(&self) -> bool {
        self.driven() + self.0.accepting.load(Ordering::Relaxed) >= self.0.parts.limits.sagas
    }

    /// Turns new sagas away from now on.
    pub fn accept_no_more(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Stops, and gives up what it owns, so that another process goes on at once.
    ///
    /// # Errors
    /// When the journal cannot be told; then the lease has to run out first.
    pub async fn give_up(&self) -> Result<(), journal::Error> {
        self.0.parts.host.shut_down().await;
        crash_point!("lease.before_release");
        self.0.parts.journal.release(self.0.life().incarnation).await?;
        crash_point!("lease.after_release");
        Ok(())
    }

    async fn accept_now(self, new: NewSaga) -> Result<Accepted, Error> {
        let life = self.0.alive()?;
        let at = self.0.moment();
        let deadline_ms = at.now_ms.saturating_add(i64::try_from(new.undecided_for.as_millis()).unwrap_or(i64::MAX));
        let plan = new.definition.plan();
        let decision = saga::start(plan, deadline_ms, &new.skip, at).map_err(Error::Illegal)?;
        let record = Record {
            id: new.id,
            kind: plan.kind.to_owned(),
            plan_version: plan.version,
            subject: new.subject,
            reference: new.reference,
            request_hash: new.request_hash,
            input: new.input,
            saga: decision.saga.clone(),
            version: 0,
            epoch: 1,
            owner: life.incarnation,
            create_time: at.now_ms,
            update_time: at.now_ms,
        };
        let writing = Writing::new(&record, new.definition, decision, at, self.0.ids());
        crash_point!("accept.before_journal");
        points::before_intents(new.definition, &writing);
        let accepted = self.0.parts.journal.accept(writing.append.clone()).await?;
        crash_point!("accept.after_journal");
        points::after_intents(new.definition, &writing);
        if accepted == Accepted::New {
            self.drive(&life, new.definition, writing.append.next, Start::Sending(writing.calls));
        }
        Ok(accepted)
    }

    fn signals(&self, id: Uuid) -> Option<mpsc::Sender<Signal>> {
        self.0.driven().get(&id).cloned()
    }

    fn drive(&self, life: &Arc<Life>, definition: &'static dyn Definition, record: Arc<Record>, start: Start) {
        let (sender, signals) = mpsc::channel(SIGNALS);
        let id = record.id;
        self.0.driven().insert(id, sender.clone());
        let (runner, life) = (self.clone(), life.clone());
        self.0.parts.host.tasks.spawn(async move {
            let _driven = Driven { runner: &runner, id, sender };
            if Drive::new(&runner.0, life, definition, record, signals).run(start).await {
                runner.is_well(id);
            }
        });
    }
}

/// A place among the sagas that are being accepted, given back when it is dropped.
struct Place {
    accepting: Arc<AtomicUsize>,
    /// How many are taken, this one included.
    taken: usize,
}

impl Place {
    fn take(accepting: &Arc<AtomicUsize>) -> Self {
        let taken = accepting.fetch_add(1, Ordering::Relaxed) + 1;
        Self { accepting: accepting.clone(), taken }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.accepting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes the saga off the list when its task ends, in whatever way.
struct Driven<'a> {
    runner: &'a Runner,
    id: Uuid,
    sender: mpsc::Sender<Signal>,
}

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        let mut driven = self.runner.0.driven();
        // A later task of the same saga keeps its place.
        if driven.get(&self.id).is_some_and(|listed| listed.same_channel(&self.sender)) {
            driven.remove(&self.id);
        }
    }
}

/// The calls that a decision asks for.
fn calls(commands: &[Command]) -> impl Iterator<Item = saga::Call> + '_ {
    commands.iter().filter_map(|command| match command {
        Command::Send(call) => Some(*call),
        Command::Announce(_) => None,
    })
}
