//! How much a participant is sent that fails.

use std::time::Duration;

use orchestrator::runner::Limits;

use crate::stage::{Stage, seconds};

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_after_failures_in_a_row_and_lets_one_call_through_after_each_pause() {
    const SAGAS: u128 = 4;
    let stage = Stage::alone(Limits { breaker_failures: 5, breaker_pause_ms: 100_000, ..Limits::default() }).await;
    // All have passed the payment's other call before this one begins to fail.
    stage.hang("ConfirmReservation");
    stage.fail("CapturePayment");
    for id in 1..=SAGAS {
        stage.accept(id).await.unwrap();
    }
    stage.heal("ConfirmReservation");
    // It opens within seconds; from then on each saga tries twice a minute at least.
    let mut told = Vec::new();
    for pause in [95, 45, 59, 71, 29] {
        seconds(pause).await;
        told.push(stage.calls("CapturePayment"));
    }
    assert_eq!(told, [5, 6, 6, 7, 7], "after 95, 140, 199, 270 and 299 seconds");
    assert_eq!(stage.state(1).await, "completing");
    stage.heal("CapturePayment");
    seconds(150).await;
    for id in 1..=SAGAS {
        assert_eq!(stage.state(id).await, "completed");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_that_are_not_in_a_row_open_no_breaker() {
    let stage = Stage::alone(Limits { breaker_failures: 2, breaker_pause_ms: 100_000, ..Limits::default() }).await;
    for id in 1..=5 {
        stage.fail("CapturePayment");
        stage.accept(id).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        stage.heal("CapturePayment");
        seconds(10).await;
        assert_eq!((stage.state(id).await, stage.calls("CapturePayment")), ("completed", 2 * id as usize));
    }
}

#[tokio::test(start_paused = true)]
async fn retries_of_what_is_undecided_are_a_share_of_the_calls() {
    let none_more = Limits { retry_burst: 3, retry_percent: 0, breaker_failures: 1_000, ..Limits::default() };
    let stage = Stage::alone(none_more).await;
    stage.fail("LockReservation");
    for id in 1..=10 {
        stage.accept(id).await.unwrap();
    }
    seconds(60).await;
    assert_eq!(stage.calls("LockReservation"), 10 + 3);

    // A saga's first call in each direction earns a quarter of a retry, and no more than one is saved up.
    let half = Limits { retry_burst: 1, retry_percent: 25, breaker_failures: 1_000, ..Limits::default() };
    let stage = Stage::alone(half).await;
    for id in 1..=10 {
        stage.accept(id).await.unwrap();
        seconds(1).await;
    }
    stage.fail("LockReservation");
    for id in 11..=20 {
        stage.accept(id).await.unwrap();
        seconds(60).await;
    }
    assert_eq!(stage.calls("LockReservation"), 10 + 10 + 5);
}

#[test]
fn a_participant_takes_from_one_to_eight_hundred_calls_at_once() {
    let set = |calls: u32| serde_json::from_str::<Limits>(&format!("{{\"calls\":{calls}}}")).map(|limits| limits.calls);
    for calls in [1, 2, 512, 800] {
        assert_eq!(set(calls).unwrap(), calls as usize);
    }
    for calls in [0, 801] {
        assert!(set(calls).is_err(), "{calls}");
    }
}
