//! The barrier, and what mutants do before it gets to see a message.

use service_kit::args;
use service_kit::barrier::{Operation, Progress, Refusals};
use service_kit::db::{self, Tx};
use service_kit::refusal::{Fault, Refusal, SagaOutcome};
use tonic::{Response, Status};

use super::{BARRIER, Books};
use crate::dice::{number, word};
use crate::mutants::Mutant;

const FIND: &str = "select state from sim_saga_op where saga_id = $1 and step = $2";
const REOPEN: &str = "update sim_saga_op set state = 1 where saga_id = $1 and step = $2 and state = 3";
const PURGE: &str = "delete from sim_saga_op where create_time < $1 and state <> 5";

impl Books {
    /// A step through the barrier.
    pub(super) async fn forward<R, W>(&self, op: Operation, refusals: Refusals, work: W) -> Result<Response<R>, Status>
    where
        R: prost::Message + Default + 'static,
        W: AsyncFnOnce(&mut Tx<'_>) -> Result<Progress<R>, Fault> + Clone + Send + 'static,
    {
        let mut op = op;
        if self.world.mutant.is_some() {
            self.purge_by_age().await?;
            let is_known = self.state(&op).await?;
            if self.world.is(Mutant::NoStoredReply) && is_known == Some(1) {
                let refusal = Refusal::precondition("ALREADY_DONE", "it was done before");
                return Err(SagaOutcome::Refused.mark(refusal.into_status(BARRIER.domain)));
            }
            if self.world.is(Mutant::ActionTwice) && is_known.is_some() {
                let again = self.world.count(&[word("again"), number(op.saga), word(&op.step)]);
                op.step = format!("{}~{again}", op.step);
            }
        }
        BARRIER.forward_outside(&self.db, op, refusals, work).await
    }

    /// A compensation through the barrier.
    pub(super) async fn compensate<R, W>(&self, op: Operation, echo: R, work: W) -> Result<Response<R>, Status>
    where
        R: prost::Message + Clone + 'static,
        W: AsyncFnOnce(&mut Tx<'_>) -> Result<Progress<R>, Fault> + Clone + Send + 'static,
    {
        if self.world.mutant.is_some() {
            self.purge_by_age().await?;
            if self.world.is(Mutant::NoTombstone) && self.state(&op).await?.is_none() {
                return Ok(Response::new(echo));
            }
            if self.world.is(Mutant::UndoTwice) {
                let (saga, step) = (op.saga, op.step.clone());
                let reopen = async move |tx: &mut Tx<'_>| tx.execute(REOPEN, args![saga, &step]).await;
                self.db.write(reopen).await.map_err(failed)?;
            }
        }
        BARRIER.compensate_outside(&self.db, op, echo, work).await
    }

    async fn state(&self, op: &Operation) -> Result<Option<i64>, Status> {
        let (saga, step) = (op.saga, op.step.clone());
        let find = async move |tx: &mut Tx<'_>| {
            let row: Option<(i64,)> = tx.fetch_optional(FIND, args![saga, &step]).await?;
            Ok::<_, db::Error>(row.map(|(state,)| state))
        };
        self.db.read(find).await.map_err(failed)
    }

    async fn purge_by_age(&self) -> Result<(), Status> {
        let Some(age_ms) = self.world.mutant.and_then(Mutant::purges_after_ms) else {
            return Ok(());
        };
        let before_ms = self.world.now_ms() - age_ms;
        let purge = async move |tx: &mut Tx<'_>| tx.execute(PURGE, args![before_ms]).await;
        self.db.write(purge).await.map(drop).map_err(failed)
    }
}

fn failed(error: db::Error) -> Status {
    Status::internal(error.to_string())
}

/// Nothing more is needed of a step than its reply.
pub(super) fn done<R: prost::Message>(reply: R) -> Result<Progress<R>, Fault> {
    Ok(Progress::Done(reply))
}
