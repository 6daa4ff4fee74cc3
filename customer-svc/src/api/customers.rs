//! Customers as gRPC sees them.

use proto::customer::v1 as pb;
use proto::customer::v1::customer_service_server::CustomerService;
use service_kit::db::Tx;
use service_kit::idempotency::Call;
use service_kit::refusal::Fault;
use tonic::{Request, Response, Status};

use super::{Api, IDEMPOTENCY, answer, status};
use crate::customers::Change;
use crate::store;
use crate::wire::customers as wire;

#[tonic::async_trait]
impl CustomerService for Api {
    async fn create_customer(
        &self,
        request: Request<pb::CreateCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        let new_id = self.ids.next(self.clock.now_ms());
        let (call, new) = wire::register(request.get_ref(), new_id, &self.config).map_err(status)?;
        let register = async move |tx: &mut Tx<'_>| Ok(wire::customer(&store::register(tx, &new).await?));
        answer(self.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, register).await).await)
    }

    async fn get_customer(&self, request: Request<pb::GetCustomerRequest>) -> Result<Response<pb::Customer>, Status> {
        let id = wire::id(&request.get_ref().name).map_err(status)?;
        let customer = self.db.read(async move |tx| store::customer(tx, id).await);
        answer(customer.await.map(|customer| wire::customer(&customer)))
    }

    async fn list_customers(
        &self,
        request: Request<pb::ListCustomersRequest>,
    ) -> Result<Response<pb::ListCustomersResponse>, Status> {
        let (from, state, limit) = wire::page(request.get_ref()).map_err(status)?;
        let rows = self.db.read(async move |tx| Ok(store::customers(tx, from, state, limit).await?));
        answer(rows.await.map(|rows| wire::customers(&rows, limit)))
    }

    async fn update_customer(
        &self,
        request: Request<pb::UpdateCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        let (call, update) = wire::update(request.get_ref(), &self.config).map_err(status)?;
        let update = async move |tx: &mut Tx<'_>| Ok(wire::customer(&store::update(tx, update).await?));
        answer(self.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, update).await).await)
    }

    async fn suspend_customer(
        &self,
        request: Request<pb::SuspendCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        self.change(wire::suspend(request.get_ref(), &self.config)).await
    }

    async fn reactivate_customer(
        &self,
        request: Request<pb::ReactivateCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        self.change(wire::reactivate(request.get_ref(), &self.config)).await
    }

    async fn withdraw_customer(
        &self,
        request: Request<pb::WithdrawCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        self.change(wire::withdraw(request.get_ref(), &self.config)).await
    }
}

impl Api {
    async fn change(&self, order: Result<(Call, Change), Fault>) -> Result<Response<pb::Customer>, Status> {
        let (call, change) = order.map_err(status)?;
        let change = async move |tx: &mut Tx<'_>| Ok(wire::customer(&store::change_state(tx, change).await?));
        answer(self.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, change).await).await)
    }
}
