//! Whether money was taken, when nobody knows and the saga is to stop: the capture and the order to give up meet at the
//! processor, and one of them wins.

use outside::processor::Faults;

use super::{Cards, both, pending};
use crate::harness::refused;

#[tokio::test]
async fn a_capture_that_has_happened_wins_though_nobody_knew() {
    let mut cards = Cards::new().await;
    cards.charge(1, "tok_1").await.unwrap();
    cards.misbehave(Faults { lose_reply: 1000, ..Faults::default() });
    pending(cards.capture(1).await);
    assert_eq!(cards.standing(1).await, both("AUTHORIZED", "Captured"));
    pending(cards.cancel(1).await);
    cards.service.expect_sound().await;

    cards.behave();
    cards.drain().await;
    for _ in 0..2 {
        assert_eq!(refused(cards.cancel(1).await), "PAYMENT_CAPTURED");
    }
    assert_eq!(cards.capture(1).await.unwrap().amount, 300);
    assert_eq!(cards.standing(1).await, both("CAPTURED", "Captured"));
    assert_eq!(cards.charge(1, "tok_1").await.unwrap().amount, 300, "the step stays applied");
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_capture_that_has_not_happened_never_will() {
    let mut cards = Cards::new().await;
    cards.charge(1, "tok_1").await.unwrap();
    cards.misbehave(Faults { reset: true, ..Faults::default() });
    pending(cards.capture(1).await);
    pending(cards.cancel(1).await);
    pending(cards.capture(1).await);
    cards.behave();
    cards.drain().await;
    cards.cancel(1).await.unwrap();
    for _ in 0..2 {
        assert_eq!(refused(cards.capture(1).await), "PAYMENT_NOT_AUTHORIZED");
    }
    assert_eq!(cards.standing(1).await, both("CANCELLED", "Voided"));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_capture_that_comes_after_the_order_to_give_up_is_refused_for_good() {
    let mut cards = Cards::hurried().await;
    pending(cards.charge(1, "tok_1").await);
    cards.drain().await;
    cards.misbehave(Faults { hold: true, ..Faults::default() });
    pending(cards.cancel(1).await);
    assert_eq!(refused(cards.capture(1).await), "PAYMENT_NOT_AUTHORIZED");
    cards.behave();
    cards.drain().await;
    cards.cancel(1).await.unwrap();
    assert_eq!(refused(cards.capture(1).await), "PAYMENT_NOT_AUTHORIZED");
    assert_eq!(cards.standing(1).await, both("CANCELLED", "Voided"));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_capture_before_its_authorisation_is_known_is_refused_for_good() {
    let mut cards = Cards::hurried().await;
    cards.misbehave(Faults { hold: true, ..Faults::default() });
    pending(cards.charge(1, "tok_1").await);
    assert_eq!(refused(cards.capture(1).await), "PAYMENT_NOT_AUTHORIZED");
    cards.behave();
    cards.drain().await;
    cards.charge(1, "tok_1").await.unwrap();
    assert_eq!(refused(cards.capture(1).await), "PAYMENT_NOT_AUTHORIZED", "the saga has turned back long since");
    cards.cancel(1).await.unwrap_err();
    cards.drain().await;
    cards.cancel(1).await.unwrap();
    assert_eq!(cards.standing(1).await, both("CANCELLED", "Voided"));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_declined_capture_and_an_order_to_give_up_leave_nothing_held() {
    let mut cards = Cards::new().await;
    cards.charge(1, "tok_capture_expired_card").await.unwrap();
    cards.misbehave(Faults { reset: true, ..Faults::default() });
    pending(cards.capture(1).await);
    cards.behave();
    cards.service.clock.advance(60_000);
    assert_eq!(refused(cards.capture(1).await), "PAYMENT_DECLINED");
    cards.cancel(1).await.unwrap();
    assert_eq!(cards.standing(1).await, both("FAILED", "Voided"));
    cards.service.expect_sound().await;
}
