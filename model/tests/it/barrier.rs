//! The shipped barrier over a real database does what the model's does, for every row and every message.

use std::sync::Arc;

use model::{Became, Letter, Row, deliver};
use service_kit::args;
use service_kit::barrier::{Barrier, Operation, Progress, Refusals, SAGA_EPOCH, SAGA_STEP};
use service_kit::clock::ManualClock;
use service_kit::db::{Db, Migration, Tx};
use service_kit::refusal::{Fault, Refusal, SagaOutcome};
use tonic::{Request, Response, Status};
use uuid::Uuid;

static BARRIER: Barrier = service_kit::barrier!("test", "ticketing.test.v1");

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
        name: "book",
        sql: "create table test_book (saga_id uuid not null primary key, done bigint not null, undone bigint not null)",
    },
];

const OPEN: &str = "insert into test_book (saga_id, done, undone) values ($1, 0, 0)";
const DO: &str = "update test_book set done = done + 1 where saga_id = $1";
const UNDO: &str = "update test_book set undone = undone + 1 where saga_id = $1";
const BOOK: &str = "select done, undone from test_book where saga_id = $1";
const ROW: &str = "select state from test_saga_op where saga_id = $1";

/// What the work of a message comes to.
#[derive(Debug, Clone, Copy)]
enum Work {
    Succeeds,
    Asks,
    IsRefused,
}

/// One step of one saga, at a real participant.
struct Step {
    db: Db,
    saga: Uuid,
}

impl Step {
    async fn new(db: &Db, number: u128) -> Step {
        let saga = Uuid::from_u128(number);
        db.write(async move |tx: &mut Tx<'_>| tx.execute(OPEN, args![saga]).await).await.unwrap();
        Step { db: db.clone(), saga }
    }

    fn operation(&self, request: &str) -> Operation {
        let mut request = Request::new(request.to_owned());
        request.metadata_mut().insert(SAGA_STEP, "step".parse().unwrap());
        request.metadata_mut().insert(SAGA_EPOCH, "1".parse().unwrap());
        Operation::of(&request, self.saga, Uuid::nil()).unwrap()
    }

    async fn forward(&self, work: Work, refusals: Refusals) -> &'static str {
        let saga = self.saga;
        let work = async move |tx: &mut Tx<'_>| run(tx, saga, (DO, work)).await;
        text(BARRIER.forward_outside(&self.db, self.operation("do"), refusals, work).await)
    }

    async fn back(&self, work: Work) -> &'static str {
        let saga = self.saga;
        let work = async move |tx: &mut Tx<'_>| run(tx, saga, (UNDO, work)).await;
        text(BARRIER.compensate_outside(&self.db, self.operation("back"), 0, work).await)
    }

    /// Brings the row about by messages.
    async fn bring_about(&self, row: Row) {
        match row {
            Row::Empty => {}
            Row::Applied => drop(self.forward(Work::Succeeds, Refusals::Kept).await),
            Row::Refused => drop(self.forward(Work::IsRefused, Refusals::Kept).await),
            Row::Compensated => {
                self.forward(Work::Succeeds, Refusals::Kept).await;
                self.back(Work::Succeeds).await;
            }
            Row::Tombstone => drop(self.back(Work::Succeeds).await),
            Row::InProgress => drop(self.forward(Work::Asks, Refusals::Kept).await),
        }
        assert_eq!(self.row().await, row, "it was not brought about");
    }

    async fn send(&self, letter: Letter, found: Row) -> &'static str {
        let outside = if found == Row::InProgress { Work::Asks } else { Work::Succeeds };
        match letter {
            Letter::Do => self.forward(Work::Succeeds, Refusals::Kept).await,
            Letter::DoInVain => self.forward(Work::IsRefused, Refusals::Kept).await,
            Letter::DoAfterDecision => self.forward(Work::IsRefused, Refusals::Forgotten).await,
            Letter::Compensate => self.back(outside).await,
            Letter::CompensateTooLate => self.back(Work::IsRefused).await,
        }
    }

    async fn row(&self) -> Row {
        let saga = self.saga;
        let state: Option<(i64,)> =
            self.db.read(async move |tx| tx.fetch_optional(ROW, args![saga]).await).await.unwrap();
        let rows = [Row::Empty, Row::Applied, Row::Refused, Row::Compensated, Row::Tombstone, Row::InProgress];
        rows[usize::try_from(state.map_or(0, |(state,)| state)).unwrap()]
    }

    async fn book(&self) -> (i64, i64) {
        let saga = self.saga;
        let book: Option<(i64, i64)> =
            self.db.read(async move |tx| tx.fetch_optional(BOOK, args![saga]).await).await.unwrap();
        book.expect("the book was opened")
    }
}

async fn run(tx: &mut Tx<'_>, saga: Uuid, (effect, work): (&'static str, Work)) -> Result<Progress<i64>, Fault> {
    match work {
        // Who only asks has no effect yet.
        Work::Asks => Ok(Progress::Asked),
        Work::Succeeds | Work::IsRefused => {
            tx.execute(effect, args![saga]).await?;
            match work {
                Work::IsRefused => Err(Refusal::precondition("NO", "no").into()),
                Work::Succeeds | Work::Asks => Ok(Progress::Done(1)),
            }
        }
    }
}

fn text(answer: Result<Response<i64>, Status>) -> &'static str {
    match answer.map_err(|status| SagaOutcome::of(&status)) {
        Ok(_) => "done",
        Err(Some(SagaOutcome::Refused)) => "refused",
        Err(Some(SagaOutcome::Pending)) => "pending",
        Err(Some(SagaOutcome::NotApplied)) => "not executed",
        Err(None) => "in doubt",
    }
}

/// What of a row and a message cannot meet: a step in progress is not decided yet.
fn can_meet(row: Row, letter: Letter) -> bool {
    row != Row::InProgress || !matches!(letter, Letter::CompensateTooLate | Letter::DoAfterDecision)
}

#[tokio::test]
async fn the_shipped_barrier_does_what_the_model_says_for_every_row_and_message() {
    let db = testbed::db(Arc::new(ManualClock::at(1))).await;
    db.migrate("test", TABLES).await.unwrap();
    let mut number = 0;
    for row in Row::ALL {
        for letter in Letter::ALL.into_iter().filter(|letter| can_meet(row, *letter)) {
            number += 1;
            let step = Step::new(&db, number).await;
            step.bring_about(row).await;
            let before = step.book().await;
            let answer = step.send(letter, row).await;
            let after = step.book().await;
            let [done, undone] = [after.0 - before.0, after.1 - before.1].map(|count| u16::try_from(count).unwrap());
            let became = Became { row: step.row().await, answer, done, undone };
            assert_eq!(became, deliver(row, letter), "{row:?} meets {letter:?}");
        }
    }
    assert_eq!(number, 28);
}
