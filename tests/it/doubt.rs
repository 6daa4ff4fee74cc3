//! Outcomes that nobody knows. Whatever is lost, the checkout is whole or nothing, and says which.

use std::time::Duration;

use proto::concert::v1::reservation::State as ReservationState;
use proto::orchestrator::v1::checkout::State;
use skald_tests::world::PRICE;
use skald_tests::{Fault, World};
use tonic::Code;

/// Every forward step.
const FORWARD: [&str; 6] =
    ["LockReservation", "ReservePoints", "AuthorizePayment", "ConfirmReservation", "CapturePoints", "CapturePayment"];

/// What can happen to a message, that leaves its sender in doubt or makes him try again.
pub(crate) fn faults() -> Vec<Fault> {
    let in_doubt = [Code::Unavailable, Code::Unknown, Code::Cancelled, Code::DeadlineExceeded, Code::Internal];
    let mut faults = vec![
        Fault::LoseRequest,
        Fault::LoseReply,
        Fault::Late(Duration::from_millis(1)),
        Fault::Late(Duration::from_secs(90)),
        Fault::Hang,
        Fault::NotSent,
        Fault::Pending,
        Fault::Overloaded,
        Fault::Slow(Duration::from_secs(3)),
    ];
    faults.extend(in_doubt.into_iter().map(Fault::Answer));
    faults
}

#[tokio::test(start_paused = true)]
async fn one_lost_message_of_any_step_costs_a_retry_and_nothing_else() {
    for method in FORWARD {
        for fault in faults() {
            let world = World::new().await;
            let held = world.held(1).await;
            world.faults.once(method, fault.clone());
            let checkout = world.buy(&held).await;
            assert_eq!(checkout.state(), State::Completed, "{method} {fault:?}");
            assert_eq!(world.available(&held.customer).await, PRICE, "{method} {fault:?}");
            world.verify().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_before_the_pivot_that_stays_in_doubt_is_given_up_and_leaves_nothing() {
    for method in &FORWARD[..3] {
        for fault in faults() {
            let world = World::new().await;
            let held = world.held(1).await;
            world.faults.always(method, fault.clone());
            let checkout = world.buy(&held).await;
            if matches!(fault, Fault::Late(_)) {
                world.late_messages_arrive().await;
            }
            assert_eq!(checkout.state(), State::Failed, "{method} {fault:?}");
            assert!(checkout.failure.is_some_and(|why| !why.details.is_empty()), "{method} {fault:?} without a reason");
            assert_eq!(world.available(&held.customer).await, PRICE * 2, "{method} {fault:?}");
            world.verify().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_after_the_pivot_is_tried_until_it_succeeds() {
    for method in &FORWARD[4..] {
        for fault in faults() {
            let world = World::new().await;
            let held = world.held(1).await;
            world.faults.always(method, fault.clone());
            let checkout = world.send(world.order(&held)).await.unwrap();
            assert_eq!(checkout.state(), State::Completing, "{method} {fault:?}");
            tokio::time::sleep(Duration::from_secs(200)).await;
            let state = world.checkout(&checkout.name).await.state();
            assert_eq!(state, State::Completing, "{method} {fault:?}");
            world.faults.heal();
            world.settle().await;
            assert_eq!(world.checkout(&checkout.name).await.state(), State::Completed, "{method} {fault:?}");
            assert_eq!(world.available(&held.customer).await, PRICE, "{method} {fault:?}");
            world.verify().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pivot_that_never_arrived_is_arbitrated_against_the_customer() {
    for fault in [Fault::LoseRequest, Fault::Hang, Fault::Late(Duration::from_secs(90))] {
        let world = World::new().await;
        let held = world.held(1).await;
        world.faults.always("ConfirmReservation", fault.clone());
        let checkout = world.buy(&held).await;
        world.late_messages_arrive().await;
        assert_eq!(checkout.state(), State::Failed, "{fault:?}");
        assert_ne!(world.reservation(&held.reservation).await.state(), ReservationState::Confirmed, "{fault:?}");
        assert_eq!(world.available(&held.customer).await, PRICE * 2, "{fault:?}");
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pivot_that_happened_is_arbitrated_for_the_customer() {
    let world = World::new().await;
    let held = world.held(1).await;
    world.faults.always("ConfirmReservation", Fault::LoseReply);
    let checkout = world.send(world.order(&held)).await.unwrap();
    assert!(matches!(checkout.state(), State::Running | State::Completing), "{:?}", checkout.state());
    assert_eq!(world.reservation(&held.reservation).await.state(), ReservationState::Confirmed);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.checkout(&checkout.name).await.state(), State::Completing);
    world.faults.heal();
    world.settle().await;
    let checkout = world.checkout(&checkout.name).await;
    assert_eq!((checkout.state(), checkout.tickets.len()), (State::Completed, 1));
    assert_eq!(world.available(&held.customer).await, PRICE);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn a_concert_service_that_is_down_at_the_pivot_keeps_only_this_customer_waiting() {
    let world = World::new().await;
    let held = world.held(1).await;
    world.faults.script(|seen| match seen.method.as_str() {
        "ConfirmReservation" | "UnlockReservation" => Fault::LoseRequest,
        _ => Fault::Pass,
    });
    let checkout = world.send(world.order(&held)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert!(matches!(world.checkout(&checkout.name).await.state(), State::Running));
    world.faults.heal();
    world.settle().await;
    assert_eq!(world.checkout(&checkout.name).await.state(), State::Failed);
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn codes_of_a_broken_contract_are_never_taken_for_a_refusal() {
    for code in [Code::FailedPrecondition, Code::NotFound, Code::PermissionDenied, Code::OutOfRange] {
        let world = World::new().await;
        let held = world.held(1).await;
        world.faults.always("ReservePoints", Fault::Answer(code));
        let checkout = world.buy(&held).await;
        assert_eq!(checkout.state(), State::Failed);
        // A refusal would have needed no release.
        assert_eq!(world.faults.count("ReleasePoints"), 1, "{code:?}");
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_was_rolled_back_is_taken_back_all_the_same_as_a_copy_of_it_may_have_happened() {
    for method in &FORWARD[..3] {
        let world = World::new().await;
        let held = world.held(1).await;
        world.faults.always(method, Fault::OneOfTwo);
        let checkout = world.buy(&held).await;
        assert_eq!(checkout.state(), State::Failed, "{method}");
        assert_eq!(world.reservation(&held.reservation).await.state(), ReservationState::Held, "{method}");
        assert_eq!(world.available(&held.customer).await, PRICE * 2, "{method}");
        world.verify().await;
    }
}
