//! Customers as gRPC sees them.

use proto::customer::v1 as pb;
use proto::customer::v1::customer_service_server::CustomerService;
use service_kit::db::Tx;
use tonic::{Request, Response, Status};

use super::{Api, IDEMPOTENCY, answer, later, status};
use crate::customers::State;
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

    async fn suspend_customer(
        &self,
        request: Request<pb::SuspendCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        let pb::SuspendCustomerRequest { name, etag } = request.into_inner();
        self.change(&name, &etag, State::Dormant).await
    }

    async fn reactivate_customer(
        &self,
        request: Request<pb::ReactivateCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        let pb::ReactivateCustomerRequest { name, etag } = request.into_inner();
        self.change(&name, &etag, State::Active).await
    }

    async fn update_customer(
        &self,
        _request: Request<pb::UpdateCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        Err(later::with_data_retention("UpdateCustomer"))
    }

    async fn withdraw_customer(
        &self,
        _request: Request<pb::WithdrawCustomerRequest>,
    ) -> Result<Response<pb::Customer>, Status> {
        Err(later::with_data_retention("WithdrawCustomer"))
    }
}

impl Api {
    async fn change(&self, name: &str, etag: &str, to: State) -> Result<Response<pb::Customer>, Status> {
        let change = wire::change(name, etag, to).map_err(status)?;
        let customer = self.db.write(async move |tx| store::change_state(tx, change).await);
        answer(customer.await.map(|customer| wire::customer(&customer)))
    }
}
