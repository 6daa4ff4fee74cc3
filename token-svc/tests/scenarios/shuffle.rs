//! Shuffled prequeues: who came before the opening stands in an order that anybody can check afterwards.

use proto::token::v1::WaitingRoom;
use proto::token::v1::waiting_room::{Ordering, State};
use service_kit::wire::timestamp;
use token_svc::shuffle::{self, Seed};
use tonic::Code;
use uuid::Uuid;

use crate::world::{T0, World, refusal, refused, small_room};

/// Opens ten seconds after the beginning, with a shuffled prequeue until then.
pub(crate) fn shuffled_room() -> WaitingRoom {
    WaitingRoom {
        ordering: Ordering::ShuffledPrequeue.into(),
        prequeue_open_time: Some(timestamp(T0)),
        open_time: Some(timestamp(T0 + 10_000)),
        max_active_tokens: 1_000,
        ..small_room()
    }
}

/// The id in a token's name.
fn id(token: &str) -> Uuid {
    Uuid::try_parse(token.rsplit('/').next().unwrap()).unwrap()
}

async fn sequences(world: &World, tokens: &[String]) -> Vec<Option<i64>> {
    let mut sequences = Vec::new();
    for token in tokens {
        sequences.push(world.poll(token).await.sequence);
    }
    sequences
}

#[tokio::test]
async fn anybody_can_compute_all_ranks_from_the_published_seed() {
    let world = World::new().await;
    let room = world.open(shuffled_room()).await;
    let before = world.room(&room).await;
    assert_eq!((before.shuffle_commitment.len(), before.shuffle_seed.len(), before.prequeued_count), (32, 0, None));
    let tokens = world.join(&room, 20).await;
    // One who has left takes part all the same, so that the others' ranks can be checked without knowing who did.
    world.leave(&tokens[7]).await;
    let waiting = world.poll(&tokens[0]).await;
    assert_eq!((waiting.sequence, waiting.ahead_count, waiting.behind_count), (None, 0, 0));
    world.verify().await;

    world.clock.advance(10_000);
    world.jobs.draw().await.unwrap();
    let late = world.issue(&room, 21).await.unwrap();
    assert_eq!(late.sequence, Some(21));
    let drawn = sequences(&world, &tokens).await;
    let opened = world.room(&room).await;
    assert_eq!((opened.state(), opened.prequeued_count), (State::Open, Some(20)));
    assert_eq!(opened.shuffle_commitment, before.shuffle_commitment);
    assert!(opened.shuffle_seed.is_empty());
    world.verify().await;

    let closed = world.close(&room).await;
    let seed = Seed(closed.shuffle_seed.try_into().unwrap());
    let ids: Vec<_> = tokens.iter().map(|token| id(token)).collect();
    let ranked = shuffle::verify_ranks(seed, &before.shuffle_commitment, &ids).unwrap();
    for (token, sequence) in ids.iter().zip(drawn) {
        let rank = ranked.iter().position(|ranked| ranked == token).unwrap();
        assert_eq!(sequence, Some(rank as i64 + 1));
    }
}

#[tokio::test]
async fn a_draw_that_was_cut_off_goes_on_to_the_same_order_and_nobody_gets_in_before_its_end() {
    let world = World::new().await;
    let room = world.open(shuffled_room()).await;
    let tokens = world.join(&room, 10).await;
    world.clock.advance(10_000);
    // Three places a batch: the process dies after two batches.
    world.jobs.draw_some(2).await.unwrap();
    let begun = sequences(&world, &tokens).await;
    assert_eq!(begun.iter().flatten().count(), 6);
    world.clock.advance(5_000);
    world.jobs.admit(0).await.unwrap();
    assert_eq!(world.room(&room).await.admitted_through, 0);
    // Whoever comes meanwhile queues behind, and whoever leaves loses nothing for the others.
    assert_eq!(world.issue(&room, 11).await.unwrap().sequence, Some(11));
    let undrawn = begun.iter().position(Option::is_none).unwrap();
    world.leave(&tokens[undrawn]).await;
    world.verify().await;

    world.jobs.draw().await.unwrap();
    let drawn = sequences(&world, &tokens).await;
    assert!(begun.iter().zip(&drawn).all(|(before, after)| before.is_none() || before == after));
    let mut sorted: Vec<_> = drawn.iter().map(|sequence| sequence.unwrap()).collect();
    sorted.sort_unstable();
    assert_eq!(sorted, (1..=10).collect::<Vec<_>>());
    let seed = Seed(world.close(&room).await.shuffle_seed.try_into().unwrap());
    let ids: Vec<_> = tokens.iter().map(|token| id(token)).collect();
    let commitment = world.room(&room).await.shuffle_commitment;
    let ranked = shuffle::verify_ranks(seed, &commitment, &ids).unwrap();
    for (token, sequence) in ids.iter().zip(sorted_by(&ids, &drawn)) {
        assert_eq!(ranked[sequence as usize - 1], *token);
    }
    world.verify().await;
}

/// The sequences in the order of the tokens.
fn sorted_by(ids: &[Uuid], drawn: &[Option<i64>]) -> Vec<i64> {
    ids.iter().zip(drawn).map(|(_, sequence)| sequence.unwrap()).collect()
}

#[tokio::test]
async fn who_began_to_join_before_the_opening_and_is_overtaken_by_one_who_came_after_it_stands_behind_him() {
    let world = World::new().await;
    let room = world.open(shuffled_room()).await;
    let mut tokens = world.join(&room, 3).await;
    world.clock.advance(10_000);
    let after = world.issue(&room, 4).await.unwrap();
    assert_eq!(after.sequence, Some(4));
    // A transaction goes by the time at which it began.
    world.clock.advance(-1);
    let overtaken = world.issue(&room, 5).await.unwrap();
    assert_eq!(overtaken.sequence, Some(5));
    tokens.extend([after.name, overtaken.name]);
    // Nobody draws the place of another.
    world.tick(4).await;
    let opened = world.room(&room).await;
    assert_eq!((opened.prequeued_count, opened.admitted_through, opened.waiting_count), (Some(3), 5, 0));
    assert_eq!(world.states(&tokens).await, "AAAAA");
    world.verify().await;
}

#[tokio::test]
async fn the_drawn_are_let_in_before_those_who_came_later() {
    let world = World::new().await;
    let room = world.open(shuffled_room()).await;
    let tokens = world.join(&room, 4).await;
    world.clock.advance(10_000);
    world.jobs.draw().await.unwrap();
    let late = world.issue(&room, 5).await.unwrap().name;
    world.tick(2).await;
    assert_eq!(world.states(&tokens).await, "AAAA");
    assert_eq!(world.states(std::slice::from_ref(&late)).await, "W");
    world.tick(1).await;
    assert_eq!(world.states(&[late]).await, "A");
    world.verify().await;
}

#[tokio::test]
async fn a_prequeue_that_nobody_came_to_holds_nobody_up() {
    let world = World::new().await;
    let room = world.open(shuffled_room()).await;
    world.clock.advance(10_000);
    let tokens = world.join(&room, 2).await;
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "AA");
    assert_eq!(world.room(&room).await.prequeued_count, Some(0));
    world.verify().await;
}

#[tokio::test]
async fn the_ordering_stays_once_people_may_come() {
    let world = World::new().await;
    let early = WaitingRoom { prequeue_open_time: Some(timestamp(T0 + 1_000)), ..shuffled_room() };
    let room = world.open(early).await;
    let fifo = WaitingRoom { name: room.clone(), ordering: Ordering::Fifo.into(), ..Default::default() };
    let changed = world.update(fifo.clone(), &["ordering"]).await.unwrap();
    assert_eq!((changed.ordering(), changed.shuffle_commitment.len()), (Ordering::Fifo, 0));
    let shuffled = WaitingRoom { ordering: Ordering::ShuffledPrequeue.into(), ..fifo.clone() };
    assert_eq!(world.update(shuffled, &["ordering"]).await.unwrap().shuffle_commitment.len(), 32);
    world.clock.advance(1_000);
    let invalid = refused(Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(refusal(world.update(fifo, &["ordering"]).await), invalid);
}

#[tokio::test]
async fn a_room_that_closes_before_it_opens_sends_everybody_away() {
    let world = World::new().await;
    let room = world.open(shuffled_room()).await;
    let tokens = world.join(&room, 5).await;
    world.close(&room).await;
    assert_eq!(world.states(&tokens).await, "EEEEE");
    world.sweep().await;
    world.clock.advance(20_000);
    world.jobs.draw().await.unwrap();
    world.tick(1).await;
    assert_eq!(world.room(&room).await.waiting_count, 0);
    world.verify().await;
}
