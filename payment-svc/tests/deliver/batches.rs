//! The data platform: batches, repeats, long outages, and events that it does not want.

use outside::mood::Mood;
use outside::platform::Behaviour;
use proto::event::v1 as data;

use crate::stage::{HOUR_MS, Stage, event};

fn captured(numbers: std::ops::RangeInclusive<u128>) -> Vec<events::CloudEvent> {
    let captured = data::PaymentCaptured::default();
    numbers.map(|number| event(number, "ticketing.payment.captured.v1", &captured)).collect()
}

fn mood(mood: Mood) -> Behaviour {
    Behaviour { mood, ..Behaviour::default() }
}

#[tokio::test]
async fn many_events_go_in_few_batches_and_each_arrives() {
    let mut stage = Stage::new().await;
    stage.take(&captured(1..=1_200)).await;
    stage.drain(HOUR_MS).await;
    let books = stage.platform.books();
    assert_eq!((books.events.len(), books.batches, books.largest_batch), (1_200, 3, 500));
    assert_eq!(stage.list("state = SUCCEEDED").await.unwrap().len(), 1_000, "a page of them");
    stage.expect_sound().await;
}

#[tokio::test]
async fn a_batch_whose_reply_is_lost_is_sent_again_and_kept_once() {
    let stage = Stage::new().await;
    stage.platform.set(mood(Mood { lost_percent: 100, ..Mood::default() }));
    stage.take(&captured(1..=20)).await;
    stage.work().await;
    assert_eq!((stage.platform.books().events.len(), stage.open().await), (20, 20));
    stage.platform.set(Behaviour::default());
    stage.drain(HOUR_MS).await;
    let books = stage.platform.books();
    assert_eq!((books.events.len(), books.events.values().sum::<usize>(), stage.open().await), (20, 40, 0));
}

#[tokio::test]
async fn days_without_the_platform_lose_nothing() {
    let stage = Stage::new().await;
    stage.platform.set(mood(Mood { down: true, ..Mood::default() }));
    for day in 0..4 {
        stage.take(&captured(day * 300 + 1..=day * 300 + 300)).await;
        for _ in 0..24 {
            stage.after(HOUR_MS).await;
        }
    }
    assert_eq!((stage.open().await, stage.platform.books().events.len()), (1_200, 0));
    stage.platform.set(Behaviour::default());
    stage.drain(HOUR_MS).await;
    let books = stage.platform.books();
    assert_eq!((books.events.len(), stage.open().await), (1_200, 0));
    assert!(books.largest_batch <= 500, "{}", books.largest_batch);
}

#[tokio::test]
async fn an_event_that_the_platform_refuses_holds_up_no_other() {
    let mut stage = Stage::new().await;
    stage.platform.set(Behaviour { refused_type: "ticketing.odd.v1".into(), ..Behaviour::default() });
    let mut events = captured(1..=99);
    let odd = event(100, "ticketing.odd.v1", &data::PaymentCaptured::default());
    events.insert(37, odd.clone());
    stage.take(&events).await;
    stage.work().await;
    let books = stage.platform.books();
    assert_eq!((books.events.len(), stage.open().await), (99, 1));
    assert!(books.refused <= 10, "it was narrowed down in {} steps", books.refused);
    assert!(stage.deliveries_of(&odd).await[0].2.contains("422"));
    for _ in 0..31 {
        stage.after(24 * HOUR_MS).await;
    }
    assert_eq!(stage.states_of(&odd).await, ["DATA_PLATFORM DEAD"]);
}

#[tokio::test]
async fn types_that_it_is_not_to_get_are_not_made() {
    let stage = Stage::with(|config| config.platform.except = vec!["ticketing.payment.captured.v1".into()]).await;
    stage.take(&captured(1..=3)).await;
    stage.happens(&event(4, "ticketing.reservation.held.v1", &data::ReservationHeld::default())).await;
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.platform.books().events.len(), 1);
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_a_batch_at_a_time_and_nothing_else() {
    let mut stage = Stage::with(|config| config.deliveries.purge_batch = 7).await;
    stage.take(&captured(1..=20)).await;
    stage.drain(HOUR_MS).await;
    stage.platform.set(mood(Mood { down: true, ..Mood::default() }));
    stage.take(&captured(21..=22)).await;
    stage.clock.advance(30 * 24 * HOUR_MS - HOUR_MS);
    assert_eq!(stage.deliveries.purge().await.unwrap(), 0);
    stage.clock.advance(2 * HOUR_MS);
    assert_eq!(stage.deliveries.purge().await.unwrap(), 20);
    assert_eq!(stage.list("").await.unwrap().len(), 2, "those that are open");
}
