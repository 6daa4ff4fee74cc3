//! What becomes of one step of a saga under every message that may come, by the state that it finds.

use std::sync::Arc;
use std::time::Duration;

use service_kit::args;
use service_kit::barrier::{Barrier, Operation, Progress, Refusals, SAGA_EPOCH, SAGA_STEP, Settlement};
use service_kit::clock::ManualClock;
use service_kit::db::{Db, Error, Migration, Tx};
use service_kit::refusal::{self, Fault, Refusal, SagaOutcome};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

pub(crate) const BARRIER: Barrier = service_kit::barrier!("test", "ticketing.test.v1");

pub(crate) const TABLES: &[Migration] = &[
    Migration {
        version: 1,
        name: "barrier",
        sql: "create table test_saga_op (aggregate_id uuid not null, saga_id uuid not null, step text not null, \
              state bigint not null, request_hash bytea not null, reply bytea, epoch bigint not null, \
              create_time bigint not null, primary key (aggregate_id, saga_id, step))",
    },
    Migration {
        version: 2,
        name: "effect",
        sql: "create table test_effect (number bigint not null primary key, saga_id uuid not null, \
              points bigint not null)",
    },
    Migration { version: 3, name: "once", sql: "create table test_once (saga_id uuid not null primary key)" },
];

/// Adds an effect after all others.
const EFFECT: &str = "insert into test_effect (number, saga_id, points) \
    values ((select coalesce(max(number), 0) + 1 from test_effect), $1, $2)";

static OPERATION: &Barrier = &BARRIER;

/// A participant with one account, and one saga that takes 5 points from it.
struct World {
    db: Db,
}

type Answer = Result<i64, Status>;

impl World {
    async fn new() -> Self {
        let db = testbed::db(Arc::new(ManualClock::at(1000))).await;
        db.migrate("test", TABLES).await.unwrap();
        Self { db }
    }

    async fn forward(&self, refusals: Refusals, work: Work) -> Answer {
        let work = async move |tx: &mut Tx<'_>| run(tx, work, -5).await;
        answer(OPERATION.forward(&self.db, operation("5 points"), refusals, work).await)
    }

    async fn take(&self) -> Answer {
        self.forward(Refusals::Kept, Work::Succeeds).await
    }

    async fn compensate(&self, work: Work) -> Answer {
        let work = async move |tx: &mut Tx<'_>| run(tx, work, 5).await;
        answer(OPERATION.compensate(&self.db, operation("back"), 0, work).await)
    }

    /// All effects, one after the other.
    async fn effects(&self) -> Vec<i64> {
        let rows: Result<Vec<(i64,)>, Error> =
            self.db.read(async |tx| tx.fetch_all("select points from test_effect order by number", &[]).await).await;
        rows.unwrap().into_iter().map(|(points,)| points).collect()
    }

    /// The step, whose work asks somebody outside.
    async fn ask(&self) -> Answer {
        let work = async |tx: &mut Tx<'_>| run(tx, Work::Succeeds, -5).await.map(|_| Progress::Asked);
        answer(OPERATION.forward_outside(&self.db, operation("5 points"), Refusals::Kept, work).await)
    }

    /// Its compensation, whose work does so too.
    async fn ask_back(&self) -> Answer {
        let work = async |tx: &mut Tx<'_>| run(tx, Work::Succeeds, 5).await.map(|_| Progress::Asked);
        answer(OPERATION.compensate_outside(&self.db, operation("back"), 0, work).await)
    }

    async fn settle(&self, settlement: Settlement<'static, i64>) -> bool {
        let Operation { aggregate, saga, step, .. } = operation("");
        let known = Operation::known(aggregate, saga, step);
        let note = async move |tx: &mut Tx<'_>| {
            OPERATION.hold(tx, &known).await?;
            OPERATION.settle(tx, &known, settlement).await
        };
        self.db.write(note).await.unwrap()
    }
}

/// What the work of a message does, after it has written its effect.
#[derive(Debug, Clone, Copy)]
enum Work {
    Succeeds,
    /// As a repeat that knows nothing of the first: its reply would be another one.
    SucceedsAgain,
    /// A key lets it in only once.
    SucceedsOnce,
    Refuses,
    RefusesAgain,
    RefusesForNow,
    IsInvalid,
    Fails,
    Panics,
    /// It must not be called.
    Never,
}

async fn run(tx: &mut Tx<'_>, work: Work, points: i64) -> Result<i64, Fault> {
    let saga = operation("").saga;
    tx.execute(EFFECT, args![saga, points]).await?;
    match work {
        Work::Succeeds => Ok(points),
        Work::SucceedsAgain => Ok(1000),
        Work::SucceedsOnce => {
            tx.execute("insert into test_once (saga_id) values ($1)", args![saga]).await?;
            Ok(points)
        }
        Work::Refuses => Err(refusal().into()),
        Work::RefusesAgain => Err(Refusal::precondition("POINTS_SPENT", "there is nothing left").into()),
        Work::RefusesForNow => Err(Refusal::new(Code::Unavailable, "NOBODY_THERE", "ask again").into()),
        Work::IsInvalid => Err(Fault::field("points", "must not be asked for twice")),
        Work::Fails => Err(Error::Unavailable("the disk is full".into()).into()),
        Work::Panics => panic!("a bug"),
        Work::Never => panic!("the work ran"),
    }
}

/// What the work of a repeat may come to, which nobody must ever see.
const REPEATS: [Work; 5] =
    [Work::SucceedsAgain, Work::SucceedsOnce, Work::RefusesAgain, Work::IsInvalid, Work::Refuses];

fn refusal() -> Refusal {
    let refusal = Refusal::precondition("POINTS_SHORT", "customers/1 has 3 of 5 points; top up");
    refusal.with("balance", 3).retry_after(Duration::from_secs(9))
}

fn operation(request: &str) -> Operation {
    operation_of(request, Some("reserve-points"), Some("7")).unwrap()
}

fn operation_of(request: &str, step: Option<&'static str>, epoch: Option<&'static str>) -> Result<Operation, Fault> {
    let mut request = Request::new(request.to_owned());
    for (key, value) in [(SAGA_STEP, step), (SAGA_EPOCH, epoch)] {
        if let Some(value) = value {
            request.metadata_mut().insert(key, value.parse().unwrap());
        }
    }
    Operation::of(&request, Uuid::from_u128(2), Uuid::from_u128(1))
}

fn answer(answer: Result<Response<i64>, Status>) -> Answer {
    answer.map(Response::into_inner)
}

/// The outcome, the code and the reason of an answer that is no reply.
fn no(answer: Answer) -> (Option<SagaOutcome>, Code, Option<String>) {
    let status = answer.unwrap_err();
    (SagaOutcome::of(&status), status.code(), refusal::reason(&status))
}

fn refused(reason: &str) -> (Option<SagaOutcome>, Code, Option<String>) {
    (Some(SagaOutcome::Refused), Code::FailedPrecondition, Some(reason.to_owned()))
}

const PENDING: (Option<SagaOutcome>, Code, Option<String>) = (Some(SagaOutcome::Pending), Code::Unavailable, None);
const NOT_APPLIED: (Option<SagaOutcome>, Code, Option<String>) =
    (Some(SagaOutcome::NotApplied), Code::Unavailable, None);

#[tokio::test]
async fn a_step_happens_once_and_every_repeat_gets_the_first_reply_whatever_its_own_work_came_to() {
    let world = World::new().await;
    assert_eq!(world.forward(Refusals::Kept, Work::SucceedsOnce).await.unwrap(), -5);
    for work in REPEATS {
        for refusals in [Refusals::Kept, Refusals::Forgotten] {
            assert_eq!(world.forward(refusals, work).await.unwrap(), -5, "{work:?} {refusals:?}");
        }
    }
    assert_eq!(world.effects().await, [-5]);
}

#[tokio::test]
async fn a_refusal_of_a_compensatable_step_is_kept_to_the_letter_and_has_no_effect() {
    let world = World::new().await;
    let first = world.forward(Refusals::Kept, Work::Refuses).await.unwrap_err();
    assert_eq!(no(Err(first.clone())), refused("POINTS_SHORT"));
    for work in REPEATS {
        let again = world.forward(Refusals::Kept, work).await.unwrap_err();
        assert_eq!((again.code(), again.message()), (first.code(), first.message()), "{work:?}");
        assert_eq!(again.details(), first.details());
        assert_eq!(again.metadata().as_ref(), first.metadata().as_ref());
        assert_eq!(again.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(9)));
    }
    assert!(world.effects().await.is_empty());
}

#[tokio::test]
async fn a_refusal_of_a_retriable_step_is_forgotten_so_that_it_can_succeed_once_mended() {
    let world = World::new().await;
    let first = world.forward(Refusals::Forgotten, Work::Refuses).await;
    assert_eq!(no(first), refused("POINTS_SHORT"));
    assert_eq!(world.forward(Refusals::Forgotten, Work::Succeeds).await.unwrap(), -5);
    assert_eq!(world.effects().await, [-5]);
}

#[tokio::test]
async fn a_key_that_another_step_holds_fails_this_one_and_leaves_nothing_behind() {
    let world = World::new().await;
    let other = Operation { step: "another".into(), ..operation("5 points") };
    let once = async |tx: &mut Tx<'_>| run(tx, Work::SucceedsOnce, -5).await;
    assert!(OPERATION.forward(&world.db, other, Refusals::Kept, once).await.is_ok());
    for refusals in [Refusals::Kept, Refusals::Forgotten] {
        let broken = no(world.forward(refusals, Work::SucceedsOnce).await);
        assert_eq!(broken, (Some(SagaOutcome::NotApplied), Code::Internal, None));
    }
    assert_eq!(world.effects().await, [-5]);
    assert_eq!(world.forward(Refusals::Kept, Work::Succeeds).await.unwrap(), -5);
}

#[tokio::test]
async fn a_step_that_fails_is_not_applied_and_the_next_attempt_does_it() {
    let world = World::new().await;
    assert_eq!(no(world.forward(Refusals::Kept, Work::Fails).await), NOT_APPLIED);
    let panicked = no(world.forward(Refusals::Kept, Work::Panics).await);
    assert_eq!(panicked, (Some(SagaOutcome::NotApplied), Code::Internal, None));
    assert!(world.effects().await.is_empty());
    assert_eq!(world.take().await.unwrap(), -5);
}

#[tokio::test]
async fn one_step_cannot_mean_two_things() {
    let world = World::new().await;
    world.take().await.unwrap();
    for work in REPEATS {
        let other = async move |tx: &mut Tx<'_>| run(tx, work, -6).await;
        let other = OPERATION.forward(&world.db, operation("6 points"), Refusals::Kept, other).await;
        assert_eq!(no(answer(other)), (None, Code::InvalidArgument, Some("REQUEST_ID_REUSED".into())), "{work:?}");
    }
    assert_eq!(world.effects().await, [-5]);
}

#[tokio::test]
async fn a_compensation_that_comes_first_bars_the_step_for_ever() {
    let world = World::new().await;
    assert_eq!(world.compensate(Work::Never).await.unwrap(), 0);
    for work in REPEATS {
        for refusals in [Refusals::Kept, Refusals::Forgotten] {
            assert_eq!(no(world.forward(refusals, work).await), refused("SAGA_COMPENSATED"), "{work:?} {refusals:?}");
        }
    }
    let other = async |tx: &mut Tx<'_>| run(tx, Work::Succeeds, -6).await;
    let other = OPERATION.forward(&world.db, operation("6 points"), Refusals::Kept, other).await;
    assert_eq!(no(answer(other)), refused("SAGA_COMPENSATED"));
    assert_eq!(world.compensate(Work::Never).await.unwrap(), 0);
    assert!(world.effects().await.is_empty());
}

#[tokio::test]
async fn a_compensation_takes_the_effect_back_once_and_for_all() {
    let world = World::new().await;
    world.take().await.unwrap();
    assert_eq!(world.compensate(Work::Succeeds).await.unwrap(), 5);
    assert_eq!(world.compensate(Work::Never).await.unwrap(), 0);
    assert_eq!(no(world.forward(Refusals::Kept, Work::SucceedsAgain).await), refused("SAGA_COMPENSATED"));
    assert_eq!(world.effects().await, [-5, 5]);
}

#[tokio::test]
async fn of_two_compensations_at_once_one_takes_the_effect_back_and_both_are_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let db = testbed::threaded(directory.path(), Arc::new(ManualClock::at(1))).await;
    db.migrate("test", TABLES).await.unwrap();
    let world = World { db };
    world.take().await.unwrap();
    let (one, two) = tokio::join!(world.compensate(Work::Succeeds), world.compensate(Work::Succeeds));
    assert_eq!(one.unwrap() + two.unwrap(), 5);
    assert_eq!(world.effects().await, [-5, 5]);
}

#[tokio::test]
async fn a_compensation_that_fails_leaves_the_step_applied_for_the_next_one() {
    let world = World::new().await;
    world.take().await.unwrap();
    assert_eq!(no(world.compensate(Work::Fails).await), NOT_APPLIED);
    assert_eq!(world.effects().await, [-5]);
    assert_eq!(world.take().await.unwrap(), -5);
    assert_eq!(world.compensate(Work::Succeeds).await.unwrap(), 5);
}

#[tokio::test]
async fn a_compensation_of_a_refused_step_has_nothing_to_take_back_and_bars_it() {
    let world = World::new().await;
    world.forward(Refusals::Kept, Work::Refuses).await.unwrap_err();
    assert_eq!(world.compensate(Work::Never).await.unwrap(), 0);
    assert_eq!(no(world.forward(Refusals::Kept, Work::SucceedsAgain).await), refused("SAGA_COMPENSATED"));
    assert!(world.effects().await.is_empty());
}

#[tokio::test]
async fn the_refusal_of_an_arbiter_leaves_the_step_applied() {
    let world = World::new().await;
    world.take().await.unwrap();
    assert_eq!(no(world.compensate(Work::Refuses).await), refused("POINTS_SHORT"));
    assert_eq!(no(world.compensate(Work::Refuses).await), refused("POINTS_SHORT"));
    assert_eq!(world.forward(Refusals::Kept, Work::SucceedsAgain).await.unwrap(), -5);
    assert_eq!(world.effects().await, [-5]);
}

#[tokio::test]
async fn a_step_in_progress_is_pending_until_it_is_settled_once() {
    let world = World::new().await;
    assert_eq!(no(world.ask().await), PENDING);
    let asked = world.ask().await;
    let delay = asked.as_ref().unwrap_err().get_details_retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(Duration::from_secs(1)));
    assert_eq!(no(asked), PENDING);
    assert_eq!(no(world.forward(Refusals::Kept, Work::SucceedsAgain).await), PENDING);
    assert_eq!(world.effects().await, [-5], "the note lasts, and once");
    assert!(world.settle(Settlement::Applied(&-5)).await);
    assert!(!world.settle(Settlement::Refused(refusal())).await);
    assert_eq!(world.ask().await.unwrap(), -5);
}

#[tokio::test]
async fn what_an_outside_party_refused_is_kept_like_any_refusal() {
    let world = World::new().await;
    assert!(!world.settle(Settlement::Applied(&-5)).await, "nothing is awaited yet");
    assert_eq!(no(world.ask().await), PENDING);
    assert!(world.settle(Settlement::Refused(refusal())).await);
    assert_eq!(no(world.ask().await), refused("POINTS_SHORT"));
    assert_eq!(world.compensate(Work::Never).await.unwrap(), 0);
}

#[tokio::test]
async fn a_compensation_of_a_step_in_progress_leaves_its_order_and_is_pending_until_the_step_is_settled() {
    let world = World::new().await;
    assert_eq!(no(world.ask().await), PENDING);
    assert_eq!(no(world.compensate(Work::Succeeds).await), PENDING);
    assert_eq!(world.effects().await, [-5, 5], "the order to void lasts");
    assert_eq!(no(world.compensate(Work::Fails).await), NOT_APPLIED);
    assert_eq!(no(world.ask().await), PENDING);
    world.settle(Settlement::Applied(&-5)).await;
    assert_eq!(world.compensate(Work::Succeeds).await.unwrap(), 5);
    assert_eq!(no(world.ask().await), refused("SAGA_COMPENSATED"));
}

#[tokio::test]
async fn a_compensation_that_asks_outside_is_pending_until_it_is_settled() {
    let world = World::new().await;
    world.take().await.unwrap();
    for _ in 0..2 {
        assert_eq!(no(world.ask_back().await), PENDING);
    }
    assert_eq!(no(world.take().await), PENDING);
    assert!(world.settle(Settlement::Compensated).await);
    assert_eq!(world.ask_back().await.unwrap(), 0);
    assert_eq!(no(world.take().await), refused("SAGA_COMPENSATED"));
}

#[tokio::test]
async fn an_arbiter_that_has_lost_outside_leaves_the_step_applied() {
    let world = World::new().await;
    world.take().await.unwrap();
    assert_eq!(no(world.ask_back().await), PENDING);
    assert!(world.settle(Settlement::Applied(&-5)).await);
    assert_eq!(no(world.compensate(Work::Refuses).await), refused("POINTS_SHORT"));
    assert_eq!(world.take().await.unwrap(), -5);
}

#[tokio::test]
async fn a_refusal_may_tell_by_itself_whether_it_is_kept() {
    let world = World::new().await;
    let kept = Refusals::KeptIf(|refusal| refusal.reason == "POINTS_SPENT");
    assert_eq!(no(world.forward(kept, Work::Refuses).await), refused("POINTS_SHORT"));
    assert_eq!(no(world.forward(kept, Work::RefusesAgain).await), refused("POINTS_SPENT"));
    assert_eq!(no(world.forward(kept, Work::Succeeds).await), refused("POINTS_SPENT"));
}

#[tokio::test]
async fn a_refusal_that_holds_only_for_now_is_not_kept() {
    let world = World::new().await;
    let for_now = no(world.forward(Refusals::Kept, Work::RefusesForNow).await);
    assert_eq!(for_now, (Some(SagaOutcome::NotApplied), Code::Unavailable, Some("NOBODY_THERE".into())));
    assert_eq!(world.take().await.unwrap(), -5);
    assert_eq!(world.forward(Refusals::Kept, Work::RefusesForNow).await.unwrap(), -5, "a repeat finds what was done");
}

#[tokio::test]
async fn other_steps_sagas_and_aggregates_are_other_matters() {
    let world = World::new().await;
    world.compensate(Work::Never).await.unwrap();
    let mine = operation("5 points");
    let others = [
        Operation { step: "another".into(), ..mine.clone() },
        Operation { saga: Uuid::from_u128(9), ..mine.clone() },
        Operation { aggregate: Uuid::from_u128(9), ..mine.clone() },
    ];
    for other in others {
        let work = async |tx: &mut Tx<'_>| run(tx, Work::Succeeds, -5).await;
        assert!(OPERATION.forward(&world.db, other, Refusals::Kept, work).await.is_ok());
    }
    assert_eq!(world.effects().await, [-5, -5, -5]);
}

#[test]
fn a_message_without_its_metadata_is_told_which_one_is_missing_or_wrong() {
    const LONG: &str = "sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss";
    let cases = [
        (None, Some("7"), SAGA_STEP),
        (Some(""), Some("7"), SAGA_STEP),
        (Some(LONG), Some("7"), SAGA_STEP),
        (Some("s"), None, SAGA_EPOCH),
        (Some("s"), Some(""), SAGA_EPOCH),
        (Some("s"), Some("seven"), SAGA_EPOCH),
        (Some("s"), Some("9223372036854775808"), SAGA_EPOCH),
    ];
    for (step, epoch, field) in cases {
        let status = operation_of("", step, epoch).unwrap_err().into_step_status("ticketing.test.v1");
        assert_eq!((status.code(), SagaOutcome::of(&status)), (Code::InvalidArgument, None));
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, field, "{step:?} {epoch:?}");
    }
    let operation = operation_of("", Some(&LONG[1..]), Some("-1")).unwrap();
    assert_eq!((operation.step.len(), operation.epoch), (64, -1));
}
