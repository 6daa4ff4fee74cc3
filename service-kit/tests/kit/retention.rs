//! What is forgotten, when, and what is not.

use std::sync::Arc;

use service_kit::args;
use service_kit::clock::ManualClock;
use service_kit::db::{Db, Error, Migration};
use service_kit::retention::{Forgotten, Retention, Settings, sagas};
use tokio::task::JoinSet;
use uuid::Uuid;

static RETENTION: Retention = service_kit::retention!("kept");

const TABLES: &[Migration] = &[
    Migration {
        version: 1,
        name: "saga_op",
        sql: "create table kept_saga_op (aggregate_id uuid not null, saga_id uuid not null, step text not null, \
              state bigint not null, create_time bigint not null, primary key (aggregate_id, saga_id, step))",
    },
    Migration { version: 2, name: "saga_op_saga", sql: "create index kept_saga_op_saga on kept_saga_op (saga_id)" },
    Migration {
        version: 3,
        name: "archived_sagas",
        sql: "create table kept_archived_sagas (saga_id uuid not null primary key, archive_time bigint not null)",
    },
    Migration {
        version: 4,
        name: "idempotency",
        sql: "create table kept_idempotency (request_id uuid not null primary key, create_time bigint not null)",
    },
];

const SETTINGS: Settings = Settings { saga_horizon_ms: 1_000, request_horizon_ms: 500, batch: 3 };

const APPLIED: i64 = 1;
const IN_PROGRESS: i64 = 5;

/// One who keeps 10 steps of 5 sagas and 5 answers.
async fn keeper(db: Db) -> Db {
    db.migrate("kept", TABLES).await.unwrap();
    for saga in 1..=5 {
        for step in ["reserve", "capture"] {
            note_step(&db, saga, step, APPLIED).await;
        }
        let answer = "insert into kept_idempotency (request_id, create_time) values ($1, $2)";
        db.write(async move |tx| tx.execute(answer, args![Uuid::from_u128(saga), tx.now_ms()]).await).await.unwrap();
    }
    db
}

async fn note_step(db: &Db, saga: u128, step: &'static str, state: i64) {
    let insert =
        "insert into kept_saga_op (aggregate_id, saga_id, step, state, create_time) values ($1, $2, $3, $4, 1)";
    let noted = db.write(async move |tx| {
        tx.execute(insert, args![Uuid::from_u128(99), Uuid::from_u128(saga), step, state]).await
    });
    noted.await.unwrap();
}

async fn archived(db: &Db, sagas: &[u128]) -> i64 {
    RETENTION.archived(db, sagas.iter().map(|saga| Uuid::from_u128(*saga)).collect()).await.unwrap()
}

async fn purge(db: &Db) -> (u64, u64) {
    let Forgotten { sagas, answers } = RETENTION.purge(db, SETTINGS).await.unwrap();
    (sagas, answers)
}

/// Steps, notes, answers.
async fn rows(db: &Db) -> (i64, i64, i64) {
    const COUNT: &str = "select (select count(*) from kept_saga_op), (select count(*) from kept_archived_sagas), \
        (select count(*) from kept_idempotency)";
    let counted: Result<(i64, i64, i64), Error> = db.read(async |tx| tx.fetch_one(COUNT, &[]).await).await;
    counted.unwrap()
}

#[tokio::test]
async fn steps_are_forgotten_after_the_notice_and_the_horizon_and_never_by_age_alone() {
    let clock = Arc::new(ManualClock::at(10_000));
    let db = keeper(testbed::db(clock.clone()).await).await;
    clock.advance(1_000_000);
    assert_eq!(purge(&db).await, (0, 5));
    assert_eq!(rows(&db).await, (10, 0, 0));

    assert_eq!(archived(&db, &[1, 2, 3, 4, 77, 4]).await, 4, "the fifth left nothing here");
    assert_eq!(rows(&db).await, (10, 4, 0));
    clock.advance(1_000);
    assert_eq!(purge(&db).await, (0, 0), "the horizon has not passed");
    clock.advance(1);
    assert_eq!(purge(&db).await, (4, 0));
    assert_eq!(rows(&db).await, (2, 0, 0));
}

#[tokio::test]
async fn a_repeated_notice_does_not_put_off_the_end() {
    let clock = Arc::new(ManualClock::at(10_000));
    let db = keeper(testbed::db(clock.clone()).await).await;
    assert_eq!(archived(&db, &[1]).await, 1);
    clock.advance(600);
    assert_eq!(archived(&db, &[1]).await, 1);
    clock.advance(600);
    assert_eq!(purge(&db).await.0, 1);
    assert_eq!(archived(&db, &[1]).await, 0, "it is not known any more");
    assert_eq!(rows(&db).await.1, 0);
}

#[tokio::test]
async fn a_step_that_somebody_outside_still_decides_on_stays() {
    let clock = Arc::new(ManualClock::at(10_000));
    let db = keeper(testbed::db(clock.clone()).await).await;
    note_step(&db, 1, "refund", IN_PROGRESS).await;
    archived(&db, &[1]).await;
    clock.advance(2_000);
    assert_eq!(purge(&db).await, (1, 5));
    assert_eq!(rows(&db).await, (9, 0, 0));
}

#[tokio::test]
async fn answers_are_forgotten_by_their_age() {
    let clock = Arc::new(ManualClock::at(10_000));
    let db = keeper(testbed::db(clock.clone()).await).await;
    clock.advance(500);
    assert_eq!(purge(&db).await, (0, 0));
    clock.advance(1);
    assert_eq!(purge(&db).await, (0, 5));
    assert_eq!(rows(&db).await, (10, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_at_once_forget_everything_once() {
    let clock = Arc::new(ManualClock::at(10_000));
    let directory = tempfile::tempdir().unwrap();
    let db = keeper(testbed::threaded(directory.path(), clock.clone()).await).await;
    archived(&db, &[1, 2, 3, 4, 5]).await;
    clock.advance(2_000);
    let mut rounds = JoinSet::new();
    for _ in 0..8 {
        let db = db.clone();
        rounds.spawn(async move { purge(&db).await });
    }
    let done = rounds.join_all().await;
    let sum = done.iter().fold((0, 0), |sum, done| (sum.0 + done.0, sum.1 + done.1));
    assert_eq!((sum, rows(&db).await), ((5, 5), (0, 0, 0)));
}

#[test]
fn a_notice_names_sagas_and_not_too_many() {
    let name = |id: u128| format!("sagas/{}", Uuid::from_u128(id));
    assert_eq!(sagas(&[name(1), name(2)]).unwrap(), [Uuid::from_u128(1), Uuid::from_u128(2)]);
    let many: Vec<String> = (0..1_001).map(name).collect();
    for wrong in [&[][..], &many, &["1".to_owned()], &[name(1), "checkouts/1".to_owned()]] {
        assert!(sagas(wrong).is_err());
    }
    assert_eq!(sagas(&many[1..]).unwrap().len(), 1_000);
}
