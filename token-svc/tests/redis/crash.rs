//! Processes that die between what they write in Redis and what they write in the tables. What they leave is made here by
//! hand, in Redis' own words.

use proto::token::v1::WaitingRoom;
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use testbed::redis::Server;
use token_svc::Config;
use uuid::Uuid;

use crate::world::{World, config, customer_name, small_room};

/// A service, its room, and a hand in its line.
struct Stage {
    world: World,
    room: String,
    redis: MultiplexedConnection,
    _server: Server,
}

impl Stage {
    async fn new() -> Self {
        let server = Server::start().unwrap();
        let world = World::configured(Config { store: server.url(), ..config() }).await;
        let room = world.open(WaitingRoom { max_active_tokens: 100, ..small_room() }).await;
        let redis = redis::Client::open(server.url()).unwrap();
        let redis = redis.get_multiplexed_async_connection().await.unwrap();
        Self { world, room, redis, _server: server }
    }

    fn key(&self, name: &str) -> String {
        format!("wr:{{{}}}:{name}", self.room.trim_start_matches("waitingRooms/"))
    }

    async fn head(&self) -> i64 {
        self.world.room(&self.room).await.admitted_through
    }
}

#[tokio::test]
async fn what_a_leader_wrote_down_before_it_died_the_next_tick_does_and_no_more() {
    let mut stage = Stage::new().await;
    let tokens = stage.world.join(&stage.room, 6).await;
    stage.world.tick(1).await;
    // The tables know of two turns that Redis has not given.
    let (admitted, active) = (stage.key("admitted"), stage.key("active"));
    let _: () = stage.redis.set(admitted, 0).await.unwrap();
    let _: () = stage.redis.del(active).await.unwrap();
    assert_eq!(stage.world.states(&tokens).await, "WWWWWW");
    stage.world.verify().await;
    stage.world.tick(1).await;
    assert_eq!(stage.head().await, 2);
    stage.world.tick(1).await;
    assert_eq!(stage.head().await, 2 + 4);
    assert_eq!(stage.world.states(&tokens).await, "AAAAAA");
    stage.world.verify().await;
}

#[tokio::test]
async fn a_line_from_an_old_copy_is_loaded_anew() {
    let mut stage = Stage::new().await;
    let mut tokens = stage.world.join(&stage.room, 4).await;
    let (admitted, seq, active) = (stage.key("admitted"), stage.key("seq"), stage.key("active"));
    stage.world.tick(2).await;
    assert_eq!(stage.world.states(&tokens).await, "AAAA");
    tokens.extend([stage.world.issue(&stage.room, 5).await.unwrap().name]);
    // As it was when there were three, of whom nobody was in.
    let _: () = stage.redis.set(admitted, 0).await.unwrap();
    let _: () = stage.redis.set(seq, 3).await.unwrap();
    let _: () = stage.redis.del(active).await.unwrap();
    let next = stage.key("line");
    let _: () = stage.redis.hset(next, "next", 0).await.unwrap();
    // The next sequence would be one that somebody has.
    let sixth = stage.world.issue(&stage.room, 6).await.unwrap();
    stage.world.tick(1).await;
    stage.world.tick(1).await;
    let seventh = stage.world.issue(&stage.room, 7).await.unwrap();
    tokens.extend([sixth.name, seventh.name]);
    assert_eq!(stage.world.states(&tokens[..5]).await, "AAAAA");
    assert!(stage.head().await >= 5);
    stage.world.verify().await;
}

#[tokio::test]
async fn a_place_that_nobody_was_told_of_is_given_anew_and_its_turn_given_back() {
    let mut stage = Stage::new().await;
    stage.world.join(&stage.room, 1).await;
    // A process gave the second place, and died before it wrote the token's row.
    let (lost, customer) = (Uuid::from_u128(77), Uuid::from_u128(2));
    let (seq, token, holder) = (stage.key("seq"), stage.key(&format!("t:{lost}")), stage.key(&format!("c:{customer}")));
    let _: () = stage.redis.incr(seq, 1).await.unwrap();
    let fields = [("s", "2".to_owned()), ("st", "1".into()), ("c", customer.to_string()), ("t", "0".into())];
    let _: () = stage.redis.hset_multiple(token, &fields).await.unwrap();
    let _: () = stage.redis.set(holder, lost.to_string()).await.unwrap();
    let issued = stage.world.issue(&stage.room, 2).await.unwrap();
    assert_eq!((issued.sequence, issued.customer), (Some(3), customer_name(2)));
    stage.world.tick(2).await;
    assert_eq!(stage.world.room(&stage.room).await.active_count, 3);
    // Three have their turn, of which one belongs to nobody.
    assert_eq!(stage.world.states(&[issued.name]).await, "A");
    stage.world.clock.advance(60_000);
    stage.world.sweep().await;
    stage.world.clock.advance(15_000);
    stage.world.sweep().await;
    assert_eq!(stage.world.room(&stage.room).await.active_count, 1);
    stage.world.verify().await;
}
