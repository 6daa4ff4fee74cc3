//! What follows from an attempt.

use super::*;

const HOUR_MS: i64 = 3_600_000;

fn delivery(channel: Channel) -> Delivery {
    let draft = Draft {
        event_source: "/ticketing/orchestrator".into(),
        event_id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
        event_type: "ticketing.checkout.completed.v1".into(),
        channel,
        saga: None,
        customer: None,
        payload: Vec::new(),
        expire_time: 24 * HOUR_MS,
    };
    Delivery {
        id: draft.id(),
        draft,
        state: State::Pending,
        attempt_count: 1,
        version: 1,
        last_error: String::new(),
        next_attempt_time: Some(0),
        accept_time: None,
        create_time: 0,
        end_time: None,
    }
}

fn unsent(after_ms: Option<i64>) -> Outcome {
    Outcome::Unsent(Problem { text: "down".into(), is_outage: true, after_ms })
}

#[test]
fn an_event_has_one_id_a_channel_and_it_lies_at_the_time_of_the_event() {
    let [talk, sms, row] = Channel::ALL.map(|channel| delivery(channel).draft);
    assert!(talk.id() != sms.id() && talk.id() != row.id() && talk.id() == delivery(Channel::Alimtalk).id);
    assert_eq!(talk.id().as_bytes()[..6], talk.event_id.as_bytes()[..6]);
    let elsewhere = Draft { event_source: "/other".into(), ..talk.clone() };
    assert_ne!(elsewhere.id(), talk.id());
}

#[test]
fn a_message_id_is_of_32_characters_and_another_one_for_the_sms() {
    let [talk, sms, row] = Channel::ALL.map(|channel| delivery(channel).draft.message_id());
    assert_eq!(talk.as_deref(), Some("01900000000070008000000000000001"));
    assert!(sms != talk && sms.is_some_and(|id| id.len() == 32));
    assert_eq!(row, None);
}

#[test]
fn waits_grow_from_one_second_to_ten_minutes_with_jitter() {
    let waits = |attempts, jitter| backoff_ms(attempts, jitter);
    assert_eq!(
        (1..=11).map(|attempts| waits(attempts, 0)).collect::<Vec<_>>(),
        [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]
    );
    for attempts in [i64::MIN + 1, 0, 1, 5, 40, i64::MAX] {
        for jitter in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!((1_000..=600_000).contains(&waits(attempts, jitter)), "{attempts} {jitter}");
        }
    }
}

#[test]
fn an_attempt_that_fails_is_retried_until_its_time_is_over() {
    let mut delivery = delivery(Channel::Alimtalk);
    let change = delivery.after(&unsent(None), 10, 0);
    assert_eq!((change.state, change.next_attempt_time), (State::Retrying, Some(1_010)));
    assert_eq!(delivery.after(&unsent(Some(7_000)), 10, 0).next_attempt_time, Some(7_010), "as it was asked to");
    assert_eq!(delivery.after(&unsent(Some(i64::MAX)), 10, 0).next_attempt_time, Some(600_010), "within reason");
    let last = delivery.after(&unsent(None), 24 * HOUR_MS - 1, 0);
    assert_eq!(last.next_attempt_time, Some(24 * HOUR_MS), "its end is not slept through");
    let dead = delivery.after(&unsent(None), 24 * HOUR_MS, 0);
    assert_eq!((dead.state, dead.next_attempt_time, dead.fallback), (State::Dead, None, None));
    delivery.last_error = "down".into();
    let late = delivery.after(&Outcome::Late, 24 * HOUR_MS, 0);
    assert_eq!((late.state, late.last_error.as_str(), late.fallback), (State::Dead, "down", None));
}

#[test]
fn a_message_that_was_accepted_is_asked_for_less_and_less_often() {
    let mut delivery = delivery(Channel::Sms);
    let change = delivery.after(&Outcome::Accepted, 500, 0);
    assert_eq!((change.state, change.next_attempt_time, change.accept_time), (State::Pending, Some(1_500), Some(500)));
    delivery.accept_time = Some(500);
    for (now_ms, wait_ms) in [(1_500, 1_000), (10_500, 5_000), (HOUR_MS, 60_000)] {
        let change = delivery.after(&Outcome::Waiting, now_ms, 0);
        assert_eq!((change.next_attempt_time, change.accept_time), (Some(now_ms + wait_ms), Some(500)));
    }
    let problem = Problem { text: "down".into(), is_outage: true, after_ms: None };
    let change = delivery.after(&Outcome::Unasked(problem), 2_500, 0);
    assert_eq!((change.state, change.next_attempt_time, &*change.last_error), (State::Pending, Some(3_500), "down"));
    assert_eq!(delivery.after(&Outcome::Waiting, 24 * HOUR_MS, 0).state, State::Dead);
    let again = delivery.after(&Outcome::Lost, 2_000, 0);
    assert_eq!((again.state, again.accept_time, again.next_attempt_time), (State::Retrying, None, Some(3_000)));
}

#[test]
fn only_a_notice_that_surely_did_not_arrive_goes_out_as_an_sms() {
    let failed = Outcome::Failed("NOT_A_KAKAOTALK_USER".into());
    let talk = delivery(Channel::Alimtalk);
    let change = talk.after(&failed, 500, 0);
    assert_eq!((change.state, change.last_error.as_str()), (State::Dead, "NOT_A_KAKAOTALK_USER"));
    assert_eq!(change.fallback, Some(delivery(Channel::Sms).draft));
    for (delivery, outcome, now_ms) in [
        (&talk, &failed, 24 * HOUR_MS),
        (&delivery(Channel::Sms), &failed, 500),
        (&delivery(Channel::Platform), &failed, 500),
        (&talk, &Outcome::Skipped("no consent"), 500),
        (&talk, &Outcome::Waiting, 24 * HOUR_MS),
    ] {
        let change = delivery.after(outcome, now_ms, 0);
        assert_eq!((change.fallback, change.next_attempt_time), (None, None), "{outcome:?}");
    }
}

#[test]
fn a_failure_is_kept_short_and_without_what_a_database_cannot_hold() {
    let problem = Problem { text: format!("a\0b{}", "é".repeat(500)), is_outage: false, after_ms: None };
    let kept = delivery(Channel::Platform).after(&Outcome::Unsent(problem), 0, 0).last_error;
    assert!(kept.starts_with("abé") && kept.chars().count() == ERROR_LIMIT);
}
