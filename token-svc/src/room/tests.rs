//! Rooms by the clock, and what operators do with them.

use super::*;

/// Opens at 1,000, prequeue from 500, closes at 9,000; lets 2 a second through, 5 at once.
pub(crate) fn room() -> Room {
    let settings = Settings {
        ordering: Ordering::Fifo,
        prequeue_open_time: Some(500),
        open_time: 1_000,
        close_time: Some(9_000),
        max_active_tokens: 5,
        admissions_per_1000_s: 2_000,
        active_ttl_ms: 600_000,
        claim_ttl_ms: 60_000,
        max_active_lifetime_ms: 1_800_000,
        max_waiting: 0,
    };
    Room {
        id: Uuid::nil(),
        settings,
        paused: false,
        issued_count: 0,
        admitted_through: 0,
        waiting_count: 0,
        active_count: 0,
        admission_credit: 0,
        tick_time: 0,
        version: 1,
        create_time: 0,
        shuffle_seed: None,
        draw: None,
        sold_out_time: None,
        line_generation: 0,
        lease: Lease::default(),
        event_count: 0,
        announced: Announced::Nothing,
    }
}

#[test]
fn the_time_opens_and_closes_a_room() {
    let states = [499, 500, 999, 1_000, 8_999, 9_000].map(|now_ms| room().state(now_ms).name());
    assert_eq!(states, ["SCHEDULED", "PREQUEUE", "PREQUEUE", "OPEN", "OPEN", "CLOSED"]);
}

#[test]
fn only_an_open_room_can_be_paused_and_only_a_paused_one_resumed() {
    let mut room = room();
    assert_eq!(room.apply(Change::Pause, 999).unwrap_err().reason, "WAITING_ROOM_NOT_OPEN");
    assert_eq!(room.apply(Change::Resume, 1_000), Ok(false));
    assert_eq!(room.apply(Change::Pause, 1_000), Ok(true));
    assert_eq!(room.state(1_000), RoomState::Paused);
    assert_eq!(room.apply(Change::Pause, 2_000), Ok(false));
    assert_eq!(room.apply(Change::Resume, 2_000), Ok(true));
    assert_eq!((room.state(2_000), room.tick_time), (RoomState::Open, 2_000));
    assert_eq!(room.apply(Change::Pause, 9_000).unwrap_err().reason, "WAITING_ROOM_NOT_OPEN");
}

#[test]
fn a_closed_room_stays_closed() {
    let mut room = room();
    let before = room.settings.clone();
    assert_eq!(room.apply(Change::Close, 100), Ok(true));
    assert_eq!(room.state(100), RoomState::Closed);
    assert_eq!(room.apply(Change::Close, 200), Ok(false));
    assert_eq!(room.apply(Change::Set(before), 200).unwrap_err().reason, "WAITING_ROOM_CLOSED");
}

#[test]
fn the_wait_is_the_time_to_opening_and_then_the_rates() {
    assert_eq!(room().wait_ms(4, 400), 600 + 2_000);
    assert_eq!(room().wait_ms(4, 5_000), 2_000);
}

#[test]
fn a_sold_out_room_takes_and_lets_in_nobody_until_there_is_something_again() {
    let mut room = room();
    assert_eq!(room.apply(Change::SoldOut, 1_500), Ok(true));
    assert_eq!(room.apply(Change::SoldOut, 1_600), Ok(false));
    assert_eq!(room.sold_out_time, Some(1_500));
    assert_eq!(room.expect_joinable(2_000).unwrap_err().reason, "SOLD_OUT");
    assert!(!room.lets_in(2_000));
    assert_eq!(room.apply(Change::OnSale, 3_000), Ok(true));
    assert_eq!(room.apply(Change::OnSale, 3_100), Ok(false));
    assert_eq!((room.sold_out_time, room.tick_time), (None, 3_000));
    assert!(room.expect_joinable(3_000).is_ok() && room.lets_in(3_000));
    assert_eq!(room.apply(Change::SoldOut, 9_000).unwrap_err().reason, "WAITING_ROOM_CLOSED");
}

#[test]
fn a_shuffled_room_lets_nobody_in_before_all_is_drawn() {
    let mut room = room();
    room.settings.ordering = Ordering::ShuffledPrequeue;
    assert_eq!([499, 999, 1_000].map(|now_ms| room.is_drawing_lots(now_ms)), [true, true, false]);
    assert!(!room.lets_in(1_000));
    room.draw = Some(Draw { places: 3, drawn: 2 });
    assert!(!room.lets_in(1_000) && !room.is_drawing_lots(999));
    room.draw = Some(Draw { places: 3, drawn: 3 });
    assert!(room.lets_in(1_000));
}

#[test]
fn opening_and_closing_are_news_once() {
    let mut room = room();
    assert_eq!(room.news(999), None);
    room.paused = true;
    assert_eq!(room.news(1_000), None);
    room.paused = false;
    assert_eq!(room.news(1_000), Some(Announced::Opened));
    room.announced = Announced::Opened;
    assert_eq!(room.news(2_000), None);
    assert_eq!(room.news(9_000), Some(Announced::Closed));
    room.announced = Announced::Closed;
    assert_eq!(room.news(9_000), None);
}
