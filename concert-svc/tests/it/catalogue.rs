//! Concerts, performances, seats and their map.

use prost_types::Duration;
use proto::concert::v1 as pb;
use service_kit::wire::{duration, timestamp};
use tonic::Status;

use crate::world::{NOW_MS, World, concert, fact, id, reason, seat};

async fn create(world: &World, concert: pb::Concert) -> Result<pb::Concert, Status> {
    let request = pb::CreateConcertRequest { concert: Some(concert), ..Default::default() };
    Ok(world.concerts.clone().create_concert(request).await?.into_inner())
}

async fn map(world: &World, known_version: i64, max_staleness: i64) -> pb::SeatAvailability {
    let request = pb::GetSeatAvailabilityRequest {
        performance: world.performance.clone(),
        max_staleness: Some(duration(max_staleness)),
        known_version,
    };
    world.concerts.clone().get_seat_availability(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_new_concert_is_a_draft_with_the_default_policy() {
    let world = World::new().await;
    let created = create(&world, concert()).await.unwrap();
    assert_eq!(created.state(), pb::concert::State::Draft);
    let policy = created.booking_policy.unwrap();
    assert_eq!(policy.hold_ttl, Some(duration(300_000)));
    assert_eq!(policy.max_seats_per_reservation, 4);
    let get = pb::GetConcertRequest { name: created.name };
    let read = world.concerts.clone().get_concert(get).await.unwrap().into_inner();
    assert_eq!((read.booking_policy, read.etag.as_str()), (Some(policy), "1"));
}

#[tokio::test]
async fn a_concert_that_breaks_a_limit_is_refused_field_by_field() {
    let world = World::new().await;
    let policy = |policy| pb::Concert { booking_policy: Some(policy), ..concert() };
    let wrong = [
        ("title", pb::Concert { title: String::new(), ..concert() }),
        ("title", pb::Concert { title: "x".repeat(301), ..concert() }),
        ("artist", pb::Concert { artist: "a\nb".into(), ..concert() }),
        ("booking_open_time", pb::Concert { booking_open_time: None, ..concert() }),
        ("booking_close_time", pb::Concert { booking_close_time: Some(timestamp(NOW_MS)), ..concert() }),
        ("booking_close_time", pb::Concert { booking_close_time: Some(timestamp(i64::MAX)), ..concert() }),
        ("waiting_room", pb::Concert { waiting_room: "rooms/1".into(), ..concert() }),
        (
            "booking_policy.hold_ttl",
            policy(pb::BookingPolicy { hold_ttl: Some(duration(59_999)), ..Default::default() }),
        ),
        (
            "booking_policy.max_hold_lifetime",
            policy(pb::BookingPolicy { max_hold_lifetime: Some(duration(299_999)), ..Default::default() }),
        ),
        (
            "booking_policy.retry_grace",
            policy(pb::BookingPolicy {
                retry_grace: Some(Duration { seconds: i64::MAX, nanos: 0 }),
                ..Default::default()
            }),
        ),
        (
            "booking_policy.max_seats_per_reservation",
            policy(pb::BookingPolicy { max_seats_per_reservation: 11, ..Default::default() }),
        ),
        (
            "booking_policy.max_seats_per_customer",
            policy(pb::BookingPolicy { max_seats_per_customer: -1, ..Default::default() }),
        ),
    ];
    for (field, concert) in wrong {
        let answer = create(&world, concert).await;
        assert_eq!(fact(&answer, "field"), format!("concert.{field}"));
    }
}

#[tokio::test]
async fn a_repeated_creation_answers_as_the_first_and_an_id_is_given_once() {
    let mut world = World::new().await;
    let mut request = pb::CreateConcertRequest {
        concert: Some(concert()),
        concert_id: id(5).to_string(),
        request_id: id(6).to_string(),
    };
    let created = world.concerts.create_concert(request.clone()).await.unwrap().into_inner();
    assert_eq!(created.name, format!("concerts/{}", id(5)));
    world.clock.advance(1);
    let again = world.concerts.create_concert(request.clone()).await.unwrap().into_inner();
    assert_eq!(again, created);
    request.request_id = id(7).to_string();
    assert_eq!(reason(&world.concerts.create_concert(request).await), "CONCERT_EXISTS");
}

#[tokio::test]
async fn a_change_with_a_stale_etag_does_not_happen() {
    let mut world = World::new().await;
    let created = create(&world, concert()).await.unwrap();
    let publish = pb::PublishConcertRequest { name: created.name.clone(), etag: created.etag.clone() };
    let published = world.concerts.publish_concert(publish.clone()).await.unwrap().into_inner();
    assert_eq!((published.state(), published.etag.as_str()), (pb::concert::State::Active, "2"));
    assert_eq!(reason(&world.concerts.publish_concert(publish).await), "ETAG_MISMATCH");
    let suspend = pb::SuspendConcertRequest { name: created.name, etag: published.etag };
    let suspended = world.concerts.suspend_concert(suspend).await.unwrap().into_inner();
    assert_eq!(suspended.state(), pb::concert::State::Suspended);
}

#[tokio::test]
async fn concerts_are_listed_in_pages_by_time_and_state() {
    let mut world = World::new().await;
    let mut names = Vec::new();
    for hours in [3, 2, 1] {
        world.clock.advance(1);
        let open = Some(timestamp(NOW_MS - hours * 3_600_000));
        let created = pb::Concert { booking_open_time: open, ..concert() };
        names.push(create(&world, created).await.unwrap().name);
    }
    let list = async |world: &mut World, order_by: &str, page_token: String| {
        let request = pb::ListConcertsRequest {
            page_size: 2,
            page_token,
            filter: "state = DRAFT AND artist = Seo".into(),
            order_by: order_by.into(),
        };
        let page = world.concerts.list_concerts(request).await.unwrap().into_inner();
        let names: Vec<_> = page.concerts.into_iter().map(|concert| concert.name).collect();
        (names, page.next_page_token)
    };
    for order in ["", "booking_open_time"] {
        let (first, next) = list(&mut world, order, String::new()).await;
        let (second, end) = list(&mut world, order, next).await;
        assert_eq!([first, second].concat(), names);
        assert_eq!(end, "");
    }
    let request = pb::ListConcertsRequest { order_by: "title".into(), ..Default::default() };
    assert_eq!(fact(&world.concerts.list_concerts(request).await, "field"), "order_by");
}

#[tokio::test]
async fn performances_are_listed_by_start_time() {
    let mut world = World::new().await;
    let concert = world.performance.split("/performances").next().unwrap().to_owned();
    let second = world.create_performance(&concert).await.unwrap();
    let request = pb::ListPerformancesRequest { parent: concert, ..Default::default() };
    let page = world.concerts.list_performances(request).await.unwrap().into_inner();
    assert_eq!(page.performances.len(), 2);
    assert!(page.performances.contains(&second));
    let get = pb::GetPerformanceRequest { name: world.performance.clone() };
    let read = world.concerts.get_performance(get).await.unwrap().into_inner();
    assert_eq!((read.seat_count, read.venue.as_str()), (9, "Hall"));
    let orphan = world.create_performance(&format!("concerts/{}", id(1))).await;
    assert_eq!(reason(&orphan), "CONCERT_NOT_FOUND");
}

#[tokio::test]
async fn a_thousand_seats_fit_one_request_and_keep_their_order() {
    let mut world = World::new().await;
    let seats: Vec<_> = (1..=1_000).map(|number| seat(&format!("B-{number}"))).collect();
    let created = world.create_seats(seats).await.unwrap();
    assert_eq!(created.len(), 1_000);
    assert_eq!((created[0].ordinal, created[999].ordinal), (9, 1_008));
    let request = pb::ListSeatsRequest { parent: world.performance.clone(), page_size: 10, ..Default::default() };
    let first = world.concerts.list_seats(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.seats[9], created[0]);
    let request = pb::ListSeatsRequest { page_token: first.next_page_token, ..request };
    let second = world.concerts.list_seats(request).await.unwrap().into_inner();
    assert_eq!(second.seats[0], created[1]);
    world.verify().await;
}

#[tokio::test]
async fn a_batch_with_one_bad_seat_adds_none() {
    let world = World::new().await;
    let taken = world.create_seats(vec![seat("B-1"), seat("A-1")]).await;
    assert_eq!(reason(&taken), "SEAT_EXISTS");
    assert_eq!(fact(&taken, "seats"), format!("{}/seats/A-1", world.performance));
    let dear = pb::Seat { price: 10_000_001, ..seat("B-2") };
    let answer = world.create_seats(vec![seat("B-1"), dear]).await;
    assert_eq!(reason(&answer), "AMOUNT_OUT_OF_RANGE");
    assert_eq!(fact(&answer, "field"), "seats[1].price");
    let twice = world.create_seats(vec![seat("B-1"), seat("B-1")]).await;
    assert_eq!(fact(&twice, "field"), "seats[1].name");
    let full = pb::Seat { name: "concerts/1/performances/2/seats/B-1".into(), ..seat("B-1") };
    assert_eq!(fact(&world.create_seats(vec![full]).await, "field"), "seats[0].name");
    let none = world.create_seats(vec![]).await;
    assert_eq!(fact(&none, "field"), "seats");
    assert_eq!(world.seats().await.len(), 9);
    world.verify().await;
}

#[tokio::test]
async fn a_performance_has_no_more_seats_than_allowed() {
    let world = World::new().await;
    world.run("update concert_performances set seat_count = 100000").await;
    let answer = world.create_seats(vec![seat("B-1")]).await;
    assert_eq!((reason(&answer), fact(&answer, "limit")), ("SEAT_LIMIT_EXCEEDED".into(), "100000".into()));
}

#[tokio::test]
async fn the_seat_map_shows_two_bits_a_seat_and_says_when_nothing_changed() {
    let world = World::new().await;
    let empty = map(&world, 0, 0).await;
    assert_eq!((empty.states.as_slice(), empty.available_count), ([0, 0, 0].as_slice(), 9));
    let same = map(&world, empty.version, 0).await;
    assert!(same.unchanged && same.states.is_empty());

    world.hold(1, &["A-2"]).await.unwrap();
    let sold = world.hold(2, &["A-5"]).await.unwrap();
    world.lock(9, &sold).await.unwrap();
    world.confirm(9, &sold, Some(1)).await.unwrap();
    let changed = map(&world, empty.version, 0).await;
    assert_eq!((changed.states.as_slice(), changed.available_count), ([0b0100, 0b10, 0].as_slice(), 7));
    assert!(changed.version > empty.version && !changed.unchanged);
}

#[tokio::test]
async fn the_seat_map_is_never_older_than_asked_for_and_at_most_a_second() {
    let world = World::new().await;
    let first = map(&world, 0, 60_000).await;
    world.hold(1, &["A-1"]).await.unwrap();
    world.clock.advance(999);
    assert_eq!(map(&world, 0, 60_000).await, first);
    assert_eq!(map(&world, 0, 999).await.available_count, 8);
    world.hold(2, &["A-2"]).await.unwrap();
    world.clock.advance(1_000);
    assert_eq!(map(&world, 0, 60_000).await.available_count, 7);
}
