//! The service as gRPC sees it: decode, run once, encode.

use proto::payment::v1 as pb;
use proto::payment::v1::payment_service_server::{PaymentService, PaymentServiceServer};
use service_kit::barrier::Refusals;
use service_kit::db::{Db, Tx};
use service_kit::refusal::{Fault, SagaOutcome};
use service_kit::retention::Retention;
use service_kit::serve::MAX_MESSAGE_BYTES;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::config::Config;
use crate::desk::Desk;
use crate::steps::Cards;
use crate::store::errands::Place;
use crate::{BARRIER, payment, steps, store, wire};

pub(crate) static RETENTION: Retention = service_kit::retention!("payment");

#[derive(Debug)]
struct Api {
    db: Db,
    config: Config,
    /// Where the processor is asked; none where cards are not offered.
    desk: Option<Desk>,
}

/// The routes of the payment service.
pub(crate) fn routes(db: Db, config: Config, desk: Option<Desk>) -> Routes {
    let payments = PaymentServiceServer::new(Api { db, config, desk });
    Routes::new(payments.max_decoding_message_size(MAX_MESSAGE_BYTES))
}

impl Api {
    /// Makes a call that may have to wait for the processor.
    async fn outside<R, F>(&self, place: Place, call: impl Fn() -> F) -> Result<Response<R>, Status>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        match &self.desk {
            Some(desk) => desk.call(place, call).await,
            None => call().await,
        }
    }
}

#[tonic::async_trait]
impl PaymentService for Api {
    async fn authorize_payment(
        &self,
        request: Request<pb::AuthorizePaymentRequest>,
    ) -> Result<Response<pb::AuthorizePaymentResponse>, Status> {
        let (op, order, cause) = wire::authorize(&request, &self.config).map_err(status)?;
        let place = (op.aggregate, op.aggregate);
        let cards = self.desk.as_ref().map_or(Cards::NotOffered, Desk::cards);
        let authorize = async move |tx: &mut Tx<'_>| {
            Ok(steps::authorize(tx, &order, &cause, cards).await?.map(|payment| wire::authorized(&payment)))
        };
        let call = || BARRIER.forward_outside(&self.db, op.clone(), Refusals::Kept, authorize.clone());
        self.outside(place, call).await
    }

    async fn cancel_payment(
        &self,
        request: Request<pb::CancelPaymentRequest>,
    ) -> Result<Response<pb::CancelPaymentResponse>, Status> {
        let (op, cause, nothing) = wire::cancel(&request, &self.config).map_err(status)?;
        let place = (op.aggregate, op.aggregate);
        let cancel =
            async move |tx: &mut Tx<'_>| Ok(steps::cancel(tx, &cause).await?.map(|payment| wire::cancelled(&payment)));
        let call = || BARRIER.compensate_outside(&self.db, op.clone(), nothing.clone(), cancel.clone());
        self.outside(place, call).await
    }

    async fn capture_payment(
        &self,
        request: Request<pb::CapturePaymentRequest>,
    ) -> Result<Response<pb::CapturePaymentResponse>, Status> {
        let (op, cause) = wire::capture(&request).map_err(status)?;
        let (place, step) = ((op.aggregate, op.aggregate), op.step.clone());
        let capture = async move |tx: &mut Tx<'_>| {
            Ok(steps::capture(tx, &cause, &step).await?.map(|payment| wire::captured(&payment)))
        };
        let refusals = Refusals::KeptIf(payment::decides);
        let call = || BARRIER.forward_outside(&self.db, op.clone(), refusals, capture.clone());
        self.outside(place, call).await
    }

    async fn get_payment(&self, request: Request<pb::GetPaymentRequest>) -> Result<Response<pb::Payment>, Status> {
        let saga = wire::payment_of(request.get_ref()).map_err(status)?;
        let payment = self.db.read(async move |tx| store::payment(tx, saga).await);
        answer(payment.await.map(|payment| wire::encode(&payment)))
    }

    async fn list_payments(
        &self,
        request: Request<pb::ListPaymentsRequest>,
    ) -> Result<Response<pb::ListPaymentsResponse>, Status> {
        let wanted = wire::wanted(request.get_ref()).map_err(status)?;
        let limit = wanted.limit;
        let rows = self.db.read(async move |tx| Ok(store::payments(tx, &wanted).await?));
        answer(rows.await.map(|rows| wire::payments(&rows, limit)))
    }

    async fn create_refund(
        &self,
        request: Request<pb::CreateRefundRequest>,
    ) -> Result<Response<pb::CreateRefundResponse>, Status> {
        let (op, order, cause) = wire::refunds::create(&request, &self.config).map_err(status)?;
        let create =
            async move |tx: &mut Tx<'_>| Ok(wire::refunds::created(&store::refunds::create(tx, &order, &cause).await?));
        BARRIER.forward(&self.db, op, Refusals::Kept, create).await
    }

    async fn cancel_refund(
        &self,
        request: Request<pb::CancelRefundRequest>,
    ) -> Result<Response<pb::CancelRefundResponse>, Status> {
        let (op, cause, nothing) = wire::refunds::cancel(&request).map_err(status)?;
        let cancel =
            async move |tx: &mut Tx<'_>| Ok(wire::refunds::cancelled(&store::refunds::cancel(tx, &cause).await?));
        BARRIER.compensate(&self.db, op, nothing, cancel).await
    }

    async fn complete_refund(
        &self,
        request: Request<pb::CompleteRefundRequest>,
    ) -> Result<Response<pb::CompleteRefundResponse>, Status> {
        let (op, cause) = wire::refunds::complete(&request).map_err(status)?;
        let (saga, step) = (op.saga, op.step.clone());
        let complete = async move |tx: &mut Tx<'_>| {
            Ok(steps::complete_refund(tx, &cause, &step).await?.map(|refund| wire::refunds::completed(&refund)))
        };
        let call = || BARRIER.forward_outside(&self.db, op.clone(), Refusals::Forgotten, complete.clone());
        let first = call().await;
        if SagaOutcome::is_pending(&first) {
            let refund = self.db.read(async move |tx| store::refunds::of_saga(tx, saga).await).await.map_err(status)?;
            return self.outside((refund.payment, refund.saga), call).await;
        }
        first
    }

    async fn get_refund(&self, request: Request<pb::GetRefundRequest>) -> Result<Response<pb::Refund>, Status> {
        let [payment, saga] = wire::refunds::refund_of(request.get_ref()).map_err(status)?;
        let refund = self.db.read(async move |tx| store::refunds::refund(tx, payment, saga).await);
        answer(refund.await.map(|refund| wire::refunds::encode(&refund)))
    }

    async fn list_refunds(
        &self,
        request: Request<pb::ListRefundsRequest>,
    ) -> Result<Response<pb::ListRefundsResponse>, Status> {
        let (payment, newest, limit) = wire::refunds::wanted(request.get_ref()).map_err(status)?;
        let rows = self.db.read(async move |tx| {
            store::payment(tx, payment).await?;
            Ok(store::refunds::refunds(tx, payment, newest, limit).await?)
        });
        answer(rows.await.map(|rows| wire::refunds::refunds(&rows, limit)))
    }

    async fn list_saga_locks(
        &self,
        request: Request<pb::ListSagaLocksRequest>,
    ) -> Result<Response<pb::ListSagaLocksResponse>, Status> {
        let wanted = wire::locks::wanted(request.get_ref()).map_err(status)?;
        let limit = wanted.limit;
        let rows = self.db.read(async move |tx| Ok(store::locks::locks(tx, &wanted).await?));
        answer(rows.await.map(|rows| wire::locks::locks(rows, limit)))
    }

    async fn purge_saga_operations(
        &self,
        request: Request<pb::PurgeSagaOperationsRequest>,
    ) -> Result<Response<pb::PurgeSagaOperationsResponse>, Status> {
        let known = RETENTION.notice(&self.db, &request.get_ref().sagas).await;
        answer(known.map(|known_count| pb::PurgeSagaOperationsResponse { known_count }))
    }
}

fn answer<T>(result: Result<T, Fault>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(status)
}

fn status(fault: Fault) -> Status {
    fault.into_status(BARRIER.domain)
}
