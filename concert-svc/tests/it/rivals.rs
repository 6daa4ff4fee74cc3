//! Two or fifty who want the same thing at the same moment: what each of them hears, and what is true afterwards. On
//! PostgreSQL they come through several connections.

use std::sync::Arc;

use proto::concert::v1 as pb;
use proto::concert::v1::reservation::State;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::world::{World, concert, reason, seat};

const TTL: i64 = 300_000;

async fn crowded() -> (tempfile::TempDir, Arc<World>) {
    let directory = tempfile::tempdir().unwrap();
    let world = World::threaded(directory.path(), concert()).await;
    (directory, Arc::new(world))
}

/// What `count` who do the same at once hear.
async fn at_once<T, F>(count: u128, call: impl Fn(u128) -> F) -> Vec<Result<T, Status>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Status>> + Send + 'static,
{
    let mut calls = JoinSet::new();
    for number in 1..=count {
        calls.spawn(call(number));
    }
    calls.join_all().await
}

/// Asks again as long as the answer is that others were in the way.
async fn persistent<T, F: Future<Output = Result<T, Status>>>(call: impl Fn() -> F) -> Result<T, Status> {
    for _ in 0..100 {
        match call().await {
            Err(status) if status.code() == Code::Unavailable => tokio::task::yield_now().await,
            answer => return answer,
        }
    }
    Err(Status::unavailable("others were in the way a hundred times"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_who_want_one_seat_one_gets_it_and_the_others_are_told_that_it_is_taken() {
    let (_directory, world) = crowded().await;
    for (round, seat) in (0..).zip(["A-1", "A-2", "A-3", "A-4"]) {
        let answers = at_once(50, |number| {
            let world = world.clone();
            async move { world.hold(100 * round + number, &[seat]).await }
        });
        let answers = answers.await;
        let refused = answers.iter().filter(|answer| answer.is_err());
        let reasons: Vec<_> = refused.map(reason).collect();
        assert_eq!(reasons, ["SEAT_TAKEN"; 49]);
    }
    assert_eq!(world.seats().await, "hhhh.....");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_orders_at_four_places_at_once_stays_within_his_caps() {
    let (_directory, world) = crowded().await;
    for customer in 1..=25 {
        let answers = at_once(4, |place| {
            let world = world.clone();
            async move { world.hold(customer, &[&format!("A-{place}")]).await }
        });
        let (held, refused): (Vec<_>, Vec<_>) = answers.await.into_iter().partition(Result::is_ok);
        let reasons: Vec<_> = refused.iter().map(reason).collect();
        assert_eq!(reasons, ["RESERVATION_LIMIT_EXCEEDED"; 3], "customer {customer}");
        world.verify().await;
        world.release(customer, &held[0].clone().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_hold_that_has_lapsed_for_a_new_one_of_its_customer_does_not_come_back() {
    let world = World::new().await;
    let lapsed = world.hold(1, &["A-1", "A-2"]).await.unwrap();
    world.clock.advance(TTL);
    world.hold(1, &["A-3"]).await.unwrap();
    // One whose time began earlier commits later.
    world.clock.advance(-1);
    assert_eq!(reason(&world.lock(9, &lapsed).await), "HOLD_EXPIRED");
    assert_eq!(world.seats().await, "..h......");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn confirm_and_unlock_at_once_leave_one_of_them_with_the_seats() {
    let (_directory, world) = crowded().await;
    for saga in 1..=8 {
        let held = world.hold(saga, &[&format!("A-{saga}")]).await.unwrap();
        world.lock(saga, &held).await.unwrap();
        let confirm = persistent(|| world.confirm(saga, &held, Some(saga)));
        let unlock = persistent(|| world.unlock(saga, &held));
        let (confirmed, unlocked) = if saga % 2 == 0 {
            tokio::join!(confirm, unlock)
        } else {
            let (unlocked, confirmed) = tokio::join!(unlock, confirm);
            (confirmed, unlocked)
        };
        match confirmed {
            Ok(confirmed) => {
                assert_eq!(reason(&unlocked), "RESERVATION_CONFIRMED");
                assert_eq!(confirmed.tickets.len(), 1);
                assert_eq!(world.state(&held).await, State::Confirmed);
            }
            lost => {
                assert_eq!((reason(&lost), unlocked.unwrap().amount), ("LOCK_LOST".into(), 1_000));
                assert_eq!(world.state(&held).await, State::Held);
            }
        }
        world.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_sagas_that_lock_at_once_one_does_however_often_their_messages_come() {
    let (_directory, world) = crowded().await;
    for round in 1..=15 {
        let held = world.hold(round, &["A-1"]).await.unwrap();
        let answers = at_once(6, |number| {
            let (world, held, saga) = (world.clone(), held.clone(), 100 * round + number % 2);
            async move { persistent(|| world.lock(saga, &held)).await.map(|_| saga) }
        });
        let (locked, refused): (Vec<_>, Vec<_>) = answers.await.into_iter().partition(Result::is_ok);
        let winners: Vec<_> = locked.into_iter().map(Result::unwrap).collect();
        assert_eq!(winners, [winners[0]; 3]);
        let reasons: Vec<_> = refused.iter().map(reason).collect();
        assert_eq!(reasons, ["RESERVATION_LOCKED"; 3]);
        world.unlock(winners[0], &held).await.unwrap();
        world.release(round, &held).await.unwrap();
        world.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_who_sweep_at_once_end_each_hold_once() {
    let (_directory, world) = crowded().await;
    for round in 0..10 {
        for number in 1..=8 {
            world.hold(100 * round + number, &[&format!("A-{number}")]).await.unwrap();
        }
        world.clock.advance(TTL);
        let swept = at_once(3, |_| {
            let world = world.clone();
            async move { Ok(world.sweep().await) }
        });
        let swept: u64 = swept.await.into_iter().map(Result::unwrap).sum();
        assert_eq!((swept, world.seats().await.as_str()), (8, "........."));
        world.clock.advance(-TTL);
        world.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn seats_that_many_add_at_once_have_ordinals_in_a_row() {
    let (_directory, world) = crowded().await;
    let added = at_once(8, |row| {
        let world = world.clone();
        let seats: Vec<pb::Seat> = (1..=40).map(|number| seat(&format!("R{row}-{number}"))).collect();
        async move { world.create_seats(seats).await }
    });
    let added: Vec<_> = added.await.into_iter().map(|seats| seats.unwrap().len()).collect();
    assert_eq!(added, [40; 8]);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_change_the_same_version_of_a_concert_one_does() {
    let (_directory, world) = crowded().await;
    let name = world.performance.split("/performances").next().unwrap().to_owned();
    for round in 0..10 {
        let found = pb::GetConcertRequest { name: name.clone() };
        let etag = world.concerts.clone().get_concert(found).await.unwrap().into_inner().etag;
        let answers = at_once(4, |_| {
            let (mut concerts, name, etag) = (world.concerts.clone(), name.clone(), etag.clone());
            async move {
                match round % 2 {
                    0 => concerts.suspend_concert(pb::SuspendConcertRequest { name, etag }).await,
                    _ => concerts.publish_concert(pb::PublishConcertRequest { name, etag }).await,
                }
            }
        });
        let refused: Vec<_> = answers.await.into_iter().filter(Result::is_err).collect();
        assert_eq!(refused.iter().map(reason).collect::<Vec<_>>(), ["ETAG_MISMATCH"; 3]);
    }
}
