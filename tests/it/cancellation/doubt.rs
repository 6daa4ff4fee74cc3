//! Outcomes that nobody knows. Whatever is lost, a cancellation is whole or nothing, and says which.

use std::time::Duration;

use proto::concert::v1::reservation::State as ReservationState;
use proto::orchestrator::v1::checkout::State;
use skald_tests::hall::FEE;
use skald_tests::world::PRICE;
use skald_tests::{Fault, World};

use crate::doubt::faults;

/// Every forward step.
const FORWARD: [&str; 5] =
    ["BeginReservationCancellation", "CreateRefund", "CommitReservationCancellation", "CreditPoints", "CompleteRefund"];

#[tokio::test(start_paused = true)]
async fn one_lost_message_of_any_step_costs_a_retry_and_nothing_else() {
    for method in FORWARD {
        for fault in faults() {
            let world = World::new().await;
            let bought = world.bought(1).await;
            world.faults.once(method, fault.clone());
            let cancellation = world.cancel(&bought).await;
            assert_eq!(cancellation.state(), State::Completed, "{method} {fault:?}");
            assert_eq!(world.available(&bought.customer).await, PRICE * 2 - FEE, "{method} {fault:?}");
            world.verify().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_before_the_pivot_that_stays_in_doubt_is_given_up_and_leaves_nothing() {
    for method in &FORWARD[..2] {
        for fault in faults() {
            let world = World::new().await;
            let bought = world.bought(1).await;
            world.faults.always(method, fault.clone());
            let cancellation = world.cancel(&bought).await;
            if matches!(fault, Fault::Late(_)) {
                world.late_messages_arrive().await;
            }
            assert_eq!(cancellation.state(), State::Failed, "{method} {fault:?}");
            let state = world.reservation(&bought.reservation).await.state();
            assert_eq!(state, ReservationState::Confirmed, "{method} {fault:?}");
            assert_eq!(world.available(&bought.customer).await, PRICE, "{method} {fault:?}");
            world.verify().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_after_the_pivot_is_tried_until_it_succeeds() {
    for method in &FORWARD[3..] {
        for fault in faults() {
            let world = World::new().await;
            let bought = world.bought(1).await;
            world.faults.always(method, fault.clone());
            let cancellation = world.ask_back(world.give_back(&bought)).await.unwrap();
            assert_eq!(cancellation.state(), State::Completing, "{method} {fault:?}");
            tokio::time::sleep(Duration::from_secs(200)).await;
            let state = world.cancellation(&cancellation.name).await.state();
            assert_eq!(state, State::Completing, "{method} {fault:?}");
            world.faults.heal();
            world.settle().await;
            assert_eq!(world.cancellation(&cancellation.name).await.state(), State::Completed, "{method} {fault:?}");
            assert_eq!(world.available(&bought.customer).await, PRICE * 2 - FEE, "{method} {fault:?}");
            world.verify().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_never_arrived_is_arbitrated_and_the_ticket_stays_valid() {
    for fault in [Fault::LoseRequest, Fault::Hang, Fault::Late(Duration::from_secs(90))] {
        let world = World::new().await;
        let bought = world.bought(1).await;
        world.faults.always("CommitReservationCancellation", fault.clone());
        let cancellation = world.cancel(&bought).await;
        world.late_messages_arrive().await;
        assert_eq!(cancellation.state(), State::Failed, "{fault:?}");
        assert_eq!(world.reservation(&bought.reservation).await.state(), ReservationState::Confirmed, "{fault:?}");
        assert_eq!(world.available(&bought.customer).await, PRICE, "{fault:?}");
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_happened_is_arbitrated_and_the_money_is_paid_back() {
    let world = World::new().await;
    let bought = world.bought(1).await;
    world.faults.always("CommitReservationCancellation", Fault::LoseReply);
    let cancellation = world.ask_back(world.give_back(&bought)).await.unwrap();
    assert_eq!(world.reservation(&bought.reservation).await.state(), ReservationState::Cancelled);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.cancellation(&cancellation.name).await.state(), State::Completing);
    assert!(world.faults.count("AbortReservationCancellation") > 0, "the arbiter was asked");
    world.faults.heal();
    world.settle().await;
    assert_eq!(world.cancellation(&cancellation.name).await.state(), State::Completed);
    assert_eq!(world.available(&bought.customer).await, PRICE * 2 - FEE);
    world.verify().await;
}
