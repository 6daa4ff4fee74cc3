//! A process that dies between its two transactions, and another one that goes on.

use outside::processor::Faults;

use super::{Cards, both, pending};

/// What the first process did before it died: it had written down what to ask, and had asked or not.
const DEATHS: [Faults; 2] = [
    // It never asked, or was not heard.
    Faults { reset: true, ..NONE },
    // It asked, and did not live to hear the answer.
    Faults { lose_reply: 1000, ..NONE },
];
const NONE: Faults = Faults {
    delay_ms: 0,
    hold: false,
    down: false,
    reset: false,
    unavailable: 0,
    lose_request: 0,
    lose_reply: 0,
    twice: 0,
    decline: 0,
    decline_capture: 0,
    webhook_delay_ms: 0,
    webhook_twice: 0,
    webhook_lost: 0,
};

#[tokio::test]
async fn another_process_finds_out_what_became_of_an_authorisation() {
    for (saga, faults) in (1..).zip(DEATHS) {
        let mut dead = Cards::new().await;
        dead.misbehave(faults);
        pending(dead.charge(saga, "tok_1").await);
        let mut other = dead.another(60_000).await;
        drop(dead);
        other.behave();
        other.drain().await;
        assert_eq!(other.standing(saga).await, both("AUTHORIZED", "Authorized"));
        other.charge(saga, "tok_1").await.unwrap();
        other.service.expect_sound().await;
    }
}

#[tokio::test]
async fn another_process_finds_out_what_became_of_a_capture() {
    for (saga, faults) in (1..).zip(DEATHS) {
        let mut dead = Cards::new().await;
        dead.charge(saga, "tok_1").await.unwrap();
        dead.misbehave(faults);
        pending(dead.capture(saga).await);
        let mut other = dead.another(60_000).await;
        drop(dead);
        other.behave();
        other.drain().await;
        assert_eq!(other.standing(saga).await, both("CAPTURED", "Captured"));
        other.capture(saga).await.unwrap();
        other.service.expect_sound().await;
    }
}

#[tokio::test]
async fn another_process_finds_out_what_became_of_a_void() {
    for (saga, faults) in (1..).zip(DEATHS) {
        let mut dead = Cards::new().await;
        dead.charge(saga, "tok_1").await.unwrap();
        dead.misbehave(faults);
        pending(dead.cancel(saga).await);
        let mut other = dead.another(60_000).await;
        drop(dead);
        other.behave();
        other.drain().await;
        assert_eq!(other.standing(saga).await, both("CANCELLED", "Voided"));
        other.cancel(saga).await.unwrap();
        other.service.expect_sound().await;
    }
}

#[tokio::test]
async fn a_declined_capture_is_settled_by_another_process_too() {
    let mut dead = Cards::new().await;
    dead.charge(1, "tok_capture_expired_card").await.unwrap();
    dead.misbehave(DEATHS[0].clone());
    pending(dead.capture(1).await);
    let mut other = dead.another(60_000).await;
    drop(dead);
    other.behave();
    other.drain().await;
    assert_eq!(crate::harness::refused(other.capture(1).await), "PAYMENT_DECLINED");
    assert_eq!(other.standing(1).await, both("FAILED", "Voided"));
    other.service.expect_sound().await;
}

#[tokio::test]
async fn what_another_process_attends_to_is_left_to_it_until_its_time_is_over() {
    let mut first = Cards::hurried().await;
    first.misbehave(Faults { hold: true, ..NONE });
    pending(first.charge(1, "tok_1").await);
    while first.attempts().await == 0 {
        tokio::task::yield_now().await;
    }
    let other = first.another(0).await;
    other.desk.round().await.unwrap();
    assert_eq!(other.attempts().await, 1);
    first.behave();
    while first.errands().await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(first.standing(1).await, both("AUTHORIZED", "Authorized"));
    first.service.expect_sound().await;
}

#[tokio::test]
async fn a_step_that_is_in_progress_is_never_said_to_be_not_applied_when_its_end_cannot_be_read() {
    let mut cards = Cards::new().await;
    cards.misbehave(Faults { hold: true, ..NONE });
    let mut asking = cards.another(60_000).await;
    let losing = async {
        while cards.attempts().await == 0 {
            tokio::task::yield_now().await;
        }
        cards.service.sql("alter table payment_saga_op rename to payment_saga_op_away").await;
        cards.behave();
    };
    let (answer, ()) = tokio::join!(asking.charge(1, "tok_1"), losing);
    cards.service.sql("alter table payment_saga_op_away rename to payment_saga_op").await;
    pending(answer);
    cards.drain().await;
    assert_eq!(cards.standing(1).await, both("AUTHORIZED", "Authorized"));
    cards.service.expect_sound().await;
}

impl Cards {
    async fn attempts(&self) -> i64 {
        const SUM: &str = "select cast(coalesce(sum(attempts), 0) as bigint) from payment_errands";
        let (sum,) = self.service.db.read(async |tx| tx.fetch_one::<(i64,)>(SUM, &[]).await).await.unwrap();
        sum
    }
}
