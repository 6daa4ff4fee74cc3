//! When a life of a runner ends, and what it may do until then.

use std::time::Duration;

use orchestrator::journal::{Error, LEASE};
use orchestrator::runner::Limits;
use service_kit::db;

use crate::journal::Renewal;
use crate::stage::{Stage, seconds};

fn outage() -> Renewal {
    Renewal::Fails(Error::Store(db::Error::Unavailable("nobody there".into())))
}

async fn told(renewals: impl IntoIterator<Item = Renewal>) -> Stage {
    let stage = Stage::sharing().await;
    stage.journal.renewals.lock().unwrap().extend(renewals);
    stage
}

#[tokio::test(start_paused = true)]
async fn a_life_lasts_while_its_lease_is_renewed() {
    let stage = told([]).await;
    stage.hang("ReservePoints");
    stage.accept(1).await.unwrap();
    seconds(600).await;
    assert_eq!(stage.journal.lives(), 1);
    assert!(stage.runner.is_eldest().await);
}

#[tokio::test(start_paused = true)]
async fn a_life_outlasts_renewals_that_hang_or_fail_once_or_twice() {
    // The second in a row is tried half a period later.
    let stage = told([Renewal::Hangs, Renewal::Hangs]).await;
    seconds(60).await;
    assert_eq!(stage.journal.lives(), 1);
    let stage = told([outage()]).await;
    seconds(60).await;
    assert_eq!(stage.journal.lives(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_life_ends_with_its_lease_and_another_begins() {
    let stage = told((0..100).map(|_| outage())).await;
    let first = stage.journal.registered.lock().unwrap()[0];
    tokio::time::sleep(LEASE - Duration::from_millis(1)).await;
    assert_eq!(stage.journal.lives(), 1, "not before it has run out");
    tokio::time::sleep(Duration::from_millis(201)).await;
    assert_eq!(stage.journal.lives(), 2);
    assert_ne!(stage.journal.registered.lock().unwrap()[1], first);
    // What was driven is taken up again by the next life, as soon as the journal lets it.
    stage.journal.renewals.lock().unwrap().clear();
    stage.accept(1).await.unwrap();
    seconds(20).await;
    assert_eq!((stage.state(1).await, stage.journal.lives()), ("completed", 2));
}

#[tokio::test(start_paused = true)]
async fn a_life_that_the_journal_denies_ends_at_once() {
    let stage = told([Renewal::Refused]).await;
    seconds(3).await;
    assert_eq!(stage.journal.lives(), 2);
    seconds(60).await;
    assert_eq!(stage.journal.lives(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_life_had_under_way_when_it_ended_is_taken_up_by_the_next() {
    let stage = told([Renewal::Refused]).await;
    stage.hang("ReservePoints");
    stage.accept(1).await.unwrap();
    seconds(3).await;
    stage.heal("ReservePoints");
    seconds(10).await;
    let record = stage.record(1).await;
    assert_eq!((record.saga.state().name(), record.epoch), ("completed", 2));
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_is_followed_at_once_and_is_the_eldest_no_more() {
    let first = Stage::sharing().await;
    first.hang("ReservePoints");
    first.accept(1).await.unwrap();
    let second = Stage::over(first.journal.clone(), Limits::default()).await;
    seconds(2).await;
    // Both were born in the same moment: it is one of them.
    assert_ne!(first.runner.is_eldest().await, second.runner.is_eldest().await);
    assert_eq!(first.record(1).await.epoch, 1, "who lives keeps what he has");
    first.runner.give_up().await.unwrap();
    seconds(2).await;
    assert_eq!((second.record(1).await.epoch, second.state(1).await), (2, "completed"));
    assert!(second.runner.is_eldest().await && !first.runner.is_eldest().await);
}
