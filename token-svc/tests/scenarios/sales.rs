//! What stops admissions besides the operator's pause: a sale that has nothing left, and a host that is overloaded.

use proto::token::v1 as pb;
use tonic::Code;

use crate::world::{T0, World, refusal, refused, small_room};

#[tokio::test]
async fn a_sold_out_sale_turns_newcomers_away_and_keeps_the_line() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 6).await;
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "AAWWWW");
    for _ in 0..2 {
        let marked = world.sell_out(&room, true).await.unwrap();
        assert_eq!((marked.etag.as_str(), marked.sold_out_time.is_some()), ("2", true));
    }
    assert_eq!(refusal(world.issue(&room, 7).await), refused(Code::FailedPrecondition, "SOLD_OUT"));
    // Who has a place keeps it, and is told that it may be in vain.
    let kept = world.issue(&room, 3).await.unwrap();
    assert_eq!((kept.name.as_str(), kept.sold_out), (tokens[2].as_str(), true));
    assert_eq!(kept.poll_interval.unwrap().seconds, 60);
    world.tick(30).await;
    assert_eq!(world.states(&tokens).await, "AAWWWW");
    world.complete(&tokens[0], 1).await.unwrap();

    for _ in 0..2 {
        assert_eq!(world.sell_out(&room, false).await.unwrap().sold_out_time, None);
    }
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "CAAAWW");
    assert!(world.issue(&room, 7).await.is_ok());
    world.verify().await;
}

#[tokio::test]
async fn a_closed_room_cannot_sell_out_any_more() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    world.close(&room).await;
    let closed = refused(Code::FailedPrecondition, "WAITING_ROOM_CLOSED");
    assert_eq!(refusal(world.sell_out(&room, true).await), closed);
    assert_eq!(refusal(world.sell_out(&room, false).await), closed);
    let long = pb::MarkSoldOutRequest { name: room, reason: "x".repeat(501) };
    let refused_field = refusal(world.rooms.clone().mark_sold_out(long).await);
    assert_eq!(refused_field, refused(Code::InvalidArgument, "FIELD_INVALID"));
}

#[tokio::test]
async fn while_the_brake_is_on_nobody_is_let_in_and_it_lets_go_by_itself() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 4).await;
    world.tick(1).await;
    world.brake.pull_until(T0 + 5_000);
    world.brake.pull_until(T0 + 2_000);
    world.tick(3).await;
    assert_eq!(world.states(&tokens).await, "AAWW");
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "AAAA");
    world.verify().await;
}
