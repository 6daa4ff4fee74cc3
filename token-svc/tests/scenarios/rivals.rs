//! Several processes that tick, sweep, start and serve at the same moment. On PostgreSQL they come through several
//! connections.

use std::sync::Arc;

use proto::token::v1::{GetAdmissionKeysRequest, WaitingRoom};
use service_kit::args;
use service_kit::clock::ManualClock;
use service_kit::db::{self, Db, Tx};
use service_kit::ids::Ids;
use token_svc::Config;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::shuffle::shuffled_room;
use crate::verify::anything;
use crate::world::{T0, World, config, small_room};

/// A database that many work on at once, its clock, and where the line is.
#[derive(Clone)]
struct Crowd {
    _directory: Arc<tempfile::TempDir>,
    db: Db,
    clock: Arc<ManualClock>,
    config: Config,
}

impl Crowd {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(T0));
        let db = testbed::threaded(directory.path(), clock.clone()).await;
        Self { _directory: Arc::new(directory), db, clock, config: config() }
    }

    /// One process over that database. Its jobs run only when the scenario says so.
    async fn process(&self, seed: u64) -> World {
        let world = World::seeded((self.db.clone(), self.clock.clone()), seed, self.config.clone()).await;
        world.host.stop.cancel();
        world
    }

    async fn three(&self) -> Vec<World> {
        vec![self.process(1).await, self.process(2).await, self.process(3).await]
    }
}

/// Has all tick at the same moment.
async fn tick_all(processes: &[World], spacing_ms: i64) {
    let mut ticks = JoinSet::new();
    for jobs in processes.iter().map(|process| process.jobs.clone()) {
        ticks.spawn(async move { jobs.admit(spacing_ms).await });
    }
    ticks.join_all().await.into_iter().for_each(Result::unwrap);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_who_tick_keep_the_rate_and_the_cap_of_one() {
    let crowd = Crowd::new().await;
    let processes = crowd.three().await;
    let world = &processes[0];
    let room = world.open(WaitingRoom { max_active_tokens: 30, ..small_room() }).await;
    world.join(&room, 40).await;
    // Whether they keep a distance from each other or not.
    for spacing_ms in [0, 1_000] {
        for _ in 0..10 {
            let before = world.room(&room).await.admitted_through;
            crowd.clock.advance(1_000);
            tick_all(&processes, spacing_ms).await;
            assert_eq!(world.room(&room).await.admitted_through, (before + 2).min(30));
            world.verify().await;
        }
    }
    assert_eq!(world.room(&room).await.active_count, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_tick_too_soon_after_another_leave_the_room_alone() {
    let crowd = Crowd::new().await;
    let processes = crowd.three().await;
    let world = &processes[0];
    let room = world.open(small_room()).await;
    world.join(&room, 10).await;
    crowd.clock.advance(1_000);
    tick_all(&processes, 900).await;
    crowd.clock.advance(899);
    let before = crowd.db.stats().units;
    tick_all(&processes, 900).await;
    assert_eq!(crowd.db.stats().units, before);
    assert_eq!(world.room(&room).await.admitted_through, 2);
    crowd.clock.advance(1);
    tick_all(&processes, 900).await;
    assert_eq!(world.room(&room).await.admitted_through, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_process_takes_over_three_ticks_after_a_leader_has_died() {
    let crowd = Crowd::new().await;
    let [leader, other] = [crowd.process(1).await, crowd.process(2).await];
    let room = leader.open(WaitingRoom { max_active_tokens: 30, ..small_room() }).await;
    leader.join(&room, 20).await;
    leader.tick(1).await;
    // The leader is not heard of again.
    other.tick(2).await;
    assert_eq!(other.room(&room).await.admitted_through, 2);
    other.tick(1).await;
    assert_eq!(other.room(&room).await.admitted_through, 2 + 4);
    other.tick(1).await;
    assert_eq!(other.room(&room).await.admitted_through, 2 + 4 + 2);
    // Nor does it get the room back while the other leads.
    leader.jobs.admit(0).await.unwrap();
    assert_eq!(leader.room(&room).await.admitted_through, 2 + 4 + 2);
    leader.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_together_sign_with_one_key() {
    let crowd = Crowd::new().await;
    let mut starts = JoinSet::new();
    for seed in 0..4 {
        let crowd = crowd.clone();
        starts.spawn(async move { crowd.process(seed).await });
    }
    let processes = starts.join_all().await;
    let published = async |world: &World| {
        world.tokens.clone().get_admission_keys(GetAdmissionKeysRequest {}).await.unwrap().into_inner().jwks
    };
    let first = published(&processes[0]).await;
    let room = processes[0].open(small_room()).await;
    let token = processes[0].join(&room, 1).await.remove(0);
    processes[0].tick(1).await;
    let pass = processes[1].poll(&token).await.admission_pass;
    for process in &processes {
        assert_eq!(published(process).await, first);
        assert!(process.keys.verify(&pass, T0 + 1_000).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_room_counts_right_whatever_three_processes_do_in_it_at_once() {
    for seed in 0..3 {
        println!("seed {seed}");
        let crowd = Crowd::new().await;
        let world = crowd.process(0).await;
        let room = world.open(WaitingRoom { max_waiting: 20, ..small_room() }).await;
        let mut tasks = JoinSet::new();
        for task in 0..6 {
            let (crowd, room) = (crowd.clone(), room.clone());
            tasks.spawn(async move {
                let world = crowd.process(1 + task).await;
                let (mut tokens, random) = (Vec::new(), Ids::seeded(10 * seed + task));
                for _ in 0..60 {
                    anything(&world, &room, &mut tokens, &random).await;
                }
            });
        }
        tasks.join_all().await;
        world.verify().await;
        let counted = world.room(&room).await;
        assert!(counted.admitted_through > 0 && counted.issued_count > 20, "{counted:?}");
    }
}

/// One who joins a prequeue in its last moment has the room, and has not committed.
async fn join_and_wait(
    tx: &mut Tx<'_>,
    room: Uuid,
    (joined, go_on): (mpsc::Sender<i64>, Arc<Notify>),
) -> Result<(), db::Error> {
    const LOCK: &str = "select room_id from token_rooms where room_id = $1";
    const INSERT: &str = "insert into token_tokens (room_id, token_id, customer_id, sequence, state, create_time, \
        shuffle_key) values ($1, $2, $2, -4, 1, $3, $4)";
    const COUNT: &str = "update token_rooms set issued_count = issued_count + 1, waiting_count = waiting_count + 1 \
        where room_id = $1";
    tx.lock_optional::<(Uuid,)>(LOCK, args![room]).await?;
    let lot: &[u8] = &[7; 32];
    tx.execute(INSERT, args![room, Uuid::from_u128(4), tx.now_ms(), lot]).await?;
    tx.execute(COUNT, args![room]).await?;
    let (pid,): (i64,) = tx.fetch_one("select cast(pg_backend_pid() as bigint)", &[]).await?;
    joined.send(pid).await.unwrap();
    go_on.notified().await;
    Ok(())
}

/// Returns once somebody waits for a session.
async fn until_waited_for(db: &Db, pid: i64) {
    const WAITING: &str = "select count(*) from pg_stat_activity where cast($1 as bigint) = any(pg_blocking_pids(pid))";
    loop {
        let (waiting,): (i64,) =
            db.read(async move |tx| tx.fetch_one::<(i64,)>(WAITING, args![pid]).await).await.unwrap();
        if waiting > 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_joins_in_the_moment_in_which_the_draw_begins_takes_part_in_it() {
    let clock = Arc::new(ManualClock::at(T0));
    // One who writes at a time, as on SQLite, cannot meet another.
    let db = testbed::connected(clock.clone()).await;
    let config = Config { store: "sql".to_owned(), ..config() };
    let crowd = Crowd { _directory: Arc::new(tempfile::tempdir().unwrap()), db, clock, config };
    let world = crowd.process(1).await;
    let room = world.open(shuffled_room()).await;
    world.join(&room, 3).await;
    let id = Uuid::try_parse(room.rsplit('/').next().unwrap()).unwrap();

    let (joined, mut pid) = mpsc::channel(1);
    let go_on = Arc::new(Notify::new());
    let (db, last) = (crowd.db.clone(), (joined, go_on.clone()));
    let join = world.host.tasks.spawn(async move { db.write(async move |tx| join_and_wait(tx, id, last).await).await });
    let pid = pid.recv().await.unwrap();
    crowd.clock.advance(10_000);
    let jobs = world.jobs.clone();
    let draw = world.host.tasks.spawn(async move { jobs.draw().await });
    until_waited_for(&crowd.db, pid).await;
    go_on.notify_one();
    join.await.unwrap().unwrap();
    draw.await.unwrap().unwrap();

    assert_eq!(world.room(&room).await.prequeued_count, Some(4));
    world.tick(3).await;
    let opened = world.room(&room).await;
    assert_eq!((opened.admitted_through, opened.waiting_count), (4, 0), "nobody is left behind");
    world.verify().await;
}
