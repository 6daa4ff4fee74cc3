//! Messages of one step, and calls with one request id, that meet in two processes: one of them is held in the middle of
//! its transaction until the other waits for it or has overtaken it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use service_kit::args;
use service_kit::barrier::{Barrier, Operation, Refusals};
use service_kit::db::{Db, Durability, Error, Migration, Postgres, Tx};
use service_kit::idempotency::{Call, Idempotency};
use service_kit::refusal::{self, Fault, Refusal, SagaOutcome};
use testbed::postgres::DATABASE;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tonic::Status;
use uuid::Uuid;

static BARRIER: &Barrier = &service_kit::barrier!("test", "ticketing.test.v1");
static IDEMPOTENCY: &Idempotency = &service_kit::idempotency!("test");

const TABLES: &[Migration] = &[
    Migration {
        version: 1,
        name: "barrier",
        sql: "create table test_saga_op (aggregate_id uuid not null, saga_id uuid not null, step text not null, \
              state bigint not null, request_hash bytea not null, reply bytea, epoch bigint not null, \
              create_time bigint not null, primary key (aggregate_id, saga_id, step))",
    },
    Migration {
        version: 2,
        name: "idempotency",
        sql: "create table test_idempotency (request_id uuid not null primary key, method text not null, \
              request_hash bytea not null, response bytea not null, create_time bigint not null)",
    },
    Migration {
        version: 3,
        name: "effect",
        sql: "create table test_effect (number bigint not null primary key, points bigint not null)",
    },
    Migration { version: 4, name: "guard", sql: "create table test_guard (number bigint not null primary key)" },
    Migration { version: 5, name: "account", sql: "create table test_account (points bigint not null)" },
    Migration { version: 6, name: "empty", sql: "insert into test_account (points) values (0)" },
];

/// What else keeps the work from happening twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    Nothing,
    /// A unique key, as an error of the database.
    Key,
    /// A rule, as a refusal.
    Rule,
    /// Nothing, but all who move points take the account first.
    Account,
}

/// How the work ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Well,
    Refused,
    Aborted,
}

/// The work of one message. Its number tells its effect from those of others, and is its reply.
#[derive(Debug, Clone)]
struct Work {
    number: i64,
    points: i64,
    guard: Guard,
    end: End,
    hold: Option<Hold>,
}

/// Where a unit of work stops until it may go on.
#[derive(Debug, Clone)]
struct Hold {
    reached: Arc<Notify>,
    open: watch::Receiver<bool>,
}

impl Work {
    fn new(number: i64, points: i64, guard: Guard) -> Self {
        Self { number, points, guard, end: End::Well, hold: None }
    }

    fn ends(self, end: End) -> Self {
        Self { end, ..self }
    }

    async fn run(self, tx: &mut Tx<'_>) -> Result<i64, Fault> {
        const EFFECT: &str = "insert into test_effect (number, points) values ($1, $2)";
        self.guard(tx).await?;
        tx.execute(EFFECT, args![self.number, self.points]).await?;
        if let Some(mut hold) = self.hold {
            hold.reached.notify_one();
            hold.open.wait_for(|open| *open).await.unwrap();
        }
        match self.end {
            End::Well => Ok(self.number),
            End::Refused => Err(Refusal::precondition("POINTS_SHORT", "no").into()),
            End::Aborted => Err(Error::Unavailable("aborted".into()).into()),
        }
    }

    async fn guard(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        match (self.guard, self.points < 0) {
            (Guard::Nothing, _) => {}
            (Guard::Account, _) => {
                tx.execute("update test_account set points = points + $1", args![self.points]).await?;
            }
            (Guard::Key, true) => {
                tx.execute("insert into test_guard (number) values (1)", args![]).await?;
            }
            (Guard::Rule, true) => {
                let set = "insert into test_guard (number) values (1) on conflict do nothing";
                if tx.execute(set, args![]).await? == 0 {
                    return Err(Refusal::precondition("POINTS_SPENT", "there is nothing left").into());
                }
            }
            (Guard::Key | Guard::Rule, false) => {
                tx.execute("delete from test_guard", args![]).await?;
            }
        }
        Ok(())
    }
}

/// A message that is held, and its answer.
struct Held<T> {
    open: watch::Sender<bool>,
    reached: Arc<Notify>,
    answer: JoinHandle<T>,
}

impl<T> Held<T> {
    async fn let_go(self) -> T {
        self.open.send(true).unwrap();
        self.answer.await.unwrap()
    }
}

/// Two processes of one service. Each writes through one connection, so that what has queued there shares a commit.
struct World {
    processes: [Db; 2],
}

type Answer = Result<i64, Status>;

impl World {
    async fn new() -> Self {
        static WORLDS: AtomicUsize = AtomicUsize::new(0);
        let schema = format!("meet_{}", WORLDS.fetch_add(1, Ordering::Relaxed));
        let url = testbed::shared().url(DATABASE);
        let options = Postgres { connections: 2, durability: Durability::Unchecked, ..Postgres::new(url, schema) };
        let processes = [Db::connect(&options).await.unwrap(), Db::connect(&options).await.unwrap()];
        processes[0].migrate("test", TABLES).await.unwrap();
        Self { processes }
    }

    /// Holds a message in the first process, once its work is done.
    async fn hold<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        send: fn(Db, Work) -> F,
        work: Work,
    ) -> Held<T> {
        let held = self.will_hold(send, work);
        held.reached.notified().await;
        held
    }

    /// Sends a message to the first process, which is held as soon as its work is done.
    fn will_hold<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        send: fn(Db, Work) -> F,
        work: Work,
    ) -> Held<T> {
        let (open, is_open) = watch::channel(false);
        let reached = Arc::new(Notify::new());
        let hold = Hold { reached: reached.clone(), open: is_open };
        let sending = send(self.processes[0].clone(), Work { hold: Some(hold), ..work });
        Held { open, reached, answer: TaskTracker::new().spawn(sending) }
    }

    /// Sends a message to the other process, and returns once it waits for the one that is held.
    async fn wait<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        send: fn(Db, Work) -> F,
        work: Work,
    ) -> JoinHandle<T> {
        let answer = TaskTracker::new().spawn(send(self.processes[1].clone(), work));
        self.waiter(|_| true).await;
        answer
    }

    /// The same, and the engine has given up its first transaction and runs it again.
    async fn wait_long<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        send: fn(Db, Work) -> F,
        work: Work,
    ) -> JoinHandle<T> {
        let answer = TaskTracker::new().spawn(send(self.processes[1].clone(), work));
        let first = self.waiter(|_| true).await;
        self.waiter(|waiter| waiter != first).await;
        answer
    }

    /// The transaction that waits for a lock, once it is such a one.
    async fn waiter(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        const WAITING: &str = "select cast(xact_start as text) from pg_stat_activity \
            where wait_event_type = 'Lock' and application_name = 'skald-' || current_schema()";
        for _ in 0..1_000 {
            let waiter: Result<Option<(String,)>, Error> =
                self.processes[0].read(async |tx| tx.fetch_optional(WAITING, args![]).await).await;
            if let Some((waiter,)) = waiter.unwrap().filter(|(waiter,)| is_wanted(waiter)) {
                return waiter;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no message waits for the one that is held");
    }

    /// Sends a message to the other process.
    async fn send<T: Send + 'static, F: Future<Output = T>>(&self, send: fn(Db, Work) -> F, work: Work) -> T {
        send(self.processes[1].clone(), work).await
    }

    /// The numbers of all effects.
    async fn effects(&self) -> Vec<i64> {
        let effects = "select number from test_effect order by number";
        let rows: Result<Vec<(i64,)>, Error> =
            self.processes[0].read(async move |tx| tx.fetch_all(effects, args![]).await).await;
        rows.unwrap().into_iter().map(|(number,)| number).collect()
    }
}

fn operation() -> Operation {
    let (aggregate, saga) = (Uuid::from_u128(1), Uuid::from_u128(2));
    Operation { aggregate, saga, step: "reserve-points".into(), request_hash: vec![1], epoch: 1 }
}

/// A compensatable step.
async fn forward(db: Db, work: Work) -> Answer {
    let run = async move |tx: &mut Tx<'_>| work.run(tx).await;
    BARRIER.forward(&db, operation(), Refusals::Kept, run).await.map(tonic::Response::into_inner)
}

/// A retriable step.
async fn retry(db: Db, work: Work) -> Answer {
    let run = async move |tx: &mut Tx<'_>| work.run(tx).await;
    BARRIER.forward(&db, operation(), Refusals::Forgotten, run).await.map(tonic::Response::into_inner)
}

async fn compensate(db: Db, work: Work) -> Answer {
    let run = async move |tx: &mut Tx<'_>| work.run(tx).await;
    BARRIER.compensate(&db, operation(), 0, run).await.map(tonic::Response::into_inner)
}

/// Nothing but the work.
async fn write(db: Db, work: Work) -> Result<i64, Fault> {
    db.write(async move |tx: &mut Tx<'_>| work.run(tx).await).await
}

/// A person's call.
async fn call(db: Db, work: Work) -> Result<i64, String> {
    let call = Call::new("Hold", Some(Uuid::from_u128(3)), &"any seat".to_owned());
    let run = async move |tx: &mut Tx<'_>| work.run(tx).await;
    let answer = db.write(async move |tx: &mut Tx<'_>| IDEMPOTENCY.once(tx, &call, run).await).await;
    answer.map_err(|fault| format!("{fault:?}"))
}

fn refused(answer: Answer) -> Option<String> {
    let status = answer.unwrap_err();
    assert_eq!(SagaOutcome::of(&status), Some(SagaOutcome::Refused), "{status:?}");
    refusal::reason(&status)
}

fn barred(answer: Answer) -> bool {
    refused(answer).as_deref() == Some("SAGA_COMPENSATED")
}

fn take(number: i64, guard: Guard) -> Work {
    Work::new(number, -5, guard)
}

fn give_back(number: i64, guard: Guard) -> Work {
    Work::new(number, 5, guard)
}

#[tokio::test]
async fn a_message_that_was_overtaken_gives_the_reply_of_the_other() {
    let world = World::new().await;
    let held = world.hold(forward, take(1, Guard::Nothing)).await;
    assert_eq!(world.send(forward, take(2, Guard::Nothing)).await.unwrap(), 2);
    assert_eq!(held.let_go().await.unwrap(), 2);
    assert_eq!(world.effects().await, [2]);
}

#[tokio::test]
async fn a_message_that_is_refused_after_it_was_overtaken_gives_the_reply_of_the_other() {
    let world = World::new().await;
    let held = world.hold(forward, take(1, Guard::Nothing).ends(End::Refused)).await;
    assert_eq!(world.send(forward, take(2, Guard::Nothing)).await.unwrap(), 2);
    assert_eq!(held.let_go().await.unwrap(), 2);
    assert_eq!(world.effects().await, [2]);
}

#[tokio::test]
async fn a_message_that_succeeds_after_the_other_was_refused_is_refused_too() {
    let world = World::new().await;
    let held = world.hold(forward, take(1, Guard::Nothing)).await;
    let other = world.send(forward, take(2, Guard::Nothing).ends(End::Refused)).await;
    assert_eq!(refused(other).as_deref(), Some("POINTS_SHORT"));
    assert_eq!(refused(held.let_go().await).as_deref(), Some("POINTS_SHORT"));
    assert!(world.effects().await.is_empty());
}

#[tokio::test]
async fn a_message_that_meets_the_effect_of_the_other_gives_its_reply() {
    for guard in [Guard::Key, Guard::Rule, Guard::Account] {
        let world = World::new().await;
        let held = world.hold(retry, take(1, guard)).await;
        let other = world.wait(retry, take(2, guard)).await;
        assert_eq!(held.let_go().await.unwrap(), 1, "{guard:?}");
        assert_eq!(other.await.unwrap().unwrap(), 1, "{guard:?}");
        assert_eq!(world.effects().await, [1]);

        let world = World::new().await;
        let held = world.hold(forward, take(1, guard)).await;
        let other = world.wait(forward, take(2, guard)).await;
        assert_eq!(held.let_go().await.unwrap(), 1, "{guard:?}");
        assert_eq!(other.await.unwrap().unwrap(), 1, "{guard:?}");
        assert_eq!(world.effects().await, [1]);
    }
}

#[tokio::test]
async fn a_message_that_waited_for_one_that_fails_does_the_work() {
    for guard in [Guard::Key, Guard::Rule, Guard::Account] {
        let world = World::new().await;
        let held = world.hold(forward, take(1, guard).ends(End::Aborted)).await;
        let other = world.wait(forward, take(2, guard)).await;
        assert_eq!(SagaOutcome::of(&held.let_go().await.unwrap_err()), Some(SagaOutcome::NotApplied));
        assert_eq!(other.await.unwrap().unwrap(), 2, "{guard:?}");
        assert_eq!(world.effects().await, [2]);
    }
}

#[tokio::test]
async fn a_message_that_waited_too_long_is_run_again_and_not_failed() {
    let world = World::new().await;
    let held = world.hold(forward, take(1, Guard::Account)).await;
    let other = world.wait_long(forward, take(2, Guard::Account)).await;
    assert_eq!(held.let_go().await.unwrap(), 1);
    assert_eq!(other.await.unwrap().unwrap(), 1);
    assert_eq!(world.effects().await, [1]);

    let world = World::new().await;
    let held = world.hold(call, take(1, Guard::Account)).await;
    let other = world.wait_long(call, take(2, Guard::Account)).await;
    assert_eq!(held.let_go().await, Ok(1));
    assert_eq!(other.await.unwrap(), Ok(1));
    assert_eq!(world.effects().await, [1]);
}

#[tokio::test]
async fn a_compensation_that_overtakes_its_step_bars_it() {
    for guard in [Guard::Nothing, Guard::Key, Guard::Account] {
        let world = World::new().await;
        let held = world.hold(forward, take(1, guard)).await;
        assert_eq!(world.send(compensate, give_back(2, guard)).await.unwrap(), 0);
        assert!(barred(held.let_go().await), "{guard:?}");
        assert!(world.effects().await.is_empty());
    }
}

#[tokio::test]
async fn a_repeat_that_meets_a_compensation_is_barred() {
    for guard in [Guard::Nothing, Guard::Key, Guard::Rule, Guard::Account] {
        let world = World::new().await;
        assert_eq!(world.send(forward, take(1, guard)).await.unwrap(), 1);
        let held = world.hold(compensate, give_back(2, guard)).await;
        let repeat = world.wait(forward, take(3, guard)).await;
        assert_eq!(held.let_go().await.unwrap(), 2);
        assert!(barred(repeat.await.unwrap()), "{guard:?}");
        assert_eq!(world.effects().await, [1, 2]);
    }
}

#[tokio::test]
async fn a_repeat_and_a_compensation_that_wait_for_each_other_both_end() {
    let world = World::new().await;
    assert_eq!(world.send(forward, take(1, Guard::Account)).await.unwrap(), 1);
    // The repeat has the account and will want the row; the compensation has the row and wants the account.
    let held = world.hold(forward, take(2, Guard::Account)).await;
    let back = world.wait(compensate, give_back(3, Guard::Account)).await;
    let repeat = held.let_go().await;
    assert_eq!(back.await.unwrap().unwrap(), 3);
    // Whichever of the two was run again: the first reply, or barred.
    assert!(matches!(repeat, Ok(1)) || barred(repeat.clone()), "{repeat:?}");
    assert_eq!(world.effects().await, [1, 3]);
}

#[tokio::test]
async fn a_compensation_waits_for_a_step_that_is_about_to_be_committed_and_takes_it_back() {
    let world = World::new().await;
    // The step queues behind one unit of work, and shares its commit with another one that is held.
    let before = world.hold(write, take(1, Guard::Nothing)).await;
    let step = TaskTracker::new().spawn(forward(world.processes[0].clone(), take(2, Guard::Nothing)));
    tokio::task::yield_now().await;
    let beside = world.will_hold(write, take(3, Guard::Nothing));
    tokio::task::yield_now().await;
    before.let_go().await.unwrap();
    beside.reached.notified().await;

    let back = world.wait(compensate, give_back(4, Guard::Nothing)).await;
    beside.let_go().await.unwrap();
    assert_eq!(step.await.unwrap().unwrap(), 2);
    assert_eq!(back.await.unwrap().unwrap(), 4);
    assert_eq!(world.send(compensate, give_back(5, Guard::Nothing)).await.unwrap(), 0);
    assert_eq!(world.effects().await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn of_two_compensations_that_meet_the_second_takes_back_what_the_first_did_not() {
    for (end, reply, effects) in [(End::Well, 0, [1, 2]), (End::Aborted, 3, [1, 3]), (End::Refused, 3, [1, 3])] {
        let world = World::new().await;
        assert_eq!(world.send(forward, take(1, Guard::Nothing)).await.unwrap(), 1);
        let held = world.hold(compensate, give_back(2, Guard::Nothing).ends(end)).await;
        let other = world.wait(compensate, give_back(3, Guard::Nothing)).await;
        assert_eq!(held.let_go().await.is_ok(), matches!(end, End::Well));
        assert_eq!(other.await.unwrap().unwrap(), reply, "{end:?}");
        assert_eq!(world.effects().await, effects);
    }
}

#[tokio::test]
async fn two_calls_with_one_request_id_have_one_effect_and_one_answer() {
    let world = World::new().await;
    let held = world.hold(call, take(1, Guard::Nothing)).await;
    assert_eq!(world.send(call, take(2, Guard::Nothing)).await, Ok(2));
    assert_eq!(held.let_go().await, Ok(2));
    assert_eq!(world.effects().await, [2]);
    for guard in [Guard::Key, Guard::Rule, Guard::Account] {
        let world = World::new().await;
        let held = world.hold(call, take(1, guard)).await;
        let other = world.wait(call, take(2, guard)).await;
        assert_eq!(held.let_go().await, Ok(1));
        assert_eq!(other.await.unwrap(), Ok(1), "{guard:?}");
        assert_eq!(world.effects().await, [1]);
    }
}

/// Takes the first two effects that nobody else has.
async fn claim(tx: &mut Tx<'_>) -> Result<Vec<i64>, Error> {
    const FREE: &str = "select number from test_effect order by number limit 2";
    let rows: Vec<(i64,)> = tx.claim_all(FREE, args![]).await?;
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

#[tokio::test]
async fn who_claims_rows_passes_over_those_that_another_has_and_waits_for_nobody() {
    let world = World::new().await;
    for number in 1..=5 {
        world.send(write, Work::new(number, 1, Guard::Nothing)).await.unwrap();
    }
    let (open, mut is_open) = watch::channel(false);
    let reached = Arc::new(Notify::new());
    let (process, reach) = (world.processes[0].clone(), reached.clone());
    let first = TaskTracker::new().spawn(async move {
        let work = async move |tx: &mut Tx<'_>| {
            let claimed = claim(tx).await?;
            reach.notify_one();
            is_open.wait_for(|open| *open).await.unwrap();
            Ok::<_, Error>(claimed)
        };
        process.write(work).await
    });
    reached.notified().await;
    assert_eq!(world.processes[1].write(claim).await.unwrap(), [3, 4]);
    open.send(true).unwrap();
    assert_eq!(first.await.unwrap().unwrap(), [1, 2]);
    assert_eq!(world.processes[1].write(claim).await.unwrap(), [1, 2]);
}
