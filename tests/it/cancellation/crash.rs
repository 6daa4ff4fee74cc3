//! The orchestrator dies in the middle of a cancellation, and another one starts over the same journal.

use proto::orchestrator::v1::checkout::State;
use skald_tests::hall::FEE;
use skald_tests::world::PRICE;
use skald_tests::{CrashPoint, Fault, World, crash};

/// Runs one cancellation under `script` in an orchestrator that dies at every point in turn, and lets the next one finish.
async fn die_everywhere(script: fn(&World), expected: State) {
    // The purchase before it writes, too.
    let world = World::new().await;
    world.bought(1).await;
    let first = world.writes() + 1;
    let deaths = crash::die_everywhere(first, async |point| die_at(point, script, expected).await).await;
    assert!(deaths >= 8, "only {deaths} deaths");
}

/// Tells whether the orchestrator lived to see `point`.
async fn die_at(point: CrashPoint, script: fn(&World), expected: State) -> bool {
    let mut world = World::with(point).await;
    let bought = world.bought(1).await;
    script(&world);
    let request = world.give_back(&bought);
    let mut answer = tokio::select! {
        biased;
        _ = world.dies() => None,
        answer = world.ask_back(request.clone()) => Some(answer.unwrap()),
    };
    let died = world.dies().await;
    if died {
        world.restart().await;
        // Nobody knows whether the request was accepted; asking again with the same id finds out.
        answer = Some(world.ask_back(request).await.unwrap());
    }
    world.settle().await;
    let cancellation = answer.expect("an orchestrator that lives answers");
    assert_eq!(world.cancellation(&cancellation.name).await.state(), expected, "{point:?}");
    let left = if expected == State::Completed { PRICE * 2 - FEE } else { PRICE };
    assert_eq!(world.available(&bought.customer).await, left, "{point:?}");
    world.verify().await;
    died
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_a_cancellation_that_completes_changes_nothing() {
    die_everywhere(|_| {}, State::Completed).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_a_refused_cancellation_changes_nothing() {
    let refused = |world: &World| world.faults.always("CommitReservationCancellation", Fault::Refuse("NO"));
    die_everywhere(refused, State::Failed).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_an_arbitration_changes_nothing() {
    let lost = |world: &World| world.faults.always("CommitReservationCancellation", Fault::LoseRequest);
    die_everywhere(lost, State::Failed).await;
}
