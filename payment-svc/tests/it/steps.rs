//! The steps of a saga, over messages that are repeated, late and out of order.

use proto::payment::v1 as pb;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::harness::{self, Service, customer_name, fact, failed, payment_name, refused, saga_name, step};

fn state(name: &str, captured: i64) -> (String, i64) {
    (name.to_owned(), captured)
}

#[tokio::test]
async fn a_payment_is_authorised_and_then_captured_whole() {
    let mut service = Service::new().await;
    let authorized = service.authorize(1, 10).await.unwrap();
    assert_eq!((authorized.saga, authorized.amount), (saga_name(1), 300));
    let payment = authorized.payment.unwrap();
    assert_eq!((&payment.name, &payment.customer), (&payment_name(1), &customer_name(1)));
    assert_eq!((payment.authorized_amount, payment.captured_amount, payment.refundable_amount), (300, 0, 0));
    assert_eq!((payment.method(), payment.currency_code.as_str()), (pb::payment::Method::Point, "KRW"));
    assert_eq!(payment.state(), pb::payment::State::Authorized);

    let captured = service.capture(1).await.unwrap();
    assert_eq!((captured.saga, captured.amount), (saga_name(1), 300));
    assert_eq!(captured.payment.unwrap().refundable_amount, 300);
    assert_eq!(service.payment(1).await, state("CAPTURED", 300));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_repeated_step_gets_the_first_answer() {
    let mut service = Service::new().await;
    let first = service.authorize(1, 10).await.unwrap();
    service.clock.advance(60_000);
    assert_eq!(service.authorize(1, 10).await.unwrap(), first);
    let first = service.capture(1).await.unwrap();
    service.clock.advance(60_000);
    assert_eq!(service.capture(1).await.unwrap(), first);
    service.expect_sound().await;
}

#[tokio::test]
async fn a_reservation_has_one_live_payment() {
    let mut service = Service::new().await;
    service.authorize(1, 10).await.unwrap();

    let second = service.authorize(2, 10).await;
    assert_eq!(fact(&second, "payment"), payment_name(1));
    assert!(second.as_ref().unwrap_err().get_details_retry_info().unwrap().retry_delay.is_some());
    assert_eq!(failed(second), (Code::AlreadyExists, "LIVE_PAYMENT_EXISTS".into()));
    service.authorize(3, 11).await.expect("another reservation is another matter");

    service.capture(1).await.unwrap();
    assert_eq!(refused(service.authorize(4, 10).await), "LIVE_PAYMENT_EXISTS");
    service.expect_sound().await;
}

#[tokio::test]
async fn a_cancelled_payment_makes_room_for_another_saga_but_the_refusal_stays() {
    let mut service = Service::new().await;
    service.authorize(1, 10).await.unwrap();
    assert_eq!(refused(service.authorize(2, 10).await), "LIVE_PAYMENT_EXISTS");
    service.cancel(1).await.unwrap();

    assert_eq!(refused(service.authorize(2, 10).await), "LIVE_PAYMENT_EXISTS");
    service.authorize(3, 10).await.unwrap();
    assert_eq!(service.payment(2).await, state("PAYMENT_NOT_FOUND", 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_cancelled_payment_holds_nothing() {
    let mut service = Service::new().await;
    service.authorize(1, 10).await.unwrap();
    let cancelled = service.cancel(1).await.unwrap();
    assert_eq!((cancelled.saga, cancelled.amount), (saga_name(1), 300));
    assert_eq!(cancelled.payment.unwrap().state(), pb::payment::State::Cancelled);

    let again = service.cancel(1).await.unwrap();
    assert_eq!((again.amount, again.payment), (0, None));
    assert_eq!(service.payment(1).await, state("CANCELLED", 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_step_that_arrives_after_its_compensation_is_refused() {
    let mut service = Service::new().await;
    let nothing = service.cancel(1).await.unwrap();
    assert_eq!((nothing.saga, nothing.amount, nothing.payment), (saga_name(1), 0, None));
    assert_eq!(refused(service.authorize(1, 10).await), "SAGA_COMPENSATED");

    service.authorize(2, 10).await.unwrap();
    service.cancel(2).await.unwrap();
    assert_eq!(refused(service.authorize(2, 10).await), "SAGA_COMPENSATED");
    assert_eq!(service.payment(1).await, state("PAYMENT_NOT_FOUND", 0));
    assert_eq!(service.payment(2).await, state("CANCELLED", 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn what_is_captured_cannot_be_cancelled() {
    let mut service = Service::new().await;
    service.authorize(1, 10).await.unwrap();
    service.capture(1).await.unwrap();
    for _ in 0..2 {
        let cancelled = service.cancel(1).await;
        assert_eq!(fact(&cancelled, "state"), "CAPTURED");
        assert_eq!(refused(cancelled), "PAYMENT_CAPTURED");
    }
    assert_eq!(service.payment(1).await, state("CAPTURED", 300));
    service.expect_sound().await;
}

#[tokio::test]
async fn what_is_not_authorised_cannot_be_captured() {
    let mut service = Service::new().await;
    let missing = service.capture(1).await;
    assert_eq!(fact(&missing, "name"), payment_name(1));
    assert_eq!(refused(missing), "PAYMENT_NOT_FOUND");

    service.authorize(2, 10).await.unwrap();
    service.cancel(2).await.unwrap();
    let cancelled = service.capture(2).await;
    assert_eq!(fact(&cancelled, "state"), "CANCELLED");
    assert_eq!(refused(cancelled), "PAYMENT_NOT_AUTHORIZED");
    service.expect_sound().await;
}

#[tokio::test]
async fn a_capture_that_was_refused_succeeds_once_its_cause_is_mended() {
    let mut service = Service::new().await;
    assert_eq!(refused(service.capture(1).await), "PAYMENT_NOT_FOUND");
    service.authorize(1, 10).await.unwrap();
    service.capture(1).await.unwrap();
    assert_eq!(service.payment(1).await, state("CAPTURED", 300));
}

#[tokio::test]
async fn two_steps_of_one_saga_cannot_pay_twice() {
    let mut service = Service::new().await;
    service.authorize(1, 10).await.unwrap();
    let again = step("authorize-again", harness::authorize(1, 11));
    assert_eq!(refused(service.payments.authorize_payment(again).await), "PAYMENT_EXISTS");
    service.capture(1).await.unwrap();
    let again = step("capture-again", harness::capture(1));
    assert_eq!(refused(service.payments.capture_payment(again).await), "PAYMENT_NOT_AUTHORIZED");
    assert_eq!(service.payment(1).await, state("CAPTURED", 300));
    service.expect_sound().await;
}

#[tokio::test]
async fn one_step_cannot_mean_two_payments() {
    let mut service = Service::new().await;
    service.authorize(1, 10).await.unwrap();
    let other = service.authorize(1, 11).await;
    assert_eq!(failed(other), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    service.expect_sound().await;
}
