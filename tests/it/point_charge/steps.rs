//! What is taken back of a charge, and what may not be.

use std::time::Duration;

use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::saga::State as SagaState;
use proto::orchestrator::v1::{AbortSagaRequest, ResumeSagaRequest};
use skald_tests::charges::AMOUNT;
use skald_tests::{Fault, World};

use super::{expect_charged, expect_nothing, world};

#[tokio::test(start_paused = true)]
async fn a_refusal_of_either_step_takes_back_what_came_before() {
    for (method, sent) in [
        ("AuthorizePayment", &["AuthorizePayment"][..]),
        ("CapturePayment", &["AuthorizePayment", "CapturePayment", "CancelPayment"]),
    ] {
        let (world, customer) = world().await;
        world.faults.always(method, Fault::Refuse("SOME_REASON"));
        let charge = world.charge(&customer).await;
        assert_eq!(charge.state(), State::Failed, "{method}");
        assert_eq!(crate::reason_of(charge.failure.as_ref()), "SOME_REASON");
        assert_eq!(world.faults.seen().into_iter().map(|seen| seen.method).collect::<Vec<_>>(), sent);
        expect_nothing(&world, &customer, method).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_authorisation_that_comes_late_or_again_after_its_compensation_holds_nothing() {
    for fault in [Fault::Late(Duration::from_secs(120)), Fault::Again(Duration::from_secs(50))] {
        let (world, customer) = world().await;
        let late = fault.clone();
        world.faults.script(move |seen| match seen.method.as_str() {
            "AuthorizePayment" => late.clone(),
            "CapturePayment" => Fault::Refuse("NO"),
            _ => Fault::Pass,
        });
        let charge = world.charge(&customer).await;
        world.late_messages_arrive().await;
        assert_eq!(charge.state(), State::Failed, "{fault:?}");
        expect_nothing(&world, &customer, &format!("{fault:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_command_may_arrive_twice() {
    let (world, customer) = world().await;
    world.faults.script(|_| Fault::Twice);
    assert_eq!(world.charge(&customer).await.state(), State::Completed);
    expect_charged(&world, &customer, "twice").await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_stops_a_charge_before_its_pivot_and_not_after_it() {
    for (method, fault, expected) in [
        ("AuthorizePayment", Fault::LoseReply, State::Failed),
        ("AuthorizePayment", Fault::Hang, State::Failed),
        ("CapturePayment", Fault::LoseRequest, State::Failed),
        ("CapturePayment", Fault::LoseReply, State::Completed),
    ] {
        let (world, customer) = world().await;
        world.faults.always(method, fault.clone());
        let mut request = world.charge_of(&customer, AMOUNT);
        request.wait = Some(service_kit::wire::duration(0));
        let name = world.ask_charge(request).await.unwrap().name;
        while world.faults.count(method) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // What has its effect before its reply is lost takes a moment.
        tokio::time::sleep(Duration::from_millis(20)).await;
        abort(&world, &name).await;
        world.faults.heal();
        world.settle().await;
        assert_eq!(world.point_charge(&name).await.state(), expected, "{method} {fault:?}");
        match expected {
            State::Completed => expect_charged(&world, &customer, method).await,
            _ => expect_nothing(&world, &customer, method).await,
        }
    }
}

async fn abort(world: &World, name: &str) {
    let saga = world.saga(name).await.name;
    let abort = AbortSagaRequest { name: saga, reason: "not today".into(), expected_version: 0 };
    world.sagas().abort_saga(abort).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_true_waits_for_a_person_and_goes_on_once_it_is_mended() {
    let lies = ["AuthorizePayment", "CapturePayment", "CreditPoints"].map(|method| (method, Fault::Garbage));
    for (method, fault) in lies.into_iter().chain([("CreditPoints", Fault::Refuse("IMPOSSIBLE"))]) {
        let (world, customer) = world().await;
        world.faults.always(method, fault.clone());
        let name = world.ask_charge(world.charge_of(&customer, AMOUNT)).await.unwrap().name;
        world.settle().await;
        let saga = world.saga(&name).await;
        assert_eq!(saga.state(), SagaState::Suspended, "{method} {fault:?}");
        world.faults.heal();
        let resume = ResumeSagaRequest { name: saga.name, reason: "mended".into(), expected_version: saga.version };
        world.sagas().resume_saga(resume).await.unwrap();
        world.settle().await;
        assert_eq!(world.point_charge(&name).await.state(), State::Completed, "{method} {fault:?}");
        expect_charged(&world, &customer, &format!("{method} {fault:?}")).await;
    }
}
