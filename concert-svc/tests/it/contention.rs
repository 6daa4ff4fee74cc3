//! Many at once, on the real writer: whatever they do, no seat has two owners.

use proto::concert::v1 as pb;
use service_kit::ids::Ids;

use crate::world::{World, concert, refused};

const TASKS: u64 = 16;
const ROUNDS: u64 = 25;
const SEATS: u64 = 8;

/// A seat's number, the first seats far more often than the last.
fn zipf(ids: &Ids) -> u64 {
    let weights: Vec<u64> = (1..=SEATS).map(|rank| 1_000 / rank).collect();
    let mut at = ids.random() % weights.iter().sum::<u64>();
    for (seat, weight) in (1..).zip(weights) {
        if at < weight {
            return seat;
        }
        at -= weight;
    }
    SEATS
}

/// He wants to give it back; or some of them do, and only one may; or he goes in before. Tells whether it was.
async fn returned(world: &World, number: u128, sold: &pb::Reservation, chance: u64) -> bool {
    let (first, second) = (1_000_000 + number, 2_000_000 + number);
    match chance % 4 {
        0 => {
            let ticket = world.tickets(sold).await.remove(0);
            world.check_in(&ticket, 3_000_000 + number).await.unwrap();
            assert_eq!(refused(&world.begin(first, sold).await), "TICKET_CHECKED_IN");
            false
        }
        1 => {
            world.begin(first, sold).await.unwrap();
            assert_eq!(refused(&world.begin(second, sold).await), "RESERVATION_LOCKED");
            world.abort(first, sold).await.unwrap();
            false
        }
        _ => {
            world.begin(first, sold).await.unwrap();
            world.commit(first, sold).await.unwrap();
            world.commit(second, sold).await.unwrap_err();
            true
        }
    }
}

/// One of many buyers: holds what he can and then buys it (and some give it back), gives it up, has a checkout fail, or forgets about it.
async fn buyer(world: &World, task: u64) -> u64 {
    let ids = Ids::seeded(task);
    let mut bought = 0;
    for round in 0..ROUNDS {
        let number = u128::from(task * 1_000 + round + 1);
        let mut seats: Vec<_> = (0..=ids.random() % 2).map(|_| format!("A-{}", zipf(&ids))).collect();
        seats.dedup();
        let seats: Vec<_> = seats.iter().map(String::as_str).collect();
        let Ok(held) = world.hold(number, &seats).await else {
            world.clock.advance(7_000);
            continue;
        };
        let locked = world.lock(number, &held).await;
        match (ids.random() % 8, locked.is_ok()) {
            (0, true) => {
                world.confirm(number, &held, Some(number)).await.unwrap();
                bought += held.items.len() as u64;
                if ids.random().is_multiple_of(2) && returned(world, number, &held, ids.random()).await {
                    bought -= held.items.len() as u64;
                }
            }
            (1..=4, true) => drop(world.unlock(number, &held).await.unwrap()),
            (_, true) => {
                world.unlock(number, &held).await.unwrap();
                drop(world.release(number, &held).await);
            }
            (_, false) => drop(world.sweep().await),
        }
    }
    bought
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_buyers_after_eight_seats_never_oversell() {
    let directory = tempfile::tempdir().unwrap();
    let on_sale = pb::Concert {
        booking_close_time: Some(service_kit::wire::timestamp(i64::from(i32::MAX) * 1_000)),
        ..concert()
    };
    let world = std::sync::Arc::new(World::threaded(directory.path(), on_sale).await);
    world.postpone(100).await;
    let mut buyers = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let world = world.clone();
        buyers.spawn(async move { buyer(&world, task).await });
    }
    let bought: u64 = buyers.join_all().await.into_iter().sum();
    world.verify().await;
    let sold = world.seats().await.matches('S').count() as u64;
    assert_eq!(sold, bought);
    assert!(bought > 0, "nobody bought anything");
}
