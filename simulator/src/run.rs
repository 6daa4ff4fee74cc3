//! One run: everything is set up, faults rage, all is healed, everything comes to its end, the books are read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use service_kit::db::{self, Db, Tx};
use service_kit::retention::{Retention, Settings};
use service_kit::{args, retention};
use uuid::Uuid;

use crate::books::Books;
use crate::clients::{Answers, Client, account, seat};
use crate::dice::{dice, mix, word};
use crate::faults::{Fault, Faults, Kind};
use crate::mutants::Mutant;
use crate::replica::Fleet;
use crate::store::Store;
use crate::swarm::Swarm;
use crate::trace::Trace;
use crate::world::{World, pause};
use crate::{judge, nemesis, shelf};

/// Points that every account begins with.
pub(crate) const POINTS: i64 = 200;
/// Within this time after the faults have stopped, everything has to have ended: several of the longest back-offs.
const BOUND_MS: i64 = 240_000;
/// How much longer it may take if a clock was wrong: a wait seems to be as long as the longest that there is.
const WRONG_CLOCK_MS: i64 = saga::schedule::LONGEST_WAIT_MS + 30_000;
/// How often somebody looks after what is held.
const ROUND_MS: u32 = 500;
/// Rounds between two looks of the operator at what is suspended.
const OPERATOR_ROUNDS: u64 = 10;
/// Rounds between two purges.
const PURGE_ROUNDS: u64 = 8;

static RETENTION: Retention = retention!("sim");

/// What a run is to be like, beside its seed.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The mistake that is made.
    pub mutant: Option<Mutant>,
    /// The only faults that strike, if not all.
    pub only: Option<BTreeSet<u64>>,
    /// Whether what happens is told line by line.
    pub trace: bool,
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// The same for two runs in which the same happened.
    pub hash: u64,
    /// What went wrong.
    pub fired: Vec<Fault>,
    /// Sagas in the journal.
    pub sagas: u64,
    /// Those that completed.
    pub completed: u64,
    /// Those that left nothing.
    pub compensated: u64,
    /// Sagas whose traces were forgotten.
    pub purged: u64,
    /// Simulated time.
    pub elapsed_ms: u64,
    /// Broken promises.
    pub violations: Vec<String>,
    /// What happened, if it was to be told.
    pub lines: Vec<String>,
}

thread_local! {
    /// The panics of the run that is under way on this thread, if one is.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs a seed.
///
/// # Panics
/// When the runtime cannot be made.
pub fn run(seed: u64, options: &Options) -> Report {
    watch_panics();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing");
    let mut report = runtime.block_on(simulate(seed, options)).unwrap_or_else(|error| Report {
        violations: vec![format!("the simulation itself failed: {error}")],
        ..Report::default()
    });
    drop(runtime);
    report.seed = seed;
    report.violations.extend(PANICS.take().unwrap_or_default());
    report
}

/// A panic ends one task only; it is a finding all the same.
fn watch_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with(|panics| match &mut *panics.borrow_mut() {
                Some(panics) => panics.push(format!("panic: {info}")),
                None => usual(info),
            });
        }));
    });
    PANICS.set(Some(Vec::new()));
}

async fn simulate(seed: u64, options: &Options) -> Result<Report, db::Error> {
    let swarm = Swarm::of(seed);
    let faults = Faults::new(seed, swarm.clone(), options.only.clone());
    let world = Arc::new(World::new((seed, swarm), options.mutant, faults, Trace::new(options.trace)));
    let db = shelf::db().await?;
    open(&world, &db).await?;
    let store = Arc::new(Store::new(world.clone()));
    let books = Arc::new(Books::new(world.clone(), db.clone(), store.clone()));
    let fleet = Fleet::new(&world, &books, &store);
    let stage = Stage { world, db, fleet, answers: Arc::default() };
    let mut report = stage.play().await?;
    report.violations = std::mem::take(&mut *stage.world.violations());
    report.fired = stage.world.faults().fired().to_vec();
    report.elapsed_ms = stage.world.elapsed_ms().unsigned_abs();
    report.hash = stage.world.trace().hash();
    report.lines = stage.world.trace().take();
    shelf::keep(stage.db.clone());
    Ok(report)
}

/// Makes the seats and accounts.
async fn open(world: &World, db: &Db) -> Result<(), db::Error> {
    const SEAT: &str = "insert into sim_seat (reservation, state) values ($1, 0)";
    const ACCOUNT: &str = "insert into sim_account (customer, balance, reserved) values ($1, $2, 0)";
    let (seats, accounts) = (world.swarm.seats, world.swarm.accounts);
    db.write(async move |tx: &mut Tx<'_>| {
        for number in 0..seats {
            tx.execute(SEAT, args![seat(number)]).await?;
        }
        for number in 0..accounts {
            tx.execute(ACCOUNT, args![account(number), POINTS]).await?;
        }
        Ok(())
    })
    .await
}

struct Stage {
    world: Arc<World>,
    db: Db,
    fleet: Arc<Fleet>,
    answers: Arc<Answers>,
}

impl Stage {
    #[expect(clippy::disallowed_methods, reason = "customers are no part of any process")]
    async fn play(&self) -> Result<Report, db::Error> {
        let mut clients = Vec::new();
        for place in 0..self.world.swarm.wishes as u64 {
            if self.world.faults().planned(mix(&[word("wish"), place]), Kind::Wish).is_some() {
                clients.push(tokio::spawn(Client::new(&self.fleet, &self.answers, place).live()));
            }
        }
        nemesis::plan(&self.fleet);
        let mut report = Report::default();
        let mut round = 0;
        while self.world.elapsed_ms() < self.world.swarm.rage_ms as i64 {
            pause(ROUND_MS).await;
            round += 1;
            report.purged += self.purge(round).await?;
        }
        self.heal();
        let bound_ms = self.world.elapsed_ms() + self.patience_ms();
        while !(clients.iter().all(tokio::task::JoinHandle::is_finished) && self.is_settled()) {
            if self.world.elapsed_ms() > bound_ms {
                self.complain();
                break;
            }
            pause(ROUND_MS).await;
            round += 1;
            if round.is_multiple_of(OPERATOR_ROUNDS) {
                self.let_go().await;
            }
            report.purged += self.purge(round).await?;
        }
        self.fleet.all().iter().for_each(|life| life.process.die());
        clients.iter().for_each(tokio::task::JoinHandle::abort);
        while self.world.is_busy() {
            pause(1_000).await;
        }
        judge::judge((&self.world, &self.db), &self.fleet.store, &self.answers, &mut report).await?;
        Ok(report)
    }

    /// How long everything may take to end once all is healed.
    fn patience_ms(&self) -> i64 {
        let was_wrong = self.world.faults().fired().iter().any(|fault| fault.kind == Kind::ClockJump);
        if was_wrong { BOUND_MS + WRONG_CLOCK_MS } else { BOUND_MS }
    }

    /// Nothing goes wrong any more, and whoever is dead or away comes back.
    fn heal(&self) {
        self.world.note(&[14], || "all is healed".into());
        self.world.faults().calm();
        self.fleet.away_until_ms.store(0, Ordering::Relaxed);
        self.fleet.books.heal();
        self.fleet.heal_clocks();
        let mut dice = dice(&[self.world.seed, word("heal")]);
        for (replica, life) in self.fleet.all().iter().enumerate() {
            life.process.spare();
            life.process.thaw(&mut dice);
            if life.process.is_dead() {
                self.fleet.restart(replica as u64);
            }
        }
    }

    /// Whether no saga is under way.
    fn is_settled(&self) -> bool {
        let mut settled = true;
        self.fleet.store.each(|row| settled &= row.record.saga.is_terminal());
        settled
    }

    /// An operator lets everything go on that is held.
    async fn let_go(&self) {
        for saga in self.suspended() {
            nemesis::meddle(&self.fleet, (saga.as_u128() as u64, saga), Kind::Resume).await;
        }
    }

    fn suspended(&self) -> Vec<Uuid> {
        let mut suspended = Vec::new();
        self.fleet.store.each(|row| suspended.extend(row.record.saga.is_suspended().then_some(row.record.id)));
        suspended
    }

    /// Says what has no end.
    fn complain(&self) {
        self.fleet.store.each(|row| {
            if row.record.saga.is_open() {
                let state = row.record.saga.state().name();
                self.world.violated(format!("liveness: saga {} is still {state}", row.record.id));
            }
        });
        if self.is_settled() {
            self.world.violated("liveness: a customer does not hear of the end");
        }
    }

    /// Has the participants forget sagas that ended long ago.
    async fn purge(&self, round: u64) -> Result<u64, db::Error> {
        let Some(saga_horizon_ms) = self.world.swarm.horizon_ms.filter(|_| round.is_multiple_of(PURGE_ROUNDS)) else {
            return Ok(0);
        };
        let mut ended = Vec::new();
        self.fleet.store.each(|row| {
            if row.record.saga.is_terminal() {
                ended.push(format!("sagas/{}", row.record.id));
            }
        });
        if !ended.is_empty() {
            drop(RETENTION.notice(&self.db, &ended).await);
        }
        let settings = Settings { saga_horizon_ms, ..Settings::default() };
        Ok(RETENTION.purge(&self.db, settings).await?.sagas)
    }
}
