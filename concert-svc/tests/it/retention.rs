//! Sagas that are archived leave nothing behind but their effects, and those happen once.

use proto::concert::v1 as pb;
use proto::concert::v1::reservation::State;
use service_kit::db;
use service_kit::retention::{Retention, Settings};

use crate::world::{World, id};

static RETENTION: Retention = service_kit::retention!("concert");

const DAY: i64 = 86_400_000;

/// Rows about steps and archived sagas.
async fn rows(world: &World) -> (i64, i64) {
    const COUNT: &str = "select (select count(*) from concert_saga_op), (select count(*) from concert_archived_sagas)";
    let counted: Result<_, db::Error> = world.host.db.read(async |tx| tx.fetch_one(COUNT, &[]).await).await;
    counted.unwrap()
}

#[tokio::test]
async fn a_step_of_an_archived_saga_is_forgotten_and_has_no_second_effect() {
    let world = World::new().await;
    world.postpone(60).await;
    let sold = world.buy(1, &["A-1"]).await;
    let cancelled = world.buy(2, &["A-2"]).await;
    world.begin(12, &cancelled).await.unwrap();
    world.commit(12, &cancelled).await.unwrap();
    let held = world.hold(3, &["A-3"]).await.unwrap();
    world.lock(3, &held).await.unwrap();
    world.unlock(3, &held).await.unwrap();
    assert_eq!(rows(&world).await, (7, 0));

    let sagas = [1, 2, 12, 3, 99].map(|saga| format!("sagas/{}", id(saga))).to_vec();
    let told = world.reservations.clone().purge_saga_operations(pb::PurgeSagaOperationsRequest { sagas }).await;
    assert_eq!(told.unwrap().into_inner().known_count, 4);
    world.clock.advance(7 * DAY + 1);
    world.sweep().await;
    assert_eq!(RETENTION.purge(&world.host.db, Settings::default()).await.unwrap().sagas, 4);
    assert_eq!(rows(&world).await, (0, 0));

    let seats = world.seats().await;
    // Whatever they are answered.
    let late = [
        world.lock(1, &sold).await.is_ok(),
        world.lock(2, &cancelled).await.is_ok(),
        world.lock(3, &held).await.is_ok(),
        world.confirm(1, &sold, Some(1)).await.is_ok(),
        world.confirm(2, &cancelled, Some(2)).await.is_ok(),
        world.begin(12, &cancelled).await.is_ok(),
        world.commit(12, &cancelled).await.is_ok(),
    ];
    let states = [world.state(&sold).await, world.state(&cancelled).await, world.state(&held).await];
    assert_eq!(states, [State::Confirmed, State::Cancelled, State::Expired], "{late:?}");
    assert_eq!(world.seats().await, seats, "{late:?}");
    world.verify().await;
}
