//! Sagas that are archived leave nothing behind but their effects, and those happen once for ever.

use proto::concert::v1 as pb;
use service_kit::db::Tx;
use service_kit::retention::{Forgotten, Retention, Settings};

use crate::world::{World, fact, id, refused};

static RETENTION: Retention = service_kit::retention!("concert");

const DAY_MS: i64 = 86_400_000;

async fn archived(world: &World, sagas: &[u128]) -> i64 {
    let sagas = sagas.iter().map(|saga| format!("sagas/{}", id(*saga))).collect();
    let notice = pb::PurgeSagaOperationsRequest { sagas };
    world.reservations.clone().purge_saga_operations(notice).await.unwrap().into_inner().known_count
}

async fn purge(world: &World) -> (u64, u64) {
    let Forgotten { sagas, answers } = RETENTION.purge(&world.host.db, Settings::default()).await.unwrap();
    (sagas, answers)
}

/// What is kept about steps, archived sagas and calls.
async fn kept(world: &World) -> (i64, i64, i64) {
    let read = async |tx: &mut Tx<'_>| {
        let sql = "select (select count(*) from concert_saga_op), (select count(*) from concert_archived_sagas), \
                   (select count(*) from concert_idempotency)";
        tx.fetch_one(sql, &[]).await
    };
    world.host.db.read(read).await.unwrap()
}

/// Two that were bought, by sagas 1 and 2; the first was given back, by saga 3, and saga 4 has thought better of the other.
async fn traded() -> (World, pb::Reservation, pb::Reservation) {
    let world = World::new().await;
    world.postpone(100).await;
    let mut order = world.order(1, &["A-1"]);
    order.request_id = id(77).to_string();
    let held = world.place(order).await.unwrap();
    world.lock(1, &held).await.unwrap();
    let first = world.confirm(1, &held, Some(1)).await.unwrap().reservation.unwrap();
    let second = world.buy(2, &["A-2"]).await;
    world.begin(3, &first).await.unwrap();
    world.commit(3, &first).await.unwrap();
    world.begin(4, &second).await.unwrap();
    world.abort(4, &second).await.unwrap();
    (world, first, second)
}

#[tokio::test]
async fn what_is_kept_of_archived_sagas_is_forgotten_after_the_horizon() {
    let (world, ..) = traded().await;
    assert_eq!(kept(&world).await, (7, 0, 1));
    world.clock.advance(40 * DAY_MS);
    assert_eq!(purge(&world).await, (0, 1), "nothing is known of the sagas, however old they are");
    assert_eq!(archived(&world, &[1, 2, 3, 4, 5]).await, 4);
    world.clock.advance(7 * DAY_MS);
    assert_eq!(purge(&world).await, (0, 0));
    world.clock.advance(1);
    assert_eq!(purge(&world).await, (4, 0));
    assert_eq!(kept(&world).await, (0, 0, 0));
    world.verify().await;
}

#[tokio::test]
async fn a_step_that_comes_after_all_that_has_no_second_effect() {
    let (world, first, second) = traded().await;
    archived(&world, &[1, 2, 3, 4]).await;
    world.clock.advance(8 * DAY_MS);
    assert_eq!(purge(&world).await.0, 4);
    let before = [world.reservation(&first).await, world.reservation(&second).await];
    assert_eq!(refused(&world.confirm(1, &first, Some(1)).await), "LOCK_LOST");
    assert_eq!(refused(&world.confirm(2, &second, Some(2)).await), "LOCK_LOST");
    assert_eq!(refused(&world.lock(1, &first).await), "RESERVATION_NOT_HELD");
    assert_eq!(refused(&world.commit(3, &first).await), "LOCK_LOST");
    assert_eq!(refused(&world.begin(3, &first).await), "RESERVATION_NOT_CONFIRMED");
    assert_eq!(world.unlock(2, &second).await.unwrap().reservation, None);
    assert_eq!(world.abort(4, &second).await.unwrap().reservation, None);
    assert_eq!([world.reservation(&first).await, world.reservation(&second).await], before);
    world.verify().await;
}

#[tokio::test]
async fn a_notice_that_names_no_sagas_is_refused_by_its_field() {
    let mut world = World::new().await;
    for sagas in [vec![], vec!["x".to_owned()]] {
        let answer = world.reservations.purge_saga_operations(pb::PurgeSagaOperationsRequest { sagas }).await;
        assert_eq!(fact(&answer, "field"), "sagas");
    }
}
