//! A customer who changes his mind, at every point.

use proto::orchestrator::v1::CancelCheckoutRequest;
use proto::orchestrator::v1::checkout::State;
use skald_tests::world::PRICE;
use skald_tests::{Fault, World};
use tonic::Code;

#[tokio::test(start_paused = true)]
async fn a_cancel_during_any_step_before_the_pivot_leaves_nothing() {
    for method in ["LockReservation", "ReservePoints", "AuthorizePayment"] {
        for fault in [Fault::Hang, Fault::LoseReply, Fault::LoseRequest, Fault::NotSent] {
            let world = World::new().await;
            let held = world.held(1).await;
            world.faults.always(method, fault.clone());
            let name = begin(&world, &held, method).await;
            cancel(&world, &name).await.unwrap();
            world.faults.heal();
            world.settle().await;
            let checkout = world.checkout(&name).await;
            assert_eq!(checkout.state(), State::Failed, "{method} {fault:?}");
            assert_eq!(world.available(&held.customer).await, PRICE * 2, "{method} {fault:?}");
            world.verify().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_the_pivot_is_in_doubt_is_decided_by_the_row() {
    for (fault, expected) in [(Fault::LoseReply, State::Completed), (Fault::LoseRequest, State::Failed)] {
        let world = World::new().await;
        let held = world.held(1).await;
        world.faults.once("ConfirmReservation", fault.clone());
        let name = begin(&world, &held, "ConfirmReservation").await;
        cancel(&world, &name).await.unwrap();
        world.settle().await;
        assert_eq!(world.checkout(&name).await.state(), expected, "{fault:?}");
        world.verify().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_after_the_pivot_is_refused() {
    let world = World::new().await;
    let held = world.held(1).await;
    world.faults.always("CapturePoints", Fault::Hang);
    let checkout = world.send(world.order(&held)).await.unwrap();
    let status = cancel(&world, &checkout.name).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(service_kit::refusal::reason(&status).as_deref(), Some("PAST_PIVOT"));
    world.faults.heal();
    world.settle().await;
    let status = cancel(&world, &checkout.name).await.unwrap_err();
    assert_eq!(service_kit::refusal::reason(&status).as_deref(), Some("SAGA_ENDED"));
    world.verify().await;
}

/// Sends an order and returns the checkout's name once `method` has been called; the answer is not waited for.
async fn begin(world: &World, held: &skald_tests::Held, method: &str) -> String {
    let order = proto::orchestrator::v1::CreateCheckoutRequest {
        wait: Some(service_kit::wire::duration(0)),
        ..world.order(held)
    };
    let name = world.send(order).await.unwrap().name;
    while world.faults.count(method) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    name
}

async fn cancel(world: &World, name: &str) -> Result<(), tonic::Status> {
    let request = CancelCheckoutRequest { name: name.into(), reason: "changed my mind".into(), ..Default::default() };
    world.checkouts().cancel_checkout(request).await.map(drop)
}
