//! Performances that will not take place: what ends at once, what is refused, and what is left to give back.

use proto::concert::v1 as pb;
use proto::concert::v1::reservation::State;
use service_kit::db::Tx;
use service_kit::wire::timestamp;
use tonic::Code;

use crate::world::{NOW_MS, World, concert, fact, id, reason, refused, seat};

const TTL: i64 = 300_000;

#[tokio::test]
async fn from_its_cancellation_on_a_performance_is_neither_held_nor_locked_nor_confirmed() {
    let world = World::new().await;
    let (held, locked) = (world.hold(1, &["A-1", "A-2"]).await.unwrap(), world.hold(2, &["A-3"]).await.unwrap());
    let sold = world.buy(3, &["A-4"]).await;
    world.lock(20, &locked).await.unwrap();
    world.clock.advance(1_000);
    let cancelled = world.cancel_performance(world.cancel_request()).await.unwrap();
    assert_eq!(cancelled.state(), pb::performance::State::Cancelled);

    // What was only held has ended; what is locked or sold waits for its saga.
    assert_eq!(world.seats().await, "..hS.....");
    let states = [world.state(&held).await, world.state(&locked).await, world.state(&sold).await];
    assert_eq!(states, [State::Expired, State::Confirming, State::Confirmed]);
    world.verify().await;

    assert_eq!(reason(&world.hold(4, &["A-5"]).await), "PERFORMANCE_CANCELLED");
    assert_eq!(refused(&world.lock(10, &held).await), "PERFORMANCE_CANCELLED");
    assert_eq!(refused(&world.confirm(20, &locked, Some(2)).await), "PERFORMANCE_CANCELLED");
    // The hold does not come back to life for the checkout that has failed.
    let unlocked = world.unlock(20, &locked).await.unwrap().reservation.unwrap();
    assert_eq!(unlocked.state(), State::Expired);
    assert_eq!(world.seats().await, "...S.....");
    world.verify().await;

    // Late, and yet whole.
    world.clock.advance(86_400_000);
    let begun = world.begin(30, &sold).await.unwrap();
    assert_eq!(begun.amount, 1_000);
    world.commit(30, &sold).await.unwrap();
    assert_eq!(world.seats().await, ".........");
    world.verify().await;
}

#[tokio::test]
async fn a_cancellation_is_one_however_often_it_is_asked_for_and_its_reason_is_kept() {
    let world = World::new().await;
    let before = world.create_performance(world.performance.split("/performances").next().unwrap()).await.unwrap();
    let mut request = world.cancel_request();
    request.request_id = id(9).to_string();
    let cancelled = world.cancel_performance(request.clone()).await.unwrap();
    assert_eq!(world.cancel_performance(request.clone()).await.unwrap(), cancelled);
    // Whoever asks anew finds it done.
    assert_eq!(world.cancel_performance(world.cancel_request()).await.unwrap(), cancelled);
    request.reason = "Another.".into();
    assert_eq!(reason(&world.cancel_performance(request).await), "REQUEST_ID_REUSED");

    let read = async |tx: &mut Tx<'_>| {
        let sql = "select from_state, to_state, request_id, reason, create_time from concert_catalogue_transitions \
                   where to_state = 2 and reason <> ''";
        tx.fetch_all::<(i64, i64, uuid::Uuid, String, i64)>(sql, &[]).await
    };
    let kept = world.host.db.read(read).await.unwrap();
    assert_eq!(kept, [(1, 2, id(9), "The singer is ill.".to_owned(), NOW_MS)]);
    let other = pb::GetPerformanceRequest { name: before.name.clone() };
    assert_eq!(world.concerts.clone().get_performance(other).await.unwrap().into_inner(), before);
}

#[tokio::test]
async fn each_change_of_a_concert_and_a_performance_is_written_down() {
    let mut world = World::new().await;
    let concert = world.performance.split("/performances").next().unwrap().to_owned();
    let (name, etag) = (concert.clone(), String::new());
    world.concerts.suspend_concert(pb::SuspendConcertRequest { name, etag: etag.clone() }).await.unwrap();
    world.concerts.close_concert(pb::CloseConcertRequest { name: concert, etag }).await.unwrap();
    world.clock.advance(30 * 86_400_000);
    assert_eq!(concert_svc::jobs::close_performances(&world.host.db, 10).await.unwrap(), 1);
    let read = async |tx: &mut Tx<'_>| {
        let sql = "select t.version, t.from_state, t.to_state, case when k.concert_id is null then 1 else 0 end \
                   from concert_catalogue_transitions t left join concert_concerts k on k.concert_id = t.aggregate_id \
                   and k.version >= t.version order by 4, t.version";
        tx.fetch_all::<(i64, i64, i64, i64)>(sql, &[]).await
    };
    let kept = world.host.db.read(read).await.unwrap();
    // Published, suspended, closed; its evening got seats, and was over.
    assert_eq!(kept, [(2, 1, 2, 0), (3, 2, 3, 0), (4, 3, 4, 0), (3, 1, 3, 1)]);
}

#[tokio::test]
async fn a_cancellation_that_was_cut_short_is_finished_by_its_repeat() {
    let world = World::new().await;
    let mut request = world.cancel_request();
    request.request_id = id(9).to_string();
    world.cancel_performance(request.clone()).await.unwrap();
    // As it is when the process ended before it came to the holds.
    world.run("update concert_performances set state = 1").await;
    let held = world.hold(1, &["A-1"]).await.unwrap();
    world.run("update concert_performances set state = 2").await;
    world.cancel_performance(request).await.unwrap();
    assert_eq!((world.state(&held).await, world.seats().await.as_str()), (State::Expired, "........."));
    world.verify().await;
}

#[tokio::test]
async fn a_cancellation_is_refused_of_another_version_of_what_is_over_and_of_what_is_not_there() {
    let world = World::new().await;
    let stale = pb::CancelPerformanceRequest { etag: "0".into(), ..world.cancel_request() };
    let answer = world.cancel_performance(stale).await;
    assert_eq!((reason(&answer), answer.unwrap_err().code()), ("ETAG_MISMATCH".into(), Code::Aborted));
    let (concert, _) = world.performance.split_once("/performances").unwrap();
    let unknown = format!("{concert}/performances/{}", id(1));
    let answer = world.cancel_performance(pb::CancelPerformanceRequest { name: unknown, ..world.cancel_request() });
    assert_eq!(reason(&answer.await), "PERFORMANCE_NOT_FOUND");
    for (field, request) in [
        ("name", pb::CancelPerformanceRequest { name: "x".into(), ..world.cancel_request() }),
        ("reason", pb::CancelPerformanceRequest { reason: String::new(), ..world.cancel_request() }),
        ("reason", pb::CancelPerformanceRequest { reason: "x".repeat(501), ..world.cancel_request() }),
        ("request_id", pb::CancelPerformanceRequest { request_id: "x".into(), ..world.cancel_request() }),
    ] {
        assert_eq!(fact(&world.cancel_performance(request).await, "field"), field);
    }
    world.run("update concert_performances set state = 3").await;
    let over = world.cancel_performance(world.cancel_request()).await;
    assert_eq!((reason(&over), fact(&over, "state")), ("PERFORMANCE_PERFORMED".into(), "PERFORMED".into()));

    world.run("update concert_performances set state = 1").await;
    let found = pb::GetPerformanceRequest { name: world.performance.clone() };
    let etag = world.concerts.clone().get_performance(found).await.unwrap().into_inner().etag;
    world.cancel_performance(pb::CancelPerformanceRequest { etag, ..world.cancel_request() }).await.unwrap();
}

#[tokio::test]
async fn more_holds_than_a_batch_has_all_end_and_each_is_written_down() {
    let config = concert_svc::Config { sweep_batch: 3, ..Default::default() };
    let world = World::configured(config).await;
    for number in 1..=8 {
        world.hold(number, &[&format!("A-{number}")]).await.unwrap();
    }
    world.cancel_performance(world.cancel_request()).await.unwrap();
    assert_eq!(world.seats().await, ".........");
    let read = async |tx: &mut Tx<'_>| {
        let sql = "select actor, reason, count(*) from concert_reservation_transitions where to_state = 6 \
                   group by actor, reason";
        tx.fetch_all::<(String, String, i64)>(sql, &[]).await
    };
    let kept = world.host.db.read(read).await.unwrap();
    assert_eq!(kept, [("operator".to_owned(), "PERFORMANCE_CANCELLED".to_owned(), 8)]);
    world.verify().await;
}

#[tokio::test]
async fn what_is_left_to_give_back_is_listed_until_nothing_is() {
    let mut world = World::new().await;
    let mut expected = Vec::new();
    let concert = world.performance.split("/performances").next().unwrap().to_owned();
    for evening in 0..4_u128 {
        if evening > 0 {
            world.performance = world.create_performance(&concert).await.unwrap().name;
            let seats = (1..=4).map(|number| seat(&format!("A-{number}")));
            world.create_seats(seats.collect()).await.unwrap();
        }
        let who = 10 * evening;
        let sold = [world.buy(who + 1, &["A-1"]).await, world.buy(who + 2, &["A-2"]).await];
        let locked = world.hold(who + 3, &["A-3"]).await.unwrap();
        world.lock(who + 3, &locked).await.unwrap();
        world.hold(who + 4, &["A-4"]).await.unwrap();
        // The second evening takes place, and of the third nothing is left.
        match evening {
            1 => continue,
            2 => {
                for (number, sold) in (1..).zip(&sold) {
                    world.begin(100 + number, sold).await.unwrap();
                    world.commit(100 + number, sold).await.unwrap();
                }
                world.unlock(who + 3, &locked).await.unwrap();
            }
            _ => expected.push((world.performance.clone(), sold, locked)),
        }
        assert_eq!(world.to_cancel(10).await.len(), if evening == 3 { 3 } else { 3 * usize::from(evening > 0) });
        world.cancel_performance(world.cancel_request()).await.unwrap();
    }
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    let names: Vec<_> = expected.iter().flat_map(|(_, sold, locked)| sold.iter().chain([locked])).collect();
    let names: Vec<_> = names.into_iter().map(|reservation| reservation.name.clone()).collect();
    for size in [1, 2, 4, 6, 7] {
        let listed = world.to_cancel(size).await;
        let listed: Vec<_> = listed.into_iter().map(|reservation| reservation.name).collect();
        assert_eq!(listed, names, "pages of {size}");
    }

    for (number, reservation) in (200..).zip(world.to_cancel(10).await) {
        if reservation.state() == State::Confirmed {
            world.begin(number, &reservation).await.unwrap();
            // It is its saga's now.
            world.commit(number, &reservation).await.unwrap();
        } else {
            let saga: uuid::Uuid = reservation.lock_saga.strip_prefix("sagas/").unwrap().parse().unwrap();
            world.unlock(saga.as_u128(), &reservation).await.unwrap();
        }
        world.verify().await;
    }
    assert_eq!(world.to_cancel(10).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_confirmation_that_meets_the_cancellation_of_its_performance_is_refused_or_left_to_give_back() {
    let directory = tempfile::tempdir().unwrap();
    let on_sale = pb::Concert { booking_close_time: Some(timestamp(NOW_MS + 10 * TTL)), ..concert() };
    let mut world = World::threaded(directory.path(), on_sale).await;
    let concert = world.performance.split("/performances").next().unwrap().to_owned();
    for round in 1..=20 {
        world.performance = world.create_performance(&concert).await.unwrap().name;
        world.create_seats(vec![seat("A-1"), seat("A-2")]).await.unwrap();
        let held = world.hold(round, &["A-1"]).await.unwrap();
        world.lock(round, &held).await.unwrap();
        let confirm = world.confirm(round, &held, Some(round));
        let cancel = world.cancel_performance(world.cancel_request());
        let other = world.hold(1_000 + round, &["A-2"]);
        let (confirmed, cancelled, other) = if round % 2 == 0 {
            tokio::join!(confirm, cancel, other)
        } else {
            let (other, cancelled, confirmed) = tokio::join!(other, cancel, confirm);
            (confirmed, cancelled, other)
        };
        cancelled.unwrap();
        let listed: Vec<_> = world.to_cancel(10).await.into_iter().map(|reservation| reservation.name).collect();
        match confirmed {
            Ok(_) => {
                assert_eq!(listed, std::slice::from_ref(&held.name), "round {round}");
                assert_eq!(world.begin(500 + round, &held).await.unwrap().amount, 1_000);
                world.commit(500 + round, &held).await.unwrap();
            }
            lost => {
                assert_eq!(refused(&lost), "PERFORMANCE_CANCELLED");
                world.unlock(round, &held).await.unwrap();
            }
        }
        assert_eq!(world.to_cancel(10).await, []);
        // A hold that came at the same moment is of no use, and lapses in its time.
        if let Ok(other) = other {
            assert_eq!(refused(&world.lock(2_000 + round, &other).await), "PERFORMANCE_CANCELLED");
        }
        world.verify().await;
    }
}
