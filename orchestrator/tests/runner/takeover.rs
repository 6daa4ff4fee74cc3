//! Sagas that are taken over: by a person's wish, by the watch, however many there are.

use std::sync::Arc;

use orchestrator::exposure::Exposure;
use orchestrator::journal::{Append, Error as Broken, Journal as _, Orphans, Record};
use orchestrator::plans::checkout;
use orchestrator::runner::{Error, Intervention, Limits};
use saga::{Act, Event, Illegal, Moment};
use uuid::Uuid;

use crate::journal::{Fate, STRANGER};
use crate::stage::{Stage, seconds};

fn wish(event: fn(Act) -> Event, expected_version: Option<i64>) -> Intervention {
    Intervention { event: event(Act { by: "operators/kim".into(), reason: "a look".into() }), expected_version }
}

/// A saga that another process has taken, who does nothing with it.
async fn taken() -> Stage {
    let stage = Stage::alone(Limits::default()).await;
    stage.hang("ReservePoints");
    stage.accept(1).await.unwrap();
    tokio::task::yield_now().await;
    stage.journal.memory.adopt(STRANGER, Orphans::One(Uuid::from_u128(1))).await.unwrap();
    stage
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_a_saga_that_is_somewhere_else_takes_it_over() {
    let stage = taken().await;
    let record = stage.runner.intervene(Uuid::from_u128(1), wish(Event::Suspend, None)).await.unwrap();
    assert_eq!((record.saga.state().name(), record.epoch), ("suspended", 3));
    assert_ne!(record.owner, STRANGER);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_is_refused_takes_nothing_over() {
    let stage = Stage::alone(Limits::default()).await;
    assert!(matches!(stage.runner.intervene(Uuid::nil(), wish(Event::Suspend, None)).await, Err(Error::NotFound)));
    stage.accept(1).await.unwrap();
    seconds(1).await;
    let (id, ended) = (Uuid::from_u128(1), stage.record(1).await);
    let refused = stage.runner.intervene(id, wish(Event::Suspend, None)).await;
    assert!(matches!(refused, Err(Error::Illegal(Illegal::Ended))), "{refused:?}");
    assert_eq!(stage.record(1).await, ended);

    stage.hang("ReservePoints");
    stage.accept(2).await.unwrap();
    seconds(0).await;
    let id = Uuid::from_u128(2);
    let held = stage.runner.intervene(id, wish(Event::Suspend, None)).await.unwrap();
    seconds(60).await;
    assert_eq!(stage.runner.driven(), 0, "what is suspended is driven by nobody");
    let held = stage.record(2).await.version.max(held.version);
    let refused = stage.runner.intervene(id, wish(Event::Suspend, None)).await;
    assert!(matches!(refused, Err(Error::Illegal(_))), "{refused:?}");
    let moved = stage.runner.intervene(id, wish(Event::Resume, Some(held - 1))).await;
    assert!(matches!(moved, Err(Error::Moved(version)) if version == held), "{moved:?}");
    assert_eq!(stage.record(2).await.epoch, 1, "nobody has taken it over for that");
    stage.heal("ReservePoints");
    stage.runner.intervene(id, wish(Event::Resume, Some(held))).await.unwrap();
    seconds(30).await;
    assert_eq!((stage.state(2).await, stage.record(2).await.epoch), ("completed", 2));
}

#[tokio::test(start_paused = true)]
async fn a_wish_is_not_refused_for_what_another_process_has_made_of_the_saga() {
    let stage = taken().await;
    let (id, record) = (Uuid::from_u128(1), stage.record(1).await);
    let act = Act { by: "operators/lee".into(), reason: "elsewhere".into() };
    let at = Moment { now_ms: record.update_time + 1, jitter: 0 };
    let held = saga::decide(&checkout::PLAN, &record.saga, &Event::Suspend(act), at).unwrap();
    let next = Record { saga: held.saga, version: record.version + 1, update_time: at.now_ms, ..record };
    let (facts, events, exposure) = (held.facts, Vec::new(), Exposure::default());
    stage.journal.memory.append(Append { next: Arc::new(next), facts, events, exposure }).await.unwrap();
    // What is driven here knows nothing of that, and would say that there is nothing to resume.
    stage.heal("ReservePoints");
    let resumed = stage.runner.intervene(id, wish(Event::Resume, None)).await.unwrap();
    assert_eq!((resumed.saga.state().name(), resumed.epoch), ("running", 3));
    seconds(10).await;
    assert_eq!(stage.state(1).await, "completed");
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_is_refused_leaves_the_saga_with_its_task() {
    let stage = Stage::alone(Limits::default()).await;
    stage.hang("ReservePoints");
    stage.accept(1).await.unwrap();
    let refused = stage.runner.intervene(Uuid::from_u128(1), wish(Event::Resume, None)).await;
    assert!(matches!(refused, Err(Error::Illegal(_))), "{refused:?}");
    assert_eq!(stage.runner.driven(), 1);
    stage.heal("ReservePoints");
    seconds(20).await;
    assert_eq!((stage.state(1).await, stage.record(1).await.epoch), ("completed", 1));
}

#[tokio::test(start_paused = true)]
async fn the_watch_takes_up_all_that_have_lost_their_tasks_however_many_and_once() {
    const SAGAS: u128 = 600;
    let stage = Stage::alone(Limits::default()).await;
    stage.hang("LockReservation");
    for id in 1..=SAGAS {
        stage.accept(id).await.unwrap();
    }
    let refusals = (0..SAGAS).map(|_| Fate::Fails(Broken::Corrupt("a bug".into())));
    stage.journal.appends.lock().unwrap().extend(refusals);
    stage.heal("LockReservation");
    // The calls time out after a second, and nothing of it can be written. The watch looks every other second, and takes up
    // what it has found twice: however many pages that is.
    seconds(2).await;
    assert_eq!(stage.runner.driven(), 0);
    seconds(5).await;
    for id in 1..=SAGAS {
        let record = stage.record(id).await;
        assert_eq!((record.saga.state().name(), record.epoch), ("completed", 2), "{id}");
    }
    assert_eq!(stage.runner.driven(), 0);
}
