//! What cannot be true waits for a person, and goes on once it is mended.

use std::time::Duration;

use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::saga::State as SagaState;
use proto::orchestrator::v1::{CancelCheckoutRequest, Checkout, ResumeSagaRequest, SuspendSagaRequest};
use skald_tests::world::PRICE;
use skald_tests::{Fault, Held, World};

/// Begins a checkout, waits until it is parked, mends the world and resumes it.
async fn park_mend_resume(world: &World, held: &Held) -> Checkout {
    let order = proto::orchestrator::v1::CreateCheckoutRequest {
        wait: Some(service_kit::wire::duration(0)),
        ..world.order(held)
    };
    let name = world.send(order).await.unwrap().name;
    world.settle().await;
    let saga = world.saga(&name).await;
    assert_eq!(saga.state(), SagaState::Suspended, "{saga:?}");
    assert!(saga.failure.is_some(), "a parked saga says why");
    let calls = world.faults.seen().len();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(world.faults.seen().len(), calls, "a parked saga calls nobody");
    world.faults.heal();
    let request = ResumeSagaRequest { name: saga.name, reason: "mended".into(), expected_version: saga.version };
    world.sagas().resume_saga(request).await.unwrap();
    world.settle().await;
    world.checkout(&name).await
}

#[tokio::test(start_paused = true)]
async fn a_retriable_step_that_refuses_is_parked_mended_resumed_and_completes() {
    for method in ["CapturePoints", "CapturePayment"] {
        let world = World::new().await;
        let held = world.held(1).await;
        world.faults.always(method, Fault::Refuse("IMPOSSIBLE"));
        let checkout = park_mend_resume(&world, &held).await;
        assert_eq!(checkout.state(), State::Completed, "{method}");
        assert_eq!(world.available(&held.customer).await, PRICE);
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lie_of_any_participant_parks_the_saga_and_is_asked_again_after_the_mend() {
    let methods = ["LockReservation", "ReservePoints", "AuthorizePayment", "ConfirmReservation", "CapturePoints"];
    for method in methods {
        for fault in [Fault::Garbage, Fault::Empty] {
            let world = World::new().await;
            let held = world.held(1).await;
            world.faults.always(method, fault.clone());
            let checkout = park_mend_resume(&world, &held).await;
            assert_eq!(checkout.state(), State::Completed, "{method} {fault:?}");
            assert_eq!(world.available(&held.customer).await, PRICE);
            world.verify().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lie_of_a_compensation_parks_the_saga_and_is_asked_again_after_the_mend() {
    for method in ["CancelPayment", "ReleasePoints", "UnlockReservation"] {
        let world = World::new().await;
        let held = world.held(1).await;
        world.faults.script(move |seen| match seen.method.as_str() {
            "ConfirmReservation" => Fault::Refuse("NO"),
            seen if seen == method => Fault::Garbage,
            _ => Fault::Pass,
        });
        let checkout = park_mend_resume(&world, &held).await;
        assert_eq!(checkout.state(), State::Failed, "{method}");
        assert_eq!(world.available(&held.customer).await, PRICE * 2);
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_is_suspended_while_its_pivot_is_under_way_is_past_it_once_that_is_answered() {
    let world = World::new().await;
    let held = world.held(1).await;
    world.faults.always("ConfirmReservation", Fault::Slow(Duration::from_millis(500)));
    let order = proto::orchestrator::v1::CreateCheckoutRequest {
        wait: Some(service_kit::wire::duration(0)),
        ..world.order(&held)
    };
    let name = world.send(order).await.unwrap().name;
    while world.faults.count("ConfirmReservation") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let saga = world.saga(&name).await.name;
    let stop = SuspendSagaRequest { name: saga.clone(), reason: "look at it".into(), expected_version: 0 };
    let stopped = world.sagas().suspend_saga(stop).await.unwrap().into_inner();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answered = world.saga(&name).await;
    assert_eq!((answered.state(), answered.version), (SagaState::Suspended, stopped.version + 1));
    world.verify().await;
    assert_eq!(world.checkout(&name).await.state(), State::Completing);
    let cancel = CancelCheckoutRequest { name: name.clone(), ..Default::default() };
    let status = world.checkouts().cancel_checkout(cancel).await.unwrap_err();
    assert_eq!(service_kit::refusal::reason(&status).as_deref(), Some("PAST_PIVOT"));
    let resume = ResumeSagaRequest { name: saga, reason: "all is well".into(), expected_version: 0 };
    world.sagas().resume_saga(resume).await.unwrap();
    world.settle().await;
    assert_eq!(world.checkout(&name).await.state(), State::Completed);
    world.verify().await;
}
