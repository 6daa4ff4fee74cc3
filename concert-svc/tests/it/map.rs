//! The seat map: what it costs, what it shows, and those who watch it.

use std::time::Duration;

use proto::concert::v1 as pb;
use proto::concert::v1::seat::State as Seat;
use service_kit::clock::Stopwatch;
use service_kit::wire::duration;
use tonic::{Code, Status, Streaming};

use crate::world::{World, fact, reason, seat};

const TTL: i64 = 300_000;

async fn map(world: &World, known_version: i64) -> pb::SeatAvailability {
    let request = pb::GetSeatAvailabilityRequest {
        performance: world.performance.clone(),
        max_staleness: Some(duration(0)),
        known_version,
    };
    world.concerts.clone().get_seat_availability(request).await.unwrap().into_inner()
}

async fn watch(world: &World, from_version: i64) -> Result<Streaming<pb::SeatAvailabilityDelta>, Status> {
    let request = pb::WatchSeatAvailabilityRequest { performance: world.performance.clone(), from_version };
    Ok(world.concerts.clone().watch_seat_availability(request).await?.into_inner())
}

/// Watches from now on.
async fn follow(world: &World) -> Streaming<pb::SeatAvailabilityDelta> {
    let mut changes = watch(world, 0).await.unwrap();
    assert_eq!(next(&mut changes).await, []);
    changes
}

/// The next changes, by ordinal.
async fn next(changes: &mut Streaming<pb::SeatAvailabilityDelta>) -> Vec<(i32, Seat)> {
    let delta = changes.message().await.unwrap().unwrap();
    let mut seats: Vec<_> = delta.changes.into_iter().map(|(seat, state)| (seat, state.try_into().unwrap())).collect();
    seats.sort_by_key(|(seat, _)| *seat);
    seats
}

/// Fills the performance with so many seats; quicker than fifty calls.
async fn fill(world: &World) {
    world.run("delete from concert_performance_seats").await;
    world
        .run(
            "with recursive n (i) as (select 0 union all select i + 1 from n where i < 49999) \
             insert into concert_performance_seats (performance_id, seat_id, ordinal, section, row_name, number, grade, \
             price, state, version) select p.performance_id, 'S-' || cast(i as text), i, 'Floor', \
             cast(i / 50 as text), cast(i % 50 as text), 'VIP', 1000, 1, 1 from n cross join concert_performances p",
        )
        .await;
    world.run("update concert_performances set seat_count = 50000").await;
}

#[tokio::test]
async fn the_map_of_fifty_thousand_seats_is_twelve_and_a_half_kilobytes() {
    let world = World::new().await;
    fill(&world).await;
    let empty = map(&world, 0).await;
    assert_eq!((empty.states.len(), empty.available_count), (12_500, 50_000));
    assert!(empty.states.iter().all(|seats| *seats == 0));
    world.hold(1, &["S-0", "S-49999"]).await.unwrap();
    let held = map(&world, empty.version).await;
    assert_eq!((held.states.len(), held.available_count), (12_500, 49_998));
    assert_eq!((held.states[0], held.states[12_499]), (0b01, 0b0100_0000));
    world.verify().await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_readers_cost_one_read_a_second() {
    // However slow the machine: no job reads meanwhile.
    let rarely = 86_400_000;
    let config = concert_svc::Config { sweep_period_ms: rarely, close_period_ms: rarely, ..Default::default() };
    let world = World::configured(config).await;
    let request = pb::GetSeatAvailabilityRequest { performance: world.performance.clone(), ..Default::default() };
    let mut costs = Vec::new();
    for second in 0..3 {
        let before = world.host.db.statements();
        for _ in 0..10_000 {
            world.concerts.clone().get_seat_availability(request.clone()).await.unwrap();
        }
        costs.push(world.host.db.statements() - before);
        world.clock.advance(1_000);
        if second == 1 {
            world.hold(1, &["A-1"]).await.unwrap();
        }
    }
    // The performance and its seats; then only the sum of their versions, unless that has changed.
    assert_eq!(costs, [2, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_who_want_it_fresh_share_a_read_with_those_who_came_as_early() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::threaded(directory.path(), crate::world::concert()).await;
    let before = world.host.db.statements();
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let request = pb::GetSeatAvailabilityRequest {
            performance: world.performance.clone(),
            max_staleness: Some(duration(0)),
            known_version: 0,
        };
        let mut concerts = world.concerts.clone();
        readers.spawn(async move { concerts.get_seat_availability(request).await.unwrap().into_inner().version });
    }
    let versions = readers.join_all().await;
    assert!(versions.iter().all(|version| *version == versions[0]));
    let cost = world.host.db.statements() - before;
    assert!(cost < 500, "500 readers ran {cost} statements");
}

#[tokio::test]
async fn a_lapsed_hold_shows_as_available_under_a_new_version_and_sweeping_it_changes_nothing() {
    let world = World::new().await;
    world.hold(1, &["A-1", "A-2"]).await.unwrap();
    let held = map(&world, 0).await;
    world.clock.advance(TTL - 1);
    assert!(map(&world, held.version).await.unchanged);
    world.clock.advance(1);
    let lapsed = map(&world, held.version).await;
    assert!(!lapsed.unchanged && lapsed.version > held.version);
    assert_eq!((lapsed.available_count, lapsed.states.as_slice()), (9, [0, 0, 0].as_slice()));
    world.sweep().await;
    let swept = map(&world, lapsed.version).await;
    assert_eq!((swept.available_count, &swept.states), (9, &lapsed.states));
    assert!(swept.version > lapsed.version);
    world.hold(2, &["A-1"]).await.unwrap();
    assert!(map(&world, 0).await.version > swept.version);
}

#[tokio::test]
async fn a_map_of_nothing_is_not_found_and_a_version_is_not_negative() {
    let world = World::new().await;
    let mut concerts = world.concerts.clone();
    let performance = format!("{}1", &world.performance[..world.performance.len() - 1]);
    let last = if world.performance.ends_with('1') { performance.replace("1", "2") } else { performance };
    let get = pb::GetSeatAvailabilityRequest { performance: last.clone(), ..Default::default() };
    assert_eq!(reason(&concerts.get_seat_availability(get).await), "PERFORMANCE_NOT_FOUND");
    let request = pb::WatchSeatAvailabilityRequest { performance: last, from_version: 0 };
    assert_eq!(reason(&concerts.watch_seat_availability(request).await), "PERFORMANCE_NOT_FOUND");
    assert_eq!(fact(&watch(&world, -1).await, "field"), "from_version");
    let performance = world.performance.clone();
    let get = pb::GetSeatAvailabilityRequest { performance, known_version: -1, ..Default::default() };
    assert_eq!(fact(&concerts.get_seat_availability(get).await, "field"), "known_version");
}

#[tokio::test(start_paused = true)]
async fn who_watches_hears_of_every_state_that_a_seat_comes_to() {
    let world = World::new().await;
    let mut changes = follow(&world).await;
    let held = world.hold(1, &["A-2", "A-5"]).await.unwrap();
    assert_eq!(next(&mut changes).await, [(1, Seat::Held), (4, Seat::Held)]);
    world.lock(9, &held).await.unwrap();
    world.confirm(9, &held, Some(1)).await.unwrap();
    assert_eq!(next(&mut changes).await, [(1, Seat::Sold), (4, Seat::Sold)]);
    let parent = world.performance.clone();
    let block = pb::BlockSeatsRequest { parent, seats: vec!["A-1".into()], request_id: String::new() };
    world.concerts.clone().block_seats(block).await.unwrap();
    assert_eq!(next(&mut changes).await, [(0, Seat::Blocked)]);
    world.create_seats(vec![seat("B-1")]).await.unwrap();
    assert_eq!(next(&mut changes).await, [(9, Seat::Available)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_lapsed_hold_gives_back_is_shown_within_a_second() {
    let world = World::new().await;
    world.hold(1, &["A-2"]).await.unwrap();
    let mut changes = follow(&world).await;
    world.clock.advance(TTL);
    let waited = Stopwatch::start();
    assert_eq!(next(&mut changes).await, [(1, Seat::Available)]);
    assert!(waited.elapsed_ms() <= 1_000, "it took {} ms", waited.elapsed_ms());
    // That the sweeper notes it is no change to anybody.
    world.sweep().await;
    world.hold(2, &["A-3"]).await.unwrap();
    assert_eq!(next(&mut changes).await, [(2, Seat::Held)]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_gets_what_he_has_missed() {
    let world = World::new().await;
    let first = map(&world, 0).await;
    world.hold(1, &["A-1"]).await.unwrap();
    let second = map(&world, 0).await;
    let lapsing = world.hold(2, &["A-2"]).await.unwrap();
    let mut changes = watch(&world, first.version).await.unwrap();
    assert_eq!(next(&mut changes).await, [(0, Seat::Held)]);
    assert_eq!(next(&mut changes).await, [(1, Seat::Held)]);
    world.release(2, &lapsing).await.unwrap();
    drop(changes);
    let mut changes = watch(&world, second.version).await.unwrap();
    world.hold(3, &["A-3"]).await.unwrap();
    assert_eq!(next(&mut changes).await, [(1, Seat::Held)]);
    assert_eq!(next(&mut changes).await, [(1, Seat::Available), (2, Seat::Held)]);
    // A version that another process has seen in between may hear a change twice.
    let mut changes = watch(&world, second.version - 1).await.unwrap();
    assert_eq!(next(&mut changes).await, [(0, Seat::Held), (2, Seat::Held)]);
}

#[tokio::test(start_paused = true)]
async fn who_has_been_away_for_too_long_reads_the_whole_map_again() {
    let world = World::new().await;
    let now = map(&world, 0).await.version;
    for version in [1, now - 1, now + 1, i64::MAX] {
        let answer = watch(&world, version).await;
        assert_eq!((reason(&answer), answer.unwrap_err().code()), ("VERSION_TOO_OLD".into(), Code::OutOfRange));
    }
    assert_eq!(next(&mut watch(&world, now).await.unwrap()).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_watch_cost_one_look_each_half_second() {
    let world = World::new().await;
    let mut watchers = Vec::new();
    for _ in 0..1_000 {
        watchers.push(follow(&world).await);
    }
    let before = world.host.db.statements();
    tokio::time::sleep(Duration::from_millis(10_100)).await;
    assert_eq!(world.host.db.statements() - before, 2 * 20 + sweeps(10));
    world.hold(1, &["A-1"]).await.unwrap();
    for changes in &mut watchers {
        assert_eq!(next(changes).await, [(0, Seat::Held)]);
    }
    drop(watchers);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let before = world.host.db.statements();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.host.db.statements() - before, sweeps(60) + 1, "nobody watches any more");
    let mut again = follow(&world).await;
    world.hold(2, &["A-2"]).await.unwrap();
    assert_eq!(next(&mut again).await, [(1, Seat::Held)]);
}

/// What the sweeper asks in so many seconds.
fn sweeps(seconds: u64) -> u64 {
    seconds / 5
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_skips_what_was_in_between_and_who_is_too_slow_is_told_so() {
    let world = World::new().await;
    let (mut slow, mut too_slow) = (follow(&world).await, follow(&world).await);
    let change = async |round: u128| {
        let held = world.hold(round, &["A-1"]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.release(round, &held).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    for round in 1..=5 {
        change(round).await;
    }
    world.hold(6, &["A-2"]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(next(&mut slow).await, [(1, Seat::Held)]);
    for round in 7..=14 {
        change(round).await;
    }
    let told = too_slow.message().await;
    assert_eq!((reason(&told), told.unwrap_err().code()), ("WATCHER_TOO_SLOW".into(), Code::ResourceExhausted));
    assert_eq!(too_slow.message().await.unwrap(), None);
    world.hold(20, &["A-3"]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Sixteen versions are kept: since the last word that was read there were that many.
    assert_eq!(reason(&slow.message().await), "WATCHER_TOO_SLOW");
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_the_service_stops() {
    let world = World::new().await;
    let mut changes = follow(&world).await;
    world.host.shut_down().await;
    assert_eq!(changes.message().await.unwrap(), None);
}
