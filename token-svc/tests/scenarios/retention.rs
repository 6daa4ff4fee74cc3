//! Sagas that are archived leave nothing behind but their effects, and those happen once.

use proto::token::v1 as pb;
use service_kit::db;
use service_kit::retention::{Retention, Settings};
use service_kit::wire::timestamp;
use uuid::Uuid;

use crate::world::{T0, World};

static RETENTION: Retention = service_kit::retention!("token");

const DAY: i64 = 86_400_000;

/// Rows about steps and archived sagas.
async fn rows(world: &World) -> (i64, i64) {
    const COUNT: &str = "select (select count(*) from token_saga_op), (select count(*) from token_archived_sagas)";
    let counted: Result<_, db::Error> = world.host.db.read(async |tx| tx.fetch_one(COUNT, &[]).await).await;
    counted.unwrap()
}

#[tokio::test]
async fn a_step_of_an_archived_saga_is_forgotten_and_has_no_second_effect() {
    let world = World::new().await;
    let wanted = pb::WaitingRoom {
        open_time: Some(timestamp(T0 - 1_000)),
        max_active_tokens: 10,
        admissions_per_second: 10.0,
        ..Default::default()
    };
    let room = world.open(wanted).await;
    let tokens = world.join(&room, 2).await;
    world.tick(2).await;
    assert_eq!(world.states(&tokens).await, "AA");
    world.complete(&tokens[0], 1).await.unwrap();
    assert_eq!(rows(&world).await, (1, 0));

    let sagas = [1, 99].map(|saga| format!("sagas/{}", Uuid::from_u128(saga))).to_vec();
    let told = world.tokens.clone().purge_saga_operations(pb::PurgeSagaOperationsRequest { sagas }).await;
    assert_eq!(told.unwrap().into_inner().known_count, 1);
    world.clock.advance(7 * DAY + 1);
    assert_eq!(RETENTION.purge(&world.host.db, Settings::default()).await.unwrap().sagas, 1);
    assert_eq!(rows(&world).await, (0, 0));

    let before = (world.room(&room).await, world.poll(&tokens[0]).await);
    // Whatever it is answered.
    let late = world.complete(&tokens[0], 1).await.is_ok();
    assert_eq!((world.room(&room).await, world.poll(&tokens[0]).await), before, "{late}");
    world.verify().await;
}
