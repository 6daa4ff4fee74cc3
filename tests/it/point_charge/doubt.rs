//! Outcomes that nobody knows. Whatever is lost, a charge is whole or nothing, and says which.

use std::time::Duration;

use proto::orchestrator::v1::checkout::State;
use skald_tests::Fault;
use skald_tests::charges::AMOUNT;

use super::{expect_charged, expect_nothing, world};
use crate::doubt::faults;

#[tokio::test(start_paused = true)]
async fn one_lost_message_of_any_step_costs_a_retry_and_nothing_else() {
    for method in ["AuthorizePayment", "CapturePayment", "CreditPoints"] {
        for fault in faults() {
            let (world, customer) = world().await;
            world.faults.once(method, fault.clone());
            let charge = world.charge(&customer).await;
            assert_eq!(charge.state(), State::Completed, "{method} {fault:?}");
            expect_charged(&world, &customer, &format!("{method} {fault:?}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_authorisation_that_stays_in_doubt_is_given_up_and_holds_nothing() {
    for fault in faults() {
        let (world, customer) = world().await;
        world.faults.always("AuthorizePayment", fault.clone());
        let charge = world.charge(&customer).await;
        if matches!(fault, Fault::Late(_)) {
            world.late_messages_arrive().await;
        }
        assert_eq!(charge.state(), State::Failed, "{fault:?}");
        expect_nothing(&world, &customer, &format!("{fault:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_credit_is_tried_until_it_succeeds() {
    for fault in faults() {
        let (world, customer) = world().await;
        world.faults.always("CreditPoints", fault.clone());
        let charge = world.ask_charge(world.charge_of(&customer, AMOUNT)).await.unwrap();
        assert_eq!(charge.state(), State::Completing, "{fault:?}");
        tokio::time::sleep(Duration::from_secs(200)).await;
        assert_eq!(world.point_charge(&charge.name).await.state(), State::Completing, "{fault:?}");
        world.faults.heal();
        world.settle().await;
        assert_eq!(world.point_charge(&charge.name).await.state(), State::Completed, "{fault:?}");
        expect_charged(&world, &customer, &format!("{fault:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_never_arrived_is_arbitrated_and_nothing_is_taken() {
    for fault in [Fault::LoseRequest, Fault::Hang, Fault::Late(Duration::from_secs(90))] {
        let (world, customer) = world().await;
        world.faults.always("CapturePayment", fault.clone());
        let charge = world.charge(&customer).await;
        world.late_messages_arrive().await;
        assert_eq!(charge.state(), State::Failed, "{fault:?}");
        expect_nothing(&world, &customer, &format!("{fault:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_capture_that_happened_is_arbitrated_and_the_points_are_given() {
    let (world, customer) = world().await;
    world.faults.always("CapturePayment", Fault::LoseReply);
    let charge = world.ask_charge(world.charge_of(&customer, AMOUNT)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.point_charge(&charge.name).await.state(), State::Completing);
    assert!(world.faults.count("CancelPayment") > 0, "the arbiter was asked");
    world.faults.heal();
    world.settle().await;
    assert_eq!(world.point_charge(&charge.name).await.state(), State::Completed);
    expect_charged(&world, &customer, "arbitrated").await;
}
