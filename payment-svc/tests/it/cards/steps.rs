//! The steps, with a processor that answers, declines, is slow or is not there.

use outside::processor::Faults;
use proto::payment::v1 as pb;
use service_kit::refusal::SagaOutcome;
use tonic::Code;

use super::{Cards, both, charge, checkout, pending};
use crate::harness::{fact, failed, payment_name, refused, saga_name};

#[tokio::test]
async fn money_is_held_and_then_taken() {
    let mut cards = Cards::new().await;
    let held = cards.charge(1, "tok_1").await.unwrap();
    assert_eq!((held.saga, held.amount), (saga_name(1), 300));
    let payment = held.payment.unwrap();
    assert_eq!((payment.state(), payment.method()), (pb::payment::State::Authorized, pb::payment::Method::Card));
    assert_eq!((payment.card_last_four.as_str(), payment.processor_reference.as_str()), ("4242", "pr_00000001"));
    assert_eq!(payment.purpose(), pb::payment::Purpose::PointCharge);
    assert_eq!(cards.standing(1).await, both("AUTHORIZED", "Authorized"));

    let taken = cards.capture(1).await.unwrap();
    assert_eq!((taken.saga, taken.amount), (saga_name(1), 300));
    assert_eq!(cards.standing(1).await, both("CAPTURED", "Captured"));
    let announced: Vec<_> = cards.service.announced(1).await.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(announced, ["ticketing.payment.authorized.v1", "ticketing.payment.captured.v1"]);
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_repeated_step_gets_the_first_answer_and_asks_nobody() {
    let mut cards = Cards::new().await;
    let held = cards.charge(1, "tok_1").await.unwrap();
    cards.misbehave(Faults { reset: true, ..Faults::default() });
    assert_eq!(cards.charge(1, "tok_1").await.unwrap(), held);
    cards.behave();
    let taken = cards.capture(1).await.unwrap();
    cards.misbehave(Faults { reset: true, ..Faults::default() });
    assert_eq!(cards.capture(1).await.unwrap(), taken);
    let other = cards.charge(1, "tok_2").await;
    assert_eq!(failed(other), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_declined_card_pays_nothing_and_stays_declined() {
    let mut cards = Cards::new().await;
    for _ in 0..2 {
        let declined = cards.charge(1, "tok_decline_lost_card").await;
        assert_eq!(fact(&declined, "processor_code"), "lost_card");
        assert_eq!(refused(declined), "PAYMENT_DECLINED");
    }
    assert_eq!(cards.payment(1).await.failure_reason, "lost_card");
    assert_eq!(cards.standing(1).await, both("FAILED", "Declined"));
    assert_eq!(cards.cancel(1).await.unwrap().amount, 0, "there is nothing to give up");
    assert_eq!(refused(cards.capture(1).await), "PAYMENT_NOT_AUTHORIZED");
    assert_eq!(cards.service.announced(1).await, []);
    let again = pb::AuthorizePaymentRequest { saga: saga_name(2), ..charge(1, "tok_1") };
    cards.authorize(again).await.expect("a payment that has failed is not live");
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_capture_that_decides_may_be_declined_and_then_nothing_is_held() {
    let mut cards = Cards::new().await;
    cards.charge(1, "tok_capture_expired_card").await.unwrap();
    for _ in 0..2 {
        let declined = cards.capture(1).await;
        assert_eq!(fact(&declined, "processor_code"), "expired_card");
        assert_eq!(refused(declined), "PAYMENT_DECLINED");
    }
    assert_eq!(cards.standing(1).await, both("FAILED", "Voided"));
    cards.cancel(1).await.expect("its compensation finds nothing to do");
    let kinds: Vec<_> = cards.service.announced(1).await.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, ["ticketing.payment.authorized.v1", "ticketing.payment.cancelled.v1"]);
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_capture_after_the_decision_is_asked_for_until_it_succeeds() {
    let mut cards = Cards::new().await;
    cards.authorize(checkout(1, 10, "tok_1")).await.unwrap();
    cards.misbehave(Faults { decline_capture: 1000, ..Faults::default() });
    for _ in 0..3 {
        assert_eq!(pending(cards.capture(1).await), "PAYMENT_DECLINED");
        cards.service.clock.advance(60_000);
    }
    assert_eq!(cards.standing(1).await, both("AUTHORIZED", "Authorized"));
    cards.service.expect_sound().await;
    cards.behave();
    cards.capture(1).await.unwrap();
    assert_eq!(cards.standing(1).await, both("CAPTURED", "Captured"));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_slow_processor_is_asked_once_and_awaited() {
    let mut cards = Cards::hurried().await;
    cards.misbehave(Faults { hold: true, ..Faults::default() });
    for _ in 0..3 {
        assert_eq!(pending(cards.charge(1, "tok_1").await), "");
    }
    assert_eq!(cards.standing(1).await, both("PENDING", "unknown"));
    let locks = cards.service.payments.list_saga_locks(pb::ListSagaLocksRequest::default()).await.unwrap();
    assert_eq!(locks.get_ref().saga_locks[0].state, "PENDING");
    let rival = pb::AuthorizePaymentRequest { saga: saga_name(2), ..charge(1, "tok_1") };
    assert_eq!(refused(cards.authorize(rival).await), "LIVE_PAYMENT_EXISTS");
    cards.service.expect_sound().await;

    cards.behave();
    while cards.standing(1).await.0 == "PENDING" {
        tokio::task::yield_now().await;
    }
    cards.charge(1, "tok_1").await.unwrap();
    assert_eq!(cards.errands().await, 0);
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_processor_that_is_down_is_asked_again_until_it_is_up() {
    let mut cards = Cards::new().await;
    let down = Faults { down: true, ..Faults::default() };
    cards.misbehave(down.clone());
    assert_eq!(pending(cards.charge(1, "tok_1").await), "PROCESSOR_UNAVAILABLE");
    assert_eq!(pending(cards.charge(1, "tok_1").await), "PROCESSOR_UNAVAILABLE");
    cards.service.expect_sound().await;
    cards.behave();
    cards.service.clock.advance(1_000);
    cards.charge(1, "tok_1").await.expect("a repeat asks once it is time");

    cards.misbehave(down);
    assert_eq!(pending(cards.capture(1).await), "PROCESSOR_UNAVAILABLE");
    cards.behave();
    cards.drain().await;
    cards.capture(1).await.unwrap();
    assert_eq!(cards.standing(1).await, both("CAPTURED", "Captured"));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn with_a_processor_that_is_known_to_be_down_nothing_is_begun() {
    let mut cards = Cards::new().await;
    cards.misbehave(Faults { down: true, ..Faults::default() });
    for saga in 1..=3 {
        assert_eq!(pending(cards.charge(saga, "tok_1").await), "PROCESSOR_UNAVAILABLE");
    }
    let refused_for_now = cards.charge(4, "tok_1").await;
    assert_eq!(SagaOutcome::of(refused_for_now.as_ref().unwrap_err()), Some(SagaOutcome::NotApplied));
    assert_eq!(failed(refused_for_now), (Code::Unavailable, "PROCESSOR_UNAVAILABLE".into()));
    assert_eq!(pending(cards.charge(1, "tok_1").await), "PROCESSOR_UNAVAILABLE", "what is begun is begun");
    assert_eq!(cards.cancel(4).await.unwrap().payment, None, "and what is not is given up at once");
    assert_eq!(cards.standing(4).await, both("PAYMENT_NOT_FOUND", "unknown"));

    cards.behave();
    cards.service.clock.advance(2_000);
    cards.charge(5, "tok_1").await.unwrap();
    cards.charge(6, "tok_1").await.unwrap();
    cards.drain().await;
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn what_is_given_up_is_not_held() {
    let mut cards = Cards::new().await;
    cards.charge(1, "tok_1").await.unwrap();
    let cancelled = cards.cancel(1).await.unwrap();
    assert_eq!(cancelled.saga, saga_name(1));
    assert_eq!(cards.standing(1).await, both("CANCELLED", "Voided"));
    assert_eq!(refused(cards.charge(1, "tok_1").await), "SAGA_COMPENSATED");
    assert_eq!(refused(cards.capture(1).await), "PAYMENT_NOT_AUTHORIZED");
    cards.cancel(1).await.unwrap();
    let kinds: Vec<_> = cards.service.announced(1).await.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, ["ticketing.payment.authorized.v1", "ticketing.payment.cancelled.v1"]);
    let history = [("", "PENDING"), ("PENDING", "AUTHORIZED"), ("AUTHORIZED", "CANCELLED")];
    assert_eq!(cards.service.history(1).await, history.map(|(from, to)| both(from, to)));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_step_that_arrives_after_its_compensation_asks_nobody() {
    let mut cards = Cards::new().await;
    assert_eq!(cards.cancel(1).await.unwrap().payment, None);
    assert_eq!(refused(cards.charge(1, "tok_1").await), "SAGA_COMPENSATED");
    assert_eq!(cards.standing(1).await, both("PAYMENT_NOT_FOUND", "unknown"));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn what_is_given_up_while_the_processor_is_asked_is_held_in_no_order_of_things() {
    let mut cards = Cards::hurried().await;
    for faults in [
        // The authorisation is under way when the void is.
        Faults { hold: true, ..Faults::default() },
        // It has happened, and nobody knows.
        Faults { lose_reply: 1000, ..Faults::default() },
        // It has not.
        Faults { reset: true, ..Faults::default() },
    ] {
        let saga = u128::from(faults.hold) + 2 * u128::from(faults.reset) + 10;
        cards.misbehave(faults);
        pending(cards.charge(saga, "tok_1").await);
        for _ in 0..2 {
            pending(cards.cancel(saga).await);
        }
        pending(cards.charge(saga, "tok_1").await);
        cards.service.expect_sound().await;
        cards.behave();
        cards.drain().await;
        cards.cancel(saga).await.unwrap();
        assert_eq!(cards.standing(saga).await, both("CANCELLED", "Voided"));
        assert_eq!(refused(cards.charge(saga, "tok_1").await), "SAGA_COMPENSATED");
    }
    cards.processor.settle().await;
    assert!(cards.processor.books().values().all(|payment| payment.captured == 0));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn many_that_ask_at_once_are_one_payment() {
    let cards = Cards::new().await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let mut payments = cards.service.payments.clone();
        let request = crate::harness::step("authorize-payment", charge(1, "tok_1"));
        all.spawn(async move { payments.authorize_payment(request).await });
    }
    for answer in all.join_all().await {
        if let Ok(held) = answer {
            assert_eq!(held.into_inner().payment.unwrap().name, payment_name(1));
        } else {
            pending(answer);
        }
    }
    cards.drain().await;
    assert_eq!(cards.processor.books().len(), 1);
    cards.service.expect_sound().await;
}
