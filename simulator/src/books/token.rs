//! Places in the queue, which end with the checkout that they were for.

use proto::token::v1 as pb;
use service_kit::barrier::Refusals;
use tonic::{Response, Status};

use super::repeat::done;
use super::{Books, Message, id_of, record};

impl Books {
    pub(super) async fn complete_token(
        &self,
        message: &Message,
    ) -> Result<Response<pb::CompleteQueueTokenResponse>, Status> {
        let request = message.read::<pb::CompleteQueueTokenRequest>()?;
        let asked = request.get_ref();
        let op = self.operation(&request, id_of(&asked.name), &asked.saga)?;
        let (saga, echo, step) = (op.saga, asked.saga.clone(), message.plain_step());
        self.forward(op, Refusals::Forgotten, async move |tx| {
            record(tx, saga, &step, (false, 1)).await?;
            done(pb::CompleteQueueTokenResponse { saga: echo, amount: 0, queue_token: None })
        })
        .await
    }
}
