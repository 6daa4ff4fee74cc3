//! What sagas have locked and not let go.

use std::sync::Arc;

use prost_types::Timestamp;
use proto::payment::v1 as pb;
use service_kit::clock::ManualClock;
use service_kit::db::Db;

use crate::harness::{Service, payment_name, refund_name, saga_name, violation};

/// A service with a payment that is captured, one that is cancelled, and locks from the seconds 1 to 4.
async fn locked() -> Service {
    let mut service = Service::new().await;
    for saga in [1, 2] {
        service.authorize(saga, 10 + saga).await.unwrap();
    }
    service.capture(1).await.unwrap();
    service.clock.advance(1_000);
    service.create_refund(9, 1, 100).await.unwrap();
    service.clock.advance(1_000);
    for saga in [3, 4] {
        service.authorize(saga, 10 + saga).await.unwrap();
    }
    service.cancel(4).await.unwrap();
    service.create_refund(8, 1, 100).await.unwrap();
    service.complete_refund(8).await.unwrap();
    service
}

async fn list(service: &mut Service, request: &pb::ListSagaLocksRequest) -> (Vec<String>, String) {
    let page = service.payments.list_saga_locks(request.clone()).await.unwrap().into_inner();
    (page.saga_locks.into_iter().map(|lock| format!("{} {}", lock.name, lock.state)).collect(), page.next_page_token)
}

#[tokio::test]
async fn what_is_locked_is_listed_oldest_first_page_by_page() {
    let mut service = locked().await;
    let expected = [
        format!("{} AUTHORIZED", payment_name(2)),
        format!("{} PENDING", refund_name(9, 1)),
        format!("{} AUTHORIZED", payment_name(3)),
    ];
    let mut request = pb::ListSagaLocksRequest::default();
    assert_eq!(list(&mut service, &request).await, (expected.to_vec(), String::new()));
    request.page_size = 2;
    let (page, token) = list(&mut service, &request).await;
    assert_eq!(page, expected[..2]);
    request.page_token = token;
    assert_eq!(list(&mut service, &request).await, (expected[2..].to_vec(), String::new()));

    let request =
        pb::ListSagaLocksRequest { locked_before: Some(Timestamp { seconds: 2, nanos: 0 }), ..Default::default() };
    let page = service.payments.list_saga_locks(request).await.unwrap().into_inner();
    let [lock] = page.saga_locks.as_slice() else { unreachable!("{page:?}") };
    assert_eq!((&lock.saga, lock.lock_time), (&saga_name(2), Some(Timestamp { seconds: 1, nanos: 0 })));
}

/// The planner of PostgreSQL needs many rows to say the same.
#[tokio::test]
async fn the_oldest_locks_are_found_by_their_index_and_sorted_by_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(1_000));
    let service = Service::over(Db::open(directory.path(), clock.clone()).unwrap(), clock).await;
    for (explained, index) in [
        (
            "explain query plan select create_time from payment_payments where state in (1, 2) \
             and (create_time, saga_id) > (1, x'00') and create_time < 9 order by create_time, saga_id limit 5",
            "payment_payments_open",
        ),
        (
            "explain query plan select create_time from payment_refunds where state = 1 \
             and (create_time, saga_id) > (1, x'00') and create_time < 9 order by create_time, saga_id limit 5",
            "payment_refunds_open",
        ),
    ] {
        let rows = service.db.read(async move |tx| tx.fetch_all::<(i64, i64, i64, String)>(explained, &[]).await).await;
        let plan: Vec<_> = rows.unwrap().into_iter().map(|(.., line)| line).collect();
        assert!(plan.len() == 1 && plan[0].contains(index), "{plan:?}");
    }
}

#[tokio::test]
async fn locks_that_cannot_be_listed_are_refused() {
    let mut service = Service::new().await;
    let wrong = [
        ("page_token", pb::ListSagaLocksRequest { page_token: "x.y".into(), ..Default::default() }),
        ("page_size", pb::ListSagaLocksRequest { page_size: -1, ..Default::default() }),
        (
            "locked_before",
            pb::ListSagaLocksRequest { locked_before: Some(Timestamp { seconds: 0, nanos: -1 }), ..Default::default() },
        ),
    ];
    for (field, request) in wrong {
        assert_eq!(violation(service.payments.list_saga_locks(request).await), field);
    }
}
