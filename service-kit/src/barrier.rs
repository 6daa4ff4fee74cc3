//! At most one effect per step of a saga, and none once it was compensated, over messages that are lost, repeated, late
//! and out of order. One row per (aggregate, saga, step) in the participant's own tables is written in the transaction
//! of the effect that it guards, so whatever happens to a message, that row tells what became of it.
//!
//! Rules and statements of an effect are the caller's. Which attempt is sent when is the orchestrator's affair.

use std::time::Duration;

use prost::Message;
use tonic::{Code, Response, Status};

use crate::args;
use crate::crash_point;
use crate::db::{self, Db, Tx};
use crate::refusal::{self, Fault, Refusal, SagaOutcome};

mod operation;
mod outside;

pub use operation::{Operation, SAGA_EPOCH, SAGA_STEP};
pub use outside::{Progress, Settlement};

/// How long a caller waits before it asks again about something outside.
const PENDING_RETRY: Duration = Duration::from_secs(1);

/// The barrier of one service: its statements. Made by [`barrier!`](crate::barrier!).
#[derive(Debug)]
pub struct Barrier {
    /// The package of the service, as in `ErrorInfo.domain`.
    pub domain: &'static str,
    /// Inserts a row unless there is one.
    pub insert: &'static str,
    /// Reads a row.
    pub select: &'static str,
    /// Moves a row from one state to another, with a reply.
    pub advance: &'static str,
}

/// The barrier of the service whose tables start with the given prefix.
#[macro_export]
macro_rules! barrier {
    ($prefix:literal, $domain:literal) => {
        $crate::barrier::Barrier {
            domain: $domain,
            insert: concat!(
                "insert into ",
                $prefix,
                "_saga_op (aggregate_id, saga_id, step, state, request_hash, reply, epoch, create_time) ",
                "values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing"
            ),
            select: concat!(
                "select state, request_hash, reply from ",
                $prefix,
                "_saga_op where aggregate_id = $1 and saga_id = $2 and step = $3"
            ),
            advance: concat!(
                "update ",
                $prefix,
                "_saga_op set state = $5, reply = $6 ",
                "where aggregate_id = $1 and saga_id = $2 and step = $3 and state = $4"
            ),
        }
    };
}

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The step has happened.
    Applied = 1,
    /// It was refused, for good.
    Refused = 2,
    /// It had happened and was taken back.
    Compensated = 3,
    /// It never happened and never will.
    Tombstone = 4,
    /// An outside party is still asked about it.
    InProgress = 5,
}

impl State {
    const ALL: [Self; 5] = [Self::Applied, Self::Refused, Self::Compensated, Self::Tombstone, Self::InProgress];

    pub(crate) fn read(row: &db::Row<'_>, column: usize) -> Result<Self, db::Error> {
        let number: i64 = row.get(column)?;
        let state = Self::ALL.into_iter().find(|state| *state as i64 == number);
        state.ok_or_else(|| row.corrupt(column, format!("no state has the number {number}")))
    }
}

/// Whether a refusal of a step is kept. One that holds only for now never is: see [`Refusal::is_passing`].
#[derive(Debug, Clone, Copy)]
pub enum Refusals {
    /// Compensatable steps and pivots: an earlier attempt that was only late must find the refusal and have no effect.
    Kept,
    /// Retriable steps: once the cause is mended, the next attempt must succeed.
    Forgotten,
    /// Steps that are the one or the other, as the refusal itself tells.
    KeptIf(fn(&Refusal) -> bool),
}

impl Refusals {
    fn keep(self, refusal: &Refusal) -> bool {
        match self {
            Self::Kept => !refusal.is_passing(),
            Self::Forgotten => false,
            Self::KeptIf(keeps) => !refusal.is_passing() && keeps(refusal),
        }
    }
}

/// What a step came to, once it is durable.
enum Settled<R> {
    Reply(R),
    Refused(Status),
    Pending,
}

impl Barrier {
    /// Does a step's `work` unless it was done, refused or compensated before, and returns the reply, the same one to
    /// every repeat. A repeat may run `work` too, and takes back whatever that did.
    ///
    /// # Errors
    /// The refusal, marked as such; `SAGA_COMPENSATED` after a compensation; otherwise why nothing was done.
    pub async fn forward<R, W>(
        &'static self,
        db: &Db,
        op: Operation,
        refusals: Refusals,
        work: W,
    ) -> Result<Response<R>, Status>
    where
        R: Message + Default + 'static,
        W: AsyncFnOnce(&mut Tx<'_>) -> Result<R, Fault> + Clone + Send + 'static,
    {
        self.forward_outside(db, op, refusals, async move |tx| work(tx).await.map(Progress::Done)).await
    }

    /// Takes a step back: runs `work` only if the step is applied, and only once; bars the step if it never arrived.
    /// Returns `echo` wherever there is nothing (more) to take back. A refusal of `work` leaves the step applied: that is
    /// an arbiter's answer.
    ///
    /// # Errors
    /// The arbiter's refusal, marked as such; otherwise why nothing was done.
    pub async fn compensate<R, W>(
        &'static self,
        db: &Db,
        op: Operation,
        echo: R,
        work: W,
    ) -> Result<Response<R>, Status>
    where
        R: Message + Clone + 'static,
        W: AsyncFnOnce(&mut Tx<'_>) -> Result<R, Fault> + Clone + Send + 'static,
    {
        self.compensate_outside(db, op, echo, async move |tx| work(tx).await.map(Progress::Done)).await
    }

    /// The work goes first, and the row last, which then tells whether it was the first one: a step that comes once, as
    /// nearly all do, needs no look beforehand. Other messages of the step may be under way on other connections; still
    /// there is one effect at most, because it is kept only together with the row, and every answer is the row's:
    ///
    /// - The row cannot be inserted: somebody else's is there, committed, for the insert waits for one that is not yet.
    ///   What the work did is taken back, and that row answers.
    /// - The work says no, or breaks a key. That may be the doing of an earlier message of this very step, whose effect
    ///   the work has met. What it has met was committed together with its row, so a look finds that one. Only when
    ///   there is none, the no is this message's own.
    async fn forward_in<R: Message + Default>(
        &self,
        tx: &mut Tx<'_>,
        op: &Operation,
        refusals: Refusals,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<Progress<R>, Fault>,
    ) -> Result<Settled<R>, Fault> {
        let done = work(tx).await;
        crash_point!("barrier.after_effect", &op.step, "forward");
        let own = match done {
            Ok(Progress::Done(reply)) => {
                if self.insert(tx, op, State::Applied, Some(&reply.encode_to_vec())).await? {
                    crash_point!("barrier.after_row", &op.step, "forward");
                    return Ok(Settled::Reply(reply));
                }
                vanished().into()
            }
            Ok(Progress::Asked) => {
                if self.insert(tx, op, State::InProgress, None).await? {
                    crash_point!("barrier.after_row", &op.step, "forward");
                    return Ok(Settled::Pending);
                }
                vanished().into()
            }
            Err(Fault::Refused(refusal)) if refusals.keep(&refusal) => {
                tx.restart().await?;
                let status = refusal.into_status(self.domain);
                if self.insert(tx, op, State::Refused, Some(&refusal::to_bytes(&status))).await? {
                    return Ok(Settled::Refused(status));
                }
                vanished().into()
            }
            Err(fault) if fault.is_outage() => return Err(fault),
            Err(fault) => fault,
        };
        tx.restart().await?;
        match self.find(tx, op).await? {
            Some(row) => self.repeated(row, op),
            None => Err(own),
        }
    }

    /// The answer to a step whose row is there already.
    fn repeated<R: Message + Default>(&self, row: Kept, op: &Operation) -> Result<Settled<R>, Fault> {
        let compensated = matches!(row.state, State::Compensated | State::Tombstone);
        if !compensated && row.request_hash != op.request_hash {
            tracing::error!(saga.id = %op.saga, step = op.step, "a step was repeated with another request");
            let problem = "differs from the first request of the same saga and step";
            return Err(Fault::Invalid {
                field: "request".into(),
                problem: problem.into(),
                reason: "REQUEST_ID_REUSED",
            });
        }
        match row.state {
            State::Applied => {
                Ok(Settled::Reply(R::decode(row.reply.as_slice()).map_err(|error| corrupt(error.to_string()))?))
            }
            State::Refused => Ok(Settled::Refused(refusal::from_bytes(&row.reply)?)),
            State::Compensated | State::Tombstone => Err(compensated_refusal(op).into()),
            State::InProgress => Ok(Settled::Pending),
        }
    }

    async fn compensate_in<R>(
        &self,
        tx: &mut Tx<'_>,
        op: &Operation,
        echo: R,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<Progress<R>, Fault>,
    ) -> Result<Settled<R>, Fault> {
        // Several may ask at once: only the one whose update counts a row takes the effect back.
        if self.advance(tx, op, (State::Applied, State::Compensated), None).await? {
            return self.take_back(tx, op, work).await;
        }
        if self.insert(tx, op, State::Tombstone, None).await? {
            crash_point!("barrier.after_tombstone", &op.step, "compensation");
            return Ok(Settled::Reply(echo));
        }
        match self.lock(tx, op).await?.state {
            // The step was under way: the insert has waited for it.
            State::Applied => {
                self.advance(tx, op, (State::Applied, State::Compensated), None).await?;
                return self.take_back(tx, op, work).await;
            }
            State::Refused => {
                self.advance(tx, op, (State::Refused, State::Tombstone), None).await?;
            }
            State::InProgress => {
                // The order to void must last, so this is no error, which would take it back.
                work(tx).await?;
                return Ok(Settled::Pending);
            }
            State::Compensated | State::Tombstone => {}
        }
        Ok(Settled::Reply(echo))
    }

    /// Runs the work of a compensation whose row says that it is done, and unsays it while the outside is still asked.
    async fn take_back<R>(
        &self,
        tx: &mut Tx<'_>,
        op: &Operation,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<Progress<R>, Fault>,
    ) -> Result<Settled<R>, Fault> {
        crash_point!("barrier.after_row", &op.step, "compensation");
        let taken_back = work(tx).await?;
        crash_point!("barrier.after_effect", &op.step, "compensation");
        match taken_back {
            Progress::Done(reply) => Ok(Settled::Reply(reply)),
            Progress::Asked => {
                self.advance(tx, op, (State::Compensated, State::InProgress), None).await?;
                Ok(Settled::Pending)
            }
        }
    }

    async fn insert(
        &self,
        tx: &mut Tx<'_>,
        op: &Operation,
        state: State,
        reply: Option<&Vec<u8>>,
    ) -> Result<bool, db::Error> {
        let now_ms = tx.now_ms();
        let args = args![op.aggregate, op.saga, &op.step, state as i64, &op.request_hash, reply, op.epoch, now_ms];
        Ok(tx.execute(self.insert, args).await? == 1)
    }

    async fn advance(
        &self,
        tx: &mut Tx<'_>,
        op: &Operation,
        (from, to): (State, State),
        reply: Option<&Vec<u8>>,
    ) -> Result<bool, db::Error> {
        let args = args![op.aggregate, op.saga, &op.step, from as i64, to as i64, reply];
        Ok(tx.execute(self.advance, args).await? == 1)
    }

    async fn find(&self, tx: &mut Tx<'_>, op: &Operation) -> Result<Option<Kept>, db::Error> {
        tx.fetch_optional(self.select, args![op.aggregate, op.saga, &op.step]).await
    }

    /// Reads the row that is known to be there, and keeps it from changing.
    async fn lock(&self, tx: &mut Tx<'_>, op: &Operation) -> Result<Kept, db::Error> {
        let row = tx.lock_optional(self.select, args![op.aggregate, op.saga, &op.step]).await?;
        row.ok_or_else(vanished)
    }

    fn answer<R>(&self, settled: Result<Settled<R>, Fault>) -> Result<Response<R>, Status> {
        match settled {
            Ok(Settled::Reply(reply)) => Ok(Response::new(reply)),
            Ok(Settled::Refused(status)) => Err(SagaOutcome::Refused.mark(status)),
            Ok(Settled::Pending) => Err(Fault::Pending(PENDING_RETRY).into_step_status(self.domain)),
            Err(fault) => Err(fault.into_step_status(self.domain)),
        }
    }
}

/// A stored row.
struct Kept {
    state: State,
    request_hash: Vec<u8>,
    reply: Vec<u8>,
}

impl db::FromRow for Kept {
    fn from_row(row: &db::Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            state: State::read(row, 0)?,
            request_hash: row.get(1)?,
            reply: row.get::<Option<Vec<u8>>>(2)?.unwrap_or_default(),
        })
    }
}

fn compensated_refusal(op: &Operation) -> Refusal {
    let saga = format!("sagas/{}", op.saga);
    let message = format!("step {} of {saga} was compensated; it cannot happen any more", op.step);
    Refusal::new(Code::FailedPrecondition, "SAGA_COMPENSATED", message).with("saga", saga)
}

/// The row that kept another one out was forgotten a moment later: the next attempt finds none.
fn vanished() -> db::Error {
    db::Error::Unavailable("the row of the step was being purged".into())
}

fn corrupt(problem: String) -> db::Error {
    db::Error::Corrupt { column: "reply".into(), problem }
}
