//! Whose turn comes when.

use proto::token::v1::WaitingRoom;
use proto::token::v1::queue_token::State;
use service_kit::wire::timestamp;

use crate::world::{T0, World, small_room};

#[tokio::test]
async fn who_comes_first_is_let_through_first() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 4).await;
    assert_eq!(world.states(&tokens).await, "WWWW");
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "AAWW");
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "AAAA");
    world.verify().await;
}

#[tokio::test]
async fn no_more_are_inside_than_the_cap_claimed_or_not() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 8).await;
    world.tick(10).await;
    let counted = world.room(&room).await;
    assert_eq!((counted.active_count, counted.admitted_through), (5, 5));
    assert_eq!(world.states(&tokens).await, "AAAAAWWW");

    world.complete(&tokens[0], 1).await.unwrap();
    world.leave(&tokens[3]).await;
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "CAALAAAW");
    world.verify().await;
}

#[tokio::test]
async fn a_turn_that_nobody_claims_in_time_is_given_back() {
    let world = World::new().await;
    let room = world.open(WaitingRoom { max_active_tokens: 2, ..small_room() }).await;
    let tokens = world.join(&room, 4).await;
    world.tick(1).await;
    assert_eq!(world.states(&tokens[1..2]).await, "A");

    world.clock.advance(59_999);
    world.sweep().await;
    assert_eq!(world.room(&room).await.active_count, 2);
    world.clock.advance(1);
    assert_eq!(world.states(&tokens).await, "EAWW");
    assert_eq!(world.room(&room).await.active_count, 1);

    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "EAAW");
    world.verify().await;
}

#[tokio::test]
async fn the_sweeper_gives_back_what_nobody_asks_about() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 5).await;
    world.tick(3).await;
    assert_eq!(world.states(&tokens[..2]).await, "AA");
    world.clock.advance(60_000);
    world.sweep().await;
    assert_eq!(world.room(&room).await.active_count, 2);
    world.clock.advance(600_000);
    world.sweep().await;
    assert_eq!(world.room(&room).await.active_count, 0);
    assert_eq!(world.states(&tokens).await, "EEEEE");
    world.verify().await;
}

#[tokio::test]
async fn those_who_left_are_passed_over_without_cost() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 5).await;
    for token in &tokens[..3] {
        world.leave(token).await;
    }
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "LLLAA");
    assert_eq!(world.room(&room).await.active_count, 2);
    world.verify().await;
}

#[tokio::test]
async fn nobody_is_let_through_before_the_room_opens() {
    let world = World::new().await;
    let (prequeue, open) = (timestamp(T0), timestamp(T0 + 3_000));
    let room = WaitingRoom { prequeue_open_time: Some(prequeue), open_time: Some(open), ..small_room() };
    let room = world.open(room).await;
    let tokens = world.join(&room, 3).await;
    world.tick(3).await;
    assert_eq!(world.states(&tokens).await, "WWW");
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "AAW");
    world.verify().await;
}

#[tokio::test]
async fn a_paused_room_keeps_everybody_and_makes_up_for_nothing() {
    let world = World::new().await;
    let room = world.open(WaitingRoom { max_active_tokens: 100, ..small_room() }).await;
    let tokens = world.join(&room, 6).await;
    world.tick(1).await;
    world.pause(&room).await.unwrap();
    world.tick(20).await;
    assert_eq!(world.states(&tokens).await, "AAWWWW");
    assert!(world.issue(&room, 7).await.is_ok());
    world.resume(&room).await.unwrap();
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "AAAAWW");
    world.verify().await;
}

#[tokio::test]
async fn a_lowered_cap_sends_nobody_away_and_lets_nobody_in() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 6).await;
    world.tick(2).await;
    assert_eq!(world.states(&tokens).await, "AAAAWW");
    world.clock.advance(1);
    let lower = WaitingRoom { name: room.clone(), max_active_tokens: 2, ..Default::default() };
    world.update(lower, &["max_active_tokens"]).await.unwrap();
    world.verify().await;

    for (saga, token) in (1..).zip(&tokens[..3]) {
        world.complete(token, saga).await.unwrap();
    }
    world.tick(5).await;
    assert_eq!(world.states(&tokens).await, "CCCAAW");
    world.verify().await;
}

#[tokio::test]
async fn a_poll_writes_nothing_while_it_waits() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 3).await;
    world.tick(1).await;
    let before = world.host.db.stats().units;
    assert_eq!(world.poll(&tokens[2]).await.state(), State::Waiting);
    assert_eq!(world.host.db.stats().units, before);
    world.poll(&tokens[0]).await;
    assert_eq!(world.host.db.stats().units, before + 1);
    world.poll(&tokens[0]).await;
    assert_eq!(world.host.db.stats().units, before + 1);
}

#[tokio::test]
async fn a_tick_is_one_write_for_everybody() {
    let world = World::new().await;
    let room = WaitingRoom { max_active_tokens: 1_000, admissions_per_second: 1_000.0, ..small_room() };
    let room = world.open(room).await;
    // Which also tells that it has opened, once.
    world.tick(1).await;
    world.join(&room, 1_000).await;
    let before = world.host.db.stats().units;
    world.tick(1).await;
    assert_eq!(world.host.db.stats().units, before + 1);
    assert_eq!(world.room(&room).await.admitted_through, 1_000);
    // Once nobody waits, a tick writes nothing.
    world.tick(1).await;
    let before = world.host.db.stats().units;
    world.tick(1).await;
    assert_eq!(world.host.db.stats().units, before);
    world.verify().await;
}
