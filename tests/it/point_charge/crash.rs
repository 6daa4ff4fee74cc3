//! The orchestrator dies in the middle of a charge, and another one starts over the same journal.

use proto::orchestrator::v1::checkout::State;
use skald_tests::charges::AMOUNT;
use skald_tests::{CrashPoint, Fault, World, crash};

use super::{expect_charged, expect_nothing};

/// Runs one charge under `script` in an orchestrator that dies at every point in turn, and lets the next one finish.
async fn die_everywhere(script: fn(&World), expected: State) {
    let deaths = crash::die_everywhere(1, async |point| die_at(point, script, expected).await).await;
    assert!(deaths >= 6, "only {deaths} deaths");
}

/// Tells whether the orchestrator lived to see `point`.
async fn die_at(point: CrashPoint, script: fn(&World), expected: State) -> bool {
    let mut world = World::with_cards(point).await;
    let customer = world.customer(0).await;
    script(&world);
    let request = world.charge_of(&customer, AMOUNT);
    let mut answer = tokio::select! {
        biased;
        _ = world.dies() => None,
        answer = world.ask_charge(request.clone()) => Some(answer.unwrap()),
    };
    let died = world.dies().await;
    if died {
        world.restart().await;
        // Nobody knows whether the request was accepted; asking again with the same id finds out.
        answer = Some(world.ask_charge(request).await.unwrap());
    }
    world.settle().await;
    let charge = answer.expect("an orchestrator that lives answers");
    assert_eq!(world.point_charge(&charge.name).await.state(), expected, "{point:?}");
    let about = format!("{point:?}");
    if expected == State::Completed {
        expect_charged(&world, &customer, &about).await;
    } else {
        expect_nothing(&world, &customer, &about).await;
    }
    died
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_a_charge_that_completes_changes_nothing() {
    die_everywhere(|_| {}, State::Completed).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_a_refused_charge_changes_nothing() {
    die_everywhere(|world| world.faults.always("CapturePayment", Fault::Refuse("NO")), State::Failed).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_an_arbitration_changes_nothing() {
    die_everywhere(|world| world.faults.always("CapturePayment", Fault::LoseRequest), State::Failed).await;
}
