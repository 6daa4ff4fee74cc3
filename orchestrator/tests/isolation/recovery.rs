//! What an outage has left goes on at once, as fast as the participants can, and what frees a seat goes first.

use std::sync::Arc;
use std::time::Duration;

use orchestrator::journal::MemoryJournal;
use orchestrator::plans::Plans;
use orchestrator::runner::{Error, Limits};
use tokio::time::Instant;

use super::house::{House, Mood};

/// What a participant takes for an answer.
const ANSWER: Duration = Duration::from_millis(10);

/// A journal in which so many sagas of free seats are open, as their orchestrator died when nobody answered.
async fn after_an_outage(open: u128) -> Arc<MemoryJournal> {
    let house = House::new(Limits::default()).await;
    house.script.set("concert", Mood::Hangs);
    for id in 0..open {
        house.accept(2 * id + 1).await.unwrap();
    }
    assert_eq!(house.runner.driven(), usize::try_from(open).unwrap());
    house.host.stop.cancel();
    house.host.shut_down().await;
    house.journal
}

async fn recover(open: u128, limits: Limits) -> (House, Instant) {
    let journal = after_an_outage(open).await;
    let began = Instant::now();
    let script = super::house::Script::default();
    super::house::PARTICIPANTS.iter().for_each(|name| script.set(name, Mood::Takes(ANSWER)));
    (House::with(script, journal, limits, Plans::default()).await, began)
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_sagas_go_on_at_once_as_fast_as_the_participants_can() {
    const OPEN: u128 = 10_000;
    let limits = Limits::default();
    let (house, began) = recover(OPEN, limits).await;
    // All are taken over before anything else is done, and no time has passed.
    assert_eq!(house.runner.driven(), usize::try_from(OPEN).unwrap());
    assert_eq!(began.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(house.script.count("LockReservation") > 500, "the first calls wait for something else than their back-off");
    while house.runner.driven() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = began.elapsed();
    assert_eq!(house.states(|_| true).await.get("completed"), Some(&10_000));
    // The concert service is asked twice for each, the most of all; new work may not take the places of compensations.
    let places = u32::try_from(limits.calls - limits.compensation_calls).unwrap();
    let at_best = ANSWER * 2 * u32::try_from(OPEN).unwrap() / places;
    // Each has a first try in doubt behind it, and the back-off after it.
    let back_off = Duration::from_secs(2);
    assert!(took >= at_best && took <= at_best * 2 + back_off, "{took:?} where {at_best:?} is the least");
    for participant in super::house::PARTICIPANTS {
        let most = house.script.seen(|seen| seen.under_way.get(participant).copied().unwrap_or_default().1);
        assert!(most <= limits.calls, "{most} calls at once at {participant}");
    }
}

#[tokio::test(start_paused = true)]
async fn new_work_waits_for_what_was_left_while_the_house_is_full() {
    let (house, _) = recover(400, Limits { sagas: 400, ..Limits::default() }).await;
    assert!(matches!(house.accept(9_001).await, Err(Error::Overloaded)));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(house.accept(9_001).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_frees_a_seat_does_not_queue_behind_new_work() {
    let limits = Limits { calls: 8, compensation_calls: 2, ..Limits::default() };
    let house = House::new(limits).await;
    house.script.set("concert", Mood::Takes(Duration::from_millis(100)));
    house.script.set("customer", Mood::Refuses);
    house.accept(2).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Six places for each tenth of a second: this is a queue of more than eight seconds.
    for id in 10..510 {
        house.accept(2 * id + 1).await.unwrap();
    }
    let began = Instant::now();
    while house.script.count("UnlockReservation") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let waited = began.elapsed();
    assert!(waited <= Duration::from_millis(200), "a seat was kept locked for {waited:?}");
    let served = house.script.count("LockReservation");
    assert!(served < 50, "{served} were served first");
}
