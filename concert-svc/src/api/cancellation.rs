//! Cancellations: the steps of their saga, behind the barrier; performances that are off, and what is left to give back of
//! them; locks.

use proto::concert::v1 as pb;
use service_kit::barrier::{Operation, Refusals};
use service_kit::db::Tx;
use service_kit::idempotency::Call;
use service_kit::page;
use service_kit::refusal::Fault;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{Api, BARRIER, IDEMPOTENCY, refuse};
use crate::record::Cause;
use crate::wire::reservations::{reservation, step};
use crate::wire::{cancellation as wire, catalogue, listing};
use crate::{cancellation, cancelled_performance, store};

/// What the history of a reservation says when its hold ends before its time.
const PERFORMANCE_CANCELLED: &str = "PERFORMANCE_CANCELLED";

impl Api {
    pub(super) async fn begin_cancellation(
        &self,
        request: &Request<pb::BeginReservationCancellationRequest>,
    ) -> Result<Response<pb::BeginReservationCancellationResponse>, Status> {
        let message = request.get_ref();
        let step = step(&message.name, &message.saga, &message.request_id).map_err(refuse)?;
        let begin = wire::begin(message, step.saga).map_err(refuse)?;
        let op = Operation::of(request, step.saga, step.reservation).map_err(refuse)?;
        let cause = self.step_cause(&step, begin.customer);
        let work = async move |tx: &mut Tx<'_>| {
            let locked = cancellation::begin(tx, step.reservation, &begin, &cause).await?;
            Ok(wire::begun(step.saga, &locked))
        };
        BARRIER.forward(&self.0.host.db, op, Refusals::Kept, work).await
    }

    pub(super) async fn abort_cancellation(
        &self,
        request: &Request<pb::AbortReservationCancellationRequest>,
    ) -> Result<Response<pb::AbortReservationCancellationResponse>, Status> {
        let message = request.get_ref();
        let step = step(&message.name, &message.saga, &message.request_id).map_err(refuse)?;
        let op = Operation::of(request, step.saga, step.reservation).map_err(refuse)?;
        let echo = wire::aborted(step.saga, None);
        let cause = self.step_cause(&step, None);
        let work = async move |tx: &mut Tx<'_>| {
            let (kept, amount) = cancellation::abort(tx, step.reservation, step.saga, &cause).await?;
            Ok(wire::aborted(step.saga, Some((&kept, amount))))
        };
        BARRIER.compensate(&self.0.host.db, op, echo, work).await
    }

    pub(super) async fn commit_cancellation(
        &self,
        request: &Request<pb::CommitReservationCancellationRequest>,
    ) -> Result<Response<pb::CommitReservationCancellationResponse>, Status> {
        let message = request.get_ref();
        let step = step(&message.name, &message.saga, &message.request_id).map_err(refuse)?;
        let op = Operation::of(request, step.saga, step.reservation).map_err(refuse)?;
        let cause = self.step_cause(&step, None);
        let work = async move |tx: &mut Tx<'_>| {
            let cancelled = cancellation::commit(tx, step.reservation, step.saga, &cause).await?;
            Ok(wire::committed(step.saga, &cancelled))
        };
        BARRIER.forward(&self.0.host.db, op, Refusals::Kept, work).await
    }

    pub(super) async fn cancel_performance(
        &self,
        request: &pb::CancelPerformanceRequest,
    ) -> Result<pb::Performance, Fault> {
        let order = wire::cancel_performance(request)?;
        let call = Call::new("CancelPerformance", order.request_id, request);
        let cause = Cause { request_id: order.request_id, reason: PERFORMANCE_CANCELLED, ..self.word_of(None) };
        let performance = order.performance;
        let work = async move |tx: &mut Tx<'_>| {
            let cancel = async move |tx: &mut Tx<'_>| {
                cancelled_performance::cancel(tx, &order).await.map(|off| catalogue::performance(&off))
            };
            IDEMPOTENCY.once(tx, &call, cancel).await
        };
        let cancelled = self.0.host.db.write(work).await?;
        self.end_holds(performance, cause).await?;
        Ok(cancelled)
    }

    /// A batch in each transaction. What is left when this is cut short ends when the call is repeated, or in its time.
    async fn end_holds(&self, performance: Uuid, cause: Cause) -> Result<(), Fault> {
        let batch = self.0.config.sweep_batch;
        loop {
            let cause = cause.clone();
            let work =
                async move |tx: &mut Tx<'_>| cancelled_performance::end_holds(tx, performance, batch, &cause).await;
            if self.0.host.db.write(work).await? == 0 {
                return Ok(());
            }
        }
    }

    pub(super) async fn list_to_cancel(
        &self,
        request: &pb::ListReservationsToCancelRequest,
    ) -> Result<pb::ListReservationsToCancelResponse, Fault> {
        let size = page::size(request.page_size)?;
        let after = listing::after_pair(&request.page_token)?;
        let read = async move |tx: &mut Tx<'_>| cancelled_performance::to_give_back(tx, after, page::limit(size)).await;
        let rows = self.0.host.db.read(read).await?;
        let (rows, next_page_token) = page::cut(rows, size, |row| listing::pair_token(row.performance, row.id));
        let reservations = rows.iter().map(reservation).collect();
        Ok(pb::ListReservationsToCancelResponse { reservations, next_page_token })
    }

    pub(super) async fn list_saga_locks(
        &self,
        request: &pb::ListSagaLocksRequest,
    ) -> Result<pb::ListSagaLocksResponse, Fault> {
        let (size, after) = wire::locks_after(request)?;
        let rows = self.0.host.db.read(async move |tx: &mut Tx<'_>| store::locks(tx, &after).await).await?;
        let (rows, next_page_token) =
            page::cut(rows, size, |lock| listing::time_token(lock.lock_time, lock.reservation));
        Ok(pb::ListSagaLocksResponse { saga_locks: rows.iter().map(wire::saga_lock).collect(), next_page_token })
    }
}
