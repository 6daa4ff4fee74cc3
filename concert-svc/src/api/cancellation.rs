//! The steps of a cancellation saga, behind the barrier.

use proto::concert::v1 as pb;
use service_kit::barrier::{Operation, Refusals};
use service_kit::db::Tx;
use tonic::{Request, Response, Status};

use super::{Api, BARRIER, refuse};
use crate::cancellation;
use crate::wire::cancellation as wire;
use crate::wire::reservations::step;

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
}
