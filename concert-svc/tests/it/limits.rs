//! Limits, each at both its edges: what is just allowed passes, one more is refused by its reason.

use proto::concert::v1 as pb;
use service_kit::wire::{duration, timestamp};
use tonic::Status;

use crate::world::{NOW_MS, World, concert, fact, reason, seat};

async fn create(world: &World, concert: pb::Concert) -> Result<pb::Concert, Status> {
    let request = pb::CreateConcertRequest { concert: Some(concert), ..Default::default() };
    Ok(world.concerts.clone().create_concert(request).await?.into_inner())
}

async fn with_policy(policy: pb::BookingPolicy) -> World {
    World::with(pb::Concert { booking_policy: Some(policy), ..concert() }).await
}

#[tokio::test]
async fn texts_of_a_concert_have_a_shortest_and_a_longest() {
    let world = World::new().await;
    // Characters count, not bytes.
    let text = |count| "가".repeat(count);
    for (title, artist, wrong) in
        [(1, 1, ""), (300, 100, ""), (0, 1, "title"), (301, 1, "title"), (1, 0, "artist"), (1, 101, "artist")]
    {
        let answer = create(&world, pb::Concert { title: text(title), artist: text(artist), ..concert() }).await;
        match wrong {
            "" => drop(answer.unwrap()),
            _ => assert_eq!(fact(&answer, "field"), format!("concert.{wrong}")),
        }
    }
}

#[tokio::test]
async fn a_policy_keeps_within_its_bounds() {
    let world = World::new().await;
    type Set = fn(&mut pb::BookingPolicy, i64);
    let bounds: [(&str, Set, i64, i64); 6] = [
        ("hold_ttl", |policy, ms| policy.hold_ttl = Some(duration(ms)), 60_000, 1_800_000),
        // As long as the hold at least.
        ("max_hold_lifetime", |policy, ms| policy.max_hold_lifetime = Some(duration(ms)), 300_000, 3_600_000),
        ("retry_grace", |policy, ms| policy.retry_grace = Some(duration(ms)), 1_000, 600_000),
        ("max_seats_per_reservation", |policy, count| policy.max_seats_per_reservation = count as i32, 1, 10),
        (
            "max_live_reservations_per_customer",
            |policy, count| policy.max_live_reservations_per_customer = count as i32,
            1,
            1_000,
        ),
        ("max_seats_per_customer", |policy, count| policy.max_seats_per_customer = count as i32, 1, 10_000),
    ];
    for (field, set, least, most) in bounds {
        for (value, is_allowed) in [(least, true), (most, true), (least - 2, false), (most + 1, false)] {
            let mut policy = pb::BookingPolicy::default();
            set(&mut policy, value);
            let answer = create(&world, pb::Concert { booking_policy: Some(policy), ..concert() }).await;
            match is_allowed {
                true => drop(answer.unwrap()),
                false => assert_eq!(fact(&answer, "field"), format!("concert.booking_policy.{field}"), "{value}"),
            }
        }
    }
}

#[tokio::test]
async fn a_window_opens_before_it_closes() {
    let world = World::new().await;
    let window = |close| pb::Concert { booking_close_time: Some(timestamp(close)), ..concert() };
    create(&world, window(NOW_MS + 1)).await.unwrap();
    assert_eq!(fact(&create(&world, window(NOW_MS)).await, "field"), "concert.booking_close_time");
}

#[tokio::test]
async fn ten_seats_fit_one_reservation_where_the_policy_allows_it_and_eleven_fit_none() {
    let policy = pb::BookingPolicy { max_seats_per_reservation: 10, max_seats_per_customer: 20, ..Default::default() };
    let world = with_policy(policy).await;
    world.create_seats((1..=3).map(|number| seat(&format!("B-{number}"))).collect()).await.unwrap();
    let seats = ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-7", "A-8", "B-1", "B-2", "B-3"];
    assert_eq!(fact(&world.hold(1, &seats).await, "field"), "seats");
    assert_eq!(world.hold(1, &seats[..10]).await.unwrap().items.len(), 10);
    world.verify().await;
}

#[tokio::test]
async fn live_reservations_and_seats_of_a_customer_are_counted_up_to_their_caps() {
    let policy =
        pb::BookingPolicy { max_live_reservations_per_customer: 2, max_seats_per_customer: 3, ..Default::default() };
    let world = with_policy(policy).await;
    world.hold(1, &["A-1"]).await.unwrap();
    assert_eq!(fact(&world.hold(1, &["A-2", "A-3", "A-4"]).await, "limit"), "3");
    world.hold(1, &["A-2", "A-3"]).await.unwrap();
    let third = world.hold(1, &["A-4"]).await;
    assert_eq!((reason(&third), fact(&third, "limit")), ("RESERVATION_LIMIT_EXCEEDED".into(), "2".into()));
    world.hold(2, &["A-4"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn a_batch_has_a_thousand_seats_and_a_performance_a_hundred_thousand() {
    let world = World::new().await;
    let batch = |count: usize| (0..count).map(|number| seat(&format!("B-{number}"))).collect::<Vec<_>>();
    let answer = world.create_seats(batch(1_001)).await;
    assert_eq!((reason(&answer), fact(&answer, "field")), ("FIELD_INVALID".into(), "seats".into()));
    world.run("update concert_performances set seat_count = 99999").await;
    let two = world.create_seats(batch(2)).await;
    assert_eq!((reason(&two), fact(&two, "limit")), ("SEAT_LIMIT_EXCEEDED".into(), "100000".into()));
    world.create_seats(batch(1)).await.unwrap();
    let more = world.create_seats(vec![seat("C-1")]).await;
    assert_eq!(reason(&more), "SEAT_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn a_seat_costs_nothing_at_least_and_ten_million_at_most() {
    let world = World::new().await;
    for (price, is_allowed) in [(0, true), (10_000_000, true), (-1, false), (10_000_001, false)] {
        let answer = world.create_seats(vec![pb::Seat { price, ..seat(&format!("B-{}", price.abs())) }]).await;
        match is_allowed {
            true => assert_eq!(answer.unwrap()[0].price, price),
            false => assert_eq!(reason(&answer), "AMOUNT_OUT_OF_RANGE"),
        }
    }
}

#[tokio::test]
async fn a_message_of_more_than_sixty_four_kilobytes_is_not_read() {
    let world = World::new().await;
    // A thousand ids fit; the padding of their rows does not.
    let seats = |length: usize| {
        (0..1_000).map(move |number| pb::Seat { row: "r".repeat(length), ..seat(&format!("B-{number}")) })
    };
    let answer = world.create_seats(seats(45).collect()).await;
    assert_eq!(answer.unwrap_err().code(), tonic::Code::OutOfRange);
    assert_eq!(world.create_seats(seats(2).collect()).await.unwrap().len(), 1_000);
}
