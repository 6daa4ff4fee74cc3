//! Sixty-four at once who want whatever is left: nothing is sold twice, nothing is left over, and nobody waits for ever.

use std::collections::BTreeSet;
use std::sync::Arc;

use proto::concert::v1 as pb;
use service_kit::ids::Ids;
use service_kit::refusal;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::best::{any, best};
use crate::world::{World, concert, seat};

const TASKS: u64 = 64;
const SEATS: usize = 300;

/// A hall of rows of ten, and a pit where people stand.
async fn hall(directory: &tempfile::TempDir) -> Arc<World> {
    let on_sale = pb::Concert {
        booking_close_time: Some(service_kit::wire::timestamp(i64::from(i32::MAX) * 1_000)),
        ..concert()
    };
    let world = World::threaded(directory.path(), on_sale).await;
    let seats = (0..SEATS - 9).map(|number| match number {
        200.. => pb::Seat {
            section: "Pit".into(),
            row: String::new(),
            number: String::new(),
            ..seat(&format!("P-{number}"))
        },
        _ => seat(&format!("R{}-{number}", number / 10)),
    });
    world.create_seats(seats.collect()).await.unwrap();
    Arc::new(world)
}

/// What became of one order: the seats, or how many were too many.
async fn order(world: &World, number: u128, count: i32, adjacent: bool) -> Result<pb::Reservation, Status> {
    for _ in 0..1_000 {
        let request = pb::HoldBestAvailableSeatsRequest { adjacent, ..any(world, number, count) };
        match best(world, request).await {
            Err(status) if matches!(status.code(), Code::Unavailable | Code::ResourceExhausted) => {
                assert!(refusal::reason(&status).is_none_or(|reason| reason == "OVERLOADED"), "{status:?}");
                tokio::task::yield_now().await;
            }
            answer => return answer,
        }
    }
    Err(Status::unavailable("others were in the way a thousand times"))
}

/// Buys until not a single seat is left; changes his mind now and then.
async fn buyer(world: &World, task: u64) -> Vec<String> {
    let ids = Ids::seeded(task);
    let (mut count, mut bought) = (4, Vec::new());
    for round in 1.. {
        let number = u128::from(task * 100_000 + round);
        let held = match order(world, number, count, ids.random().is_multiple_of(3)).await {
            Ok(held) => held,
            Err(status) => {
                assert_eq!(refusal::reason(&status).as_deref(), Some("SOLD_OUT"), "{status:?}");
                count -= 1;
                match count {
                    0 => return bought,
                    _ => continue,
                }
            }
        };
        assert_eq!(held.items.len(), usize::try_from(count).unwrap());
        if ids.random().is_multiple_of(4) {
            world.release(number, &held).await.unwrap();
            continue;
        }
        world.lock(number, &held).await.unwrap();
        world.confirm(number, &held, Some(number)).await.unwrap();
        bought.extend(held.items.into_iter().map(|item| item.seat));
    }
    bought
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_that_takes_what_fits_buys_every_seat_once() {
    let directory = tempfile::tempdir().unwrap();
    let world = hall(&directory).await;
    let mut buyers = JoinSet::new();
    for task in 1..=TASKS {
        let world = world.clone();
        buyers.spawn(async move { buyer(&world, task).await });
    }
    let bought: Vec<_> = buyers.join_all().await.into_iter().flatten().collect();
    world.verify().await;
    assert_eq!(bought.len(), SEATS, "every seat is sold");
    assert_eq!(bought.iter().collect::<BTreeSet<_>>().len(), SEATS, "and none twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_of_all_kinds_never_oversells() {
    let directory = tempfile::tempdir().unwrap();
    let world = hall(&directory).await;
    let mut crowd = JoinSet::new();
    for task in 1..=16_u64 {
        let world = world.clone();
        crowd.spawn(async move {
            let ids = Ids::seeded(task);
            for round in 0..30 {
                let number = u128::from(task * 1_000 + round);
                let seat = format!("A-{}", 1 + ids.random() % 8);
                let answer = match ids.random() % 4 {
                    0 => world.hold(number, &[&seat, "P-200"]).await,
                    1 => order(&world, number, 4, true).await,
                    _ => order(&world, number, 3, false).await,
                };
                let Ok(held) = answer else {
                    world.clock.advance(60_000);
                    continue;
                };
                match ids.random() % 3 {
                    0 => drop(world.release(number, &held).await),
                    1 => drop(world.lock(number, &held).await),
                    _ => drop(world.sweep().await),
                }
            }
        });
    }
    crowd.join_all().await;
    world.verify().await;
}
