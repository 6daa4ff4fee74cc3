//! A journal to test, with a way to look at its outbox, and sagas to put into it.

use std::sync::Arc;

use orchestrator::exposure::Exposure;
use orchestrator::journal::{Append, Journal, LEASE, MemoryJournal, Record, SqlJournal};
use saga::{Act, Call, Direction, Event, Moment, Outcome, Plan, StepIndex, step};
use service_kit::clock::ManualClock;
use service_kit::db::Db;
use service_kit::outbox::{self, Outbox};
use tempfile::TempDir;
use uuid::Uuid;

/// The incarnation that accepts sagas here.
pub(crate) const OWNER: Uuid = Uuid::from_u128(0xA);
/// Another one.
pub(crate) const OTHER: Uuid = Uuid::from_u128(0xB);

static PLAN: Plan = Plan::new("purchase", 1, &[step("hold", "shop/Hold", "shop/Release")]);
const OUTBOX: Outbox = service_kit::outbox!("orchestrator");

pub(crate) struct Bench {
    pub(crate) journal: Arc<dyn Journal>,
    /// What leases go by.
    pub(crate) clock: Arc<ManualClock>,
    store: Store,
    _directory: Option<TempDir>,
}

enum Store {
    Memory(Arc<MemoryJournal>),
    Sql(Db),
}

impl Bench {
    /// The model, for one process.
    pub(crate) async fn memory() -> Self {
        let journal = Arc::new(MemoryJournal::default());
        Self::with(journal.clone(), Store::Memory(journal), (clock(), None)).await
    }

    /// The model, for processes that share it.
    pub(crate) async fn shared_memory() -> Self {
        let clock = clock();
        let journal = Arc::new(MemoryJournal::shared(LEASE, clock.clone()));
        Self::with(journal.clone(), Store::Memory(journal), (clock, None)).await
    }

    /// The model of this journal: one that is shared for one that is.
    pub(crate) async fn model(&self) -> Self {
        if self.journal.lease().is_some() { Self::shared_memory().await } else { Self::memory().await }
    }

    /// A database with group commit.
    pub(crate) async fn threaded() -> Self {
        let (clock, directory) = (clock(), tempfile::tempdir().unwrap());
        let db = testbed::threaded(directory.path(), clock.clone()).await;
        Self::sql(db, (clock, Some(directory))).await
    }

    /// The same, ahead of its commits.
    pub(crate) async fn ahead() -> Self {
        let bench = Self::threaded().await;
        let journal = Arc::new(SqlJournal::new(bench.db().clone(), LEASE).ahead());
        Self { journal, ..bench }
    }

    /// A database that works while the test's own thread waits.
    pub(crate) async fn inline() -> Self {
        let clock = clock();
        Self::sql(testbed::db(clock.clone()).await, (clock, None)).await
    }

    /// The same for processes that share it, whatever the engine.
    pub(crate) async fn leased() -> Self {
        let clock = clock();
        let db = testbed::db(clock.clone()).await;
        db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await.unwrap();
        Self::with(Arc::new(SqlJournal::shared(db.clone(), LEASE)), Store::Sql(db), (clock, None)).await
    }

    async fn sql(db: Db, parts: (Arc<ManualClock>, Option<TempDir>)) -> Self {
        db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await.unwrap();
        Self::with(Arc::new(SqlJournal::new(db.clone(), LEASE)), Store::Sql(db), parts).await
    }

    async fn with(
        journal: Arc<dyn Journal>,
        store: Store,
        (clock, directory): (Arc<ManualClock>, Option<TempDir>),
    ) -> Self {
        journal.register(OWNER).await.unwrap();
        Self { journal, clock, store, _directory: directory }
    }

    /// Registers an incarnation when all former ones have died.
    pub(crate) async fn succeed(&self, incarnation: Uuid) {
        self.clock.advance(i64::try_from(LEASE.as_millis()).unwrap());
        self.journal.register(incarnation).await.unwrap();
    }

    /// The database, where there is one.
    pub(crate) fn db(&self) -> &Db {
        match &self.store {
            Store::Sql(db) => db,
            Store::Memory(_) => panic!("this journal has no database"),
        }
    }

    /// What the journal has announced, by id. Where the rows lie is checked and left out.
    pub(crate) async fn events(&self) -> Vec<outbox::Event> {
        self.journal.settled().await.unwrap();
        let mut events = match &self.store {
            Store::Memory(journal) => journal.events(),
            Store::Sql(db) => db.read(async move |tx| OUTBOX.take(tx, 1_000_000).await).await.unwrap(),
        };
        for event in &mut events {
            if let (Store::Sql(db), Some(saga)) = (&self.store, event.saga) {
                assert_eq!(event.bucket, service_kit::ids::bucket(saga) % db.buckets());
            }
            event.bucket = 0;
        }
        events.sort_by_key(|event| event.id);
        events
    }

    /// Accepts a saga and returns it.
    pub(crate) async fn accepted(&self, number: u128) -> Arc<Record> {
        self.accept(new(number)).await
    }

    pub(crate) async fn accept(&self, first: Append) -> Arc<Record> {
        let record = first.next.clone();
        self.journal.accept(first).await.unwrap();
        self.journal.settled().await.unwrap();
        record
    }

    /// Appends and returns what stands then.
    pub(crate) async fn append(&self, append: Append) -> Arc<Record> {
        let record = append.next.clone();
        self.journal.append(append).await.unwrap();
        self.journal.settled().await.unwrap();
        record
    }

    /// The first of an owner's open sagas.
    pub(crate) async fn owned(&self, owner: Uuid) -> Vec<Uuid> {
        self.journal.owned(owner, None, 100).await.unwrap()
    }

    pub(crate) async fn load(&self, id: Uuid) -> Record {
        self.journal.load(id).await.unwrap().unwrap()
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(0))
}

/// An acceptance. Numbers are spread over buckets, customers and kinds of references, and make the ids sort.
pub(crate) fn new(number: u128) -> Append {
    let now_ms = 1_000 + i64::try_from(number / 3).unwrap();
    let decision = saga::start(&PLAN, now_ms + 30_000, &[], moment(now_ms)).unwrap();
    let mut saga = decision.saga;
    saga.set_request(StepIndex(0), Direction::Forward, vec![0, 255, 7]);
    let record = Record {
        id: id(number),
        kind: PLAN.kind.to_owned(),
        plan_version: PLAN.version,
        subject: format!("customers/{}", number % 2),
        reference: format!("reservations/{}", number % 5),
        request_hash: vec![1, 2, 3],
        input: vec![0, 159, 146, 150],
        saga,
        version: 1,
        epoch: 1,
        owner: OWNER,
        create_time: now_ms,
        update_time: now_ms,
    };
    Append { next: Arc::new(record), facts: decision.facts, events: Vec::new(), exposure: Exposure::default() }
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(((number + 1) << 16) | (number * 389 % 1024))
}

/// The saga's only step happened, which ends it.
pub(crate) fn end(record: &Record) -> Append {
    let call = Call { step: StepIndex(0), direction: Direction::Forward, attempt: 1 };
    let outcome = Outcome::Done { output: vec![9], skip: Vec::new() };
    then(record, &Event::Attempted { call, outcome, elapsed_ms: 5 })
}

/// Suspends a saga that goes on, resumes one that is suspended: a saga takes any number of these.
pub(crate) fn toggle(record: &Record) -> Append {
    let act = Act { by: "operators/kim".into(), reason: "a look".into() };
    let event = if record.saga.is_suspended() { Event::Resume(act) } else { Event::Suspend(act) };
    then(record, &event)
}

fn then(record: &Record, event: &Event) -> Append {
    let now_ms = record.update_time + 10;
    let decision = saga::decide(&PLAN, &record.saga, event, moment(now_ms)).unwrap();
    let next = Record { saga: decision.saga, version: record.version + 1, update_time: now_ms, ..record.clone() };
    Append { next: Arc::new(next), facts: decision.facts, events: Vec::new(), exposure: Exposure::default() }
}

/// The same write, announcing an event of this id.
pub(crate) fn announcing(mut append: Append, number: u128) -> Append {
    append.events.push(outbox::Event {
        bucket: 0,
        id: Uuid::from_u128(number),
        aggregate: format!("sagas/{}", append.next.id),
        kind: "ticketing.saga.suspended.v1".into(),
        saga: Some(append.next.id),
        data: vec![4, 5],
        create_time: append.next.update_time,
        partition: append.next.reference.clone(),
        version: append.next.version,
    });
    append
}

fn moment(now_ms: i64) -> Moment {
    Moment { now_ms, jitter: 0 }
}
