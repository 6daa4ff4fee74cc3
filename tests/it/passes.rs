//! Concerts behind a waiting room: every seat is held from a place in it, and the books show who came round it.

use std::time::Duration;

use proto::concert::v1::HoldBestAvailableSeatsRequest;
use service_kit::db::Tx;
use skald_tests::{Held, World};

/// A while, so that nobody can have begun his hold before there was a waiting room.
const WHILE: Duration = Duration::from_secs(90);

/// A world whose concert is behind a waiting room, and one who has held a seat from a place in it.
async fn admitted() -> (World, String) {
    let world = World::new().await;
    let room = world.open_room().await;
    world.put_behind(&room, world.performance()).await;
    tokio::time::sleep(WHILE).await;
    let customer = world.customer(100_000).await;
    let pass = world.admit(&room, &customer).await.admission_pass;
    let reservation = world.hold_with(&pass, world.performance(), &customer, 1).await.unwrap();
    assert_eq!(world.buy(&Held { customer, reservation }).await.state().as_str_name(), "COMPLETED");
    (world, room)
}

async fn run(world: &World, sql: &'static str) {
    let changed = world.db.write(async move |tx: &mut Tx<'_>| tx.execute(sql, &[]).await).await.unwrap();
    assert!(changed > 0, "{sql}");
}

/// What breaks the rule of passes.
async fn came_round(world: &World) -> Vec<String> {
    let report = world.report().await;
    report.rules.into_iter().find(|rule| rule.id == "Q5").unwrap().findings
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_choice_to_the_house_holds_from_his_place_too() {
    let (world, room) = admitted().await;
    let customer = world.customer(0).await;
    let request = HoldBestAvailableSeatsRequest {
        admission_pass: world.admit(&room, &customer).await.admission_pass,
        customer,
        performance: world.performance().into(),
        seat_count: 2,
        ..Default::default()
    };
    world.reservations().hold_best_available_seats(request).await.unwrap();
    world.verify().await;
    run(
        &world,
        "update token_tokens set activate_time = null where create_time = (select max(create_time) from token_tokens)",
    )
    .await;
    assert_eq!(came_round(&world).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_came_round_the_waiting_room_is_found() {
    for breakage in [
        "update concert_reservations set queue_token = ''",
        "update concert_reservations set queue_token = 'a friend'",
        "update token_tokens set customer_id = room_id",
        "update token_tokens set activate_time = activate_time + 10000",
        "update token_tokens set activate_time = null",
        "delete from token_tokens",
        "update concert_concerts set waiting_room_id = concert_id",
    ] {
        let (world, _) = admitted().await;
        world.verify().await;
        run(&world, breakage).await;
        assert_eq!(came_round(&world).await.len(), 1, "after {breakage}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_books_cannot_know_is_no_violation() {
    for excuse in [
        // It was held before tokens were written down.
        &["update concert_reservations set queue_token = null"][..],
        // It was held before the concert got the waiting room, or nobody wrote down when it did.
        &["update concert_reservations set queue_token = ''", "update concert_concerts set waiting_room_time = null"],
        &["update concert_reservations set queue_token = '', create_time = create_time - 60000"],
        // The tokens of the room are being forgotten, or are.
        &["update token_rooms set settled = 1", "delete from token_tokens"],
        &["update token_rooms set settled = 1, purged = 1", "delete from token_tokens"],
    ] {
        let (world, _) = admitted().await;
        for sql in excuse {
            run(&world, sql).await;
        }
        assert_eq!(came_round(&world).await, Vec::<String>::new(), "after {excuse:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_settled_room_that_nothing_is_forgotten_of_excuses_nobody() {
    let (world, room) = admitted().await;
    let customer = world.customer(0).await;
    world.admit(&room, &customer).await;
    run(&world, "update token_rooms set settled = 1").await;
    assert_eq!(came_round(&world).await, Vec::<String>::new());
    run(
        &world,
        "update token_tokens set activate_time = null where create_time = (select max(create_time) from token_tokens)",
    )
    .await;
    assert_eq!(came_round(&world).await, Vec::<String>::new(), "nobody has held a seat from that place");
    run(&world, "update token_tokens set activate_time = null").await;
    assert_eq!(came_round(&world).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_concert_may_get_another_waiting_room_or_none() {
    let (world, _) = admitted().await;
    let other = world.open_room().await;
    world.put_behind(&other, world.performance()).await;
    world.verify().await;
    world.put_behind("", world.performance()).await;
    tokio::time::sleep(WHILE).await;
    world.held(2).await;
    world.verify().await;
}
