//! Sagas that are archived leave nothing behind but their effects, and those happen once for ever.

use proto::customer::v1 as pb;
use service_kit::retention::{Forgotten, Retention, Settings};
use tonic::Code;

use crate::harness::{Service, charge, failed, refund, refused, saga_name, violation};

static RETENTION: Retention = service_kit::retention!("customer");

const DAY: i64 = 86_400_000;

async fn archived(service: &mut Service, sagas: &[u128]) -> i64 {
    let sagas = sagas.iter().map(|saga| saga_name(*saga)).collect();
    let told = service.points.purge_saga_operations(pb::PurgeSagaOperationsRequest { sagas }).await;
    told.unwrap().into_inner().known_count
}

async fn purge(service: &Service) -> (u64, u64) {
    let Forgotten { sagas, answers } = RETENTION.purge(&service.db, Settings::default()).await.unwrap();
    (sagas, answers)
}

/// What is kept about steps, archived sagas and calls.
async fn kept(service: &Service) -> (i64, i64, i64) {
    let counts = service.rows(
        "select (select count(*) from customer_saga_op), (select count(*) from customer_archived_sagas), \
         (select count(*) from customer_idempotency)",
    );
    counts.await.remove(0)
}

/// A customer with a captured, a released and a refused reservation, a charge and a refund: sagas 1 to 5.
async fn traded(service: &mut Service) -> String {
    let customer = service.customer(1_000).await;
    for saga in [1, 2] {
        service.reserve(&customer, saga, 400).await.unwrap();
    }
    service.capture(&customer, 1).await.unwrap();
    service.release(&customer, 2).await.unwrap();
    refused(service.reserve(&customer, 3, 9_000).await);
    service.credit(charge(&customer, 4, 50)).await.unwrap();
    service.credit(refund(&customer, 5, 350, 50)).await.unwrap();
    customer
}

#[tokio::test]
async fn the_tables_of_archived_sagas_become_as_small_as_they_were() {
    let mut service = Service::new().await;
    traded(&mut service).await;
    assert_eq!(kept(&service).await, (6, 0, 1));
    service.clock.advance(400 * DAY);
    assert_eq!(purge(&service).await, (0, 1), "nothing is known of the sagas, however old they are");
    assert_eq!(archived(&mut service, &[1, 2, 3, 4, 5, 6]).await, 5);
    service.clock.advance(7 * DAY);
    assert_eq!(purge(&service).await, (0, 0));
    service.clock.advance(1);
    assert_eq!(purge(&service).await, (5, 0));
    assert_eq!(kept(&service).await, (0, 0, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_step_that_comes_after_all_that_has_no_second_effect() {
    let mut service = Service::new().await;
    let customer = traded(&mut service).await;
    archived(&mut service, &[1, 2, 3, 4, 5]).await;
    service.clock.advance(8 * DAY);
    assert_eq!(purge(&service).await.0, 5);
    let before = (service.account(&customer).await, service.entries(&customer).await);

    assert_eq!(refused(service.capture(&customer, 1).await), "POINTS_NOT_RESERVED");
    for saga in [1, 2] {
        assert_eq!(refused(service.reserve(&customer, saga, 400).await), "POINT_RESERVATION_EXISTS");
    }
    for order in [charge(&customer, 4, 50), refund(&customer, 5, 350, 50)] {
        assert_eq!(failed(service.credit(order).await).0, Code::Internal, "its key is taken");
    }
    for saga in [1, 2, 4, 5] {
        assert_eq!(service.release(&customer, saga).await.unwrap().amount, 0);
    }
    assert_eq!((service.account(&customer).await, service.entries(&customer).await), before);
    service.expect_sound().await;
}

#[tokio::test]
async fn until_then_a_late_step_gets_its_first_answer() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    let first = service.reserve(&customer, 1, 400).await.unwrap();
    archived(&mut service, &[1]).await;
    service.clock.advance(7 * DAY);
    purge(&service).await;
    assert_eq!(service.reserve(&customer, 1, 400).await.unwrap(), first);
}

#[tokio::test]
async fn a_malformed_notice_is_refused() {
    let mut service = Service::new().await;
    let many = (0..1_001).map(saga_name).collect();
    for sagas in [vec![], vec!["sagas/1".to_owned()], vec![saga_name(1), String::new()], many] {
        let answer = service.points.purge_saga_operations(pb::PurgeSagaOperationsRequest { sagas }).await;
        assert_eq!(violation(answer), "sagas");
    }
}
