//! What the journal answers, and what becomes of the saga: whatever it is, each step is called once.

use orchestrator::journal::{Error, Journal as _};
use orchestrator::runner::Limits;
use service_kit::db;
use uuid::Uuid;

use crate::journal::{Fate, STRANGER, Sight};
use crate::stage::{METHODS, Stage, seconds};

fn unavailable() -> Error {
    Error::Store(db::Error::Unavailable("the disk is full".into()))
}

fn in_doubt() -> Error {
    Error::Store(db::Error::InDoubt("nobody answers".into()))
}

/// A checkout over a journal that is told so.
async fn checkout(fates: Vec<Fate>, sights: Vec<Sight>) -> Stage {
    checkout_on(Stage::alone(Limits::default()).await, fates, sights).await
}

async fn checkout_on(stage: Stage, fates: Vec<Fate>, sights: Vec<Sight>) -> Stage {
    stage.journal.appends.lock().unwrap().extend(fates);
    stage.journal.loads.lock().unwrap().extend(sights);
    stage.accept(1).await.unwrap();
    seconds(1).await;
    stage
}

/// Completed as if nothing had been, by the first who had it.
async fn assert_unharmed(stage: &Stage, versions: i64) {
    let record = stage.record(1).await;
    assert_eq!((record.saga.state().name(), record.version, record.epoch), ("completed", versions, 1));
    for method in METHODS {
        assert_eq!(stage.calls(method), 1, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_fate_is_found_out_is_written_once_and_followed_once() {
    let undisturbed = checkout(Vec::new(), Vec::new()).await.record(1).await.version;
    let cases: Vec<(Vec<Fate>, Vec<Sight>)> = vec![
        (vec![Fate::Fails(unavailable())], vec![]),
        (vec![Fate::Fails(unavailable()), Fate::Fails(unavailable()), Fate::Fails(unavailable())], vec![]),
        (vec![Fate::LandsAnd(in_doubt())], vec![]),
        (vec![Fate::Fails(in_doubt())], vec![]),
        (vec![Fate::LandsAnd(in_doubt()), Fate::Fails(in_doubt()), Fate::Fails(unavailable())], vec![]),
        (vec![Fate::LandsAnd(Error::Fenced)], vec![]),
        (vec![Fate::Fails(Error::Fenced)], vec![]),
        (vec![Fate::LandsAnd(in_doubt())], vec![Sight::Error(unavailable()), Sight::Error(in_doubt())]),
    ];
    for (fates, sights) in cases {
        let what = format!("{fates:?} {sights:?}");
        let stage = checkout(fates, sights).await;
        println!("{what}");
        assert_unharmed(&stage, undisturbed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_does_not_answer_is_asked_ever_more_seldom_and_at_least_each_second() {
    let fates = || (0..20).map(|_| Fate::Fails(unavailable())).collect();
    let stage = checkout(fates(), Vec::new()).await;
    // 20, 40, … 640 milliseconds, which is more than a second.
    assert_eq!(stage.journal.appends.lock().unwrap().len(), 14);
    seconds(5).await;
    assert_eq!(stage.journal.appends.lock().unwrap().len(), 9);
    seconds(10).await;
    assert_eq!(stage.state(1).await, "completed");
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_somebody_else_has_taken_is_let_go_and_not_called_for_any_more() {
    let stage = Stage::sharing().await;
    stage.journal.memory.register(STRANGER).await.unwrap();
    let stage = checkout_on(stage, vec![Fate::ComesTooLate], Vec::new()).await;
    seconds(4).await;
    let record = stage.record(1).await;
    assert_eq!((record.version, record.epoch, record.owner), (1, 2, STRANGER));
    assert_eq!((stage.calls("LockReservation"), stage.calls("ReservePoints")), (1, 0));
    assert_eq!(stage.runner.driven(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_the_journal_refuses_is_taken_up_again_by_the_watch() {
    for error in [Error::Corrupt("a bug".into()), Error::Store(db::Error::Constraint("a bug".into()))] {
        let stage = checkout(vec![Fate::Fails(error)], Vec::new()).await;
        assert_eq!(stage.runner.driven(), 0, "its task is gone");
        assert_eq!(stage.state(1).await, "running");
        seconds(10).await;
        let record = stage.record(1).await;
        assert_eq!((record.saga.state().name(), record.epoch), ("completed", 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_saga_of_which_the_journal_tells_the_impossible_is_parked() {
    let sights = [Sight::Ahead(7), Sight::Ahead(-1), Sight::Nothing, Sight::Error(Error::Corrupt("spoilt".into()))];
    for sight in sights {
        let what = format!("{sight:?}");
        let stage = checkout(vec![Fate::Fails(in_doubt())], vec![sight]).await;
        seconds(60).await;
        let record = stage.record(1).await;
        assert_eq!(record.saga.state().name(), "suspended", "{what}");
        assert!(format!("{:?}", record.saga.state()).contains("impossible version"), "{what}: {record:?}");
        assert_eq!((record.epoch, stage.calls("ReservePoints")), (2, 0), "{what}");
        let history = stage.journal.history(Uuid::from_u128(1), (0, 0), 100).await.unwrap();
        assert!(history.iter().any(|entry| entry.fact.name() == "intervened"), "{what}");
    }
}
