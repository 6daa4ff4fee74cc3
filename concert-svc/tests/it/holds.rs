//! Holds: who gets a seat, for how long, and what gives it back.

use proto::concert::v1 as pb;
use proto::concert::v1::reservation::State;
use service_kit::wire::{duration, timestamp};

use crate::world::{NOW_MS, World, concert, customer, fact, reason, seat};

const TTL: i64 = 300_000;

#[tokio::test]
async fn a_hold_freezes_seats_and_prices_for_its_time() {
    let world = World::new().await;
    let held = world.hold(1, &["A-2", "A-1"]).await.unwrap();
    assert_eq!(held.state(), State::Held);
    assert_eq!(held.total_amount, 2_000);
    assert_eq!(held.expire_time, Some(timestamp(NOW_MS + TTL)));
    let seats: Vec<_> = held.items.iter().map(|item| item.seat.as_str()).collect();
    let named = |seat| format!("{}/seats/{seat}", world.performance);
    assert_eq!(seats, [named("A-1"), named("A-2")]);
    assert_eq!(world.reservation(&held).await, held);
    assert_eq!(world.seats().await, "hh.......");
    world.verify().await;
}

#[tokio::test]
async fn of_two_buyers_of_one_seat_one_gets_it_and_the_other_is_told_which_seat() {
    let world = World::new().await;
    world.hold(1, &["A-1", "A-2"]).await.unwrap();
    let second = world.hold(2, &["A-2", "A-3"]).await;
    assert_eq!(reason(&second), "SEAT_TAKEN");
    assert_eq!(fact(&second, "seats"), format!("{}/seats/A-2", world.performance));
    // All or nothing: A-3 is still free.
    assert_eq!(world.seats().await, "hh.......");
    world.hold(2, &["A-3"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn a_hold_lapses_exactly_at_its_time() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    world.clock.advance(TTL - 1);
    assert_eq!(world.state(&held).await, State::Held);
    assert_eq!(reason(&world.hold(2, &["A-1"]).await), "SEAT_TAKEN");
    world.clock.advance(1);
    assert_eq!(world.state(&held).await, State::Expired);
    world.hold(2, &["A-1"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn who_takes_a_seat_of_a_lapsed_hold_frees_its_other_seats() {
    let world = World::new().await;
    let first = world.hold(1, &["A-1", "A-2", "A-3"]).await.unwrap();
    let second = world.hold(2, &["A-4", "A-5"]).await.unwrap();
    world.clock.advance(TTL);
    let third = world.hold(3, &["A-2", "A-4", "A-6"]).await.unwrap();
    assert_eq!(world.seats().await, ".h.h.h...");
    assert_eq!(third.total_amount, 3_000);
    assert_eq!(world.state(&first).await, State::Expired);
    assert_eq!(world.state(&second).await, State::Expired);
    world.verify().await;
}

#[tokio::test]
async fn a_refused_takeover_leaves_the_lapsed_hold_as_it_was() {
    let world = World::new().await;
    world.hold(1, &["A-1", "A-2"]).await.unwrap();
    world.clock.advance(TTL);
    world.hold(2, &["A-3"]).await.unwrap();
    assert_eq!(reason(&world.hold(3, &["A-1", "A-3"]).await), "SEAT_TAKEN");
    // As everybody sees them: nobody has noted yet that the first hold has lapsed.
    assert_eq!(world.seats().await, "..h......");
    world.verify().await;
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.seats().await, "..h......");
}

#[tokio::test]
async fn the_same_request_gets_the_same_reservation_and_another_one_may_not_use_its_id() {
    let world = World::new().await;
    let mut order = world.order(1, &["A-1"]);
    order.request_id = "018bcfe5-6800-7000-8000-000000000001".into();
    let held = world.place(order.clone()).await.unwrap();
    assert_eq!(world.place(order.clone()).await.unwrap(), held);
    order.seats = world.order(1, &["A-2"]).seats;
    assert_eq!(reason(&world.place(order).await), "REQUEST_ID_REUSED");
    assert_eq!(world.seats().await, "h........");
}

#[tokio::test]
async fn a_refused_request_may_be_tried_again_with_the_same_id() {
    let world = World::new().await;
    let other = world.hold(1, &["A-1"]).await.unwrap();
    let mut order = world.order(2, &["A-1"]);
    order.request_id = "018bcfe5-6800-7000-8000-000000000002".into();
    assert_eq!(reason(&world.place(order.clone()).await), "SEAT_TAKEN");
    world.release(1, &other).await.unwrap();
    world.place(order).await.unwrap();
}

#[tokio::test]
async fn a_released_hold_gives_its_seats_back_once_and_only_to_its_customers_word() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1", "A-2"]).await.unwrap();
    assert_eq!(reason(&world.release(2, &held).await), "NOT_OWNER");
    let released = world.release(1, &held).await.unwrap();
    assert_eq!(released.state(), State::Released);
    assert_eq!(released.expire_time, None);
    world.hold(2, &["A-1"]).await.unwrap();
    assert_eq!(world.release(1, &held).await.unwrap(), released);
    assert_eq!(world.seats().await, "h........");
    world.verify().await;
}

#[tokio::test]
async fn a_lapsed_hold_cannot_be_released_and_a_locked_one_neither() {
    let world = World::new().await;
    let lapsed = world.hold(1, &["A-1"]).await.unwrap();
    world.clock.advance(TTL);
    let answer = world.release(1, &lapsed).await;
    assert_eq!(reason(&answer), "RESERVATION_NOT_HELD");
    assert_eq!(fact(&answer, "state"), "EXPIRED");
    let locked = world.hold(2, &["A-2"]).await.unwrap();
    world.lock(9, &locked).await.unwrap();
    assert_eq!(reason(&world.release(2, &locked).await), "RESERVATION_LOCKED");
}

#[tokio::test]
async fn caps_hold_a_customer_back() {
    let world = World::new().await;
    let five = world.hold(1, &["A-1", "A-2", "A-3", "A-4", "A-5"]).await;
    assert_eq!(reason(&five), "SEAT_LIMIT_EXCEEDED");
    assert_eq!(fact(&five, "limit"), "4");
    let first = world.hold(1, &["A-1", "A-2", "A-3"]).await.unwrap();
    assert_eq!(reason(&world.hold(1, &["A-4"]).await), "RESERVATION_LIMIT_EXCEEDED");
    world.lock(9, &first).await.unwrap();
    assert_eq!(reason(&world.hold(1, &["A-4"]).await), "RESERVATION_LIMIT_EXCEEDED");
    world.confirm(9, &first, Some(1)).await.unwrap();
    // Bought seats count for the concert.
    assert_eq!(reason(&world.hold(1, &["A-4", "A-5"]).await), "SEAT_LIMIT_EXCEEDED");
    world.hold(1, &["A-4"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn a_lapsed_or_released_hold_no_longer_counts_against_its_customer() {
    let world = World::new().await;
    world.hold(1, &["A-1", "A-2", "A-3", "A-4"]).await.unwrap();
    world.clock.advance(TTL);
    let second = world.hold(1, &["A-5", "A-6", "A-7", "A-8"]).await.unwrap();
    world.verify().await;
    world.release(1, &second).await.unwrap();
    world.hold(1, &["A-1"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn seats_of_another_evening_count_for_the_concert_but_not_for_the_evening() {
    let mut world = World::new().await;
    world.hold(1, &["A-1", "A-2", "A-3"]).await.unwrap();
    let concert = world.performance.split("/performances").next().unwrap().to_owned();
    world.performance = world.create_performance(&concert).await.unwrap().name;
    world.create_seats(vec![seat("A-1"), seat("A-2")]).await.unwrap();
    assert_eq!(reason(&world.hold(1, &["A-1", "A-2"]).await), "SEAT_LIMIT_EXCEEDED");
    world.hold(1, &["A-1"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn nothing_is_held_outside_the_booking_window_or_while_suspended_or_cancelled() {
    let mut world = World::new().await;
    let name = world.performance.split("/performances").next().unwrap().to_owned();
    let suspend = pb::SuspendConcertRequest { name: name.clone(), etag: String::new() };
    world.concerts.suspend_concert(suspend).await.unwrap();
    assert_eq!(reason(&world.hold(1, &["A-1"]).await), "CONCERT_NOT_ACTIVE");
    let publish = pb::PublishConcertRequest { name, etag: String::new() };
    world.concerts.publish_concert(publish).await.unwrap();
    world.clock.advance(3_600_000);
    let late = world.hold(1, &["A-1"]).await;
    assert_eq!(reason(&late), "BOOKING_NOT_OPEN");
    assert_eq!(fact(&late, "close_time"), "2023-11-14T23:13:20Z");
    world.clock.advance(-1);
    world.hold(1, &["A-1"]).await.unwrap();
    world.run("update concert_performances set state = 2").await;
    assert_eq!(reason(&world.hold(2, &["A-2"]).await), "PERFORMANCE_CANCELLED");
}

#[tokio::test]
async fn a_hold_of_what_does_not_exist_says_what_and_a_malformed_one_says_where() {
    let world = World::new().await;
    let unknown = world.hold(1, &["A-1", "Z-9"]).await;
    assert_eq!(reason(&unknown), "SEAT_NOT_FOUND");
    assert_eq!(fact(&unknown, "name"), format!("{}/seats/Z-9", world.performance));
    let mut elsewhere = world.order(1, &["A-1"]);
    let last = elsewhere.performance.pop().unwrap();
    elsewhere.performance.push(if last == '0' { '1' } else { '0' });
    elsewhere.seats = vec![format!("{}/seats/A-1", elsewhere.performance)];
    assert_eq!(reason(&world.place(elsewhere).await), "PERFORMANCE_NOT_FOUND");

    let order = world.order(1, &["A-1"]);
    let wrong = [
        ("customer", pb::CreateReservationRequest { customer: "x".into(), ..order.clone() }),
        ("performance", pb::CreateReservationRequest { performance: "x".into(), ..order.clone() }),
        ("seats", pb::CreateReservationRequest { seats: vec![], ..order.clone() }),
        ("seats[0]", pb::CreateReservationRequest { seats: vec!["A-1".into()], ..order.clone() }),
        ("seats[1]", world.order(1, &["A-1", "A-1"])),
        ("request_id", pb::CreateReservationRequest { request_id: "x".into(), ..order }),
    ];
    for (field, request) in wrong {
        let answer = world.place(request).await;
        assert_eq!((reason(&answer), fact(&answer, "field")), ("FIELD_INVALID".into(), field.into()));
    }
    assert_eq!(world.seats().await, ".........");
}

#[tokio::test]
async fn the_sweeper_frees_what_has_lapsed_and_nothing_else() {
    let world = World::new().await;
    let mut lapsed = Vec::new();
    for number in 1..=5 {
        let seat = format!("A-{number}");
        lapsed.push(world.hold(number, &[&seat]).await.unwrap());
    }
    world.lock(9, &lapsed[4]).await.unwrap();
    world.clock.advance(1);
    world.hold(6, &["A-6"]).await.unwrap();
    world.clock.advance(TTL - 1);
    assert_eq!(world.sweep().await, 4);
    assert_eq!(world.seats().await, "....hh...");
    assert_eq!(world.sweep().await, 0);
    assert_eq!(world.state(&lapsed[0]).await, State::Expired);
    assert_eq!(world.state(&lapsed[4]).await, State::Confirming);
    world.verify().await;
}

#[tokio::test]
async fn the_policy_of_the_concert_decides_how_long_and_how_many() {
    let policy =
        pb::BookingPolicy { hold_ttl: Some(duration(60_000)), max_seats_per_reservation: 1, ..Default::default() };
    let world = World::with(pb::Concert { booking_policy: Some(policy), ..concert() }).await;
    assert_eq!(reason(&world.hold(1, &["A-1", "A-2"]).await), "SEAT_LIMIT_EXCEEDED");
    let held = world.hold(1, &["A-1"]).await.unwrap();
    assert_eq!(held.expire_time, Some(timestamp(NOW_MS + 60_000)));
}

#[tokio::test]
async fn reservations_are_listed_newest_first_by_customer_and_state() {
    let mut world = World::new().await;
    let first = world.hold(1, &["A-1"]).await.unwrap();
    world.clock.advance(TTL);
    let second = world.hold(1, &["A-2"]).await.unwrap();
    let other = world.hold(2, &["A-3"]).await.unwrap();
    let list = async |world: &mut World, filter: String, page_token: String| {
        let request = pb::ListReservationsRequest { filter, page_size: 1, page_token };
        world.reservations.list_reservations(request).await.unwrap().into_inner()
    };
    let names = |page: &pb::ListReservationsResponse| -> Vec<String> {
        page.reservations.iter().map(|reservation| reservation.name.clone()).collect()
    };
    let mine = format!("customer = {}", customer(1));
    let page = list(&mut world, mine.clone(), String::new()).await;
    assert_eq!(names(&page), [second.name]);
    let page = list(&mut world, mine.clone(), page.next_page_token).await;
    assert_eq!((names(&page), page.next_page_token.as_str()), (vec![first.name.clone()], ""));
    // Nobody has swept it, yet it has expired.
    let page = list(&mut world, format!("{mine} AND state = EXPIRED"), String::new()).await;
    assert_eq!(names(&page), [first.name]);
    let page = list(&mut world, String::new(), String::new()).await;
    assert_eq!(names(&page), [other.name]);
}
