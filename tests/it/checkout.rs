//! What a customer can count on.

use proto::concert::v1::reservation::State as ReservationState;
use proto::orchestrator::v1::CreateCheckoutRequest;
use proto::orchestrator::v1::checkout::State;
use skald_tests::world::PRICE;
use skald_tests::{Held, World};
use tonic::{Code, Status};

#[tokio::test(start_paused = true)]
async fn a_checkout_takes_the_points_once_and_gives_the_tickets() {
    let world = World::new().await;
    let held = world.held(1).await;
    let checkout = world.buy(&held).await;
    assert_eq!(checkout.state(), State::Completed);
    assert_eq!((checkout.amount, checkout.tickets.len(), checkout.seats.len()), (PRICE, 1, 1));
    assert_eq!(world.available(&held.customer).await, PRICE);
    assert_eq!(world.reservation(&held.reservation).await.state(), ReservationState::Confirmed);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn the_caller_is_answered_at_the_pivot_and_not_later() {
    let world = World::new().await;
    let held = world.held(1).await;
    world.faults.always("CapturePoints", skald_tests::Fault::Hang);
    let checkout = world.send(world.order(&held)).await.unwrap();
    assert_eq!(checkout.state(), State::Completing);
    assert_eq!(checkout.tickets.len(), 1);
    world.faults.heal();
    world.settle().await;
    assert_eq!(world.checkout(&checkout.name).await.state(), State::Completed);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_request_a_thousand_times_at_once_is_one_checkout() {
    let world = World::new().await;
    let held = world.held(1).await;
    let order = world.order(&held);
    let answers = futures_util::future::join_all((0..1000).map(|_| world.send(order.clone()))).await;
    let first = answers[0].as_ref().unwrap().name.clone();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().name == first));
    world.settle().await;
    assert_eq!(world.faults.count("ReservePoints"), 1);
    assert_eq!(world.available(&held.customer).await, PRICE);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_request_id_with_another_body_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let held = world.held(1).await;
    let order = world.order(&held);
    world.send(order.clone()).await.unwrap();
    let other = CreateCheckoutRequest { expected_amount: Some(1), ..order };
    let status = world.send(other).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    world.settle().await;
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn one_of_two_buyers_gets_the_seat_and_the_other_is_told_so() {
    let world = World::new().await;
    world.held(1).await;
    let late = world.customer(PRICE).await;
    let status = world.hold(&late, 1).await.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::FailedPrecondition, "SEAT_TAKEN".into()));
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_checkouts_of_one_reservation_one_wins_and_pays_once() {
    let world = World::new().await;
    let held = world.held(1).await;
    let (one, other) = (world.order(&held), world.order(&held));
    let (one, other) = tokio::join!(world.send(one), world.send(other));
    world.settle().await;
    let mut states = Vec::new();
    for checkout in [one.unwrap(), other.unwrap()] {
        states.push(world.checkout(&checkout.name).await.state());
    }
    states.sort();
    assert_eq!(states, [State::Completed, State::Failed]);
    assert_eq!(world.available(&held.customer).await, PRICE);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn too_few_points_give_the_seat_back_and_a_top_up_buys_it_within_the_grace() {
    let world = World::new().await;
    let customer = world.customer(PRICE - 1).await;
    let reservation = world.hold(&customer, 1).await.unwrap();
    let held = Held { customer, reservation };
    let checkout = world.send(world.order(&held)).await.unwrap();
    assert_eq!(checkout.state(), State::Failed);
    assert!(checkout.failure.is_some_and(|status| status.message.contains("points")));
    assert_eq!(world.available(&held.customer).await, PRICE - 1);
    world.give(&held.customer, 1).await;
    assert_eq!(world.buy(&held).await.state(), State::Completed);
    assert_eq!(world.available(&held.customer).await, 0);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn an_expected_amount_that_differs_is_refused() {
    let world = World::new().await;
    let held = world.held(1).await;
    let order = CreateCheckoutRequest { expected_amount: Some(PRICE - 1), ..world.order(&held) };
    assert_eq!(world.send(order).await.unwrap().state(), State::Failed);
    let order = CreateCheckoutRequest { expected_amount: Some(PRICE), ..world.order(&held) };
    assert!(matches!(world.send(order).await.unwrap().state(), State::Completing | State::Completed));
    world.settle().await;
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn wherever_the_hold_ends_the_checkout_is_whole_or_nothing() {
    // Each call takes half a second, so the hold of 300 s ends before the lock, between any two steps, or after all.
    for before_the_end_ms in (0..=5_000).step_by(250) {
        let world = World::new().await;
        let held = world.held(1).await;
        tokio::time::sleep(std::time::Duration::from_millis(300_000 - before_the_end_ms)).await;
        world.faults.script(|_| skald_tests::Fault::Slow(std::time::Duration::from_millis(500)));
        let checkout = world.buy(&held).await;
        let expected = if before_the_end_ms > 500 { State::Completed } else { State::Failed };
        assert_eq!(checkout.state(), expected, "{before_the_end_ms} ms before the end");
        world.verify().await;
    }
}

fn reason(status: &Status) -> String {
    service_kit::refusal::reason(status).unwrap_or_default()
}
