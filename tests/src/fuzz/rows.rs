//! A saga's row with anything in it: numbers first, then texts between zero bytes, the last of which is the machine. The
//! journal reads it, or parks it alone; it never fails as a whole.

use std::cell::RefCell;
use std::sync::Arc;

use orchestrator::exposure::Exposure;
use orchestrator::journal::{Append, Journal as _, LEASE, Orphans, Query, Record, SqlJournal};
use orchestrator::plans::checkout;
use saga::Moment;
use service_kit::args;
use service_kit::clock::ManualClock;
use service_kit::db::{Db, Tx};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

const SAGA: Uuid = Uuid::from_u128(1);
const NEIGHBOUR: Uuid = Uuid::from_u128(2);
const OWNER: Uuid = Uuid::from_u128(0xA);
const SPOIL: &str = "update orchestrator_saga set plan_version = $3, version = $4, epoch = $5, kind = $6, subject = $7, \
    reference = $8, input = $9, machine = $10, state = 'running', problem = null, end_time = null, owner = $11 \
    where bucket = $1 and id = $2";

struct Set {
    clock: Arc<ManualClock>,
    db: Db,
    journal: SqlJournal,
    runtime: Runtime,
}

thread_local! {
    // Never taken down: a database cannot be while its thread's own storage is.
    static SET: &'static RefCell<Set> = Box::leak(Box::new(RefCell::new(Set::new())));
}

impl Set {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let clock = Arc::new(ManualClock::at(0));
        let (db, journal) = runtime.block_on(async {
            let db = Db::open_inline(None, clock.clone()).unwrap();
            db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await.unwrap();
            testbed::without_checks(&db).await.unwrap();
            let journal = SqlJournal::new(db.clone(), LEASE);
            for id in [SAGA, NEIGHBOUR] {
                journal.accept(first(id)).await.unwrap();
            }
            (db, journal)
        });
        Self { clock, db, journal, runtime }
    }

    async fn read(&self, data: &[u8]) {
        // A saga is parked once in an epoch and a millisecond.
        self.clock.advance(1);
        let number =
            |at: usize| data.get(at * 8..at * 8 + 8).map_or(1, |part| i64::from_le_bytes(part.try_into().unwrap()));
        let numbers = [0, 1, 2].map(number);
        let texts: Vec<String> = data
            .get(24..)
            .unwrap_or_default()
            .split(|byte| *byte == 0)
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect();
        let text = |at: usize| texts.get(at).cloned().unwrap_or_default();
        let machine = texts.last().cloned().unwrap_or_default();
        let (kind, subject, reference, input) = (text(0), text(1), text(2), text(3).into_bytes());
        let spoilt = self.db.write(async move |tx: &mut Tx<'_>| {
            let [plan_version, version, epoch] = numbers;
            let row = args![
                tx.bucket(SAGA),
                SAGA,
                plan_version,
                version,
                epoch,
                &kind,
                &subject,
                &reference,
                &input,
                &machine,
                OWNER
            ];
            tx.execute(SPOIL, row).await
        });
        assert_eq!(spoilt.await.unwrap(), 1);
        // One that cannot be read says so, and is left out of lists.
        drop(self.journal.load(SAGA).await);
        let query = Query { limit: 10, ..Query::default() };
        let listed = self.journal.list(&query).await.unwrap();
        assert!(listed.iter().any(|record| record.id == NEIGHBOUR), "its neighbour is not listed");
        self.journal.statistics(0).await.unwrap();
        let successor = Uuid::from_u128(0xB);
        self.journal.register(successor).await.unwrap();
        let adopted = self.journal.adopt(successor, Orphans::Any(10)).await;
        // A number that is the largest cannot grow; nothing that we write comes there.
        if numbers[2] < i64::MAX {
            adopted.unwrap();
            drop(self.journal.adopt(successor, Orphans::One(SAGA)).await.unwrap());
        }
        self.journal.history(SAGA, (0, 0), 10).await.unwrap();
    }
}

fn first(id: Uuid) -> Append {
    let at = Moment { now_ms: 0, jitter: 0 };
    let decision = saga::start(&checkout::PLAN, 30_000, &[], at).unwrap();
    let next = Record {
        id,
        kind: checkout::KIND.into(),
        plan_version: checkout::PLAN.version,
        subject: "customers/1".into(),
        reference: "reservations/1".into(),
        request_hash: vec![1],
        input: b"{}".to_vec(),
        saga: decision.saga,
        version: 1,
        epoch: 1,
        owner: OWNER,
        create_time: 0,
        update_time: 0,
    };
    Append { next: Arc::new(next), facts: decision.facts, events: Vec::new(), exposure: Exposure::default() }
}

pub(super) fn run(data: &[u8]) {
    SET.with(|set| {
        let set = set.borrow();
        set.runtime.block_on(set.read(data));
    });
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let numbers: Vec<u8> = [1_i64, 1, 1].iter().flat_map(|number| number.to_le_bytes()).collect();
    let row = |machine: &[u8]| [&numbers[..], b"checkout\0customers/1\0reservations/1\0{}\0", machine].concat();
    super::sagas::seeds().iter().step_by(6).map(|seed| row(&seed[1..])).collect()
}
