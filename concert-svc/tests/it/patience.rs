//! The last seats, while somebody else is about to take them or to leave them: nobody is told too early that nothing is
//! left. SQLite has one writer, where this cannot be; so this is PostgreSQL, whatever the environment says.

use std::sync::Arc;
use std::time::Duration;

use concert_svc::Config;
use proto::concert::v1 as pb;
use service_kit::clock::ManualClock;
use service_kit::db::{self, Tx};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tonic::Status;

use crate::best::{any, best};
use crate::world::{NOW_MS, World, concert, reason};

const TTL: i64 = 300_000;
/// What an order that cannot decide asks each time.
const STATEMENTS: u64 = 5;

/// A transaction of somebody else's, which has what it wants and goes on.
struct Hand {
    open: watch::Sender<bool>,
    ended: JoinHandle<Result<(), db::Error>>,
}

impl Hand {
    /// It runs `sql`, and commits once it may, or gives up.
    async fn on(world: &World, sql: &'static str, keeps: bool) -> Self {
        let (open, is_open) = watch::channel(false);
        let (reached, db) = (Arc::new(Notify::new()), world.host.db.clone());
        let reach = reached.clone();
        let work = async move |tx: &mut Tx<'_>| {
            assert!(tx.execute(sql, &[]).await? > 0, "{sql} touches something");
            reach.notify_one();
            while !*is_open.borrow() {
                // The server ends a transaction that is idle for long.
                tx.execute("select 1", &[]).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if keeps { Ok(()) } else { Err(db::Error::Bug("gave up".into())) }
        };
        let ended = world.host.tasks.spawn(async move { db.write(work).await });
        reached.notified().await;
        Self { open, ended }
    }

    async fn let_go(self) -> bool {
        self.open.send(true).unwrap();
        self.ended.await.unwrap().is_ok()
    }
}

/// Of its seats, only these are for sale.
async fn left(seats: &[&str]) -> Arc<World> {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let world = World::over(testbed::connected(clock.clone()).await, clock, concert(), Config::default()).await;
    let all = ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-7", "A-8", "F-1"];
    let blocked = all.into_iter().filter(|seat| !seats.contains(seat)).map(str::to_owned).collect();
    let request = pb::BlockSeatsRequest { parent: world.performance.clone(), seats: blocked, ..Default::default() };
    world.concerts.clone().block_seats(request).await.unwrap();
    Arc::new(world)
}

/// An order that has found others in its way several times already.
async fn undecided(
    world: &Arc<World>,
    request: pb::HoldBestAvailableSeatsRequest,
) -> JoinHandle<Result<pb::Reservation, Status>> {
    let (asking, before) = (world.clone(), world.host.db.statements());
    let order = world.host.tasks.spawn(async move { best(&asking, request).await });
    // Beside those of the hand, of which there are fewer than two a millisecond.
    for _ in 0..20 {
        let now = world.host.db.statements();
        while world.host.db.statements() < now + STATEMENTS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert!(world.host.db.statements() - before >= 20 * STATEMENTS && !order.is_finished());
    order
}

const BLOCK: &str = "update concert_performance_seats set state = 4, version = version + 1 where seat_id = 'A-2'";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_finds_the_last_seat_in_other_hands_gets_it_when_they_let_go() {
    let world = left(&["A-2"]).await;
    let hand = Hand::on(&world, BLOCK, false).await;
    let order = undecided(&world, any(&world, 1, 1)).await;
    assert!(!hand.let_go().await);
    assert_eq!(order.await.unwrap().unwrap().items.len(), 1);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_finds_the_last_seat_in_other_hands_is_told_sold_out_once_they_have_taken_it() {
    let world = left(&["A-2"]).await;
    let hand = Hand::on(&world, BLOCK, true).await;
    let order = undecided(&world, any(&world, 1, 1)).await;
    assert!(hand.let_go().await);
    assert_eq!(reason(&order.await.unwrap()), "SOLD_OUT");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_wants_two_side_by_side_waits_for_the_one_between() {
    let world = left(&["A-1", "A-2", "A-3"]).await;
    let hand = Hand::on(&world, BLOCK, false).await;
    let request = pb::HoldBestAvailableSeatsRequest { adjacent: true, ..any(&world, 1, 2) };
    let order = undecided(&world, request).await;
    // Who does not mind takes what is there.
    assert_eq!(best(&world, any(&world, 2, 1)).await.unwrap().items.len(), 1);
    assert!(!hand.let_go().await);
    let held = order.await.unwrap().unwrap();
    assert!(held.items[0].seat.ends_with("A-2") && held.items[1].seat.ends_with("A-3"), "{held:?}");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_finds_a_lapsed_hold_in_other_hands_waits_for_its_seats() {
    let world = left(&["A-2"]).await;
    world.hold(1, &["A-2"]).await.unwrap();
    world.clock.advance(TTL);
    let hand = Hand::on(&world, "update concert_reservations set version = version where state = 1", false).await;
    let order = undecided(&world, any(&world, 2, 1)).await;
    assert!(!hand.let_go().await);
    assert_eq!(order.await.unwrap().unwrap().items.len(), 1);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_has_waited_long_enough_is_told_when_to_come_back() {
    let world = left(&["A-2"]).await;
    let hand = Hand::on(&world, BLOCK, false).await;
    let answer = best(&world, any(&world, 1, 1)).await;
    assert_eq!((reason(&answer), answer.unwrap_err().code()), ("OVERLOADED".into(), tonic::Code::ResourceExhausted));
    assert!(!hand.let_go().await);
    assert_eq!(best(&world, any(&world, 1, 1)).await.unwrap().items.len(), 1);
    world.verify().await;
}
