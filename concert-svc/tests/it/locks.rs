//! What sagas have locked and not let go.

use proto::concert::v1 as pb;
use service_kit::wire::timestamp;

use crate::world::{NOW_MS, World, fact, id};

async fn page(world: &World, request: pb::ListSagaLocksRequest) -> (Vec<pb::SagaLock>, String) {
    let answer = world.reservations.clone().list_saga_locks(request).await.unwrap().into_inner();
    (answer.saga_locks, answer.next_page_token)
}

fn lock(of: &pb::Reservation, saga: u128, state: &str, time: i64) -> pb::SagaLock {
    pb::SagaLock {
        name: of.name.clone(),
        saga: format!("sagas/{}", id(saga)),
        state: state.into(),
        lock_time: Some(timestamp(time)),
    }
}

#[tokio::test]
async fn checkouts_and_cancellations_are_listed_by_the_age_of_their_locks_until_they_let_go() {
    let world = World::new().await;
    assert_eq!(page(&world, Default::default()).await, (vec![], String::new()));
    let (sold, held) = (world.buy(1, &["A-1"]).await, world.hold(2, &["A-2"]).await.unwrap());
    let other = world.hold(3, &["A-3"]).await.unwrap();
    world.postpone(1).await;
    world.clock.advance(10);
    world.lock(20, &held).await.unwrap();
    world.clock.advance(10);
    // Its checkout had locked it before all others, and has let go.
    world.begin(10, &sold).await.unwrap();
    world.lock(30, &other).await.unwrap();
    let checkout = lock(&held, 20, "CONFIRMING", NOW_MS + 10);
    let same_time = [lock(&sold, 10, "CANCELLING", NOW_MS + 20), lock(&other, 30, "CONFIRMING", NOW_MS + 20)];
    let all = [vec![checkout.clone()], same_time.to_vec()].concat();
    assert_eq!(page(&world, Default::default()).await, (all.clone(), String::new()));

    let mut paged = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListSagaLocksRequest { page_size: 1, page_token, ..Default::default() };
        let (locks, next) = page(&world, request).await;
        paged.extend(locks);
        page_token = next;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all);
    let old = pb::ListSagaLocksRequest { locked_before: Some(timestamp(NOW_MS + 20)), ..Default::default() };
    assert_eq!(page(&world, old).await.0, [checkout]);

    world.unlock(20, &held).await.unwrap();
    world.commit(10, &sold).await.unwrap();
    world.confirm(30, &other, Some(1)).await.unwrap();
    assert_eq!(page(&world, Default::default()).await, (vec![], String::new()));
}

#[tokio::test]
async fn a_page_that_no_list_has_given_is_refused_by_its_field() {
    let mut world = World::new().await;
    for (field, request) in [
        ("page_token", pb::ListSagaLocksRequest { page_token: "x".into(), ..Default::default() }),
        ("page_size", pb::ListSagaLocksRequest { page_size: -1, ..Default::default() }),
        ("locked_before", pb::ListSagaLocksRequest { locked_before: Some(timestamp(-1)), ..Default::default() }),
    ] {
        assert_eq!(fact(&world.reservations.list_saga_locks(request).await, "field"), field);
    }
    let request = pb::ListReservationsToCancelRequest { page_token: "x".into(), ..Default::default() };
    assert_eq!(fact(&world.reservations.list_reservations_to_cancel(request).await, "field"), "page_token");
}
