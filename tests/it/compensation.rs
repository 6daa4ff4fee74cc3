//! What is taken back, and what may not be.

use std::time::Duration;

use proto::concert::v1::reservation::State as ReservationState;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::saga::step::State as StepState;
use skald_tests::world::PRICE;
use skald_tests::{Fault, World};

/// The steps before the pivot, with their compensations.
const COMPENSATABLE: [(&str, &str); 3] = [
    ("LockReservation", "UnlockReservation"),
    ("ReservePoints", "ReleasePoints"),
    ("AuthorizePayment", "CancelPayment"),
];

#[tokio::test(start_paused = true)]
async fn a_refusal_of_any_step_takes_the_earlier_ones_back_in_reverse() {
    let refusable = ["LockReservation", "ReservePoints", "AuthorizePayment", "ConfirmReservation"];
    for (index, method) in refusable.into_iter().enumerate() {
        let world = World::new().await;
        let held = world.held(1).await;
        world.faults.always(method, Fault::Refuse("SOME_REASON"));
        let checkout = world.buy(&held).await;
        assert_eq!(checkout.state(), State::Failed, "{method}");
        let sent: Vec<_> = world.faults.seen().into_iter().map(|seen| seen.method).collect();
        let earlier = COMPENSATABLE.iter().take(index);
        let forward = earlier.clone().map(|(forward, _)| *forward).chain([method]);
        let back = earlier.rev().map(|(_, compensation)| *compensation);
        assert_eq!(sent, forward.chain(back).collect::<Vec<_>>());
        assert_eq!(world.available(&held.customer).await, PRICE * 2);
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_compensation_that_overtakes_its_step_bars_it() {
    for (method, _) in COMPENSATABLE {
        let world = World::new().await;
        let held = world.held(1).await;
        // Every attempt arrives only when the saga has long turned back.
        world.faults.always(method, Fault::Late(Duration::from_secs(120)));
        let checkout = world.buy(&held).await;
        world.late_messages_arrive().await;
        assert_eq!(checkout.state(), State::Failed, "{method}");
        assert_eq!(world.available(&held.customer).await, PRICE * 2, "{method}");
        assert_ne!(world.reservation(&held.reservation).await.state(), ReservationState::Confirming, "{method}");
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_duplicate_of_a_compensated_step_has_no_effect() {
    for (method, _) in COMPENSATABLE {
        let world = World::new().await;
        let held = world.held(1).await;
        world.faults.script(move |seen| match seen.method.as_str() {
            seen if seen == method => Fault::Again(Duration::from_secs(50)),
            "ConfirmReservation" => Fault::Refuse("NO"),
            _ => Fault::Pass,
        });
        let checkout = world.buy(&held).await;
        world.late_messages_arrive().await;
        assert_eq!(checkout.state(), State::Failed, "{method}");
        assert_eq!(world.available(&held.customer).await, PRICE * 2, "{method}");
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_command_may_arrive_twice() {
    let world = World::new().await;
    let held = world.held(1).await;
    world.faults.script(|_| Fault::Twice);
    assert_eq!(world.buy(&held).await.state(), State::Completed);
    assert_eq!(world.available(&held.customer).await, PRICE);

    let held = world.held(2).await;
    world.faults.script(|seen| match seen.method.as_str() {
        "ConfirmReservation" => Fault::Refuse("NO"),
        _ => Fault::Twice,
    });
    assert_eq!(world.buy(&held).await.state(), State::Failed);
    assert_eq!(world.available(&held.customer).await, PRICE * 2);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_participant_that_is_down_does_not_keep_the_others_from_being_compensated() {
    let world = World::new().await;
    let held = world.held(1).await;
    world.faults.script(|seen| match seen.method.as_str() {
        "ConfirmReservation" => Fault::Refuse("NO"),
        "ReleasePoints" => Fault::LoseRequest,
        _ => Fault::Pass,
    });
    let checkout = world.send(world.order(&held)).await.unwrap();
    assert_eq!(checkout.state(), State::Compensating);
    // The seat is free although the points are not back yet.
    assert_eq!(world.reservation(&held.reservation).await.state(), ReservationState::Held);
    assert_eq!(world.available(&held.customer).await, PRICE);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(world.checkout(&checkout.name).await.state(), State::Compensating);
    world.faults.heal();
    world.settle().await;
    assert_eq!(world.checkout(&checkout.name).await.state(), State::Failed);
    assert_eq!(world.available(&held.customer).await, PRICE * 2);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_step_in_doubt_is_itself_compensated() {
    let world = World::new().await;
    let held = world.held(1).await;
    world.faults.always("AuthorizePayment", Fault::LoseReply);
    let checkout = world.buy(&held).await;
    assert_eq!(checkout.state(), State::Failed);
    assert_eq!(world.faults.count("CancelPayment"), 1);
    let saga = world.saga(&checkout.name).await;
    assert_eq!(saga.steps[2].state(), StepState::Compensated);
    world.verify().await;
}
