//! Sixteen workers bring every step's messages in any order: repeated, failing before the commit, with their replies
//! lost, with two compensations at once. Whatever was acknowledged must be what the books say, and nobody may be told no
//! because of an effect of his own step.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use service_kit::args;
use service_kit::barrier::{Barrier, Operation, Refusals};
use service_kit::clock::SystemClock;
use service_kit::db::{Db, Error, Tx};
use service_kit::refusal::{self, Fault, Refusal, SagaOutcome};
use tokio_util::task::TaskTracker;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::barrier::{BARRIER, TABLES};

const WORKERS: usize = 16;
const STEPS: usize = 4000;
/// Steps whose messages are shuffled together: few enough that messages of one step meet.
const WINDOW: usize = 24;

static OPERATION: &Barrier = &BARRIER;

/// One message on its way.
#[derive(Debug, Clone)]
struct Message {
    step: usize,
    compensation: bool,
    work: Work,
    /// The sender gives up after that many turns of the scheduler.
    patience: Option<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Succeeds,
    /// The transaction is taken back after the effect was written.
    Aborts,
    Refuses,
}

/// What keeps the work of a step from happening twice, apart from the barrier. A third of the steps each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    Nothing,
    /// A unique key, as an error of the database.
    Key,
    /// A rule, as a refusal that is not kept.
    Rule,
}

impl Guard {
    fn of(step: usize) -> Self {
        [Self::Nothing, Self::Key, Self::Rule][step % 3]
    }

    fn refusals(self) -> Refusals {
        if self == Self::Nothing { Refusals::Kept } else { Refusals::Forgotten }
    }

    async fn set(self, tx: &mut Tx<'_>, saga: Uuid) -> Result<(), Fault> {
        match self {
            Self::Nothing => {}
            Self::Key => {
                tx.execute("insert into test_once (saga_id) values ($1)", args![saga]).await?;
            }
            Self::Rule => {
                let set = "insert into test_once (saga_id) values ($1) on conflict do nothing";
                if tx.execute(set, args![saga]).await? == 0 {
                    return Err(Refusal::precondition("POINTS_SPENT", "there is nothing left").into());
                }
            }
        }
        Ok(())
    }

    async fn lift(tx: &mut Tx<'_>, saga: Uuid) -> Result<(), Fault> {
        tx.execute("delete from test_once where saga_id = $1", args![saga]).await?;
        Ok(())
    }
}

/// What the senders of a step were told.
#[derive(Debug, Default)]
struct Heard {
    replies: Vec<i64>,
    refused: bool,
    compensated: bool,
    /// The step was told that it had been compensated.
    barred: bool,
}

/// The messages in the order in which they are sent.
fn script(random: &mut fastrand::Rng) -> Vec<Message> {
    let mut script = Vec::new();
    for window in 0..STEPS.div_ceil(WINDOW) {
        let mut messages = Vec::new();
        for step in window * WINDOW..((window + 1) * WINDOW).min(STEPS) {
            for _ in 0..random.usize(0..4) {
                messages.push(message(random, step, false));
            }
            for _ in 0..random.usize(0..4) {
                messages.push(message(random, step, true));
            }
        }
        random.shuffle(&mut messages);
        script.extend(messages);
    }
    script
}

fn message(random: &mut fastrand::Rng, step: usize, compensation: bool) -> Message {
    let work = match random.u8(0..10) {
        0..2 => Work::Aborts,
        2 if !compensation && Guard::of(step) == Guard::Nothing => Work::Refuses,
        _ => Work::Succeeds,
    };
    let patience = (random.u8(0..5) == 0).then(|| random.u32(0..20));
    Message { step, compensation, work, patience }
}

fn operation(step: usize) -> Operation {
    Operation {
        aggregate: Uuid::from_u128(step as u128 % 10),
        saga: Uuid::from_u128(step as u128),
        step: "reserve-points".into(),
        request_hash: vec![1],
        epoch: 1,
    }
}

async fn send(db: &Db, message: &Message, number: i64) -> Result<i64, Status> {
    const EFFECT: &str = "insert into test_effect (number, saga_id, points) values ($1, $2, $3)";
    let Message { step, compensation, work, .. } = *message;
    let (saga, guard) = (Uuid::from_u128(step as u128), Guard::of(step));
    // The reply names the one run that made the effect.
    let run = async move |tx: &mut Tx<'_>| -> Result<i64, Fault> {
        if compensation {
            Guard::lift(tx, saga).await?;
        } else {
            guard.set(tx, saga).await?;
        }
        let points = if compensation { 1 } else { -1 };
        tx.execute(EFFECT, args![number, saga, points]).await?;
        match work {
            Work::Succeeds => Ok(number),
            Work::Aborts => Err(Error::Unavailable("aborted".into()).into()),
            Work::Refuses => Err(Refusal::precondition("POINTS_SHORT", "no").into()),
        }
    };
    let answer = if compensation {
        OPERATION.compensate(db, operation(step), 0, run).await
    } else {
        OPERATION.forward(db, operation(step), guard.refusals(), run).await
    };
    answer.map(tonic::Response::into_inner)
}

/// Sends it, and forgets the reply when patience ends first.
async fn deliver(db: &Db, message: &Message, random: i64) -> Option<Result<i64, Status>> {
    let sending = send(db, message, random);
    let Some(turns) = message.patience else { return Some(sending.await) };
    let giving_up = async {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        answer = sending => Some(answer),
        () = giving_up => None,
    }
}

fn note(heard: &Mutex<Vec<Heard>>, message: &Message, answer: Result<i64, Status>) {
    let mut heard = heard.lock().unwrap();
    let heard = &mut heard[message.step];
    match answer {
        Ok(_) if message.compensation => heard.compensated = true,
        Ok(reply) => heard.replies.push(reply),
        Err(status) => match SagaOutcome::of(&status) {
            Some(SagaOutcome::NotApplied) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
            Some(SagaOutcome::Refused) if !message.compensation => match refusal::reason(&status).as_deref() {
                Some("SAGA_COMPENSATED") => heard.barred = true,
                _ => heard.refused = true,
            },
            outcome => panic!("step {}: {outcome:?} {status:?}", message.step),
        },
    }
}

async fn work_off(db: Db, script: Arc<Mutex<Vec<Message>>>, heard: Arc<Mutex<Vec<Heard>>>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        let Some(message) = script.lock().unwrap().pop() else { return };
        if let Some(answer) = deliver(&db, &message, random.i64(1..)).await {
            note(&heard, &message, answer);
        }
    }
}

/// (effects, effects taken back) of each step.
async fn books(db: &Db) -> BTreeMap<Uuid, (i64, i64)> {
    const BOOKS: &str = "select saga_id, count(case when points < 0 then 1 end), \
         count(case when points > 0 then 1 end) from test_effect group by saga_id";
    let rows: Result<Vec<(Uuid, i64, i64)>, Error> = db.read(async |tx| tx.fetch_all(BOOKS, &[]).await).await;
    rows.unwrap().into_iter().map(|(saga, done, back)| (saga, (done, back))).collect()
}

/// What is wrong with a step, or nothing.
fn anomaly(guard: Guard, heard: &Heard, (done, back): (i64, i64)) -> Option<&'static str> {
    let same = heard.replies.windows(2).all(|pair| pair[0] == pair[1]);
    match () {
        () if done > 1 => Some("more than one effect"),
        () if back > done => Some("taken back more often than done"),
        () if heard.compensated && done != back => Some("compensated, and not net zero"),
        () if !heard.replies.is_empty() && done == 0 => Some("a reply without an effect"),
        () if !same => Some("two repeats got two replies"),
        () if heard.refused && done > 0 => Some("an effect after a refusal"),
        () if heard.refused && guard != Guard::Nothing => Some("told no because of its own effect"),
        () => None,
    }
}

async fn anomalies(db: &Db, heard: &Mutex<Vec<Heard>>) -> Vec<String> {
    let books = books(db).await;
    let heard = heard.lock().unwrap();
    let judged = heard.iter().enumerate().filter_map(|(step, heard)| {
        let book = books.get(&Uuid::from_u128(step as u128)).copied().unwrap_or_default();
        anomaly(Guard::of(step), heard, book).map(|what| format!("step {step}: {what}: {heard:?} {book:?}"))
    });
    judged.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_to_its_messages_a_step_has_one_effect_at_most_and_none_once_compensated() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let db = testbed::threaded(directory.path(), Arc::new(SystemClock)).await;
    db.migrate("test", TABLES).await.unwrap();
    let mut messages = script(&mut fastrand::Rng::with_seed(seed));
    messages.reverse();
    let sent = messages.len();
    let script = Arc::new(Mutex::new(messages));
    let heard = Arc::new(Mutex::new((0..STEPS).map(|_| Heard::default()).collect::<Vec<_>>()));
    let workers = TaskTracker::new();
    for worker in 0..WORKERS as u64 {
        workers.spawn(work_off(db.clone(), script.clone(), heard.clone(), seed ^ worker));
    }
    workers.close();
    workers.wait().await;
    assert!(script.lock().unwrap().is_empty(), "SEED={seed}: a worker gave up");
    let found = anomalies(&db, &heard).await;
    assert!(found.is_empty(), "SEED={seed}: {} of {STEPS}: {found:#?}", found.len());

    // Late messages of every kind, when all is over.
    let before = books(&db).await;
    for step in 0..STEPS {
        let late = Message { step, compensation: false, work: Work::Succeeds, patience: None };
        let compensated = heard.lock().unwrap()[step].compensated;
        if compensated {
            note(&heard, &late, send(&db, &late, -(step as i64)).await);
            let heard = &heard.lock().unwrap()[step];
            assert!(heard.barred, "SEED={seed}: step {step}: {heard:?}");
        }
    }
    assert_eq!(books(&db).await, before, "SEED={seed}: an effect after a compensation");
    let (done, back): (Vec<i64>, Vec<i64>) = before.values().copied().unzip();
    let (done, back) = (done.iter().sum::<i64>(), back.iter().sum::<i64>());
    assert!(done > 1000 && back > 500 && done - back > 500, "SEED={seed}: vacuous: {sent} {done} {back}");
}
