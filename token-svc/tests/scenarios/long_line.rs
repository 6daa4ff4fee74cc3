//! A poll costs the same however many wait. The million is for a person to measure:
//! `cargo test -p token-svc --release -- --ignored --nocapture a_million_wait`, with `SKALD_TEST_ENGINE=postgres` once more.

use std::sync::Arc;
use std::time::Duration;

use proto::token::v1 as pb;
use service_kit::args;
use service_kit::clock::SystemClock;
use service_kit::db::{self, Db, Tx};
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::wire::timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::world::{T0, World, config, counts_in_tables, customer_name, small_room};

/// Rows that travel together.
const CHUNK: u128 = 1_000;

/// The id of the token with that sequence, as it is made when people come: by time, and something random behind.
fn token_id(sequence: u128) -> Uuid {
    Uuid::from_u128((sequence << 72) | (sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xffff_ffff_ffff))
}

fn token_name(room: &str, sequence: u128) -> String {
    format!("{room}/queueTokens/{}", token_id(sequence))
}

/// Has customers 1 to `count` wait in a room, all at once.
async fn fill(db: &Db, room: &str, count: u128) {
    const INSERT: &str = "insert into token_tokens (room_id, token_id, customer_id, sequence, state, create_time) \
        values ($1, $2, $3, $4, 1, $5)";
    const UPDATE: &str = "update token_rooms set issued_count = $2, waiting_count = $2 where room_id = $1";
    let id = Uuid::try_parse(room.trim_start_matches("waitingRooms/")).unwrap();
    for first in (1..=count).step_by(CHUNK as usize) {
        let row = move |n: u128| args![id, token_id(n), Uuid::from_u128(n), n as i64, T0].to_vec();
        let last = count.min(first + CHUNK - 1);
        let insert = async move |tx: &mut Tx<'_>| {
            let rows: Vec<_> = (first..=last).map(|n| (INSERT, row(n))).collect();
            tx.execute_each(&rows).await.map(drop)
        };
        let inserted: Result<(), db::Error> = db.write(insert).await;
        inserted.unwrap();
    }
    let counted: Result<_, db::Error> =
        db.write(async move |tx: &mut Tx<'_>| tx.execute(UPDATE, args![id, count as i64]).await).await;
    counted.unwrap();
}

#[tokio::test]
async fn a_poll_costs_the_same_however_many_wait() {
    const POLLS: u64 = 400;
    let world = World::new().await;
    let lines = [("short", 1_000_u128), ("long", 100_000)];
    let mut rooms = Vec::new();
    for (_, waiting) in lines {
        let room = world.open(small_room()).await;
        fill(&world.host.db, &room, waiting).await;
        // Loads the line where it is kept outside.
        world.poll(&token_name(&room, 1)).await;
        rooms.push(room);
    }
    let (random, before) = (Ids::seeded(1), world.host.db.stats().units);
    let statements = world.host.db.statements();
    let mut times = [Vec::new(), Vec::new()];
    // One after the other, so that whatever else the machine does slows both down.
    for _ in 0..POLLS {
        for ((room, (_, waiting)), times) in rooms.iter().zip(lines).zip(&mut times) {
            let sequence = 1 + u128::from(random.random()) % waiting;
            let name = token_name(room, sequence);
            let started = Instant::now();
            let polled = world.poll(&name).await;
            times.push(started.elapsed());
            assert_eq!(polled.sequence, Some(sequence as i64));
        }
    }
    assert_eq!(world.host.db.stats().units, before, "a poll of one who waits writes nothing");
    // A read by keys; where the line is kept outside, none but for the room, which is read again now and then.
    let statements = world.host.db.statements() - statements;
    let expected = if counts_in_tables() { 2 * POLLS..=2 * POLLS } else { 0..=POLLS / 4 };
    assert!(expected.contains(&statements), "{statements} statements for {} polls", 2 * POLLS);
    let [short, long] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    println!("median poll: {short:?} with 1,000 waiting, {long:?} with 100,000");
    assert!(long < short * 3, "{long:?} against {short:?}");
}

fn rate(count: u128, took: Duration) -> u128 {
    count * 1_000 / took.as_millis().max(1)
}

/// What one of these lines takes to keep, in bytes.
async fn bytes(db: &Db, directory: &std::path::Path) -> u64 {
    const SIZE: &str = "select pg_total_relation_size('token_tokens')";
    match testbed::Engine::named() {
        testbed::Engine::Sqlite => {
            let files = std::fs::read_dir(directory).unwrap();
            files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
        }
        testbed::Engine::Postgres => {
            let size: Result<(i64,), db::Error> = db.read(async |tx: &mut Tx<'_>| tx.fetch_one(SIZE, &[]).await).await;
            size.unwrap().0 as u64
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and its figures are for people"]
async fn a_million_wait() {
    const CALLERS: u128 = 32;
    let waiting = std::env::var("SKALD_WAITING").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000_000_u128);
    let directory = tempfile::tempdir().unwrap();
    let db = testbed::threaded(directory.path(), Arc::new(SystemClock)).await;
    let host = Host::new(db.clone(), Arc::new(SystemClock), Ids::seeded(1));
    host.stop.cancel();
    let world = World::hosted(host, config()).await;
    let room = pb::WaitingRoom {
        open_time: Some(timestamp(T0)),
        max_active_tokens: 100_000,
        admissions_per_second: 10_000.0,
        ..small_room()
    };
    let room = world.open(room).await;
    let started = Instant::now();
    fill(&db, &room, waiting).await;
    println!(
        "{waiting} wait, {} bytes each in the tables, filled in {:?}",
        u128::from(bytes(&db, directory.path()).await) / waiting,
        started.elapsed()
    );
    let started = Instant::now();
    world.poll(&token_name(&room, waiting)).await;
    println!("first poll, which loads a line outside: {:?}", started.elapsed());

    let polls = async |each: u128| {
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (mut tokens, room) = (world.tokens.clone(), room.clone());
            callers.spawn(async move {
                let random = Ids::seeded(caller as u64);
                for _ in 0..each {
                    let name = token_name(&room, 1 + u128::from(random.random()) % waiting);
                    tokens.get_queue_token(pb::GetQueueTokenRequest { name }).await.unwrap();
                }
            });
        }
        callers.join_all().await;
    };
    polls(200).await;
    let started = Instant::now();
    polls(2_000).await;
    println!("polls: {}/s by {CALLERS} callers", rate(2_000 * CALLERS, started.elapsed()));

    let started = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (mut tokens, parent) = (world.tokens.clone(), room.clone());
        callers.spawn(async move {
            for n in 0..500 {
                let customer = customer_name(10_000_000 + caller * 1_000 + n);
                let request = pb::IssueQueueTokenRequest { parent: parent.clone(), customer, ..Default::default() };
                tokens.issue_queue_token(request).await.unwrap();
            }
        });
    }
    callers.join_all().await;
    println!("issues: {}/s by {CALLERS} callers", rate(500 * CALLERS, started.elapsed()));

    for _ in 0..2 {
        let started = Instant::now();
        world.jobs.admit(0).await.unwrap();
        let took = started.elapsed();
        println!("a tick that lets {} in: {took:?}", world.room(&room).await.admitted_through);
    }
    println!("line kept in {}", if counts_in_tables() { "the tables" } else { "Redis" });
}
