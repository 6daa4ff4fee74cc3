//! The refund's steps of a cancellation, over messages that are repeated, late and out of order.

use proto::payment::v1 as pb;
use tokio::task::JoinSet;
use tonic::Code;

use crate::harness::{self, Service, fact, failed, payment_name, refund_name, refused, saga_name, step, violation};

/// A service with a payment of 300 that is captured.
async fn paid() -> Service {
    let mut service = Service::new().await;
    service.authorize(1, 10).await.unwrap();
    service.capture(1).await.unwrap();
    service
}

#[tokio::test]
async fn a_refund_takes_up_what_is_refundable_and_then_gives_it_back() {
    let mut service = paid().await;
    let created = service.create_refund(2, 1, 200).await.unwrap();
    assert_eq!((created.saga, created.amount), (saga_name(2), 200));
    let refund = created.refund.unwrap();
    assert_eq!((&refund.name, refund.state()), (&refund_name(2, 1), pb::refund::State::Pending));
    assert_eq!((refund.reason.as_str(), refund.complete_time), ("the customer cancels", None));
    assert_eq!(service.amounts(1).await, [300, 0, 100]);

    service.clock.advance(5);
    let completed = service.complete_refund(2).await.unwrap();
    assert_eq!((completed.saga, completed.amount), (saga_name(2), 200));
    assert!(completed.refund.unwrap().complete_time.is_some());
    assert_eq!(service.amounts(1).await, [300, 200, 100]);
    assert_eq!(service.refund(2, 1).await, "SUCCEEDED");
    assert_eq!(service.payment(1).await.0, "CAPTURED");
    service.expect_sound().await;
}

#[tokio::test]
async fn a_refund_that_is_given_up_takes_up_nothing() {
    let mut service = paid().await;
    service.create_refund(2, 1, 300).await.unwrap();
    let cancelled = service.cancel_refund(2).await.unwrap();
    assert_eq!((cancelled.amount, cancelled.refund.unwrap().state()), (300, pb::refund::State::Cancelled));
    let again = service.cancel_refund(2).await.unwrap();
    assert_eq!((again.amount, again.refund), (0, None));
    assert_eq!(service.amounts(1).await, [300, 0, 300]);
    service.create_refund(3, 1, 300).await.expect("all of it is refundable again");
    service.expect_sound().await;
}

#[tokio::test]
async fn no_more_is_refunded_than_was_captured() {
    let mut service = paid().await;
    let much = service.create_refund(2, 1, 301).await;
    assert_eq!(fact(&much, "refundable"), "300");
    assert_eq!(failed(much), (Code::FailedPrecondition, "REFUND_EXCEEDS_CAPTURED".into()));
    service.create_refund(3, 1, 200).await.unwrap();
    let pending = service.create_refund(4, 1, 101).await;
    assert_eq!(fact(&pending, "refundable"), "100");
    service.complete_refund(3).await.unwrap();
    assert_eq!(refused(service.create_refund(5, 1, 101).await), "REFUND_EXCEEDS_CAPTURED");
    service.create_refund(6, 1, 100).await.unwrap();
    service.complete_refund(6).await.unwrap();
    assert_eq!(service.amounts(1).await, [300, 300, 0]);
    service.expect_sound().await;
}

#[tokio::test]
async fn what_is_not_captured_is_not_refunded() {
    let mut service = Service::new().await;
    let missing = service.create_refund(2, 1, 100).await;
    assert_eq!(fact(&missing, "name"), payment_name(1));
    assert_eq!(failed(missing), (Code::NotFound, "PAYMENT_NOT_FOUND".into()));
    service.authorize(1, 10).await.unwrap();
    assert_eq!(refused(service.create_refund(3, 1, 100).await), "REFUND_EXCEEDS_CAPTURED");
    service.capture(1).await.unwrap();
    assert_eq!(refused(service.create_refund(3, 1, 100).await), "REFUND_EXCEEDS_CAPTURED", "a refusal is kept");
    service.expect_sound().await;
}

#[tokio::test]
async fn a_repeated_refund_step_gets_the_first_answer() {
    let mut service = paid().await;
    let first = service.create_refund(2, 1, 100).await.unwrap();
    service.clock.advance(60_000);
    assert_eq!(service.create_refund(2, 1, 100).await.unwrap(), first);
    let other = service.create_refund(2, 1, 200).await;
    assert_eq!(failed(other), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    let first = service.complete_refund(2).await.unwrap();
    service.clock.advance(60_000);
    assert_eq!(service.complete_refund(2).await.unwrap(), first);
    assert_eq!(service.amounts(1).await, [300, 100, 200]);
    service.expect_sound().await;
}

#[tokio::test]
async fn a_refund_that_arrives_after_its_compensation_is_refused() {
    let mut service = paid().await;
    let nothing = service.cancel_refund(2).await.unwrap();
    assert_eq!((nothing.saga, nothing.amount, nothing.refund), (saga_name(2), 0, None));
    assert_eq!(refused(service.create_refund(2, 1, 100).await), "SAGA_COMPENSATED");
    service.create_refund(3, 1, 100).await.unwrap();
    service.cancel_refund(3).await.unwrap();
    assert_eq!(refused(service.create_refund(3, 1, 100).await), "SAGA_COMPENSATED");
    assert_eq!(service.refund(2, 1).await, "REFUND_NOT_FOUND");
    assert_eq!(service.amounts(1).await, [300, 0, 300]);
    service.expect_sound().await;
}

#[tokio::test]
async fn only_a_pending_refund_can_be_completed_or_given_up() {
    let mut service = paid().await;
    assert_eq!(refused(service.complete_refund(2).await), "REFUND_NOT_FOUND");
    service.create_refund(2, 1, 100).await.unwrap();
    service.complete_refund(2).await.expect("a refusal of a retriable step is not kept");
    let late = service.cancel_refund(2).await;
    assert_eq!(fact(&late, "state"), "SUCCEEDED");
    assert_eq!(refused(late), "REFUND_NOT_PENDING");
    service.create_refund(3, 1, 100).await.unwrap();
    service.cancel_refund(3).await.unwrap();
    assert_eq!(refused(service.complete_refund(3).await), "REFUND_NOT_PENDING");
    assert_eq!(service.amounts(1).await, [300, 100, 200]);
    service.expect_sound().await;
}

#[tokio::test]
async fn two_steps_of_one_saga_cannot_refund_twice() {
    let mut service = paid().await;
    service.create_refund(2, 1, 100).await.unwrap();
    let again = step("create-another", harness::create_refund(2, 1, 100));
    assert_eq!(refused(service.payments.create_refund(again).await), "REFUND_EXISTS");
    assert_eq!(service.amounts(1).await, [300, 0, 200]);
    service.expect_sound().await;
}

#[tokio::test]
async fn refunds_are_read_one_by_one_and_in_pages() {
    let mut service = paid().await;
    for saga in 2..=4 {
        service.create_refund(saga, 1, 10).await.unwrap();
    }
    let mut request = pb::ListRefundsRequest { parent: payment_name(1), page_size: 2, ..Default::default() };
    let first = service.payments.list_refunds(request.clone()).await.unwrap().into_inner();
    let names =
        |page: &pb::ListRefundsResponse| page.refunds.iter().map(|refund| refund.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), [refund_name(4, 1), refund_name(3, 1)]);
    request.page_token = first.next_page_token;
    let second = service.payments.list_refunds(request.clone()).await.unwrap().into_inner();
    assert_eq!((names(&second), second.next_page_token.as_str()), (vec![refund_name(2, 1)], ""));

    request.page_token = "x".into();
    assert_eq!(violation(service.payments.list_refunds(request).await), "page_token");
    let unknown = pb::ListRefundsRequest { parent: payment_name(9), ..Default::default() };
    assert_eq!(failed(service.payments.list_refunds(unknown).await), (Code::NotFound, "PAYMENT_NOT_FOUND".into()));
    assert_eq!(service.refund(2, 9).await, "REFUND_NOT_FOUND", "it is of another payment");
    for name in ["", "payments/1/refunds/2", "refunds/2"] {
        let request = pb::GetRefundRequest { name: name.into() };
        assert_eq!(violation(service.payments.get_refund(request).await), "name");
    }
}

#[tokio::test]
async fn each_change_is_in_the_history_and_the_world_hears_of_it_in_order() {
    let mut service = paid().await;
    service.create_refund(2, 1, 100).await.unwrap();
    service.complete_refund(2).await.unwrap();
    service.authorize(3, 11).await.unwrap();
    service.cancel(3).await.unwrap();
    let named = |events: &[(i64, &str)]| -> Vec<_> {
        events.iter().map(|(version, name)| (*version, format!("ticketing.{name}.v1"))).collect()
    };
    let expected = [(1, "payment.authorized"), (2, "payment.captured"), (4, "refund.succeeded")];
    assert_eq!(service.announced(1).await, named(&expected));
    assert_eq!(service.announced(3).await, named(&[(1, "payment.authorized"), (2, "payment.cancelled")]));
    let changes =
        |of: &[(&str, &str)]| -> Vec<_> { of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect() };
    let expected = [("", "AUTHORIZED"), ("AUTHORIZED", "CAPTURED"), ("", "PENDING"), ("PENDING", "SUCCEEDED")];
    assert_eq!(service.history(1).await, changes(&expected));
    assert_eq!(service.history(3).await, changes(&[("", "AUTHORIZED"), ("AUTHORIZED", "CANCELLED")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_refunds_at_once_take_up_no_more_than_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut service = Service::threaded(&directory).await;
    service.authorize(1, 10).await.unwrap();
    service.capture(1).await.unwrap();
    let mut rivals = JoinSet::new();
    for saga in 2..=41 {
        let mut service = service.clone();
        rivals.spawn(async move {
            let created = service.create_refund(saga, 1, 100).await;
            match saga % 2 {
                0 if created.is_ok() => service.complete_refund(saga).await.map(drop),
                _ => service.cancel_refund(saga).await.map(drop),
            }
        });
    }
    for ended in rivals.join_all().await {
        ended.unwrap();
    }
    let [captured, refunded, refundable] = service.amounts(1).await;
    assert_eq!((captured, refunded + refundable), (300, 300));
    service.expect_sound().await;
}
