//! The checks notice what they are there for, and the facts are what happened.

use customer_svc::verify::{self, PointReservation, ReservationState};
use service_kit::db;
use uuid::Uuid;

use crate::harness::{CONCERT_ACCOUNT, Service};

/// A service with two captured sagas, and a way round the checks of the tables themselves.
async fn books() -> Service {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    for saga in [1, 2] {
        service.reserve(&customer, saga, 100).await.unwrap();
        service.capture(&customer, saga).await.unwrap();
    }
    service.expect_sound().await;
    testbed::without_checks(&service.db).await.unwrap();
    service.unguard().await;
    service
}

async fn broken_by(sql: &'static str) -> Vec<&'static str> {
    let service = books().await;
    service.sql(sql).await;
    let mut broken: Vec<_> = service.findings().await.into_iter().map(|(id, _)| id).collect();
    broken.dedup();
    broken
}

#[tokio::test]
async fn every_check_notices_its_violation() {
    let cases: [(&str, &[&str]); 12] = [
        (
            "update customer_transfers set debit_account = credit_account where sequence = 1",
            &["P1", "P2", "P3", "P7", "P6", "P8"],
        ),
        ("update customer_customers set posted = posted + 1", &["P2", "P3", "P6"]),
        ("update customer_customers set reserved = 1", &["P3", "P6"]),
        ("update customer_customers set reserved = posted + 1", &["P3", "P4", "P6"]),
        ("update customer_point_reservations set state = 3 where amount = 100", &["P5", "P6"]),
        ("delete from customer_point_reservations", &["P5", "P6"]),
        ("update customer_transfers set kind = 1 where sequence = 3", &["P5", "P6", "P8"]),
        ("delete from customer_transfers where sequence = 3", &["P2", "P3", "P5", "P7", "P6"]),
        ("delete from customer_transfers where sequence = 1", &["P2", "P3", "P7", "P6", "P8"]),
        ("update customer_transfers set balance_after = 7 where sequence = 3", &["P7", "P6", "P8"]),
        ("update customer_transfers set reason = 'another' where sequence = 1", &["P6", "P8"]),
        ("update customer_transfers set hash = null where sequence = 3", &["P6", "P8"]),
    ];
    for (sql, expected) in cases {
        assert_eq!(broken_by(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn the_facts_are_what_the_sagas_did() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    for saga in [3, 1, 2] {
        service.reserve(&customer, saga, 100).await.unwrap();
    }
    service.capture(&customer, 2).await.unwrap();
    service.release(&customer, 3).await.unwrap();

    let first_page = service.db.read(async |tx| verify::point_reservations(tx, Uuid::nil(), 2).await).await.unwrap();
    let last = Uuid::from_u128(2);
    let next_page = service.db.read(async move |tx| verify::point_reservations(tx, last, 2).await).await.unwrap();
    let customer = Uuid::try_parse(&customer["customers/".len()..]).unwrap();
    let fact = |saga, state| PointReservation { saga: Uuid::from_u128(saga), customer, amount: 100, state };
    assert_eq!(first_page, [fact(1, ReservationState::Pending), fact(2, ReservationState::Captured)]);
    assert_eq!(next_page, [fact(3, ReservationState::Released)]);

    let used = service.db.read(async |tx| verify::points_used(tx).await).await;
    assert_eq!(used.unwrap(), [(CONCERT_ACCOUNT.to_owned(), 100)]);
    let nobody = Service::new().await;
    let used: Result<_, db::Error> = nobody.db.read(async |tx| verify::points_used(tx).await).await;
    assert_eq!(used.unwrap(), []);
}
