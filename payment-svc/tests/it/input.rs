//! What is malformed is answered by the name of its field and changes nothing.

use proto::payment::v1 as pb;
use proto::payment::v1::payment::Method;
use tonic::{Code, Request};

use crate::harness::{self, Service, fact, failed, refused, saga_name, step, violation};

const STEP: &str = "authorize-payment";

#[tokio::test]
async fn a_malformed_order_is_named_by_its_field() {
    let mut service = Service::new().await;
    let good = harness::authorize(1, 10);
    let with = |change: fn(&mut pb::AuthorizePaymentRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let wrong = [
        ("saga", with(|order| order.saga.clear())),
        ("saga", with(|order| order.saga = "sagas/1".into())),
        ("customer", with(|order| order.customer = order.saga.clone())),
        ("purpose", with(|order| order.purpose = 0)),
        ("method", with(|order| order.purpose = pb::payment::Purpose::PointCharge.into())),
        ("purpose", with(|order| order.purpose = 99)),
        ("reference", with(|order| order.reference.clear())),
        ("reference", with(|order| order.reference = "pointCharges/1".into())),
        ("reference", with(|order| order.reference = "reservations/".repeat(1_000))),
        ("method", with(|order| order.method = 0)),
        ("method", with(|order| order.method = -1)),
        ("amount", with(|order| order.amount = 0)),
        ("amount", with(|order| order.amount = -300)),
        ("amount", with(|order| order.amount = 1_000_000_001)),
        ("amount", with(|order| order.amount = i64::MAX)),
        ("currency_code", with(|order| order.currency_code = "USD".into())),
        ("processor_token", with(|order| order.processor_token = "tok".into())),
        ("card_last_four", with(|order| order.card_last_four = "1234".into())),
        ("request_id", with(|order| order.request_id.clear())),
    ];
    for (field, request) in wrong {
        let shown = format!("{request:?}");
        assert_eq!(violation(service.payments.authorize_payment(step(STEP, request)).await), field, "{shown}");
    }
    assert_eq!(service.payment(1).await.0, "PAYMENT_NOT_FOUND");
    let krw = pb::AuthorizePaymentRequest { currency_code: "KRW".into(), ..good };
    service.payments.authorize_payment(step(STEP, krw)).await.expect("a wrong order bars nothing");
}

#[tokio::test]
async fn an_amount_out_of_range_says_so() {
    let mut service = Service::new().await;
    let order = pb::AuthorizePaymentRequest { amount: 0, ..harness::authorize(1, 10) };
    let answer = service.payments.authorize_payment(step(STEP, order)).await;
    assert_eq!(failed(answer), (Code::InvalidArgument, "AMOUNT_OUT_OF_RANGE".into()));
}

#[tokio::test]
async fn a_method_that_is_not_offered_is_refused_for_good() {
    let mut service = Service::new().await;
    for (saga, method, token) in [(1, Method::Card, "tok_1"), (2, Method::BankTransfer, "")] {
        let processor_token = token.to_owned();
        let order =
            pb::AuthorizePaymentRequest { method: method.into(), processor_token, ..harness::authorize(saga, 10) };
        let answer = service.payments.authorize_payment(step(STEP, order)).await;
        assert_eq!(fact(&answer, "method"), method.as_str_name());
        assert_eq!(refused(answer), "PAYMENT_METHOD_NOT_OFFERED");
        assert_eq!(service.cancel(saga).await.unwrap().amount, 0);
    }
    service.expect_sound().await;
}

#[tokio::test]
async fn a_step_without_its_metadata_is_refused() {
    let mut service = Service::new().await;
    let bare = Request::new(harness::authorize(1, 10));
    assert_eq!(violation(service.payments.authorize_payment(bare).await), "saga-step");
    let bare = Request::new(harness::capture(1));
    assert_eq!(violation(service.payments.capture_payment(bare).await), "saga-step");
    let mut request = step(STEP, harness::cancel(1));
    request.metadata_mut().insert("saga-epoch", "-".parse().unwrap());
    assert_eq!(violation(service.payments.cancel_payment(request).await), "saga-epoch");
    service.authorize(1, 10).await.expect("a cancellation without metadata bars nothing");
}

#[tokio::test]
async fn a_malformed_cancellation_or_capture_is_named_by_its_field() {
    let mut service = Service::new().await;
    service.authorize(1, 10).await.unwrap();
    let wrong = [
        ("saga", pb::CancelPaymentRequest { saga: "x".into(), ..harness::cancel(1) }),
        ("reason", pb::CancelPaymentRequest { reason: "x".repeat(501), ..harness::cancel(1) }),
        ("request_id", pb::CancelPaymentRequest { request_id: "x".into(), ..harness::cancel(1) }),
    ];
    for (field, request) in wrong {
        assert_eq!(violation(service.payments.cancel_payment(step(STEP, request)).await), field);
    }
    let request = pb::CapturePaymentRequest { saga: saga_name(1), request_id: String::new() };
    assert_eq!(violation(service.payments.capture_payment(step("capture-payment", request)).await), "request_id");
    assert_eq!(service.payment(1).await, ("AUTHORIZED".to_owned(), 0));
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_not_read() {
    let mut service = Service::new().await;
    let request = pb::CancelPaymentRequest { reason: "x".repeat(64 * 1024), ..harness::cancel(1) };
    assert_eq!(failed(service.payments.cancel_payment(step(STEP, request)).await).0, Code::OutOfRange);
    service.authorize(1, 10).await.expect("what was not read bars nothing");
}

#[tokio::test]
async fn a_notice_of_archived_sagas_names_some_and_not_too_many() {
    let mut service = Service::new().await;
    let too_many = (0..=1_000).map(saga_name).collect();
    for sagas in [Vec::new(), too_many, vec!["sagas/2".to_owned()]] {
        let notice = pb::PurgeSagaOperationsRequest { sagas };
        assert_eq!(violation(service.payments.purge_saga_operations(notice).await), "sagas");
    }
}

#[tokio::test]
async fn a_malformed_refund_is_named_by_its_field() {
    let mut service = Service::new().await;
    service.authorize(1, 10).await.unwrap();
    service.capture(1).await.unwrap();
    let good = harness::create_refund(2, 1, 100);
    let wrong = [
        ("parent", pb::CreateRefundRequest { parent: saga_name(1), ..good.clone() }),
        ("saga", pb::CreateRefundRequest { saga: "sagas/2".into(), ..good.clone() }),
        ("amount", pb::CreateRefundRequest { amount: 0, ..good.clone() }),
        ("amount", pb::CreateRefundRequest { amount: -1, ..good.clone() }),
        ("amount", pb::CreateRefundRequest { amount: i64::MAX, ..good.clone() }),
        ("reason", pb::CreateRefundRequest { reason: "x".repeat(501), ..good.clone() }),
        ("request_id", pb::CreateRefundRequest { request_id: "x".into(), ..good.clone() }),
    ];
    for (field, request) in wrong {
        assert_eq!(violation(service.payments.create_refund(step("create-refund", request)).await), field);
    }
    assert_eq!(violation(service.payments.create_refund(good).await), "saga-step");
    let cancel = pb::CancelRefundRequest { saga: String::new(), ..harness::cancel_refund(2) };
    assert_eq!(violation(service.payments.cancel_refund(step("create-refund", cancel)).await), "saga");
    let complete = pb::CompleteRefundRequest { request_id: String::new(), ..harness::complete_refund(2) };
    assert_eq!(violation(service.payments.complete_refund(step("complete-refund", complete)).await), "request_id");
    assert_eq!(service.refund(2, 1).await, "REFUND_NOT_FOUND");
    service.create_refund(2, 1, 100).await.expect("a wrong order bars nothing");
}
