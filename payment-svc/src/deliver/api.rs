//! Deliveries as operators see them over gRPC: look, and try again.

use proto::payment::v1 as pb;
use proto::payment::v1::delivery_service_server::{DeliveryService, DeliveryServiceServer};
use service_kit::db::{self, Db, Tx};
use service_kit::refusal::{Fault, Refusal};
use service_kit::serve::MAX_MESSAGE_BYTES;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::delivery::{self, Channel, Delivery, NOTICE_MS, State};
use super::{store, wire};

const DOMAIN: &str = "ticketing.payment.v1";

#[derive(Debug)]
struct Api {
    db: Db,
    reason_limit: usize,
}

/// The delivery service.
pub(super) fn service(db: Db, reason_limit: usize) -> DeliveryServiceServer<impl DeliveryService> {
    DeliveryServiceServer::new(Api { db, reason_limit }).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

#[tonic::async_trait]
impl DeliveryService for Api {
    async fn get_delivery(&self, request: Request<pb::GetDeliveryRequest>) -> Result<Response<pb::Delivery>, Status> {
        let id = wire::name(&request.get_ref().name).map_err(status)?;
        answer(self.db.read(async move |tx| found(tx, id).await).await.map(|delivery| wire::encode(&delivery)))
    }

    async fn list_deliveries(
        &self,
        request: Request<pb::ListDeliveriesRequest>,
    ) -> Result<Response<pb::ListDeliveriesResponse>, Status> {
        let wanted = wire::wanted(request.get_ref()).map_err(status)?;
        let limit = wanted.limit;
        let rows = self.db.read(async move |tx| Ok(store::list(tx, &wanted).await?));
        answer(rows.await.map(|rows| wire::page(&rows, limit)))
    }

    async fn retry_delivery(
        &self,
        request: Request<pb::RetryDeliveryRequest>,
    ) -> Result<Response<pb::Delivery>, Status> {
        let (id, reason) = wire::retry(request.get_ref(), self.reason_limit).map_err(status)?;
        let retried = self.db.write(async move |tx| retry(tx, id, &reason).await);
        answer(retried.await.map(|delivery| wire::encode(&delivery)))
    }
}

async fn found(tx: &mut Tx<'_>, id: Uuid) -> Result<Delivery, Fault> {
    let found = store::find(tx, id).await?;
    found.ok_or_else(|| Refusal::not_found("DELIVERY_NOT_FOUND", delivery::name(id)).into())
}

/// What went out as an SMS does not go out again: it would arrive twice.
async fn retry(tx: &mut Tx<'_>, id: Uuid, reason: &str) -> Result<Delivery, Fault> {
    let delivery = found(tx, id).await?;
    if delivery.state == State::Dead && delivery.draft.channel == Channel::Alimtalk {
        let stand_in = delivery::id(&delivery.draft.event_source, delivery.draft.event_id, Channel::Sms);
        if store::find(tx, stand_in).await?.is_some() {
            return Err(delivery.cannot_retry(Some(stand_in)).into());
        }
    }
    let expire_time = tx.now_ms().saturating_add(NOTICE_MS);
    match store::retry(tx, &delivery, (expire_time, reason)).await? {
        Some(delivery) => Ok(delivery),
        None => match found(tx, id).await? {
            ended if matches!(ended.state, State::Succeeded | State::Skipped) => Err(ended.cannot_retry(None).into()),
            _ => Err(db::Error::Unavailable("the delivery is being worked on".into()).into()),
        },
    }
}

fn answer<T>(result: Result<T, Fault>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(status)
}

fn status(fault: Fault) -> Status {
    fault.into_status(DOMAIN)
}
