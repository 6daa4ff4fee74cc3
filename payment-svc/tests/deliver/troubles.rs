//! Notices when something goes wrong on the way: each arrives exactly once, or is given up visibly.

use std::time::Duration;

use outside::messenger::Behaviour;
use outside::mood::Mood;

use crate::stage::{HOUR_MS, LEASE_MS, Stage, reservation, sold};

const PHONE: &str = "+821012345678";

fn mood(mood: Mood) -> Behaviour {
    Behaviour { mood, ..Behaviour::default() }
}

#[tokio::test]
async fn a_message_whose_reply_is_lost_arrives_once() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.messenger.set(mood(Mood { lost_percent: 100, ..Mood::default() }));
    let event = sold(5, kim);
    stage.happens(&event).await;
    stage.work().await;
    assert_eq!(stage.states_of(&event).await[0], "KAKAO_ALIMTALK RETRYING");
    assert_eq!(stage.told(), [(reservation(5), 1)].into(), "it has arrived, only we do not know");
    stage.messenger.set(Behaviour::default());
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.states_of(&event).await[0], "KAKAO_ALIMTALK SUCCEEDED");
    assert_eq!((stage.told(), stage.messenger.books().repeats_refused), ([(reservation(5), 1)].into(), 1));
    stage.expect_sound().await;
}

#[tokio::test]
async fn a_worker_that_dies_between_sending_and_marking_sends_nothing_twice() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.messenger.set(mood(Mood { answer_ms: 60_000, ..Mood::default() }));
    let event = sold(5, kim);
    stage.happens(&event).await;
    let taken = async {
        while stage.told().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        worked = stage.deliveries.round() => panic!("it has an answer: {worked:?}"),
        () = taken => {}
    }
    stage.messenger.set(Behaviour::default());
    stage.after(1_000).await;
    assert_eq!(stage.messenger.books().repeats_refused, 0, "it is still the dead one's");
    stage.after(LEASE_MS).await;
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.states_of(&event).await[0], "KAKAO_ALIMTALK SUCCEEDED");
    assert_eq!((stage.told(), stage.messenger.books().repeats_refused), ([(reservation(5), 1)].into(), 1));
}

#[tokio::test]
async fn an_answer_that_comes_too_late_for_its_lease_changes_nothing() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.messenger.set(mood(Mood { answer_ms: 200, ..Mood::default() }));
    let event = sold(5, kim);
    stage.happens(&event).await;
    let (slow, quick) = (stage.deliveries.clone(), stage.replica());
    let overtakes = async {
        while stage.told().is_empty() {
            tokio::task::yield_now().await;
        }
        stage.messenger.set(Behaviour::default());
        // The lease of the first is over before it has its answer.
        stage.clock.advance(LEASE_MS);
        quick.round().await.unwrap();
        stage.clock.advance(1_000);
        quick.round().await.unwrap();
    };
    let (_, ()) = tokio::join!(slow.round(), overtakes);
    assert_eq!(stage.states_of(&event).await[0], "KAKAO_ALIMTALK SUCCEEDED");
    assert_eq!(stage.told(), [(reservation(5), 1)].into());
    stage.expect_sound().await;
}

#[tokio::test]
async fn a_provider_slower_than_our_patience_tells_nobody_twice() {
    let stage = Stage::with(|config| config.messenger.timeout_ms = 30).await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.messenger.set(mood(Mood { answer_ms: 300, ..Mood::default() }));
    for number in 1..=5 {
        stage.happens(&sold(number, kim)).await;
    }
    for _ in 0..3 {
        stage.after(20_000).await;
    }
    assert_eq!(stage.open().await, 5);
    stage.messenger.set(Behaviour::default());
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.told(), (1..=5).map(|number| (reservation(number), 1)).collect());
}

#[tokio::test]
async fn one_in_ten_fails_everywhere_and_everybody_is_told_once() {
    let stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    let mood = Mood { error_percent: 10, lost_percent: 10, ..Mood::default() };
    stage.messenger.set(Behaviour { mood, failure_percent: 10, settle_ms: 1_500, per_second: 20 });
    let events: Vec<_> = (1..=150).map(|number| sold(number, kim)).collect();
    stage.take(&events).await;
    stage.drain(6 * HOUR_MS).await;
    assert_eq!(stage.told(), (1..=150).map(|number| (reservation(number), 1)).collect());
    let books = stage.messenger.books();
    assert!(!books.failed.is_empty() && books.repeats_refused > 0 && books.turned_away > 0, "nothing went wrong");
    assert_eq!((books.under_way, stage.open().await), (0, 0));
    stage.expect_sound().await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_asked_again_until_it_is_back() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    let place = stage.listening.remove(0);
    let address = place.address.to_string();
    drop(place);
    let event = sold(5, kim);
    stage.happens(&event).await;
    for _ in 0..20 {
        stage.after(60_000).await;
    }
    let delivery = stage.list("channel = KAKAO_ALIMTALK").await.unwrap().remove(0);
    assert!(delivery.last_error.contains("cannot reach"), "{}", delivery.last_error);
    assert!((5..15).contains(&delivery.attempt_count), "it was tried {} times", delivery.attempt_count);
    stage.listening.push(stage.messenger.listen(&address).await.unwrap());
    stage.drain(HOUR_MS).await;
    assert_eq!((stage.told(), stage.messenger.books().repeats_refused), ([(reservation(5), 1)].into(), 0));
}

#[tokio::test]
async fn without_the_customer_service_a_notice_waits() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.customers.set_down(true);
    let event = sold(5, kim);
    stage.happens(&event).await;
    stage.after(60_000).await;
    let (_, state, error) = stage.deliveries_of(&event).await.remove(0);
    assert_eq!((state.as_str(), error.ends_with("Unavailable")), ("RETRYING", true), "{error}");
    stage.customers.set_down(false);
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.told(), [(reservation(5), 1)].into());
}

#[tokio::test]
async fn a_notice_is_given_up_after_a_day_and_arrives_never() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.messenger.set(mood(Mood { error_percent: 100, ..Mood::default() }));
    let event = sold(5, kim);
    stage.happens(&event).await;
    stage.drain(25 * HOUR_MS).await;
    assert_eq!(stage.states_of(&event).await, ["KAKAO_ALIMTALK DEAD", "DATA_PLATFORM SUCCEEDED"]);
    stage.messenger.set(Behaviour::default());
    stage.after(48 * HOUR_MS).await;
    assert_eq!(stage.told(), [].into());
    stage.expect_sound().await;
}

#[tokio::test]
async fn an_event_that_comes_a_day_late_is_told_to_nobody() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.clock.advance(24 * HOUR_MS);
    let event = sold(5, kim);
    stage.happens(&event).await;
    stage.work().await;
    let expected = ("KAKAO_ALIMTALK".to_owned(), "DEAD".to_owned(), "it could not be sent in time".to_owned());
    assert_eq!(stage.deliveries_of(&event).await[0], expected);
    assert_eq!(stage.told(), [].into());
}

#[tokio::test]
async fn a_provider_that_refuses_what_we_send_gets_an_sms_to_send() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, "12345", true);
    let event = sold(5, kim);
    stage.happens(&event).await;
    stage.drain(HOUR_MS).await;
    let found = stage.deliveries_of(&event).await;
    let refused = |channel: &str| (channel.to_owned(), "DEAD".to_owned(), "INVALID_PHONE_NUMBER".to_owned());
    assert_eq!(found[..2], [refused("KAKAO_ALIMTALK"), refused("SMS")], "once each");
    assert_eq!(stage.told(), [].into());
}

#[tokio::test]
async fn two_processes_share_the_work_and_send_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(service_kit::clock::ManualClock::at(crate::stage::START_MS));
    let db = testbed::threaded(dir.path(), clock.clone()).await;
    let stage = Stage::over(db, clock, |config| config.messenger.concurrency = 7).await;
    let kim = stage.customers.put(1, PHONE, true);
    let events: Vec<_> = (1..=60).map(|number| sold(number, kim)).collect();
    stage.take(&events).await;
    let replicas = [stage.deliveries.clone(), stage.replica(), stage.replica()];
    let work = async |deliveries: &payment_svc::deliver::Deliveries| {
        while stage.open().await > 0 {
            deliveries.round().await.unwrap();
            stage.clock.advance(100);
        }
    };
    let all = async { tokio::join!(work(&replicas[0]), work(&replicas[1]), work(&replicas[2])) };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    assert_eq!(stage.told(), (1..=60).map(|number| (reservation(number), 1)).collect());
    let (sent, stored) = (stage.messenger.books(), stage.platform.books());
    assert_eq!(
        (sent.repeats_refused, stored.events.values().sum::<usize>()),
        (0, 60),
        "nobody took what was another's"
    );
    stage.expect_sound().await;
}
