//! The rules hold whatever people do, and notice what breaks them.

use proto::token::v1::WaitingRoom;
use service_kit::args;
use service_kit::db;
use service_kit::ids::Ids;
use service_kit::wire::timestamp;

use crate::world::{T0, World, counts_in_tables, small_room};

/// Which rules are broken once `sql` has spoilt a room with two inside and two in line.
async fn broken_by(sql: &'static str) -> Vec<&'static str> {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 4).await;
    world.tick(1).await;
    world.states(&tokens).await;
    world.verify().await;
    world.host.db.write(async move |tx| tx.execute(sql, args![]).await).await.unwrap();
    let mut broken = Vec::new();
    for check in token_svc::verify::CHECKS {
        let findings = world.host.db.read(async move |tx| check.findings(tx).await);
        let findings: Result<_, db::Error> = findings.await;
        if !findings.unwrap().is_empty() {
            broken.push(check.id);
        }
    }
    broken
}

#[tokio::test]
async fn a_broken_rule_is_found() {
    // Where the tables do not count the line, they do not count wrong.
    if !counts_in_tables() {
        return;
    }
    let inside_too_early = "update token_tokens set state = 2, activate_time = 1, expire_time = 2 where sequence = 4";
    assert_eq!(broken_by(inside_too_early).await, ["Q1", "Q2"]);
    assert_eq!(broken_by("update token_tokens set state = 4 where sequence = 1").await, ["Q2"]);
    assert_eq!(broken_by("update token_rooms set waiting_count = 7").await, ["Q2"]);
    assert_eq!(broken_by("update token_rooms set max_active_tokens = 1").await, ["Q2"]);
    assert_eq!(broken_by("update token_tokens set sequence = 9 where sequence = 2").await, ["Q1", "Q2", "Q4"]);
    assert_eq!(broken_by("update token_rooms set issued_count = 9").await, ["Q4"]);
    assert_eq!(broken_by("update token_turns set through_sequence = 3").await, ["Q4"]);
    assert_eq!(broken_by("delete from token_tokens where sequence = 3").await, ["Q2", "Q4"]);
}

/// One of the many things that can happen to a room of a few dozen customers.
pub(crate) async fn anything(world: &World, room: &str, tokens: &mut Vec<String>, random: &Ids) {
    let below = |limit: u64| random.random() % limit;
    if let Some(token) = tokens.get(below(1 + tokens.len() as u64) as usize).cloned() {
        match below(10) {
            0 => drop(world.leave(&token).await),
            1 => drop(world.revoke(&token).await),
            2 | 3 => drop(world.complete(&token, below(20).into()).await),
            4 => drop(world.extend(&token, T0 + below(3_000_000) as i64).await),
            _ => drop(world.poll(&token).await),
        }
    }
    match below(13) {
        12 => {
            // Something comes back at once, mostly.
            drop(world.sell_out(room, true).await);
            if below(4) > 0 {
                drop(world.sell_out(room, false).await);
            }
        }
        0 => world.tick(1).await,
        1 => world.clock.advance(below(50_000) as i64),
        2 => world.sweep().await,
        3 => drop(world.pause(room).await),
        4 | 5 => {
            drop(world.resume(room).await);
            drop(world.sell_out(room, false).await);
        }
        _ => tokens.extend(world.issue(room, below(30).into()).await.ok().map(|token| token.name)),
    }
}

#[tokio::test]
async fn the_rules_hold_whatever_happens() {
    // A look at all the rules after every event takes a server ten times as long.
    let seeds = if testbed::Engine::named() == testbed::Engine::Sqlite { 10 } else { 2 };
    for seed in 0..seeds {
        println!("seed {seed}");
        let (world, random) = (World::new().await, Ids::seeded(seed));
        let room = WaitingRoom { max_waiting: 20, close_time: Some(timestamp(T0 + 4_000_000)), ..small_room() };
        let room = world.open(room).await;
        let mut tokens = Vec::new();
        for _ in 0..400 {
            anything(&world, &room, &mut tokens, &random).await;
            world.verify().await;
        }
        assert!(world.room(&room).await.admitted_through > 20);
    }
}
