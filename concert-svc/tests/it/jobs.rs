//! Work that runs by itself: it writes down what time has decided already, once, on however many replicas it runs.

use std::time::Duration;

use proto::concert::v1 as pb;
use proto::concert::v1::performance::State;
use service_kit::db::{self, Tx};

use crate::world::{World, concert, reason};

const TTL: i64 = 300_000;
const HOUR_MS: i64 = 3_600_000;
/// A performance starts a day after the beginning, and is over six hours later.
const OVER_MS: i64 = 30 * HOUR_MS;

async fn performance(world: &World) -> pb::Performance {
    let request = pb::GetPerformanceRequest { name: world.performance.clone() };
    world.concerts.clone().get_performance(request).await.unwrap().into_inner()
}

async fn listed(world: &World, state: &str) -> usize {
    let parent = world.performance.split("/performances").next().unwrap().to_owned();
    let request = pb::ListPerformancesRequest { parent, filter: format!("state = {state}"), ..Default::default() };
    world.concerts.clone().list_performances(request).await.unwrap().into_inner().performances.len()
}

async fn close(world: &World) -> u64 {
    concert_svc::jobs::close_performances(&world.host.db, 2).await.unwrap()
}

async fn count(world: &World, sql: &'static str) -> i64 {
    let read = async move |tx: &mut Tx<'_>| tx.fetch_one::<(i64,)>(sql, &[]).await;
    world.host.db.read(read).await.unwrap().0
}

/// Seats can be held for a week.
async fn long_sale() -> World {
    let close = Some(service_kit::wire::timestamp(crate::world::NOW_MS + 168 * HOUR_MS));
    World::with(pb::Concert { booking_close_time: close, ..concert() }).await
}

#[tokio::test]
async fn a_performance_is_over_six_hours_after_its_start_whether_or_not_anybody_has_noted_it() {
    let world = long_sale().await;
    world.clock.advance(OVER_MS - 1);
    let held = world.hold(1, &["A-1"]).await.unwrap();
    assert_eq!((performance(&world).await.state(), close(&world).await), (State::Scheduled, 0));
    world.clock.advance(1);
    assert_eq!(performance(&world).await.state(), State::Performed);
    assert_eq!((listed(&world, "PERFORMED").await, listed(&world, "SCHEDULED").await), (1, 0));
    assert_eq!(reason(&world.hold(2, &["A-2"]).await), "BOOKING_NOT_OPEN");
    // Whoever is at the till already pays.
    world.lock(9, &held).await.unwrap();
    let before = performance(&world).await;
    assert_eq!(close(&world).await, 1);
    let after = performance(&world).await;
    assert_eq!((after.state(), after.etag == before.etag), (State::Performed, false));
    assert_eq!(close(&world).await, 0);
    world.confirm(9, &held, Some(1)).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn a_cancelled_performance_stays_cancelled() {
    let world = World::new().await;
    world.run("update concert_performances set state = 2").await;
    world.clock.advance(OVER_MS);
    assert_eq!((close(&world).await, performance(&world).await.state()), (0, State::Cancelled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_who_close_at_once_close_each_performance_once() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::threaded(directory.path(), concert()).await;
    let parent = world.performance.split("/performances").next().unwrap().to_owned();
    for _ in 0..9 {
        world.create_performance(&parent).await.unwrap();
    }
    world.clock.advance(OVER_MS);
    let closed = tokio::join!(close(&world), close(&world), close(&world));
    assert_eq!(closed.0 + closed.1 + closed.2, 10);
    assert_eq!(count(&world, "select count(*) from concert_performances where state = 3 and version = 2").await, 9);
}

#[tokio::test(start_paused = true)]
async fn the_jobs_run_by_themselves() {
    let world = World::new().await;
    world.hold(1, &["A-1", "A-2"]).await.unwrap();
    let free = "select count(*) from concert_performance_seats where state = 1";
    world.clock.advance(TTL);
    assert_eq!(count(&world, free).await, 7);
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    assert_eq!(count(&world, free).await, 9);
    let performed = "select count(*) from concert_performances where state = 3";
    world.clock.advance(OVER_MS);
    assert_eq!(count(&world, performed).await, 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(count(&world, performed).await, 1);
    world.verify().await;
}

#[tokio::test]
async fn a_round_that_fails_leaves_the_holds_to_the_next_one() {
    let world = World::new().await;
    world.hold(1, &["A-1", "A-2"]).await.unwrap();
    world.clock.advance(TTL);
    // A seat that its reservation has lost: the sweeper does not free what is not there.
    world.run("update concert_performance_seats set reservation_id = performance_id where seat_id = 'A-2'").await;
    let swept = concert_svc::jobs::sweep(&world.host.db, 2, true).await;
    assert!(matches!(swept, Err(db::Error::Corrupt { .. })), "{swept:?}");
    assert_eq!(count(&world, "select count(*) from concert_reservations where state = 1").await, 1);
}
