//! One verb for many sagas, in an orchestrator that dies on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout::State;
use service_kit::db::{self, Tx};
use service_kit::wire::duration;
use skald_tests::world::PRICE;
use skald_tests::{CrashPoint, Fault, Held, World};

const PARKED: usize = 3;
const SUSPENDED: &str = "ticketing.saga.suspended.v1";
const RESUMED: &str = "ticketing.saga.resumed.v1";

/// Checkouts that a lie has parked, in a world that is mended again.
async fn parked(world: &World) -> Vec<(Held, String)> {
    world.faults.always("ReservePoints", Fault::Garbage);
    let mut parked = Vec::new();
    for seat in 0..PARKED {
        let held = world.held(seat).await;
        let order = pb::CreateCheckoutRequest { wait: Some(duration(0)), ..world.order(&held) };
        let name = world.send(order).await.unwrap().name;
        parked.push((held, name));
    }
    world.settle().await;
    world.faults.heal();
    parked
}

fn resume_all(world: &World) -> pb::StartBulkOperationRequest {
    pb::StartBulkOperationRequest {
        filter: "state = SUSPENDED".into(),
        verb: pb::bulk_operation::Verb::Resume.into(),
        reason: "mended".into(),
        request_id: world.id().to_string(),
        validate_only: false,
    }
}

async fn ended(world: &World, name: &str) -> pb::BulkOperation {
    for _ in 0..600 {
        let request = pb::GetBulkOperationRequest { name: name.into() };
        let operation = world.sagas().get_bulk_operation(request).await.unwrap().into_inner();
        if operation.end_time.is_some() {
            return operation;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the operation does not end");
}

/// The alerts about each saga, in the order in which they are published.
async fn alerts(world: &World) -> BTreeMap<String, Vec<String>> {
    const ALERTS: &str = "select aggregate, type from orchestrator_outbox where type like 'ticketing.saga.%' \
        order by create_time, id limit 1000";
    let read = async move |tx: &mut Tx<'_>| tx.fetch_all(ALERTS, &[]).await;
    let events: Result<Vec<(String, String)>, db::Error> = world.db.read(read).await;
    let mut alerts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (saga, kind) in events.unwrap() {
        alerts.entry(saga).or_default().push(kind);
    }
    alerts
}

/// How often the operation asked this saga for its verb.
async fn asked(world: &World, checkout: &str, operation: &str) -> usize {
    let parent = checkout.replace("checkouts/", "sagas/");
    let request = pb::ListSagaEventsRequest { parent, page_size: 1_000, ..Default::default() };
    let events = world.sagas().list_saga_events(request).await.unwrap().into_inner().events;
    let by = format!("operator, {operation}");
    events.iter().filter(|event| event.actor == by && event.reason == "mended").count()
}

/// Tells whether the orchestrator lived to see `point`, and how many sagas the one after it still had to take.
async fn die_at(point: CrashPoint) -> (bool, i64) {
    let mut world = World::with(point).await;
    let parked = parked(&world).await;
    let request = resume_all(&world);
    let operation = world.sagas().start_bulk_operation(request.clone()).await.unwrap().into_inner();
    let died = world.dies().await;
    let mut left = 0;
    if died {
        world.restart().await;
        let again = world.sagas().start_bulk_operation(request).await.unwrap().into_inner();
        assert_eq!(again.name, operation.name);
        left = again.matched_count - again.applied_count;
    }
    let over = ended(&world, &operation.name).await;
    let counts = (over.matched_count, over.applied_count, over.refused_count);
    assert_eq!(counts, (PARKED as i64, PARKED as i64, 0), "{point:?}");
    world.settle().await;
    let alerts = alerts(&world).await;
    for (held, checkout) in &parked {
        assert_eq!(world.checkout(checkout).await.state(), State::Completed, "{point:?}");
        assert_eq!(world.available(&held.customer).await, PRICE, "{point:?}");
        assert_eq!(asked(&world, checkout, &operation.name).await, 1, "{point:?}");
        assert_eq!(alerts[&checkout.replace("checkouts/", "sagas/")], [SUSPENDED, RESUMED], "{point:?}");
    }
    world.verify().await;
    (died, left)
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_or_after_any_write_leaves_no_saga_out_and_takes_none_twice() {
    // The writes before are those of the checkouts.
    let world = World::new().await;
    parked(&world).await;
    let before = world.writes();
    drop(world);
    let (mut deaths, mut half_done) = (0, 0);
    for write in before + 1.. {
        let (died, left) = die_at(CrashPoint::Before(write)).await;
        if !died {
            break;
        }
        let (died_too, left_too) = die_at(CrashPoint::After(write)).await;
        assert!(died_too);
        deaths += 2;
        half_done += usize::from(left > 0) + usize::from(left_too > 0);
    }
    println!("{deaths} deaths, {half_done} of them with some sagas still to be taken");
    assert!(half_done >= 2 * PARKED, "{half_done} of {deaths}");
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_was_parked_again_since_is_not_let_go_by_what_a_dead_process_left() {
    // Dies after the first saga was resumed and before that is noted.
    let world = World::new().await;
    parked(&world).await;
    let before = world.writes();
    drop(world);
    // Adopted, resumed.
    let mut world = World::with(CrashPoint::After(before + 2)).await;
    let parked = parked(&world).await;
    let request = resume_all(&world);
    let operation = world.sagas().start_bulk_operation(request).await.unwrap().into_inner();
    assert!(world.dies().await);
    world.faults.always("ReservePoints", Fault::NotSent);
    world.restart().await;
    let mut resumed = None;
    for (_, checkout) in &parked {
        if asked(&world, checkout, &operation.name).await == 1 {
            resumed = Some(checkout.replace("checkouts/", "sagas/"));
        }
    }
    let name = resumed.expect("one was resumed");
    let request = pb::SuspendSagaRequest { name: name.clone(), reason: "not this one".into(), expected_version: 0 };
    world.sagas().suspend_saga(request).await.unwrap();
    let over = ended(&world, &operation.name).await;
    assert_eq!((over.applied_count, over.refused_count), (PARKED as i64, 0));
    let saga = world.saga(&name).await;
    assert_eq!(saga.state(), pb::saga::State::Suspended, "a person has parked it since");
    assert_eq!(asked(&world, &name, &operation.name).await, 1);
}
