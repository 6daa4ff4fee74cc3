//! Concerts behind a waiting room: only a pass of that room and that customer opens the sale.

use proto::concert::v1 as pb;
use service_kit::pass::{Claims, SigningKey};
use tonic::{Code, Status};

use concert_svc::HoldPlaced;

use crate::best::{any, best};
use crate::world::{NOW_MS, World, concert, customer, fact, id, reason};

const ROOM: u128 = 0x700;

fn room(number: u128) -> String {
    format!("waitingRooms/{}", id(number))
}

async fn roomed() -> World {
    World::with(pb::Concert { waiting_room: room(ROOM), ..concert() }).await
}

fn claims() -> Claims {
    Claims {
        room: room(ROOM),
        customer: customer(1),
        queue_token: format!("{}/queueTokens/{}", room(ROOM), id(3)),
        expire_time_s: NOW_MS / 1000 + 600,
    }
}

async fn hold_with(world: &World, pass: &str) -> Result<pb::Reservation, Status> {
    let mut order = world.order(1, &["A-1"]);
    order.admission_pass = pass.into();
    world.place(order).await
}

#[tokio::test]
async fn a_pass_opens_the_sale_and_its_room_is_told_of_the_hold() {
    let mut world = roomed().await;
    let pass = world.trusted_key().sign(&claims());
    hold_with(&world, &pass).await.unwrap();
    let placed =
        HoldPlaced { queue_token: claims().queue_token, customer: customer(1), hold_expire_ms: NOW_MS + 300_000 };
    assert_eq!(world.placed.try_recv(), Ok(placed));
}

#[tokio::test]
async fn who_leaves_the_choice_to_the_house_needs_the_pass_too() {
    let mut world = roomed().await;
    let order = |admission_pass| pb::HoldBestAvailableSeatsRequest { admission_pass, ..any(&world, 1, 2) };
    assert_eq!(reason(&best(&world, order(String::new())).await), "ADMISSION_PASS_MISSING");
    let other = Claims { customer: customer(2), ..claims() };
    assert_eq!(reason(&best(&world, order(world.trusted_key().sign(&other))).await), "ADMISSION_PASS_INVALID");
    assert_eq!(world.seats().await, ".........");
    best(&world, order(world.trusted_key().sign(&claims()))).await.unwrap();
    let placed =
        HoldPlaced { queue_token: claims().queue_token, customer: customer(1), hold_expire_ms: NOW_MS + 300_000 };
    assert_eq!(world.placed.try_recv(), Ok(placed));
}

#[tokio::test]
async fn no_other_pass_does() {
    let mut world = roomed().await;
    let key = world.trusted_key();
    let other_room = Claims { room: room(4), ..claims() };
    let other_customer = Claims { customer: customer(2), ..claims() };
    let forged = SigningKey::seeded("a", &[9; 32]).sign(&claims());
    for (pass, expected) in [
        ("", "ADMISSION_PASS_MISSING"),
        ("not a pass", "ADMISSION_PASS_INVALID"),
        (&forged, "ADMISSION_PASS_INVALID"),
        (&key.sign(&other_room), "ADMISSION_PASS_INVALID"),
        (&key.sign(&other_customer), "ADMISSION_PASS_INVALID"),
    ] {
        let answer = hold_with(&world, pass).await;
        assert_eq!(reason(&answer), expected, "{answer:?}");
        assert_eq!(fact(&answer, "waiting_room"), room(ROOM));
        assert_eq!(answer.unwrap_err().code(), Code::Unauthenticated);
    }
    assert!(world.placed.try_recv().is_err());
    assert_eq!(world.seats().await, ".........");
}

#[tokio::test]
async fn a_pass_opens_the_sale_until_its_time_is_over() {
    let world = roomed().await;
    let pass = world.trusted_key().sign(&claims());
    world.clock.advance(600_000);
    assert_eq!(reason(&hold_with(&world, &pass).await), "ADMISSION_PASS_EXPIRED");
    world.clock.advance(-1);
    hold_with(&world, &pass).await.unwrap();
}

#[tokio::test]
async fn a_checkout_demands_no_pass() {
    let world = roomed().await;
    let pass = world.trusted_key().sign(&claims());
    let held = hold_with(&world, &pass).await.unwrap();
    world.lock(9, &held).await.unwrap();
    world.confirm(9, &held, Some(1)).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn a_concert_without_a_waiting_room_asks_for_no_pass() {
    let world = World::new().await;
    hold_with(&world, "not a pass").await.unwrap();
}
