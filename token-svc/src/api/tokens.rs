//! Queue tokens as gRPC sees them.

use proto::token::v1 as pb;
use proto::token::v1::queue_token_service_server::QueueTokenService;
use service_kit::barrier::Refusals;
use service_kit::db::Tx;
use service_kit::refusal::Fault;
use tonic::{Request, Response, Status};

use super::{Api, BARRIER, answer, status};
use crate::queue::Place;
use crate::{tokens, wire};

#[tonic::async_trait]
impl QueueTokenService for Api {
    async fn issue_queue_token(
        &self,
        request: Request<pb::IssueQueueTokenRequest>,
    ) -> Result<Response<pb::QueueToken>, Status> {
        let asked = wire::tokens::issue(request.get_ref(), self.new_id()).map_err(status)?;
        answer(self.line.issue(asked).await)
    }

    async fn get_queue_token(
        &self,
        request: Request<pb::GetQueueTokenRequest>,
    ) -> Result<Response<pb::QueueToken>, Status> {
        let key = wire::key("name", &request.get_ref().name).map_err(status)?;
        let now_ms = self.host.clock.now_ms();
        self.polls.expect_due(key.token, now_ms).map_err(status)?;
        let place = self.line.look(key).await.map_err(status)?;
        self.polls.told(key.token, self.view.poll_ms(&place), now_ms);
        if place.is_unclaimed() {
            let claimed = self.host.db.write(async move |tx| tokens::claim(tx, key).await);
            return self.settled(claimed.await).await;
        }
        Ok(Response::new(self.view.place(&place)))
    }

    async fn leave_waiting_room(
        &self,
        request: Request<pb::LeaveWaitingRoomRequest>,
    ) -> Result<Response<pb::QueueToken>, Status> {
        let key = wire::key("name", &request.get_ref().name).map_err(status)?;
        let left = self.host.db.write(async move |tx| tokens::leave(tx, key).await);
        self.settled(left.await).await
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
        self.settled(extended.await).await
    }

    async fn complete_queue_token(
        &self,
        request: Request<pb::CompleteQueueTokenRequest>,
    ) -> Result<Response<pb::CompleteQueueTokenResponse>, Status> {
        let (op, key, customer) = wire::tokens::complete(&request).map_err(status)?;
        let (saga, line) = (op.saga, self.line.clone());
        let complete = async move |tx: &mut Tx<'_>| {
            let found = tokens::complete(tx, key, customer, saga).await?;
            Ok(wire::tokens::completed(saga, found.as_ref()))
        };
        let completed = BARRIER.forward(&self.host.db, op, Refusals::Forgotten, complete).await?;
        // Also of a repeat: the first answer may have been the line's end.
        line.settle(key.room, &wire::tokens::ended(key, customer, completed.get_ref())).await;
        Ok(completed)
    }

    async fn revoke_queue_token(
        &self,
        request: Request<pb::RevokeQueueTokenRequest>,
    ) -> Result<Response<pb::QueueToken>, Status> {
        let (key, reason) = wire::tokens::revoke(request.into_inner()).map_err(status)?;
        let revoked = self.host.db.write(async move |tx| tokens::revoke(tx, key, &reason).await);
        self.settled(revoked.await).await
    }

    async fn purge_saga_operations(
        &self,
        _request: Request<pb::PurgeSagaOperationsRequest>,
    ) -> Result<Response<pb::PurgeSagaOperationsResponse>, Status> {
        Err(Status::unimplemented("PurgeSagaOperations is not offered yet; it comes with the archiving of sagas"))
    }
}

impl Api {
    /// Tells the line what was decided of a token, and shows it.
    async fn settled(&self, decided: Result<Place, Fault>) -> Result<Response<pb::QueueToken>, Status> {
        let place = decided.map_err(status)?;
        self.line.settle(place.room.id, &[place.token]).await;
        Ok(Response::new(self.view.place(&place)))
    }
}
