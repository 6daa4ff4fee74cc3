//! The orchestrator dies, and another one starts over the same journal.

use proto::orchestrator::v1::checkout::State;
use skald_tests::world::PRICE;
use skald_tests::{CrashPoint, Fault, World, crash};

/// Runs one checkout under `script` in an orchestrator that dies at every point in turn, and lets the next one finish.
async fn die_everywhere(script: fn(&World), expected: State) {
    let deaths = crash::die_everywhere(1, async |point| die_at(point, script, expected).await).await;
    assert!(deaths >= 10, "only {deaths} deaths");
}

/// Tells whether the orchestrator lived to see `point`.
async fn die_at(point: CrashPoint, script: fn(&World), expected: State) -> bool {
    let mut world = World::with(point).await;
    let held = world.held(1).await;
    script(&world);
    let order = world.order(&held);
    let mut checkout = tokio::select! {
        biased;
        _ = world.dies() => None,
        answer = world.send(order.clone()) => Some(answer.unwrap()),
    };
    let died = world.dies().await;
    if died {
        world.restart().await;
        // Nobody knows whether the order was accepted; asking again with the same id finds out.
        checkout = Some(world.send(order).await.unwrap());
    }
    world.settle().await;
    let checkout = checkout.expect("an orchestrator that lives answers");
    assert_eq!(world.checkout(&checkout.name).await.state(), expected, "{point:?}");
    let left = if expected == State::Completed { PRICE } else { PRICE * 2 };
    assert_eq!(world.available(&held.customer).await, left, "{point:?}");
    world.verify().await;
    died
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_a_checkout_that_completes_changes_nothing() {
    die_everywhere(|_| {}, State::Completed).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_a_refused_checkout_changes_nothing() {
    die_everywhere(|world| world.faults.always("ConfirmReservation", Fault::Refuse("NO")), State::Failed).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_of_an_arbitration_changes_nothing() {
    die_everywhere(|world| world.faults.always("ConfirmReservation", Fault::LoseRequest), State::Failed).await;
}

#[tokio::test(start_paused = true)]
async fn an_accepted_checkout_survives_even_if_nobody_asks_again() {
    let mut world = World::with(CrashPoint::After(1)).await;
    let held = world.held(1).await;
    let order = world.order(&held);
    tokio::select! {
        biased;
        died = world.dies() => assert!(died),
        answer = world.send(order) => panic!("a dead orchestrator answered {answer:?}"),
    }
    world.restart().await;
    world.settle().await;
    assert_eq!(world.available(&held.customer).await, PRICE);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_every_life_still_ends_well() {
    let mut world = World::new().await;
    let held = world.held(1).await;
    let order = world.order(&held);
    world.faults.script(|_| Fault::Slow(std::time::Duration::from_millis(900)));
    // Where others might live, it takes a lease until the next life takes over.
    let lease = world.started().shards.iter().find_map(|shard| shard.journal.lease()).unwrap_or_default();
    let mut lives = 0;
    let checkout = loop {
        let answer = tokio::time::timeout(std::time::Duration::from_millis(700), world.send(order.clone())).await;
        if let Ok(Ok(checkout)) = answer {
            break checkout;
        }
        lives += 1;
        assert!(lives < 50, "it does not come to an end");
        // Each life is a little longer than a call, so every life gets on by a step at most.
        tokio::time::sleep(lease + std::time::Duration::from_millis(400)).await;
        world.restart().await;
    };
    world.faults.heal();
    world.settle().await;
    assert!(matches!(world.checkout(&checkout.name).await.state(), State::Completed | State::Failed));
    world.verify().await;
}
