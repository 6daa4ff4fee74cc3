//! What sagas have locked, for who compares it with the sagas.

use proto::customer::v1 as pb;
use service_kit::wire::timestamp;

use crate::harness::{Service, saga_name, violation};

async fn locks(service: &mut Service, request: pb::ListSagaLocksRequest) -> (Vec<String>, String) {
    let page = service.points.list_saga_locks(request).await.unwrap().into_inner();
    (page.saga_locks.into_iter().map(|lock| lock.saga).collect(), page.next_page_token)
}

#[tokio::test]
async fn pending_reservations_are_listed_the_oldest_first() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    for saga in [5, 3, 4, 1, 2] {
        service.reserve(&customer, saga, 10).await.unwrap();
        service.clock.advance(if saga == 4 { 0 } else { 1_000 });
    }
    service.capture(&customer, 3).await.unwrap();
    service.release(&customer, 2).await.unwrap();

    let all = service.points.list_saga_locks(pb::ListSagaLocksRequest::default()).await.unwrap().into_inner();
    let oldest = &all.saga_locks[0];
    assert_eq!((oldest.saga.as_str(), oldest.state.as_str()), (saga_name(5).as_str(), "PENDING"));
    assert_eq!(oldest.name, format!("{customer}/pointReservations/00000000-0000-0000-0000-000000000005"));
    assert_eq!(oldest.lock_time, Some(timestamp(1_000)));

    let mut request = pb::ListSagaLocksRequest { page_size: 2, ..Default::default() };
    let (first, token) = locks(&mut service, request.clone()).await;
    // Of one millisecond, which the saga tells apart.
    assert_eq!(first, [saga_name(5), saga_name(1)]);
    request.page_token = token;
    assert_eq!(locks(&mut service, request).await, (vec![saga_name(4)], String::new()));

    let locked_before = Some(timestamp(3_000));
    let old = pb::ListSagaLocksRequest { locked_before, ..Default::default() };
    assert_eq!(locks(&mut service, old).await.0, [saga_name(5)], "before, not at, that time");
}

#[tokio::test]
async fn a_list_of_locks_that_cannot_be_made_is_refused() {
    let mut service = Service::new().await;
    let far = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
    let wrong = [
        ("page_size", pb::ListSagaLocksRequest { page_size: -1, ..Default::default() }),
        ("page_token", pb::ListSagaLocksRequest { page_token: "x".into(), ..Default::default() }),
        ("page_token", pb::ListSagaLocksRequest { page_token: "1@x".into(), ..Default::default() }),
        ("locked_before", pb::ListSagaLocksRequest { locked_before: Some(far), ..Default::default() }),
    ];
    for (field, request) in wrong {
        assert_eq!(violation(service.points.list_saga_locks(request).await), field);
    }
}
