//! Concerts change: fields under a mask and an etag, states, caps; and lists find them.

use proto::concert::v1 as pb;
use proto::concert::v1::concert::State;
use service_kit::wire::{duration, timestamp};
use tonic::Status;

use crate::world::{NOW_MS, World, concert, fact, reason, refused};

const HOUR_MS: i64 = 3_600_000;

fn name(world: &World) -> String {
    world.performance.split("/performances").next().unwrap().to_owned()
}

async fn read(world: &World) -> pb::Concert {
    let request = pb::GetConcertRequest { name: name(world) };
    world.concerts.clone().get_concert(request).await.unwrap().into_inner()
}

async fn update(world: &World, concert: pb::Concert, paths: &[&str]) -> Result<pb::Concert, Status> {
    let concert = pb::Concert { name: name(world), ..concert };
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request =
        pb::UpdateConcertRequest { concert: Some(concert), update_mask: Some(prost_types::FieldMask { paths }) };
    Ok(world.concerts.clone().update_concert(request).await?.into_inner())
}

async fn policy(world: &World, policy: pb::BookingPolicy, path: &str) -> Result<pb::Concert, Status> {
    let concert = pb::Concert { booking_policy: Some(policy), ..Default::default() };
    update(world, concert, &[&format!("booking_policy.{path}")]).await
}

async fn publish(world: &World) -> Result<pb::Concert, Status> {
    let request = pb::PublishConcertRequest { name: name(world), etag: String::new() };
    Ok(world.concerts.clone().publish_concert(request).await?.into_inner())
}

async fn suspend(world: &World) -> Result<pb::Concert, Status> {
    let request = pb::SuspendConcertRequest { name: name(world), etag: String::new() };
    Ok(world.concerts.clone().suspend_concert(request).await?.into_inner())
}

async fn close(world: &World, etag: &str) -> Result<pb::Concert, Status> {
    let request = pb::CloseConcertRequest { name: name(world), etag: etag.into() };
    Ok(world.concerts.clone().close_concert(request).await?.into_inner())
}

#[tokio::test]
async fn only_what_the_mask_names_is_changed() {
    let world = World::new().await;
    let before = read(&world).await;
    world.clock.advance(5);
    let wanted = pb::Concert { title: "Spring".into(), artist: "Somebody else".into(), ..Default::default() };
    let changed = update(&world, wanted, &["title"]).await.unwrap();
    let expected =
        pb::Concert { title: "Spring".into(), update_time: Some(timestamp(NOW_MS + 5)), etag: "3".into(), ..before };
    assert_eq!(changed, expected);
    assert_eq!(read(&world).await, changed);
    // The same again is no change.
    assert_eq!(update(&world, changed.clone(), &["title"]).await.unwrap(), changed);
}

#[tokio::test]
async fn without_a_mask_everything_is_taken_that_can_be_changed() {
    let world = World::new().await;
    let before = read(&world).await;
    let wanted = pb::Concert {
        title: "Spring".into(),
        artist: "Han".into(),
        booking_open_time: Some(timestamp(NOW_MS - HOUR_MS)),
        booking_close_time: Some(timestamp(NOW_MS + 5 * HOUR_MS)),
        waiting_room: "waitingRooms/018bcfe5-6800-7000-8000-000000000001".into(),
        booking_policy: Some(pb::BookingPolicy { max_seats_per_reservation: 2, ..Default::default() }),
        // What is output only is passed over.
        state: State::Closed.into(),
        create_time: None,
        ..Default::default()
    };
    for paths in [&[][..], &["*"]] {
        let changed = update(&world, wanted.clone(), paths).await.unwrap();
        assert_eq!((changed.title.as_str(), changed.artist.as_str()), ("Spring", "Han"));
        assert_eq!((changed.state(), changed.create_time), (State::Active, before.create_time));
        assert_eq!(changed.booking_open_time, wanted.booking_open_time);
        assert_eq!(changed.waiting_room, wanted.waiting_room);
        let policy = changed.booking_policy.unwrap();
        assert_eq!((policy.max_seats_per_reservation, policy.hold_ttl), (2, Some(duration(300_000))));
    }
}

#[tokio::test]
async fn a_change_that_breaks_a_limit_or_names_what_is_not_there_changes_nothing() {
    let world = World::new().await;
    let before = read(&world).await;
    let early = pb::Concert { booking_close_time: Some(timestamp(NOW_MS)), ..Default::default() };
    let policy = pb::BookingPolicy { hold_ttl: Some(duration(901_000)), ..Default::default() };
    let long = pb::Concert { booking_policy: Some(policy), ..Default::default() };
    for (concert, path, field) in [
        (pb::Concert::default(), "title", "concert.title"),
        (pb::Concert { artist: "x".repeat(101), ..Default::default() }, "artist", "concert.artist"),
        // Judged together with what stays.
        (early, "booking_close_time", "concert.booking_close_time"),
        (long, "booking_policy.hold_ttl", "concert.booking_policy.max_hold_lifetime"),
        (concert(), "state", "update_mask"),
        (concert(), "name", "update_mask"),
        (concert(), "booking_policy.colour", "update_mask"),
        (concert(), "", "update_mask"),
    ] {
        let answer = update(&world, concert, &["waiting_room", path]).await;
        assert_eq!((reason(&answer), fact(&answer, "field")), ("FIELD_INVALID".into(), field.into()), "{path}");
    }
    assert_eq!(fact(&update(&world, concert(), &["*", "title"]).await, "field"), "update_mask");
    let mut concerts = world.concerts.clone();
    assert_eq!(fact(&concerts.update_concert(pb::UpdateConcertRequest::default()).await, "field"), "concert");
    let unknown = pb::Concert { name: before.name.replace(['0', '1', '2', '3'], "4"), ..concert() };
    let request = pb::UpdateConcertRequest { concert: Some(unknown), update_mask: None };
    assert_eq!(reason(&concerts.update_concert(request).await), "CONCERT_NOT_FOUND");
    assert_eq!(read(&world).await, before);
}

#[tokio::test]
async fn an_etag_guards_every_change() {
    let world = World::new().await;
    let wanted = pb::Concert { title: "Spring".into(), etag: "1".into(), ..Default::default() };
    assert_eq!(reason(&update(&world, wanted.clone(), &["title"]).await), "ETAG_MISMATCH");
    assert_eq!(reason(&close(&world, "1").await), "ETAG_MISMATCH");
    assert_eq!(read(&world).await.title, "Winter");
    update(&world, pb::Concert { etag: "2".into(), ..wanted }, &["title"]).await.unwrap();
    assert_eq!(close(&world, "3").await.unwrap().state(), State::Closed);
}

#[tokio::test]
async fn a_new_window_counts_from_the_next_hold_on() {
    let world = World::new().await;
    let later = pb::Concert { booking_open_time: Some(timestamp(NOW_MS + 1_000)), ..Default::default() };
    world.hold(1, &["A-1"]).await.unwrap();
    update(&world, later, &["booking_open_time"]).await.unwrap();
    let early = world.hold(2, &["A-2"]).await;
    assert_eq!((reason(&early), fact(&early, "open_time")), ("BOOKING_NOT_OPEN".into(), "2023-11-14T22:13:21Z".into()));
    world.clock.advance(1_000);
    world.hold(2, &["A-2"]).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn a_lower_cap_takes_nothing_from_anybody() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1", "A-2", "A-3", "A-4"]).await.unwrap();
    let one = pb::BookingPolicy { max_seats_per_customer: 1, ..Default::default() };
    policy(&world, one, "max_seats_per_customer").await.unwrap();
    world.verify().await;
    let two = pb::BookingPolicy { max_seats_per_customer: 2, ..Default::default() };
    policy(&world, two, "max_seats_per_customer").await.unwrap();
    world.verify().await;
    assert_eq!(reason(&world.hold(2, &["A-5", "A-6", "A-7"]).await), "SEAT_LIMIT_EXCEEDED");
    world.lock(9, &held).await.unwrap();
    world.confirm(9, &held, Some(1)).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn new_terms_of_cancellation_are_kept_and_leave_the_rest_of_the_policy_alone() {
    let world = World::new().await;
    let before = read(&world).await.booking_policy.unwrap();
    let cancellation_terms = vec![pb::CancellationTerm { days_before: 5, fee_percent: 50 }];
    let terms = pb::BookingPolicy { cancellation_terms, max_seats_per_customer: 1, ..Default::default() };
    policy(&world, terms.clone(), "cancellation_terms").await.unwrap();
    let after = read(&world).await.booking_policy.unwrap();
    assert_eq!(after, pb::BookingPolicy { cancellation_terms: terms.cancellation_terms, ..before });
}

#[tokio::test]
async fn a_new_time_to_hold_counts_from_the_next_hold_on() {
    let world = World::new().await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    let short = pb::BookingPolicy { hold_ttl: Some(duration(60_000)), ..Default::default() };
    policy(&world, short, "hold_ttl").await.unwrap();
    assert_eq!(world.reservation(&held).await, held);
    assert_eq!(world.hold(2, &["A-2"]).await.unwrap().expire_time, Some(timestamp(NOW_MS + 60_000)));
    world.verify().await;
}

#[tokio::test]
async fn a_concert_goes_from_draft_to_active_and_suspended_and_for_good_to_closed() {
    let world = World::new().await;
    assert_eq!(suspend(&world).await.unwrap().state(), State::Suspended);
    assert_eq!(publish(&world).await.unwrap().state(), State::Active);
    let closed = close(&world, "").await.unwrap();
    assert_eq!(closed.state(), State::Closed);
    assert_eq!(close(&world, "").await.unwrap(), closed);
    for answer in [publish(&world).await, suspend(&world).await] {
        assert_eq!((reason(&answer), fact(&answer, "state")), ("CONCERT_NOT_ACTIVE".into(), "CLOSED".into()));
    }
    assert_eq!(read(&world).await, closed);
}

#[tokio::test]
async fn a_draft_sells_nothing_and_cannot_be_suspended() {
    let mut world = World::new().await;
    let request = pb::CreateConcertRequest { concert: Some(concert()), ..Default::default() };
    let draft = world.concerts.create_concert(request).await.unwrap().into_inner().name;
    world.performance = world.create_performance(&draft).await.unwrap().name;
    world.create_seats(vec![crate::world::seat("A-1")]).await.unwrap();
    let held = world.hold(1, &["A-1"]).await;
    assert_eq!((reason(&held), fact(&held, "state")), ("CONCERT_NOT_ACTIVE".into(), "DRAFT".into()));
    assert_eq!(reason(&suspend(&world).await), "CONCERT_NOT_ACTIVE");
    publish(&world).await.unwrap();
    world.hold(1, &["A-1"]).await.unwrap();
}

#[tokio::test]
async fn what_is_held_when_a_concert_is_suspended_or_closed_can_be_checked_out() {
    let world = World::new().await;
    let (first, second) = (world.hold(1, &["A-1"]).await.unwrap(), world.hold(2, &["A-2"]).await.unwrap());
    suspend(&world).await.unwrap();
    assert_eq!(reason(&world.hold(3, &["A-3"]).await), "CONCERT_NOT_ACTIVE");
    world.lock(8, &first).await.unwrap();
    close(&world, "").await.unwrap();
    world.confirm(8, &first, Some(1)).await.unwrap();
    world.lock(9, &second).await.unwrap();
    world.unlock(9, &second).await.unwrap();
    world.release(2, &second).await.unwrap();
    assert_eq!(refused(&world.lock(10, &second).await), "RESERVATION_NOT_HELD");
    assert_eq!(world.seats().await, "S........");
    world.verify().await;
}

#[tokio::test]
async fn concerts_are_listed_in_pages_the_latest_first_when_asked_so() {
    let mut world = World::new().await;
    let mut names = vec![name(&world)];
    for minute in 1..=4 {
        world.clock.advance(1);
        let open = Some(timestamp(NOW_MS - minute * 60_000));
        let request = pb::CreateConcertRequest {
            concert: Some(pb::Concert { booking_open_time: open, ..concert() }),
            ..Default::default()
        };
        names.push(world.concerts.create_concert(request).await.unwrap().into_inner().name);
    }
    for (order_by, is_reversed) in [
        ("create_time", false),
        ("create_time asc", false),
        (" create_time  desc ", true),
        ("booking_open_time", true),
        ("booking_open_time desc", false),
    ] {
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let request =
                pb::ListConcertsRequest { page_size: 2, page_token, order_by: order_by.into(), ..Default::default() };
            let page = world.concerts.list_concerts(request).await.unwrap().into_inner();
            found.extend(page.concerts.into_iter().map(|concert| concert.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let mut expected = names.clone();
        if is_reversed {
            expected.reverse();
        }
        assert_eq!(found, expected, "{order_by}");
    }
    for order_by in ["title", "create_time down", "create_time desc desc", "create_time, booking_open_time"] {
        let request = pb::ListConcertsRequest { order_by: order_by.into(), ..Default::default() };
        assert_eq!(fact(&world.concerts.list_concerts(request).await, "field"), "order_by");
    }
}

#[tokio::test]
async fn performances_are_found_by_their_start() {
    let mut world = World::new().await;
    let parent = name(&world);
    for day in [3, 2] {
        let performance =
            pb::Performance { start_time: Some(timestamp(NOW_MS + day * 24 * HOUR_MS)), ..Default::default() };
        let request = pb::CreatePerformanceRequest {
            parent: parent.clone(),
            performance: Some(performance),
            ..Default::default()
        };
        world.concerts.create_performance(request).await.unwrap();
    }
    // They start on 15, 16 and 17 November at 22:13:20.
    for (filter, days) in [
        ("", &[15, 16, 17][..]),
        ("start_time >= \"2023-11-16T22:13:20Z\"", &[16, 17]),
        ("start_time < \"2023-11-16T22:13:20Z\"", &[15]),
        ("start_time >= \"2023-11-16T00:00:00+09:00\" AND start_time < '2023-11-17T00:00:00Z'", &[15, 16]),
        ("state = SCHEDULED AND start_time < \"2023-11-16T00:00:00Z\"", &[15]),
        ("state = CANCELLED AND start_time < \"2023-11-16T00:00:00Z\"", &[]),
    ] {
        let request =
            pb::ListPerformancesRequest { parent: parent.clone(), filter: filter.into(), ..Default::default() };
        let page = world.concerts.list_performances(request).await.unwrap().into_inner();
        let day = |performance: &pb::Performance| {
            (service_kit::wire::millis(performance.start_time.unwrap()) - NOW_MS) / (24 * HOUR_MS) + 14
        };
        assert_eq!(page.performances.iter().map(day).collect::<Vec<_>>(), days, "{filter}");
    }
    for filter in ["start_time = x", "start_time >= tomorrow", "start_time > \"2023-11-16T22:13:20Z\""] {
        let request =
            pb::ListPerformancesRequest { parent: parent.clone(), filter: filter.into(), ..Default::default() };
        assert_eq!(fact(&world.concerts.list_performances(request).await, "field"), "filter", "{filter}");
    }
}
