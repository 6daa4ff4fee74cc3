//! Queue tokens as gRPC sees them.

use proto::token::v1 as pb;
use proto::token::v1::queue_token_service_server::QueueTokenService;
use service_kit::barrier::Refusals;
use service_kit::db::Tx;
use tonic::{Request, Response, Status};

use super::{Api, BARRIER, IDEMPOTENCY, answer, status};
use crate::{tokens, wire};

#[tonic::async_trait]
impl QueueTokenService for Api {
    async fn issue_queue_token(
        &self,
        request: Request<pb::IssueQueueTokenRequest>,
    ) -> Result<Response<pb::QueueToken>, Status> {
        let (call, key, customer) = wire::tokens::issue(request.get_ref(), self.new_id()).map_err(status)?;
        let view = self.view.clone();
        let issue = async move |tx: &mut Tx<'_>| Ok(view.place(&tokens::issue(tx, key, customer).await?));
        answer(self.host.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, issue).await).await)
    }

    async fn get_queue_token(
        &self,
        request: Request<pb::GetQueueTokenRequest>,
    ) -> Result<Response<pb::QueueToken>, Status> {
        let key = wire::key("name", &request.get_ref().name).map_err(status)?;
        let place = self.host.db.read(async move |tx| tokens::look(tx, key).await).await;
        let place = match place {
            Ok(place) if place.is_unclaimed() => self.host.db.write(async move |tx| tokens::claim(tx, key).await).await,
            place => place,
        };
        answer(place.map(|place| self.view.place(&place)))
    }

    async fn leave_waiting_room(
        &self,
        request: Request<pb::LeaveWaitingRoomRequest>,
    ) -> Result<Response<pb::QueueToken>, Status> {
        let key = wire::key("name", &request.get_ref().name).map_err(status)?;
        let left = self.host.db.write(async move |tx| tokens::leave(tx, key).await);
        answer(left.await.map(|place| self.view.place(&place)))
    }

    async fn validate_admission_pass(
        &self,
        request: Request<pb::ValidateAdmissionPassRequest>,
    ) -> Result<Response<pb::ValidateAdmissionPassResponse>, Status> {
        let pass = wire::tokens::pass(request.get_ref()).map_err(status)?.to_owned();
        let keys = self.keys.clone();
        let checked = self.host.db.read(async move |tx| {
            let claims = keys.verify(&pass, tx.now_ms()).map_err(wire::tokens::rejected)?;
            let place = tokens::look(tx, wire::key("admission_pass", &claims.queue_token)?).await?;
            Ok(wire::tokens::validated(claims, &place)?)
        });
        answer(checked.await)
    }

    async fn get_admission_keys(
        &self,
        _request: Request<pb::GetAdmissionKeysRequest>,
    ) -> Result<Response<pb::GetAdmissionKeysResponse>, Status> {
        Ok(Response::new(pb::GetAdmissionKeysResponse { jwks: self.keys.jwks() }))
    }

    async fn extend_queue_token(
        &self,
        request: Request<pb::ExtendQueueTokenRequest>,
    ) -> Result<Response<pb::QueueToken>, Status> {
        let (key, min_expire_time) = wire::tokens::extend(request.get_ref()).map_err(status)?;
        let extended = self.host.db.write(async move |tx| tokens::extend(tx, key, min_expire_time).await);
        answer(extended.await.map(|place| self.view.place(&place)))
    }

    async fn complete_queue_token(
        &self,
        request: Request<pb::CompleteQueueTokenRequest>,
    ) -> Result<Response<pb::CompleteQueueTokenResponse>, Status> {
        let (op, key, customer) = wire::tokens::complete(&request).map_err(status)?;
        let saga = op.saga;
        let complete = async move |tx: &mut Tx<'_>| {
            let found = tokens::complete(tx, key, customer, saga).await?;
            Ok(wire::tokens::completed(saga, found.as_ref()))
        };
        BARRIER.forward(&self.host.db, op, Refusals::Forgotten, complete).await
    }

    async fn revoke_queue_token(
        &self,
        request: Request<pb::RevokeQueueTokenRequest>,
    ) -> Result<Response<pb::QueueToken>, Status> {
        let (key, reason) = wire::tokens::revoke(request.into_inner()).map_err(status)?;
        let revoked = self.host.db.write(async move |tx| tokens::revoke(tx, key, &reason).await);
        answer(revoked.await.map(|place| self.view.place(&place)))
    }

    async fn purge_saga_operations(
        &self,
        _request: Request<pb::PurgeSagaOperationsRequest>,
    ) -> Result<Response<pb::PurgeSagaOperationsResponse>, Status> {
        Err(Status::unimplemented("PurgeSagaOperations is not offered yet; it comes with the archiving of sagas"))
    }
}
