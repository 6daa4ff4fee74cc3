//! Following checkouts and stopping them.

use std::time::Duration;

use pb::checkout::State;
use proto::orchestrator::v1 as pb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{CUSTOMER, OTHER, World, reason_of, refused, request, seconds, told};

fn no_wait(number: u128) -> pb::CreateCheckoutRequest {
    pb::CreateCheckoutRequest { wait: seconds(0), ..request(number) }
}

async fn watch(world: &World, name: &str) -> Vec<pb::Checkout> {
    let request = pb::WatchCheckoutRequest { name: name.into() };
    let mut stream = world.checkouts.clone().watch_checkout(request).await.unwrap().into_inner();
    let mut seen = Vec::new();
    while let Some(version) = stream.message().await.unwrap() {
        seen.push(version);
    }
    seen
}

async fn cancel(world: &World, name: &str, customer: &str) -> Result<pb::Checkout, Status> {
    let request =
        pb::CancelCheckoutRequest { name: name.into(), customer: customer.into(), reason: "changed my mind".into() };
    world.checkouts.clone().cancel_checkout(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn whoever_watches_sees_the_present_then_only_newer_versions_and_always_the_end() {
    for (refusal, end) in [(None, State::Completed), (Some("PAYMENT_DECLINED"), State::Failed)] {
        let world = World::new().await;
        if let Some(reason) = refusal {
            world.fakes.fail("AuthorizePayment", refused(reason));
        }
        let release = world.fakes.hold("LockReservation");
        let placed = world.create(no_wait(1)).await.unwrap();
        let (seen, ()) = tokio::join!(watch(&world, &placed.name), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            release.send(true).unwrap();
        });
        assert_eq!(seen[0], placed);
        assert!(seen.windows(2).all(|pair| pair[0].version < pair[1].version));
        assert_eq!(seen.last().unwrap().state(), end);
        assert_eq!(watch(&world, &placed.name).await.len(), 1, "what has ended is shown once");
    }
}

#[tokio::test]
async fn many_checkouts_at_once_are_all_seen_to_their_end() {
    let world = World::new().await;
    let all = (0..200).map(|number| world.ended(number));
    let ends = futures_util::future::join_all(all).await;
    assert!(ends.iter().all(|end| end.state() == State::Completed));
}

#[tokio::test]
async fn a_stop_ends_the_streams() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let placed = world.create(no_wait(1)).await.unwrap();
    let (seen, ()) = tokio::join!(watch(&world, &placed.name), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.host.stop.cancel();
    });
    assert_eq!(seen, [placed]);
}

#[tokio::test]
async fn a_checkout_that_does_not_exist_is_not_found() {
    let world = World::new().await;
    let name = format!("checkouts/{}", uuid::Uuid::nil());
    let missing = (Code::NotFound, "CHECKOUT_NOT_FOUND".to_owned());
    let get = pb::GetCheckoutRequest { name: name.clone() };
    assert_eq!(told(world.checkouts.clone().get_checkout(get).await), missing);
    let watch = pb::WatchCheckoutRequest { name: name.clone() };
    assert_eq!(world.checkouts.clone().watch_checkout(watch).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(told(cancel(&world, &name, "").await), missing);
    let get = pb::GetCheckoutRequest { name: "checkouts/x".into() };
    assert_eq!(world.checkouts.clone().get_checkout(get).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_checkout_can_be_stopped_by_its_customer_before_it_is_decided() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let release = world.fakes.hold("UnlockReservation");
    let placed = world.create(no_wait(1)).await.unwrap();
    assert_eq!(told(cancel(&world, &placed.name, OTHER).await), (Code::PermissionDenied, "NOT_OWNER".into()));
    let stopped = cancel(&world, &placed.name, CUSTOMER).await.unwrap();
    assert_eq!(stopped.state(), State::Compensating);
    assert_eq!(reason_of(stopped.failure.as_ref()), "CHECKOUT_CANCELLED");
    let again = cancel(&world, &placed.name, CUSTOMER).await.unwrap();
    assert_eq!(again.version, stopped.version, "what is stopped already is left alone");
    release.send(true).unwrap();
    assert_eq!(world.end_of(&placed.name).await.state(), State::Failed);
    let status = cancel(&world, &placed.name, CUSTOMER).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().metadata["state"], "COMPENSATED");
    assert_eq!(told::<()>(Err(status)), (Code::FailedPrecondition, "SAGA_ENDED".into()));
}

#[tokio::test]
async fn a_checkout_past_its_pivot_cannot_be_stopped() {
    let world = World::new().await;
    let _never = world.fakes.hold("CapturePoints");
    let placed = world.create(request(1)).await.unwrap();
    assert_eq!(placed.state(), State::Completing);
    let status = cancel(&world, &placed.name, "").await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().metadata["state"], "COMPLETING");
    assert_eq!(told::<()>(Err(status)), (Code::FailedPrecondition, "PAST_PIVOT".into()));
}
