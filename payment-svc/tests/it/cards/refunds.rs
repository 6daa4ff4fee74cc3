//! Money that goes back to a card.

use outside::processor::Faults;
use uuid::Uuid;

use super::{Cards, pending};

/// A service with a payment of 300 that is captured.
async fn paid(cards: &mut Cards) {
    cards.charge(1, "tok_1").await.unwrap();
    cards.capture(1).await.unwrap();
}

#[tokio::test]
async fn a_refund_goes_back_to_the_card_once() {
    let mut cards = Cards::new().await;
    paid(&mut cards).await;
    cards.service.create_refund(2, 1, 100).await.unwrap();
    let id = Uuid::from_u128(1).to_string();
    assert_eq!(cards.processor.books()[&id].refunded, 0, "giving comes after the decision");
    let first = cards.service.complete_refund(2).await.unwrap();
    assert_eq!(cards.service.complete_refund(2).await.unwrap(), first);
    assert_eq!(cards.processor.books()[&id].refunded, 100);
    assert_eq!(cards.service.amounts(1).await, [300, 100, 200]);
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_is_given_back_once() {
    for faults in [
        Faults { lose_reply: 1000, ..Faults::default() },
        Faults { reset: true, ..Faults::default() },
        Faults { down: true, ..Faults::default() },
    ] {
        let mut cards = Cards::new().await;
        paid(&mut cards).await;
        cards.service.create_refund(2, 1, 100).await.unwrap();
        cards.misbehave(faults);
        assert_eq!(pending(cards.service.complete_refund(2).await), "PROCESSOR_UNAVAILABLE");
        assert_eq!(cards.service.refund(2, 1).await, "PENDING");
        cards.service.expect_sound().await;
        cards.behave();
        cards.drain().await;
        cards.service.complete_refund(2).await.unwrap();
        assert_eq!(cards.processor.books()[&Uuid::from_u128(1).to_string()].refunded, 100);
        assert_eq!(cards.service.amounts(1).await, [300, 100, 200]);
        cards.service.expect_sound().await;
    }
}

#[tokio::test]
async fn a_refund_that_is_given_up_never_goes_back() {
    let mut cards = Cards::new().await;
    paid(&mut cards).await;
    cards.service.create_refund(2, 1, 100).await.unwrap();
    cards.service.cancel_refund(2).await.unwrap();
    assert_eq!(crate::harness::refused(cards.service.complete_refund(2).await), "REFUND_NOT_PENDING");
    assert_eq!(cards.processor.books()[&Uuid::from_u128(1).to_string()].refunded, 0);
    cards.service.expect_sound().await;
}
