//! What is left when Redis loses everything, or the processes around it die: whatever anybody was told still holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::token::v1::queue_token::State;
use proto::token::v1::waiting_room::Ordering;
use proto::token::v1::{GetQueueTokenRequest, QueueToken, WaitingRoom};
use service_kit::clock::ManualClock;
use service_kit::ids::Ids;
use service_kit::wire::timestamp;
use testbed::redis::Server;
use token_svc::Config;
use tonic::{Code, Response, Status};

use crate::shuffle::shuffled_room;
use crate::verify::anything;
use crate::world::{T0, World, completion, config, customer_name, refusal, refused, small_room};

/// A service whose line is on a server that can be stopped.
async fn service(server: &Server) -> World {
    World::configured(Config { store: server.url(), ..config() }).await
}

/// What each token was told: its state and its sequence.
async fn told(world: &World, tokens: &[String]) -> BTreeMap<String, (State, Option<i64>)> {
    let mut told = BTreeMap::new();
    for token in tokens {
        let polled = world.poll(token).await;
        told.insert(token.clone(), (polled.state(), polled.sequence));
    }
    told
}

async fn poll(world: &World, token: &str) -> Result<QueueToken, Status> {
    let request = GetQueueTokenRequest { name: token.into() };
    world.tokens.clone().get_queue_token(request).await.map(Response::into_inner)
}

#[tokio::test]
async fn a_wiped_line_is_loaded_again_with_every_place_and_every_turn() {
    let mut server = Server::start().unwrap();
    let world = service(&server).await;
    let room = world.open(WaitingRoom { max_active_tokens: 8, ..small_room() }).await;
    let tokens = world.join(&room, 30).await;
    world.tick(4).await;
    // Of eight whose turn has come, four are in, one has bought, one has left, and two have not asked yet.
    assert_eq!(world.states(&tokens[..6]).await, "AAAAAA");
    world.complete(&tokens[0], 1).await.unwrap();
    world.leave(&tokens[1]).await;
    world.leave(&tokens[20]).await;
    let before = told(&world, &tokens[..6]).await;
    let waiting = told(&world, &tokens[8..]).await;
    let counted = world.room(&room).await;
    assert_eq!((counted.admitted_through, counted.active_count, counted.waiting_count), (8, 6, 21));

    server.restart().unwrap();

    assert_eq!(told(&world, &tokens[..6]).await, before);
    assert_eq!(told(&world, &tokens[8..]).await, waiting);
    // Those who had their turn and had not asked have it still.
    assert_eq!(world.states(&tokens[6..8]).await, "AA");
    assert_eq!(world.room(&room).await, counted);
    world.verify().await;
    // One live token a customer, and the next sequence for the next one.
    assert_eq!(world.issue(&room, 9).await.unwrap().name, tokens[8]);
    assert_eq!(world.issue(&room, 31).await.unwrap().sequence, Some(31));
    world.tick(1).await;
    assert_eq!(world.states(&tokens[8..11]).await, "AAW");
    world.verify().await;
}

#[tokio::test]
async fn whatever_happens_no_sequence_and_no_head_falls_when_redis_is_wiped_again_and_again() {
    for seed in 0..3 {
        println!("seed {seed}");
        let mut server = Server::start().unwrap();
        let (world, random) = (service(&server).await, Ids::seeded(seed));
        let room = world.open(small_room()).await;
        let (mut tokens, mut head, mut issued) = (Vec::new(), 0, 0);
        let mut sequences: BTreeMap<String, i64> = BTreeMap::new();
        for step in 0..150 {
            anything(&world, &room, &mut tokens, &random).await;
            if step % 30 == 29 {
                let before = told(&world, &tokens).await;
                server.restart().unwrap();
                for (token, (state, sequence)) in told(&world, &tokens).await {
                    let (state_before, sequence_before) = before[&token];
                    // Nobody who is in is put back in line, and nobody who is out is in again.
                    assert_eq!((state, sequence), (state_before, sequence_before), "{token}");
                }
            }
            let now = world.room(&room).await;
            assert!(now.admitted_through >= head && now.issued_count >= issued, "{now:?} after {head} of {issued}");
            (head, issued) = (now.admitted_through, now.issued_count);
            for token in &tokens {
                if let Some(sequence) = world.poll(token).await.sequence {
                    assert_eq!(*sequences.entry(token.clone()).or_insert(sequence), sequence);
                }
            }
            world.verify().await;
        }
        assert!(head > 5, "{head}");
    }
}

#[tokio::test]
async fn a_draw_outlives_the_loss_of_redis_in_its_middle() {
    let mut server = Server::start().unwrap();
    let world = service(&server).await;
    let shuffled = WaitingRoom {
        ordering: Ordering::ShuffledPrequeue.into(),
        prequeue_open_time: Some(timestamp(T0)),
        open_time: Some(timestamp(T0 + 10_000)),
        ..small_room()
    };
    let room = world.open(shuffled).await;
    let tokens = world.join(&room, 10).await;
    world.clock.advance(10_000);
    world.jobs.draw_some(2).await.unwrap();
    let begun = told(&world, &tokens).await;
    server.restart().unwrap();
    assert_eq!(told(&world, &tokens).await, begun);
    assert_eq!(world.issue(&room, 11).await.unwrap().sequence, Some(11));
    world.jobs.draw().await.unwrap();
    for (token, (_, sequence)) in told(&world, &tokens).await {
        let (_, before) = begun[&token];
        assert!(sequence.is_some() && before.is_none_or(|before| Some(before) == sequence));
    }
    world.tick(3).await;
    assert_eq!(world.room(&room).await.active_count, 5);
    world.verify().await;
}

#[tokio::test]
async fn without_redis_those_who_are_in_can_buy_and_leave_and_nothing_is_lost() {
    let mut server = Server::start().unwrap();
    let world = service(&server).await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 4).await;
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "AAWW");
    server.stop().unwrap();
    // A purchase is final whether the line is there or not.
    world.complete(&tokens[0], 1).await.unwrap();
    assert_eq!(world.leave(&tokens[1]).await.state(), State::Left);
    assert!(world.issue(&room, 5).await.is_err());
    assert_eq!(world.room(&room).await.admitted_through, 2);
    server.restart().unwrap();
    assert_eq!(world.states(&tokens).await, "CLWW");
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "CLAA");
    world.verify().await;
}

#[tokio::test]
async fn a_service_starts_without_redis_and_its_lines_go_on_once_it_is_there() {
    let mut server = Server::start().unwrap();
    let clock = Arc::new(ManualClock::at(T0));
    let db = testbed::db(clock.clone()).await;
    let url = server.url();
    let start = async |seed| {
        let config = Config { store: url.clone(), ..config() };
        World::seeded((db.clone(), clock.clone()), seed, config).await
    };
    let first = start(1).await;
    let room = first.open(small_room()).await;
    let tokens = first.join(&room, 2).await;
    first.tick(1).await;
    assert_eq!(first.states(&tokens).await, "AA");
    // Nobody has been to this one, so its line was never loaded.
    let other = first.open(small_room()).await;
    first.host.shut_down().await;
    server.stop().unwrap();

    let second = start(2).await;
    second.host.stop.cancel();
    second.tokens.clone().complete_queue_token(completion(&tokens[0], &customer_name(1), 2)).await.unwrap();
    server.restart().unwrap();
    assert_eq!(second.states(&tokens).await, "CA");
    assert_eq!(second.issue(&other, 1).await.unwrap().sequence, Some(1));
    second.verify().await;
}

#[tokio::test]
async fn processes_whose_clocks_differ_agree_on_who_takes_part_in_a_draw() {
    let server = Server::start().unwrap();
    let clock = Arc::new(ManualClock::at(T0));
    let db = testbed::db(clock.clone()).await;
    let start = async |clock, seed| {
        let config = Config { store: server.url(), ..config() };
        let world = World::seeded((db.clone(), clock), seed, config).await;
        world.host.stop.cancel();
        world
    };
    let (world, ahead) = (start(clock, 1).await, start(Arc::new(ManualClock::at(T0 + 12_000)), 2).await);
    let room = world.open(shuffled_room()).await;
    for (customer, process) in [(1, &ahead), (2, &world), (3, &ahead)] {
        assert_eq!(process.issue(&room, customer).await.unwrap().sequence, None, "the room is not open yet");
    }
    world.clock.advance(10_000);
    assert_eq!(world.issue(&room, 4).await.unwrap().sequence, Some(4));
    world.tick(3).await;
    let opened = world.room(&room).await;
    assert_eq!((opened.prequeued_count, opened.admitted_through), (Some(3), 4));
    world.verify().await;
}

#[tokio::test]
async fn a_process_ends_at_once_though_redis_does_not_answer_and_there_are_many_rooms() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let store = format!("redis://{}", silent.local_addr().unwrap());
    let clock = Arc::new(ManualClock::at(T0));
    let db = testbed::db(clock.clone()).await;
    let config = Config { store, tick_period_ms: 10, sweep_period_ms: 10, ..config() };
    let world = World::seeded((db, clock.clone()), 1, config).await;
    for _ in 0..50 {
        world.open(small_room()).await;
    }
    clock.advance(1_000);
    // A round is under way once it asks.
    let asked = std::thread::spawn(move || silent.accept().unwrap());
    while !asked.is_finished() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::timeout(Duration::from_secs(10), world.host.shut_down()).await.unwrap();
}

#[tokio::test]
async fn a_line_may_move_between_redis_and_the_tables_and_back() {
    let server = Server::start().unwrap();
    let clock = Arc::new(ManualClock::at(T0));
    let db = testbed::db(clock.clone()).await;
    let start = async |store: String, seed| {
        let world = World::seeded((db.clone(), clock.clone()), seed, Config { store, ..config() }).await;
        world.host.stop.cancel();
        world
    };
    let first = start(server.url(), 1).await;
    let room = first.open(WaitingRoom { max_active_tokens: 100, ..small_room() }).await;
    let tokens = first.join(&room, 10).await;
    first.tick(1).await;
    assert_eq!(first.states(&tokens).await, "AAWWWWWWWW");
    first.leave(&tokens[4]).await;

    let second = start("sql".into(), 2).await;
    clock.advance(3_000);
    second.tick(1).await;
    assert_eq!(second.states(&tokens).await, "AAAALAAWWW");
    assert_eq!(second.issue(&room, 11).await.unwrap().sequence, Some(11));
    second.verify().await;

    let third = start(server.url(), 3).await;
    assert_eq!(third.states(&tokens).await, "AAAALAAWWW");
    clock.advance(3_000);
    third.tick(1).await;
    assert_eq!(third.states(&tokens).await, "AAAALAAAAA");
    third.verify().await;
}

/// Two hundred come; some ask far too often, some vanish, some do not claim their turn, some buy. Redis is wiped twice,
/// and the leader dies. Whoever waits patiently gets in, in order.
#[tokio::test]
async fn a_queue_that_is_abused_and_lost_lets_the_patient_in_in_their_order() {
    const COMERS: u128 = 200;
    let mut server = Server::start().unwrap();
    let clock = Arc::new(ManualClock::at(T0));
    let db = testbed::db(clock.clone()).await;
    let mut processes = Vec::new();
    for seed in [1, 2] {
        let config = Config { store: server.url(), poll_burst: 3, ..config() };
        let world = World::seeded((db.clone(), clock.clone()), seed, config).await;
        world.host.stop.cancel();
        processes.push(world);
    }
    let quick = WaitingRoom { max_active_tokens: 40, admissions_per_second: 10.0, ..small_room() };
    let room = processes[0].open(quick).await;
    let tokens = processes[0].join(&room, COMERS).await;
    let (mut activated, mut too_fast, mut inside) = (Vec::new(), 0, Vec::new());
    for second in 0..300_usize {
        clock.advance(1_000);
        // The leader dies after a while.
        let leader = usize::from(second > 60);
        if [40, 120].contains(&second) {
            server.restart().unwrap();
        }
        processes[leader].jobs.admit(900).await.unwrap();
        if second % 5 == 0 {
            processes[1].jobs.sweep().await.unwrap();
            // Who is in buys after a while.
            for number in inside.drain(..) {
                let (token, customer): (&String, usize) = (&tokens[number], number + 1);
                let buy = completion(token, &customer_name(customer as u128), customer as u128);
                processes[1].tokens.clone().complete_queue_token(buy).await.unwrap();
            }
        }
        for (number, token) in tokens.iter().enumerate() {
            let polls = match number % 10 {
                // Ten in a second; vanished; asks too late to claim its turn; every other second.
                0 => 10,
                1..=3 => 0,
                4..=5 => usize::from(second % 100 == 99),
                _ => usize::from((second + number) % 2 == 0),
            };
            for _ in 0..polls {
                match poll(&processes[1], token).await {
                    Ok(polled) if polled.state() == State::Active && !activated.contains(&number) => {
                        activated.push(number);
                        inside.push(number);
                    }
                    Ok(_) => {}
                    Err(status) => {
                        assert_eq!(refusal::<()>(Err(status)), refused(Code::ResourceExhausted, "POLL_TOO_FAST"));
                        too_fast += 1;
                    }
                }
            }
        }
        let counted = processes[1].room(&room).await;
        assert!(counted.active_count <= 40, "{counted:?}");
    }
    let patient: Vec<_> = activated.iter().copied().filter(|number| number % 10 > 5).collect();
    assert_eq!(patient.len() as u128, COMERS * 4 / 10);
    // In order, give or take the two seconds between two polls.
    for (before, after) in patient.iter().zip(&patient[1..]) {
        assert!(before < &(after + 40), "{before} before {after}");
    }
    assert!(too_fast > 5_000, "{too_fast}");
    assert_eq!(processes[1].room(&room).await.waiting_count, 0);
    processes[1].verify().await;
}
