//! Many at once on one payment or one reservation, on the database as it runs in production, where they meet.

use std::sync::Arc;

use service_kit::clock::ManualClock;
use tokio::task::JoinSet;

use crate::harness::{Service, refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_rivals_one_pays() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::threaded(&directory).await;

    let mut rivals = JoinSet::new();
    for saga in 1..=100 {
        let mut service = service.clone();
        rivals.spawn(async move { service.authorize(saga, 10).await });
    }
    let answers = rivals.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.into_iter().all(|answer| refused(answer) == "LIVE_PAYMENT_EXISTS"));
    service.expect_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rivals_that_come_and_go_are_paid_for_or_refused_and_nothing_fails() {
    let directory = tempfile::tempdir().unwrap();
    let mut service = Service::threaded(&directory).await;

    let mut rivals = JoinSet::new();
    for saga in 1..=200 {
        let mut service = service.clone();
        rivals.spawn(async move {
            let answer = service.authorize(saga, 10).await;
            let is_paid = answer.is_ok();
            if !is_paid {
                assert_eq!(refused(answer), "LIVE_PAYMENT_EXISTS");
            }
            assert_eq!(service.cancel(saga).await.unwrap().amount, if is_paid { 300 } else { 0 });
            is_paid
        });
    }
    let paid = rivals.join_all().await.into_iter().filter(|is_paid| *is_paid).count();
    assert!(paid > 0);
    service.expect_sound().await;
    service.authorize(201, 10).await.unwrap();
}

/// On PostgreSQL, the engine where it can happen: the trigger stands for another process, which cancels the rival.
#[tokio::test]
async fn a_rival_that_is_cancelled_between_two_statements_makes_room() {
    let clock = Arc::new(ManualClock::at(1_000));
    let mut service = Service::over(testbed::connected(clock.clone()).await, clock).await;
    service.authorize(1, 10).await.unwrap();
    let cancel = "create function cancel() returns trigger language plpgsql as \
        $$ begin update payment_payments set state = 4; return null; end $$";
    service.sql(cancel).await;
    service.sql("create trigger t after insert on payment_payments for each statement execute function cancel()").await;
    assert_eq!(service.authorize(2, 10).await.unwrap().amount, 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_that_is_asked_for_many_times_at_once_is_one() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::threaded(&directory).await;
    let send = async |step: &'static str| {
        let mut all = JoinSet::new();
        for _ in 0..16 {
            let mut service = service.clone();
            all.spawn(async move {
                match step {
                    "authorize" => service.authorize(1, 10).await.unwrap().payment,
                    _ => service.capture(1).await.unwrap().payment,
                }
            });
        }
        all.join_all().await
    };
    for step in ["authorize", "capture"] {
        let payments = send(step).await;
        assert!(payments.iter().all(|payment| payment.is_some() && *payment == payments[0]), "{step}: {payments:?}");
    }
    assert_eq!(service.clone().payment(1).await, ("CAPTURED".to_owned(), 300));
    service.expect_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_payment_is_captured_or_cancelled_and_the_other_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let mut service = Service::threaded(&directory).await;
    let mut captured = 0;
    for saga in 1..=60 {
        service.authorize(saga, saga).await.unwrap();
        let (mut one, mut other) = (service.clone(), service.clone());
        let (capture, cancel) = tokio::join!(one.capture(saga), other.cancel(saga));
        let state = service.payment(saga).await;
        if capture.is_ok() {
            captured += 1;
            assert_eq!(refused(cancel), "PAYMENT_CAPTURED");
            assert_eq!(state, ("CAPTURED".to_owned(), 300));
        } else {
            assert_eq!(refused(capture), "PAYMENT_NOT_AUTHORIZED");
            assert_eq!((cancel.unwrap().amount, state), (300, ("CANCELLED".to_owned(), 0)));
        }
    }
    println!("captured {captured} of 60");
    service.expect_sound().await;
}
