//! What is malformed is answered by the name of its field and changes nothing.

use proto::customer::v1 as pb;
use tonic::{Code, Request};

use crate::harness::{self, Service, failed, saga_name, step, violation};

const STEP: &str = "reserve-points";

#[tokio::test]
async fn a_malformed_reservation_is_named_by_its_field() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    let good = harness::reserve(&customer, 1, 100);
    let wrong = [
        ("customer", pb::ReservePointsRequest { customer: String::new(), ..good.clone() }),
        ("customer", pb::ReservePointsRequest { customer: "customers/1".into(), ..good.clone() }),
        ("customer", pb::ReservePointsRequest { customer: good.saga.clone(), ..good.clone() }),
        ("customer", pb::ReservePointsRequest { customer: customer.to_uppercase(), ..good.clone() }),
        ("saga", pb::ReservePointsRequest { saga: "sagas/".repeat(1_000), ..good.clone() }),
        ("saga", pb::ReservePointsRequest { saga: format!("{}/x", saga_name(1)), ..good.clone() }),
        ("amount", pb::ReservePointsRequest { amount: 0, ..good.clone() }),
        ("amount", pb::ReservePointsRequest { amount: -1, ..good.clone() }),
        ("amount", pb::ReservePointsRequest { amount: i64::MIN, ..good.clone() }),
        ("request_id", pb::ReservePointsRequest { request_id: String::new(), ..good.clone() }),
        ("request_id", pb::ReservePointsRequest { request_id: "7".into(), ..good.clone() }),
    ];
    for (field, request) in wrong {
        let shown = format!("{request:?}");
        assert_eq!(violation(service.points.reserve_points(step(STEP, request)).await), field, "{shown}");
    }
    assert_eq!(service.account(&customer).await, (1_000, 0));
    service.points.reserve_points(step(STEP, good)).await.expect("a wrong request bars nothing");
}

#[tokio::test]
async fn a_step_without_its_metadata_is_refused() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    let bare = Request::new(harness::reserve(&customer, 1, 100));
    assert_eq!(violation(service.points.reserve_points(bare).await), "saga-step");

    let mut request = step(STEP, harness::reserve(&customer, 1, 100));
    request.metadata_mut().insert("saga-epoch", "soon".parse().unwrap());
    assert_eq!(violation(service.points.reserve_points(request).await), "saga-epoch");
    let mut request = step("", harness::release(&customer, 1));
    assert_eq!(violation(service.points.release_points(request).await), "saga-step");
    request = step(STEP, harness::release(&customer, 1));
    request.metadata_mut().remove("saga-epoch");
    assert_eq!(violation(service.points.release_points(request).await), "saga-epoch");
    assert_eq!(service.account(&customer).await, (1_000, 0));
}

#[tokio::test]
async fn no_amount_is_too_large_to_be_refused() {
    let mut service = Service::new().await;
    let customer = service.customer(2_000_000).await;
    let answer = service.reserve(&customer, 1, i64::MAX).await;
    assert_eq!(failed(answer), (Code::FailedPrecondition, "INSUFFICIENT_POINTS".into()));
    assert_eq!(service.account(&customer).await, (2_000_000, 0));
}

#[tokio::test]
async fn points_are_spent_on_concerts_only() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 100).await.unwrap();
    for account in ["", "adjustments", "revenue/concerts/1", "revenue/", customer.as_str()] {
        let request = pb::CapturePointsRequest { credit_account: account.into(), ..harness::capture(&customer, 1) };
        let answer = service.points.capture_points(step("capture-points", request)).await;
        assert_eq!(violation(answer), "credit_account", "{account}");
    }
    assert_eq!(service.account(&customer).await, (1_000, 100));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_malformed_correction_is_named_by_its_field() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    let good = harness::adjustment(&customer, 1, 1);
    let wrong = [
        ("customer", pb::AdjustPointsRequest { customer: "kim".into(), ..good.clone() }),
        ("amount", pb::AdjustPointsRequest { amount: 0, ..good.clone() }),
        ("reason", pb::AdjustPointsRequest { reason: String::new(), ..good.clone() }),
        ("reason", pb::AdjustPointsRequest { reason: "x".repeat(501), ..good.clone() }),
        ("request_id", pb::AdjustPointsRequest { request_id: String::new(), ..good.clone() }),
    ];
    for (field, request) in wrong {
        assert_eq!(violation(service.points.adjust_points(request).await), field);
    }
    assert_eq!(service.entries(&customer).await, [1_000]);
}

#[tokio::test]
async fn what_is_read_must_exist_and_be_well_named() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;
    for name in ["", "customers/1/pointAccount", customer.as_str()] {
        let request = pb::GetPointAccountRequest { name: name.into() };
        assert_eq!(violation(service.points.get_point_account(request).await), "name", "{name}");
    }
    let unknown = "customers/00000000-0000-0000-0000-0000000000ff";
    let request = pb::GetPointAccountRequest { name: format!("{unknown}/pointAccount") };
    assert_eq!(failed(service.points.get_point_account(request).await).1, "CUSTOMER_NOT_FOUND");
    let request = pb::ListPointTransactionsRequest { parent: unknown.into(), ..Default::default() };
    assert_eq!(failed(service.points.list_point_transactions(request).await).1, "CUSTOMER_NOT_FOUND");
    let (parent, page_token) = (customer, "newest".to_owned());
    let request = pb::ListPointTransactionsRequest { parent, page_token, ..Default::default() };
    assert_eq!(violation(service.points.list_point_transactions(request).await), "page_token");
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_not_read() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    let reason = "x".repeat(64 * 1024);
    let request = pb::AdjustPointsRequest { reason, ..harness::adjustment(&customer, 1, 1) };
    assert_eq!(failed(service.points.adjust_points(request).await).0, Code::OutOfRange);
    assert_eq!(service.entries(&customer).await, [1_000]);
}
