//! The service as gRPC sees it: decode, run once, encode. Customers are served in `api/customers.rs`.

use std::sync::Arc;

use proto::customer::v1 as pb;
use proto::customer::v1::customer_service_server::CustomerServiceServer;
use proto::customer::v1::point_service_server::{PointService, PointServiceServer};
use service_kit::barrier::{Barrier, Refusals};
use service_kit::clock::Clock;
use service_kit::db::{Db, Tx};
use service_kit::host::Host;
use service_kit::idempotency::Idempotency;
use service_kit::ids::Ids;
use service_kit::refusal::Fault;
use service_kit::retention::{self, Retention};
use service_kit::serve::MAX_MESSAGE_BYTES;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::config::Config;
use crate::wire::reports;
use crate::{store, wire};

mod customers;

const BARRIER: Barrier = service_kit::barrier!("customer", "ticketing.customer.v1");
pub(crate) static RETENTION: Retention = service_kit::retention!("customer");
const IDEMPOTENCY: Idempotency = service_kit::idempotency!("customer");

#[derive(Debug, Clone)]
struct Api {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Ids,
    config: Config,
}

/// The routes of both services of the package.
pub(crate) fn routes(host: &Host, config: Config) -> Routes {
    let Host { db, clock, ids, .. } = host.clone();
    let api = Api { db, clock, ids, config };
    let customers = CustomerServiceServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let points = PointServiceServer::new(api).max_decoding_message_size(MAX_MESSAGE_BYTES);
    Routes::new(customers).add_service(points)
}

#[tonic::async_trait]
impl PointService for Api {
    async fn reserve_points(
        &self,
        request: Request<pb::ReservePointsRequest>,
    ) -> Result<Response<pb::ReservePointsResponse>, Status> {
        let (op, order) = wire::reserve(&request).map_err(status)?;
        let reserve = async move |tx: &mut Tx<'_>| Ok(wire::reserved(&store::points::reserve(tx, order).await?));
        BARRIER.forward(&self.db, op, Refusals::Kept, reserve).await
    }

    async fn release_points(
        &self,
        request: Request<pb::ReleasePointsRequest>,
    ) -> Result<Response<pb::ReleasePointsResponse>, Status> {
        let (op, key, id, nothing) = wire::release(&request).map_err(status)?;
        let release = async move |tx: &mut Tx<'_>| Ok(wire::released(&store::points::release(tx, key, id).await?));
        BARRIER.compensate(&self.db, op, nothing, release).await
    }

    async fn capture_points(
        &self,
        request: Request<pb::CapturePointsRequest>,
    ) -> Result<Response<pb::CapturePointsResponse>, Status> {
        let (op, order) = wire::capture(&request).map_err(status)?;
        let capture = async move |tx: &mut Tx<'_>| Ok(wire::captured(&store::points::capture(tx, order).await?));
        BARRIER.forward(&self.db, op, Refusals::Forgotten, capture).await
    }

    async fn credit_points(
        &self,
        request: Request<pb::CreditPointsRequest>,
    ) -> Result<Response<pb::CreditPointsResponse>, Status> {
        let (op, order, answer) = wire::credit(&request).map_err(status)?;
        let credit =
            async move |tx: &mut Tx<'_>| Ok(wire::credited(answer, store::ledger::credit(tx, order).await?.as_ref()));
        BARRIER.forward(&self.db, op, Refusals::Forgotten, credit).await
    }

    async fn adjust_points(
        &self,
        request: Request<pb::AdjustPointsRequest>,
    ) -> Result<Response<pb::PointTransaction>, Status> {
        let (call, order) = wire::adjust(request.get_ref(), &self.config).map_err(status)?;
        let adjust = async move |tx: &mut Tx<'_>| Ok(wire::point_transaction(&store::ledger::adjust(tx, order).await?));
        answer(self.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, adjust).await).await)
    }

    async fn get_point_account(
        &self,
        request: Request<pb::GetPointAccountRequest>,
    ) -> Result<Response<pb::PointAccount>, Status> {
        let customer = wire::account_of(request.get_ref()).map_err(status)?;
        let account = self.db.read(async move |tx| store::points::account(tx, customer).await);
        answer(account.await.map(|account| wire::point_account(&account)))
    }

    async fn get_point_reservation(
        &self,
        request: Request<pb::GetPointReservationRequest>,
    ) -> Result<Response<pb::PointReservation>, Status> {
        let key = wire::reservation_of(request.get_ref()).map_err(status)?;
        let found = self.db.read(async move |tx| store::points::reservation(tx, key).await);
        answer(found.await.map(|reservation| wire::point_reservation(&reservation)))
    }

    async fn list_point_transactions(
        &self,
        request: Request<pb::ListPointTransactionsRequest>,
    ) -> Result<Response<pb::ListPointTransactionsResponse>, Status> {
        let which = wire::entries(request.get_ref()).map_err(status)?;
        let rows = self.db.read(async move |tx| {
            store::points::account(tx, which.customer).await?;
            Ok(store::ledger::transfers(tx, which).await?)
        });
        answer(rows.await.map(|rows| wire::transactions(&rows, which.limit)))
    }

    async fn list_saga_locks(
        &self,
        request: Request<pb::ListSagaLocksRequest>,
    ) -> Result<Response<pb::ListSagaLocksResponse>, Status> {
        let which = reports::locks(request.get_ref()).map_err(status)?;
        let rows = self.db.read(async move |tx| Ok(store::reports::locks(tx, which).await?));
        answer(rows.await.map(|rows| reports::saga_locks(&rows, which.limit)))
    }

    async fn list_ledger_findings(
        &self,
        request: Request<pb::ListLedgerFindingsRequest>,
    ) -> Result<Response<pb::ListLedgerFindingsResponse>, Status> {
        let (from, limit) = reports::findings(request.get_ref()).map_err(status)?;
        let found = self.db.read(async move |tx| Ok(store::reports::findings(tx, from, limit).await?));
        answer(found.await.map(|(rows, count)| reports::ledger_findings(&rows, limit, count)))
    }

    async fn list_account_totals(
        &self,
        request: Request<pb::ListAccountTotalsRequest>,
    ) -> Result<Response<pb::ListAccountTotalsResponse>, Status> {
        let (from, limit) = reports::totals(request.get_ref()).map_err(status)?;
        let rows = self.db.read(async move |tx| Ok(store::reports::totals(tx, from, limit).await?));
        answer(rows.await.map(|rows| reports::account_totals(&rows, limit)))
    }

    async fn purge_saga_operations(
        &self,
        request: Request<pb::PurgeSagaOperationsRequest>,
    ) -> Result<Response<pb::PurgeSagaOperationsResponse>, Status> {
        let sagas = retention::sagas(&request.get_ref().sagas).map_err(status)?;
        let known = RETENTION.archived(&self.db, sagas).await.map_err(Fault::from);
        answer(known.map(|known_count| pb::PurgeSagaOperationsResponse { known_count }))
    }
}

fn answer<T>(result: Result<T, Fault>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(status)
}

fn status(fault: Fault) -> Status {
    fault.into_status(BARRIER.domain)
}
