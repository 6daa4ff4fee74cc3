//! Steps that an outside party decides. It is never asked within a transaction: a first one notes that it will be asked,
//! and a second one what it has said. In between the step is in progress, and whoever repeats it, or takes it back, is
//! told to ask again.

use prost::Message;
use tonic::{Response, Status};
use uuid::Uuid;

use super::{Barrier, Operation, Refusals, State};
use crate::db::{self, Db, Tx};
use crate::refusal::{self, Fault, Refusal};
use crate::{crash, crash_point};

/// What the first transaction of a step has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<R> {
    /// All of it: nobody outside is needed.
    Done(R),
    /// It is written down that somebody outside is to be asked.
    Asked,
}

impl<R> Progress<R> {
    /// The same with another reply.
    pub fn map<T>(self, reply: impl FnOnce(R) -> T) -> Progress<T> {
        match self {
            Self::Done(done) => Progress::Done(reply(done)),
            Self::Asked => Progress::Asked,
        }
    }
}

/// How a step that was in progress ends.
#[derive(Debug, Clone)]
pub enum Settlement<'a, R> {
    /// It has happened.
    Applied(&'a R),
    /// It has not and never will.
    Refused(Refusal),
    /// It was taken back.
    Compensated,
}

impl Operation {
    /// A step that has a row already, for whoever settles it.
    pub fn known(aggregate: Uuid, saga: Uuid, step: impl Into<String>) -> Self {
        Self { aggregate, saga, step: step.into(), request_hash: Vec::new(), epoch: 0 }
    }
}

impl Barrier {
    /// As [`Barrier::forward`], for a step that somebody outside may have to decide: then it is in progress until
    /// [`Barrier::settle`].
    ///
    /// # Errors
    /// As [`Barrier::forward`]; pending while the step is in progress.
    pub async fn forward_outside<R, W>(
        &'static self,
        db: &Db,
        op: Operation,
        refusals: Refusals,
        work: W,
    ) -> Result<Response<R>, Status>
    where
        R: Message + Default + 'static,
        W: AsyncFnOnce(&mut Tx<'_>) -> Result<Progress<R>, Fault> + Clone + Send + 'static,
    {
        let step = crash::label(&op.step);
        crash_point!("barrier.before_transaction", &step, "forward");
        let settled = db.write(async move |tx| self.forward_in(tx, &op, refusals, work).await).await;
        crash_point!("barrier.after_commit", &step, "forward");
        self.answer(settled)
    }

    /// As [`Barrier::compensate`], for a step that only somebody outside can take back: then it is in progress, until it
    /// is settled as compensated or, where the arbiter has lost, as applied. On a step in progress every attempt runs
    /// `work`, which leaves an order to take it back; what it returns then is not sent.
    ///
    /// # Errors
    /// As [`Barrier::compensate`]; pending while the step is in progress.
    pub async fn compensate_outside<R, W>(
        &'static self,
        db: &Db,
        op: Operation,
        echo: R,
        work: W,
    ) -> Result<Response<R>, Status>
    where
        R: Message + Clone + 'static,
        W: AsyncFnOnce(&mut Tx<'_>) -> Result<Progress<R>, Fault> + Clone + Send + 'static,
    {
        let step = crash::label(&op.step);
        crash_point!("barrier.before_transaction", &step, "compensation");
        let settled = db.write(async move |tx| self.compensate_in(tx, &op, echo, work).await).await;
        crash_point!("barrier.after_commit", &step, "compensation");
        self.answer(settled)
    }

    /// Keeps a step's row as it is until the caller's transaction has ended. Whoever settles a step does this before it
    /// touches what the row guards, as those do who take it back: so neither waits for the other in a circle.
    ///
    /// # Errors
    /// Of the store.
    pub async fn hold(&self, tx: &mut Tx<'_>, op: &Operation) -> Result<(), db::Error> {
        let row: Option<super::Kept> =
            tx.lock_optional(self.select, crate::args![op.aggregate, op.saga, &op.step]).await?;
        drop(row);
        Ok(())
    }

    /// Records within the caller's transaction how a step in progress ends. Tells whether it was in progress.
    ///
    /// # Errors
    /// Of the store.
    pub async fn settle<R: Message>(
        &self,
        tx: &mut Tx<'_>,
        op: &Operation,
        settlement: Settlement<'_, R>,
    ) -> Result<bool, db::Error> {
        let (state, reply) = match settlement {
            Settlement::Applied(reply) => (State::Applied, Some(reply.encode_to_vec())),
            Settlement::Refused(no) => (State::Refused, Some(refusal::to_bytes(&no.into_status(self.domain)))),
            Settlement::Compensated => (State::Compensated, None),
        };
        self.advance(tx, op, (State::InProgress, state), reply.as_ref()).await
    }
}
