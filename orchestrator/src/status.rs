//! What the orchestrator tells about its sagas, and what operators may do to them: the gRPC service here, the pages for
//! people in `console.rs`. Everything that is shown comes from the journal; every verb goes through the runner.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::saga_service_server::SagaService;
use saga::Verb;
use service_kit::refusal::Fault;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::desk::{Desk, Face};
use crate::faults::status;
use crate::journal::Record;
use crate::runner::Intervention;

mod bulk;
pub(crate) mod console;
mod history;
pub(crate) mod listing;
mod statistics;
mod token;
pub(crate) mod verbs;
pub mod wire;

use listing::Ask;
use verbs::{OPERATOR, ask};

pub(crate) const SAGAS: Face = Face { collection: "sagas", kind: None, missing: "SAGA_NOT_FOUND" };

/// The service for operators.
#[derive(Debug, Clone)]
pub(crate) struct Sagas(Desk);

type Answer<T> = Result<Response<T>, Status>;

impl Sagas {
    pub(crate) fn new(desk: Desk) -> Self {
        Self(desk)
    }

    fn show(&self, record: &Record) -> pb::Saga {
        wire::saga(record, &self.0.plans, &self.0.participants)
    }

    async fn list(&self, request: pb::ListSagasRequest) -> Result<pb::ListSagasResponse, Fault> {
        let ask = Ask {
            filter: &request.filter,
            page_size: request.page_size,
            page_token: &request.page_token,
            order_by: &request.order_by,
        };
        let page = ask.read(&wire::CATALOGUE)?.page(&self.0.shards).await?;
        let sagas = page.records.iter().map(|record| self.show(record)).collect();
        Ok(pb::ListSagasResponse { sagas, next_page_token: page.next })
    }

    async fn intervene(&self, wish: Result<(Uuid, Intervention), Fault>) -> Answer<pb::Saga> {
        let (id, intervention) = wish.map_err(status)?;
        let record: Arc<Record> = self.0.intervene(&SAGAS, id, intervention).await.map_err(status)?;
        Ok(Response::new(self.show(&record)))
    }
}

#[tonic::async_trait]
impl SagaService for Sagas {
    async fn get_saga(&self, request: Request<pb::GetSagaRequest>) -> Answer<pb::Saga> {
        let id = SAGAS.id("name", &request.get_ref().name).map_err(status)?;
        let record = self.0.load(&SAGAS, id).await.map_err(status)?;
        Ok(Response::new(self.show(&record)))
    }

    async fn list_sagas(&self, request: Request<pb::ListSagasRequest>) -> Answer<pb::ListSagasResponse> {
        self.list(request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn list_saga_events(
        &self,
        request: Request<pb::ListSagaEventsRequest>,
    ) -> Answer<pb::ListSagaEventsResponse> {
        history::page(&self.0, request.get_ref()).await.map(Response::new).map_err(status)
    }

    type WatchSagaStream = Pin<Box<dyn Stream<Item = Result<pb::Saga, Status>> + Send>>;

    async fn watch_saga(&self, request: Request<pb::WatchSagaRequest>) -> Answer<Self::WatchSagaStream> {
        let id = SAGAS.id("name", &request.get_ref().name).map_err(status)?;
        let versions = self.0.versions(&SAGAS, id).await.map_err(status)?;
        let sagas = self.clone();
        Ok(Response::new(Box::pin(versions.map(move |record| Ok(sagas.show(&record))))))
    }

    async fn retry_saga(&self, request: Request<pb::RetrySagaRequest>) -> Answer<pb::Saga> {
        self.intervene(verbs::read(Verb::Retry, OPERATOR, ask!(request))).await
    }

    async fn abort_saga(&self, request: Request<pb::AbortSagaRequest>) -> Answer<pb::Saga> {
        self.intervene(verbs::read(Verb::Abort, OPERATOR, ask!(request))).await
    }

    async fn suspend_saga(&self, request: Request<pb::SuspendSagaRequest>) -> Answer<pb::Saga> {
        self.intervene(verbs::read(Verb::Suspend, OPERATOR, ask!(request))).await
    }

    async fn resume_saga(&self, request: Request<pb::ResumeSagaRequest>) -> Answer<pb::Saga> {
        self.intervene(verbs::read(Verb::Resume, OPERATOR, ask!(request))).await
    }

    async fn resolve_saga_step(&self, request: Request<pb::ResolveSagaStepRequest>) -> Answer<pb::Saga> {
        self.intervene(verbs::resolve(&self.0, OPERATOR, request.into_inner()).await).await
    }

    async fn start_bulk_operation(&self, request: Request<pb::StartBulkOperationRequest>) -> Answer<pb::BulkOperation> {
        bulk::start(&self.0, request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn get_bulk_operation(&self, request: Request<pb::GetBulkOperationRequest>) -> Answer<pb::BulkOperation> {
        bulk::get(&self.0, request.get_ref()).await.map(Response::new).map_err(status)
    }

    async fn list_bulk_operations(
        &self,
        request: Request<pb::ListBulkOperationsRequest>,
    ) -> Answer<pb::ListBulkOperationsResponse> {
        bulk::list(&self.0, request.get_ref()).await.map(Response::new).map_err(status)
    }

    async fn list_bulk_operation_results(
        &self,
        request: Request<pb::ListBulkOperationResultsRequest>,
    ) -> Answer<pb::ListBulkOperationResultsResponse> {
        bulk::results(&self.0, request.get_ref()).await.map(Response::new).map_err(status)
    }

    async fn cancel_bulk_operation(
        &self,
        request: Request<pb::CancelBulkOperationRequest>,
    ) -> Answer<pb::BulkOperation> {
        bulk::cancel(&self.0, request.get_ref()).await.map(Response::new).map_err(status)
    }

    async fn get_saga_statistics(&self, request: Request<pb::GetSagaStatisticsRequest>) -> Answer<pb::SagaStatistics> {
        statistics::fetch(&self.0, request.get_ref()).await.map(Response::new).map_err(status)
    }
}
