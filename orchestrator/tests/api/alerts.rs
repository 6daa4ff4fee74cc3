//! Who watches over sagas hears of each that is parked, and of each that goes on again.

use prost::Message as _;
use proto::event::v1 as event;
use proto::orchestrator::v1 as pb;
use service_kit::outbox::Event;

use crate::operate::{end, get, placed, resume, suspend};
use crate::world::{World, reason_of};

const SUSPENDED: &str = "ticketing.saga.suspended.v1";
const RESUMED: &str = "ticketing.saga.resumed.v1";

/// The alerts so far, as the relay would publish them.
fn alerts(world: &World) -> Vec<Event> {
    let mut events = world.journal.journal.events();
    events.retain(|event| event.aggregate.starts_with("sagas/"));
    events.sort_by_key(|event| (event.create_time, event.id));
    events
}

fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

#[tokio::test]
async fn a_saga_that_is_parked_and_let_go_is_announced_in_turns() {
    let world = World::new().await;
    let release = world.fakes.hold("LockReservation");
    let saga = placed(&world).await;
    for _ in 0..3 {
        suspend(&world, &saga.name, 0).await.unwrap();
        resume(&world, &saga.name, 0).await.unwrap();
    }
    // What changes nothing is not announced.
    assert!(resume(&world, &saga.name, 0).await.is_err());
    release.send(true).unwrap();
    end(&world, &saga.name).await;

    let alerts = alerts(&world);
    assert_eq!(kinds(&alerts), [SUSPENDED, RESUMED].repeat(3));
    assert!(alerts.iter().all(|alert| alert.aggregate == saga.name));
    let parked = event::SagaSuspended::decode(alerts[0].data.as_slice()).unwrap();
    assert_eq!(
        (parked.saga.as_str(), parked.kind.as_str(), parked.step.as_str()),
        (&*saga.name, "checkout", "lock-reservation")
    );
    assert_eq!(
        (reason_of(parked.failure.as_ref()).as_str(), &*parked.failure.unwrap().message),
        ("SUSPENDED", "let me look")
    );
    let let_go = event::SagaResumed::decode(alerts[1].data.as_slice()).unwrap();
    let expected = event::SagaResumed {
        saga: saga.name.clone(),
        kind: "checkout".into(),
        state: "RUNNING".into(),
        actor: "operator".into(),
        reason: "looked".into(),
    };
    assert_eq!(let_go, expected);
}

#[tokio::test]
async fn one_that_is_aborted_while_it_is_parked_goes_on_too() {
    let world = World::new().await;
    let release = world.fakes.hold("ReservePoints");
    let saga = placed(&world).await;
    suspend(&world, &saga.name, 0).await.unwrap();
    let request = pb::AbortSagaRequest { name: saga.name.clone(), reason: "enough".into(), expected_version: 0 };
    world.sagas.clone().abort_saga(request).await.unwrap();
    release.send(true).unwrap();
    end(&world, &saga.name).await;
    let alerts = alerts(&world);
    assert_eq!(kinds(&alerts), [SUSPENDED, RESUMED]);
    let let_go = event::SagaResumed::decode(alerts[1].data.as_slice()).unwrap();
    assert_eq!((let_go.state.as_str(), let_go.reason.as_str()), ("RUNNING", "enough"));
}

#[tokio::test]
async fn a_lie_parks_a_saga_and_says_so() {
    let world = World::new().await;
    world.fakes.lie("LockReservation");
    let saga = placed(&world).await;
    for _ in 0..2_000 {
        if !alerts(&world).is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let alerts = alerts(&world);
    assert_eq!(kinds(&alerts), [SUSPENDED]);
    let parked = event::SagaSuspended::decode(alerts[0].data.as_slice()).unwrap();
    assert_eq!(reason_of(parked.failure.as_ref()), "REPLY_IMPOSSIBLE");
    assert_eq!(get(&world, &saga.name).await.state(), pb::saga::State::Suspended);
}
