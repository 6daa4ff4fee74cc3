//! Sagas that are archived leave nothing behind but their effects, and those happen once for ever.

use proto::payment::v1 as pb;
use service_kit::db;
use service_kit::retention::{Forgotten, Retention, Settings};
use uuid::Uuid;

use crate::harness::Service;

static RETENTION: Retention = service_kit::retention!("payment");

const DAY: i64 = 86_400_000;

/// Rows about steps, archived sagas, payments and refunds.
async fn rows(service: &Service) -> (i64, i64, i64, i64) {
    const COUNT: &str = "select (select count(*) from payment_saga_op), (select count(*) from payment_archived_sagas), \
        (select count(*) from payment_payments), (select count(*) from payment_refunds)";
    let counted: Result<_, db::Error> = service.db.read(async |tx| tx.fetch_one(COUNT, &[]).await).await;
    counted.unwrap()
}

#[tokio::test]
async fn a_step_of_an_archived_saga_is_forgotten_and_has_no_second_effect() {
    let mut service = Service::new().await;
    service.authorize(1, 1).await.unwrap();
    service.capture(1).await.unwrap();
    service.authorize(2, 2).await.unwrap();
    service.cancel(2).await.unwrap();
    service.create_refund(3, 1, 100).await.unwrap();
    service.complete_refund(3).await.unwrap();
    assert_eq!(rows(&service).await, (5, 0, 2, 1));
    let amounts = service.amounts(1).await;

    let sagas = [1, 2, 3, 99].map(|saga| format!("sagas/{}", Uuid::from_u128(saga))).to_vec();
    let told = service.payments.purge_saga_operations(pb::PurgeSagaOperationsRequest { sagas }).await.unwrap();
    assert_eq!(told.into_inner().known_count, 3);
    service.clock.advance(7 * DAY + 1);
    let forgotten = RETENTION.purge(&service.db, Settings::default()).await.unwrap();
    assert_eq!(forgotten, Forgotten { sagas: 3, answers: 0 });
    assert_eq!(rows(&service).await, (0, 0, 2, 1));

    // Whatever they are answered.
    let late = [
        service.authorize(1, 1).await.is_ok(),
        service.authorize(2, 2).await.is_ok(),
        service.capture(1).await.is_ok(),
        service.create_refund(3, 1, 100).await.is_ok(),
        service.complete_refund(3).await.is_ok(),
    ];
    assert_eq!((service.amounts(1).await, rows(&service).await.2, rows(&service).await.3), (amounts, 2, 1), "{late:?}");
    assert_eq!(service.payment(2).await.0, "CANCELLED");
    service.expect_sound().await;
}
