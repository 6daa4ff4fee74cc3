//! Locks at the participants are compared with the sagas that hold them.

use std::sync::Arc;

use orchestrator::reconcile::Reconciler;
use proto::concert::v1::SagaLock;
use tonic::Status;
use uuid::Uuid;

use crate::world::{World, patient, request, seconds};

fn lock(name: &str, saga: &str) -> SagaLock {
    SagaLock { name: name.into(), saga: saga.into(), state: "CONFIRMING".into(), lock_time: None }
}

fn saga_of(checkout: &str) -> String {
    checkout.replace("checkouts/", "sagas/")
}

#[tokio::test]
async fn a_lock_without_an_open_saga_is_reported_and_left_alone() {
    let world = World::with(patient()).await;
    let ended = saga_of(&world.ended(1).await.name);
    let release = world.fakes.hold("ConfirmReservation");
    let asked = proto::orchestrator::v1::CreateCheckoutRequest { wait: seconds(0), ..request(2) };
    let open = saga_of(&world.create(asked).await.unwrap().name);
    let unknown = format!("sagas/{}", Uuid::from_u128(7));
    let locks = [("a", &ended), ("b", &open), ("c", &unknown)].map(|(name, saga)| lock(name, saga));
    *world.fakes.locks.lock().unwrap() = locks.to_vec();

    let reconciler = Reconciler::new(&world.shards, &Arc::new(world.fakes.participants()));
    reconciler.round(0).await;

    let found = reconciler.findings();
    let told: Vec<_> = found.iter().map(|finding| (&*finding.resource, &finding.saga, finding.problem)).collect();
    let expected =
        [("a (CONFIRMING)", &ended, "the saga has ended"), ("c (CONFIRMING)", &unknown, "there is no such saga")];
    assert_eq!(told, [expected; 3].concat(), "each of the three participants says so");
    assert_eq!(world.fakes.calls("UnlockReservation"), 0);
    release.send(true).unwrap();
}

#[tokio::test]
async fn a_participant_that_is_down_is_asked_again_and_breaks_nothing() {
    let world = World::new().await;
    *world.fakes.locks.lock().unwrap() = vec![lock("a", "sagas/nonsense")];
    world.fakes.fail("ListSagaLocks", Status::unavailable("gone"));
    let reconciler = Reconciler::new(&world.shards, &Arc::new(world.fakes.participants()));
    reconciler.round(0).await;
    assert!(reconciler.findings().is_empty());

    world.fakes.heal("ListSagaLocks");
    reconciler.round(0).await;
    assert_eq!(reconciler.findings().len(), 3);
}

#[tokio::test]
async fn a_lock_that_is_let_go_after_it_was_listed_is_nobodys_fault() {
    let world = World::with(patient()).await;
    let ended = saga_of(&world.ended(1).await.name);
    *world.fakes.locks.lock().unwrap() = vec![lock("a", &ended)];
    *world.fakes.lets_go.lock().unwrap() = true;
    let reconciler = Reconciler::new(&world.shards, &Arc::new(world.fakes.participants()));
    reconciler.round(0).await;
    assert!(reconciler.findings().is_empty(), "{:?}", reconciler.findings());
    assert_eq!(world.fakes.calls("ListSagaLocks"), 4, "who told of it is asked again");
}
