//! Seats that the house chooses: the first that fit, all or nothing, also where nobody sits.

use proto::concert::v1 as pb;
use proto::concert::v1::reservation::State;
use service_kit::wire::duration;
use tonic::{Code, Status};

use crate::world::{World, concert, customer, fact, reason, refused, seat};

const TTL: i64 = 300_000;

pub(crate) fn any(world: &World, number: u128, seat_count: i32) -> pb::HoldBestAvailableSeatsRequest {
    let performance = world.performance.clone();
    pb::HoldBestAvailableSeatsRequest { customer: customer(number), performance, seat_count, ..Default::default() }
}

pub(crate) async fn best(world: &World, request: pb::HoldBestAvailableSeatsRequest) -> Result<pb::Reservation, Status> {
    Ok(world.reservations.clone().hold_best_available_seats(request).await?.into_inner())
}

/// The ids of the seats that were given.
fn ids(held: &Result<pb::Reservation, Status>) -> String {
    let held = held.as_ref().unwrap();
    held.items.iter().map(|item| item.seat.rsplit('/').next().unwrap()).collect::<Vec<_>>().join(" ")
}

/// A place of general admission.
fn place(section: &str, number: usize) -> pb::Seat {
    pb::Seat {
        name: format!("{section}-{number}"),
        section: section.into(),
        grade: "STANDING".into(),
        price: 700,
        ..Default::default()
    }
}

fn of_section(world: &World, number: u128, section: &str, seat_count: i32) -> pb::HoldBestAvailableSeatsRequest {
    pb::HoldBestAvailableSeatsRequest { section: section.into(), ..any(world, number, seat_count) }
}

/// Eight customers may hold all seats, four each.
async fn generous() -> World {
    let policy = pb::BookingPolicy {
        max_seats_per_reservation: 10,
        max_seats_per_customer: 100,
        max_live_reservations_per_customer: 100,
        ..Default::default()
    };
    World::with(pb::Concert { booking_policy: Some(policy), ..concert() }).await
}

#[tokio::test]
async fn the_first_seats_by_ordinal_are_held_at_their_prices() {
    let world = World::new().await;
    world.hold(1, &["A-2"]).await.unwrap();
    let held = best(&world, any(&world, 2, 3)).await;
    assert_eq!(ids(&held), "A-1 A-3 A-4");
    let held = held.unwrap();
    assert_eq!((held.state(), held.total_amount), (State::Held, 3_000));
    assert_eq!(world.reservation(&held).await, held);
    assert_eq!(world.seats().await, "hhhh.....");
    world.lock(9, &held).await.unwrap();
    world.confirm(9, &held, Some(1)).await.unwrap();
    assert_eq!(world.seats().await, "ShSS.....");
    world.verify().await;
}

#[tokio::test]
async fn seats_side_by_side_leave_no_gap_and_stay_in_their_row() {
    let world = generous().await;
    world.hold(1, &["A-2", "A-6"]).await.unwrap();
    let adjacent = |count| pb::HoldBestAvailableSeatsRequest { adjacent: true, ..any(&world, 2, count) };
    assert_eq!(ids(&best(&world, adjacent(3)).await), "A-3 A-4 A-5");
    // and F-1 follow each other, in two rows.
    let three = best(&world, adjacent(3)).await;
    assert_eq!((reason(&three), fact(&three, "available")), ("SOLD_OUT".into(), "3".into()));
    assert_eq!(ids(&best(&world, adjacent(2)).await), "A-7 A-8");
    assert_eq!(ids(&best(&world, adjacent(1)).await), "A-1");
    assert_eq!(world.seats().await, "hhhhhhhh.");
    world.verify().await;
}

#[tokio::test]
async fn side_by_side_is_found_beyond_the_first_five_hundred_free_seats() {
    let world = generous().await;
    // Every second seat of a long row is taken, up to the last three.
    let row: Vec<_> = (0..1_000).map(|number| seat(&format!("L-{number}"))).collect();
    world.create_seats(row).await.unwrap();
    let block = pb::BlockSeatsRequest {
        parent: world.performance.clone(),
        seats: (0..998)
            .step_by(2)
            .map(|number| format!("L-{number}"))
            .chain(["A-2", "A-4", "A-6", "A-8"].map(String::from))
            .collect(),
        request_id: String::new(),
    };
    world.concerts.clone().block_seats(block).await.unwrap();
    let adjacent = pb::HoldBestAvailableSeatsRequest { adjacent: true, ..any(&world, 1, 3) };
    assert_eq!(ids(&best(&world, adjacent).await), "L-997 L-998 L-999");
    world.verify().await;
}

#[tokio::test]
async fn a_grade_and_a_section_narrow_the_choice() {
    let world = generous().await;
    let seat =
        |id: &str, section: &str, grade: &str| pb::Seat { section: section.into(), grade: grade.into(), ..seat(id) };
    let more = [("B-1", "Balcony", "R"), ("B-2", "Floor", "R"), ("B-3", "Balcony", "S"), ("B-4", "Balcony", "R")];
    world.create_seats(more.map(|(id, section, grade)| seat(id, section, grade)).to_vec()).await.unwrap();
    let ask = |number, grade: &str, section: &str, seat_count| pb::HoldBestAvailableSeatsRequest {
        grade: grade.into(),
        section: section.into(),
        ..any(&world, number, seat_count)
    };
    assert_eq!(ids(&best(&world, ask(1, "R", "Balcony", 1)).await), "B-1");
    assert_eq!(ids(&best(&world, ask(1, "R", "", 1)).await), "B-2");
    assert_eq!(ids(&best(&world, ask(1, "", "Balcony", 2)).await), "B-3 B-4");
    for (grade, section) in [("R", ""), ("", "Balcony"), ("S", "Balcony"), ("no such grade", "")] {
        assert_eq!(reason(&best(&world, ask(1, grade, section, 1)).await), "SOLD_OUT", "{grade} {section}");
    }
    // Names are compared by their bytes.
    assert_eq!(reason(&best(&world, ask(1, "vip", "", 1)).await), "SOLD_OUT");
    assert_eq!(ids(&best(&world, ask(1, "VIP", "Floor", 2)).await), "A-1 A-2");
    world.verify().await;
}

#[tokio::test]
async fn when_fewer_are_left_than_asked_for_none_is_held() {
    let world = generous().await;
    best(&world, any(&world, 1, 7)).await.unwrap();
    let three = best(&world, any(&world, 2, 3)).await;
    assert_eq!((reason(&three), three.as_ref().unwrap_err().code()), ("SOLD_OUT".into(), Code::FailedPrecondition));
    assert_eq!((fact(&three, "required"), fact(&three, "available")), ("3".into(), "2".into()));
    assert_eq!(world.seats().await, "hhhhhhh..");
    best(&world, any(&world, 2, 2)).await.unwrap();
    assert_eq!(fact(&best(&world, any(&world, 3, 1)).await, "available"), "0");
    world.verify().await;
}

#[tokio::test]
async fn a_lapsed_hold_counts_as_available_and_a_locked_one_does_not() {
    let world = generous().await;
    let lapsed = best(&world, any(&world, 1, 4)).await.unwrap();
    let locked = best(&world, any(&world, 2, 4)).await.unwrap();
    world.lock(9, &locked).await.unwrap();
    world.clock.advance(TTL);
    // The lapsed ones are the first again, and F-1 is the last.
    assert_eq!(ids(&best(&world, any(&world, 3, 5)).await), "A-1 A-2 A-3 A-4 F-1");
    assert_eq!(world.state(&lapsed).await, State::Expired);
    assert_eq!(world.state(&locked).await, State::Confirming);
    assert_eq!(reason(&best(&world, any(&world, 4, 1)).await), "SOLD_OUT");
    world.verify().await;
}

#[tokio::test]
async fn more_lapsed_holds_than_are_ended_at_once_are_all_available() {
    let world = generous().await;
    world.create_seats((0..91).map(|number| seat(&format!("B-{number}"))).collect()).await.unwrap();
    for number in 0..100 {
        best(&world, any(&world, 100 + number, 1)).await.unwrap();
    }
    world.clock.advance(TTL);
    for number in 0..10 {
        best(&world, any(&world, 1, 10)).await.unwrap_or_else(|status| panic!("round {number}: {status}"));
    }
    assert_eq!(reason(&best(&world, any(&world, 2, 1)).await), "SOLD_OUT");
    world.verify().await;
}

#[tokio::test]
async fn a_refusal_takes_nothing_back_from_lapsed_holds() {
    let world = World::new().await;
    let lapsed = world.hold(1, &["A-1"]).await.unwrap();
    world.clock.advance(TTL);
    let request = pb::HoldBestAvailableSeatsRequest { grade: "none".into(), ..any(&world, 2, 1) };
    assert_eq!(reason(&best(&world, request).await), "SOLD_OUT");
    assert_eq!(world.sweep().await, 1);
    assert_eq!(world.state(&lapsed).await, State::Expired);
    world.verify().await;
}

#[tokio::test]
async fn general_admission_is_held_place_by_place_and_reads_as_its_section() {
    let world = generous().await;
    let places = (1..=20).map(|number| place("Pit", number)).collect();
    world.create_seats(places).await.unwrap();
    let held = best(&world, of_section(&world, 1, "Pit", 3)).await;
    assert_eq!(ids(&held), "Pit-1 Pit-2 Pit-3");
    let held = held.unwrap();
    assert_eq!(held.total_amount, 2_100);
    let locked = world.lock(9, &held).await.unwrap();
    assert_eq!(locked.seat_labels, ["Pit"; 3]);
    world.confirm(9, &held, Some(1)).await.unwrap();

    // Together in the pit is together, wherever the places were when they were free.
    world.hold(2, &["Pit-5", "Pit-7"]).await.unwrap();
    let together = pb::HoldBestAvailableSeatsRequest { adjacent: true, ..of_section(&world, 3, "Pit", 4) };
    assert_eq!(ids(&best(&world, together).await), "Pit-4 Pit-6 Pit-8 Pit-9");
    for number in 4..7 {
        best(&world, of_section(&world, number, "Pit", 3)).await.unwrap();
    }
    let last = best(&world, of_section(&world, 8, "Pit", 3)).await;
    assert_eq!((reason(&last), fact(&last, "available")), ("SOLD_OUT".into(), "2".into()));
    world.verify().await;
}

#[tokio::test]
async fn blocked_seats_are_nobodys_best() {
    let world = World::new().await;
    let request = pb::BlockSeatsRequest {
        parent: world.performance.clone(),
        seats: vec!["A-1".into(), "A-3".into()],
        request_id: String::new(),
    };
    world.concerts.clone().block_seats(request).await.unwrap();
    assert_eq!(ids(&best(&world, any(&world, 1, 2)).await), "A-2 A-4");
    let adjacent = pb::HoldBestAvailableSeatsRequest { adjacent: true, ..any(&world, 2, 4) };
    assert_eq!(ids(&best(&world, adjacent).await), "A-5 A-6 A-7 A-8");
    world.verify().await;
}

#[tokio::test]
async fn the_same_request_gets_the_same_seats_and_another_one_may_not_use_its_id() {
    let world = World::new().await;
    let request_id = "018bcfe5-6800-7000-8000-000000000001".to_owned();
    let request = pb::HoldBestAvailableSeatsRequest { request_id: request_id.clone(), ..any(&world, 1, 2) };
    let held = best(&world, request.clone()).await.unwrap();
    assert_eq!(best(&world, request.clone()).await.unwrap(), held);
    let other = pb::HoldBestAvailableSeatsRequest { seat_count: 1, ..request };
    assert_eq!(reason(&best(&world, other).await), "REQUEST_ID_REUSED");
    let named = pb::CreateReservationRequest { request_id, ..world.order(1, &["A-5"]) };
    assert_eq!(reason(&world.place(named).await), "REQUEST_ID_REUSED");
    assert_eq!(world.seats().await, "hh.......");
}

#[tokio::test]
async fn what_was_sold_out_may_be_asked_for_again_with_the_same_id() {
    let world = generous().await;
    let all = best(&world, any(&world, 1, 9)).await.unwrap();
    let request_id = "018bcfe5-6800-7000-8000-000000000002".to_owned();
    let request = pb::HoldBestAvailableSeatsRequest { request_id, ..any(&world, 2, 2) };
    assert_eq!(reason(&best(&world, request.clone()).await), "SOLD_OUT");
    world.release(1, &all).await.unwrap();
    assert_eq!(ids(&best(&world, request).await), "A-1 A-2");
}

#[tokio::test]
async fn the_caps_and_windows_are_those_of_a_hold_of_named_seats() {
    let mut world = World::new().await;
    assert_eq!(reason(&best(&world, any(&world, 1, 5)).await), "SEAT_LIMIT_EXCEEDED");
    let held = best(&world, any(&world, 1, 3)).await.unwrap();
    assert_eq!(reason(&best(&world, any(&world, 1, 1)).await), "RESERVATION_LIMIT_EXCEEDED");
    world.lock(9, &held).await.unwrap();
    world.confirm(9, &held, Some(1)).await.unwrap();
    assert_eq!(reason(&best(&world, any(&world, 1, 2)).await), "SEAT_LIMIT_EXCEEDED");
    world.clock.advance(3_600_000);
    let late = best(&world, any(&world, 2, 1)).await;
    assert_eq!((reason(&late), fact(&late, "open_time")), ("BOOKING_NOT_OPEN".into(), "2023-11-14T22:13:20Z".into()));
    world.clock.advance(-3_600_000);
    let name = world.performance.split("/performances").next().unwrap().to_owned();
    let close = pb::CloseConcertRequest { name, etag: String::new() };
    world.concerts.close_concert(close).await.unwrap();
    assert_eq!(reason(&best(&world, any(&world, 2, 1)).await), "CONCERT_NOT_ACTIVE");
    world.verify().await;
}

#[tokio::test]
async fn a_malformed_order_says_where_and_an_unknown_performance_is_not_found() {
    let world = World::new().await;
    let order = any(&world, 1, 1);
    let wrong = [
        ("customer", pb::HoldBestAvailableSeatsRequest { customer: "x".into(), ..order.clone() }),
        ("performance", pb::HoldBestAvailableSeatsRequest { performance: String::new(), ..order.clone() }),
        ("seat_count", any(&world, 1, 0)),
        ("seat_count", any(&world, 1, -1)),
        ("seat_count", any(&world, 1, 11)),
        ("grade", pb::HoldBestAvailableSeatsRequest { grade: "x".repeat(51), ..order.clone() }),
        ("section", pb::HoldBestAvailableSeatsRequest { section: "a\nb".into(), ..order.clone() }),
        ("request_id", pb::HoldBestAvailableSeatsRequest { request_id: "x".into(), ..order.clone() }),
    ];
    for (field, request) in wrong {
        let answer = best(&world, request).await;
        assert_eq!((reason(&answer), fact(&answer, "field")), ("FIELD_INVALID".into(), field.into()));
    }
    let last = if order.performance.ends_with('0') { "1" } else { "0" };
    let performance = format!("{}{last}", &order.performance[..order.performance.len() - 1]);
    let elsewhere = pb::HoldBestAvailableSeatsRequest { performance, ..order };
    assert_eq!(reason(&best(&world, elsewhere).await), "PERFORMANCE_NOT_FOUND");
    assert_eq!(world.seats().await, ".........");
}

#[tokio::test]
async fn the_boundary_of_a_hold_lies_between_its_customer_and_the_next_one() {
    let policy = pb::BookingPolicy { hold_ttl: Some(duration(60_000)), ..Default::default() };
    let world = World::with(pb::Concert { booking_policy: Some(policy), ..concert() }).await;
    let first = best(&world, any(&world, 1, 1)).await.unwrap();
    world.clock.advance(59_999);
    assert_eq!(ids(&best(&world, any(&world, 2, 1)).await), "A-2");
    world.clock.advance(1);
    assert_eq!(ids(&best(&world, any(&world, 3, 1)).await), "A-1");
    assert_eq!(refused(&world.lock(9, &first).await), "HOLD_EXPIRED");
    world.verify().await;
}
