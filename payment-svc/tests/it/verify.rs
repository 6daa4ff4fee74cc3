//! The checks notice what they are there for, and the facts are what happened.

use payment_svc::verify::{self, Payment, Refund, RefundState, State};
use uuid::Uuid;

use crate::harness::{Service, reservation_name};

/// A service with one captured payment, of which one refund is given back and one pending, and one authorised.
async fn books() -> Service {
    let mut service = Service::new().await;
    for saga in [2, 1] {
        service.authorize(saga, 10 + saga).await.unwrap();
    }
    service.capture(1).await.unwrap();
    for saga in [3, 4] {
        service.create_refund(saga, 1, 100).await.unwrap();
    }
    service.complete_refund(3).await.unwrap();
    service.expect_sound().await;
    service
}

#[tokio::test]
async fn every_check_notices_its_violation() {
    let cases = [
        ("Y1", "update payment_payments set captured_amount = 1"),
        ("Y1", "update payment_payments set captured_amount = 0"),
        ("Y1", "update payment_payments set captured_amount = authorized_amount"),
        ("Y1b", "update payment_payments set refunded_amount = 99 where state = 3"),
        ("Y1b", "update payment_payments set refunding_amount = 0 where state = 3"),
        ("Y1b", "update payment_refunds set state = 3 where state = 1"),
        ("Y1b", "update payment_refunds set amount = 101"),
        ("Y6", "update payment_saga_op set state = 5 where step = 'capture-payment'"),
        ("Y6", "update payment_payments set state = 1 where state = 2"),
        (
            "Y6",
            "insert into payment_errands (payment_id, id, kind, due_time, attempts, problem, create_time) \
             select saga_id, saga_id, 3, 0, 0, '', 0 from payment_payments",
        ),
        ("Y2", "update payment_payments set reference = 'reservations/r'"),
    ];
    for (id, sql) in cases {
        let service = books().await;
        testbed::without_checks(&service.db).await.unwrap();
        service.sql("drop index payment_payments_live").await;
        service.sql(sql).await;
        let mut broken: Vec<_> = service.findings().await.into_iter().map(|(id, _)| id).collect();
        broken.dedup();
        assert_eq!(broken, [id], "{sql}");
    }
}

#[tokio::test]
async fn the_facts_are_what_the_sagas_did() {
    let service = books().await;
    let fact = |saga: u128, captured_amount, state| Payment {
        saga: Uuid::from_u128(saga),
        reference: reservation_name(10 + saga),
        authorized_amount: 300,
        captured_amount,
        refunded_amount: captured_amount / 3,
        state,
    };
    let first_page = service.db.read(async |tx| verify::payments(tx, Uuid::nil(), 1).await).await.unwrap();
    let last = Uuid::from_u128(1);
    let next_page = service.db.read(async move |tx| verify::payments(tx, last, 9).await).await.unwrap();
    assert_eq!(first_page, [fact(1, 300, State::Captured)]);
    assert_eq!(next_page, [fact(2, 0, State::Authorized)]);
    assert_eq!(service.db.read(async |tx| verify::points_captured(tx).await).await.unwrap(), 300);
    let refund = |saga: u128, state| Refund { saga: Uuid::from_u128(saga), payment: last, amount: 100, state };
    let refunds = service.db.read(async |tx| verify::refunds(tx, Uuid::nil(), 9).await).await.unwrap();
    assert_eq!(refunds, [refund(3, RefundState::Succeeded), refund(4, RefundState::Pending)]);
    assert_eq!(service.db.read(async |tx| verify::points_refunded(tx).await).await.unwrap(), 100);
}
