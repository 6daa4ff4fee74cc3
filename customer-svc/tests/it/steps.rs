//! The steps of a saga, over messages that are repeated, late and out of order.

use crate::harness::{Service, capture, fact, failed, refund, refused, step};
use tonic::Code;

#[tokio::test]
async fn reserved_points_are_spent_once() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;

    let reserved = service.reserve(&customer, 1, 400).await.unwrap();
    assert_eq!((reserved.saga.as_str(), reserved.amount), ("sagas/00000000-0000-0000-0000-000000000001", 400));
    assert_eq!(service.account(&customer).await, (1_000, 400));

    let captured = service.capture(&customer, 1).await.unwrap();
    assert_eq!((captured.saga, captured.amount), (reserved.saga, 400));
    assert_eq!(service.account(&customer).await, (600, 0));
    assert_eq!(service.reservation(&customer, 1).await, "CAPTURED");
    assert_eq!(service.entries(&customer).await, [-400, 1_000]);
    service.expect_sound().await;
}

#[tokio::test]
async fn a_repeated_step_gets_the_first_answer_and_has_no_second_effect() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;

    let first = service.reserve(&customer, 1, 400).await.unwrap();
    service.clock.advance(60_000);
    assert_eq!(service.reserve(&customer, 1, 400).await.unwrap(), first);
    assert_eq!(service.account(&customer).await, (1_000, 400));

    let first = service.capture(&customer, 1).await.unwrap();
    service.clock.advance(60_000);
    assert_eq!(service.capture(&customer, 1).await.unwrap(), first);
    assert_eq!(service.account(&customer).await, (600, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_refusal_is_kept_even_when_its_cause_is_gone() {
    let mut service = Service::new().await;
    let customer = service.customer(100).await;

    assert_eq!(refused(service.reserve(&customer, 1, 400).await), "INSUFFICIENT_POINTS");
    service.adjust(&customer, 900, 1).await.unwrap();
    let again = service.reserve(&customer, 1, 400).await;
    assert_eq!(fact(&again, "available"), "100");
    assert_eq!(refused(again), "INSUFFICIENT_POINTS");
    service.reserve(&customer, 2, 400).await.unwrap();
    assert_eq!(service.account(&customer).await, (1_000, 400));
    service.expect_sound().await;
}

#[tokio::test]
async fn points_suffice_to_the_last_one() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 300).await.unwrap();

    let short = service.reserve(&customer, 2, 701).await;
    let facts = ["available", "required", "shortfall"].map(|key| fact(&short, key));
    assert_eq!(facts, ["700", "701", "1"]);
    assert_eq!(failed(short), (Code::FailedPrecondition, "INSUFFICIENT_POINTS".into()));
    service.reserve(&customer, 3, 700).await.unwrap();
    assert_eq!(refused(service.reserve(&customer, 4, 1).await), "INSUFFICIENT_POINTS");
    assert_eq!(service.account(&customer).await, (1_000, 1_000));
    service.expect_sound().await;
}

#[tokio::test]
async fn released_points_are_available_again() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 400).await.unwrap();

    let released = service.release(&customer, 1).await.unwrap();
    assert_eq!((released.amount, released.point_reservation.is_some()), (400, true));
    assert_eq!(service.account(&customer).await, (1_000, 0));
    assert_eq!(service.reservation(&customer, 1).await, "RELEASED");
    assert_eq!(service.entries(&customer).await, [1_000], "a failed checkout leaves no trace in the ledger");
    service.expect_sound().await;
}

#[tokio::test]
async fn a_second_compensation_gives_nothing_back() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 400).await.unwrap();
    service.reserve(&customer, 2, 100).await.unwrap();

    service.release(&customer, 1).await.unwrap();
    let again = service.release(&customer, 1).await.unwrap();
    assert_eq!((again.amount, again.point_reservation), (0, None));
    assert_eq!(service.account(&customer).await, (1_000, 100));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_step_that_arrives_after_its_compensation_is_refused() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;

    let nothing = service.release(&customer, 1).await.unwrap();
    assert_eq!((nothing.amount, nothing.point_reservation), (0, None));
    assert_eq!(refused(service.reserve(&customer, 1, 400).await), "SAGA_COMPENSATED");
    assert_eq!(service.reservation(&customer, 1).await, "POINT_RESERVATION_NOT_FOUND");
    assert_eq!(service.account(&customer).await, (1_000, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_late_duplicate_does_not_reserve_again_after_the_compensation() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 400).await.unwrap();
    service.release(&customer, 1).await.unwrap();

    assert_eq!(refused(service.reserve(&customer, 1, 400).await), "SAGA_COMPENSATED");
    assert_eq!(service.account(&customer).await, (1_000, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_refused_step_needs_no_compensation_and_takes_one() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;
    assert_eq!(refused(service.reserve(&customer, 1, 400).await), "INSUFFICIENT_POINTS");

    assert_eq!(service.release(&customer, 1).await.unwrap().amount, 0);
    assert_eq!(refused(service.reserve(&customer, 1, 400).await), "SAGA_COMPENSATED");
    service.expect_sound().await;
}

#[tokio::test]
async fn spent_points_are_not_given_back() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 400).await.unwrap();
    service.capture(&customer, 1).await.unwrap();

    let released = service.release(&customer, 1).await;
    assert_eq!(fact(&released, "state"), "CAPTURED");
    assert_eq!(refused(released), "POINTS_NOT_RESERVED");
    assert_eq!(service.account(&customer).await, (600, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn points_that_were_released_or_never_reserved_cannot_be_spent() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 400).await.unwrap();
    service.release(&customer, 1).await.unwrap();

    assert_eq!(refused(service.capture(&customer, 1).await), "POINTS_NOT_RESERVED");
    assert_eq!(refused(service.capture(&customer, 2).await), "POINT_RESERVATION_NOT_FOUND");
    assert_eq!(service.account(&customer).await, (1_000, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_capture_that_was_refused_succeeds_once_its_cause_is_mended() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    assert_eq!(refused(service.capture(&customer, 1).await), "POINT_RESERVATION_NOT_FOUND");

    service.reserve(&customer, 1, 400).await.unwrap();
    service.capture(&customer, 1).await.unwrap();
    assert_eq!(service.account(&customer).await, (600, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn two_steps_of_one_saga_cannot_spend_twice() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 400).await.unwrap();
    service.capture(&customer, 1).await.unwrap();

    let again = service.points.capture_points(step("capture-again", capture(&customer, 1))).await;
    assert_eq!(refused(again), "POINTS_NOT_RESERVED");
    let again = step("reserve-again", crate::harness::reserve(&customer, 1, 400));
    assert_eq!(refused(service.points.reserve_points(again).await), "POINT_RESERVATION_EXISTS");
    assert_eq!(service.account(&customer).await, (600, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn one_step_cannot_mean_two_amounts() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 400).await.unwrap();

    let other = service.reserve(&customer, 1, 401).await;
    assert_eq!(failed(other), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    assert_eq!(service.account(&customer).await, (1_000, 400));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_customer_who_is_unknown_or_asleep_cannot_reserve() {
    let mut service = Service::new().await;
    let unknown = "customers/00000000-0000-0000-0000-0000000000ff";
    let missing = service.reserve(unknown, 1, 1).await;
    assert_eq!(fact(&missing, "name"), unknown);
    assert_eq!(failed(missing), (Code::NotFound, "CUSTOMER_NOT_FOUND".into()));

    let customer = service.customer(1_000).await;
    service.reserve(&customer, 2, 400).await.unwrap();
    service.sql("update customer_customers set state = 2").await;
    let asleep = service.reserve(&customer, 3, 1).await;
    assert_eq!(fact(&asleep, "state"), "DORMANT");
    assert_eq!(refused(asleep), "CUSTOMER_NOT_ACTIVE");
    service.capture(&customer, 2).await.expect("what was reserved before is spent all the same");
    service.expect_sound().await;
}

#[tokio::test]
async fn a_step_costs_as_many_statements_as_it_has_rows_to_write_and_to_find() {
    let mut service = Service::new().await;
    let customer = service.customer(10_000).await;
    let mut seen = service.db.statements();
    let mut cost = |service: &Service| {
        let now = service.db.statements();
        let cost = now - seen;
        seen = now;
        cost
    };
    // Each with the row of its step; what travels together counts one by one.
    service.reserve(&customer, 1, 100).await.unwrap();
    assert_eq!(cost(&service), 4, "reservation, account, history");
    service.capture(&customer, 1).await.unwrap();
    assert_eq!(cost(&service), 7, "reservation, account, end of the chain, entry, event, history");
    service.credit(refund(&customer, 2, 90, 10)).await.unwrap();
    assert_eq!(cost(&service), 6, "account, end of the chain, entry, fee, event");
    service.reserve(&customer, 3, 100).await.unwrap();
    assert_eq!(cost(&service), 4);
    service.release(&customer, 3).await.unwrap();
    assert_eq!(cost(&service), 4, "reservation, account, history");
}
