//! Points: what an account holds, and what of it is set aside.

use proto::customer::v1 as pb;
use service_kit::args;
use service_kit::barrier::Refusals;
use service_kit::db::{self, Tx};
use service_kit::refusal::Refusal;
use tonic::{Response, Status};
use uuid::Uuid;

use super::repeat::done;
use super::{Books, Message, id_of, record, recorded, unwilling};

const ACCOUNT: &str = "select balance, reserved from sim_account where customer = $1";
const MOVE: &str = "update sim_account set balance = balance + $2, reserved = reserved + $3 where customer = $1";

async fn shift(tx: &mut Tx<'_>, customer: Uuid, (balance, reserved): (i64, i64)) -> Result<(), db::Error> {
    tx.execute(MOVE, args![customer, balance, reserved]).await.map(drop)
}

impl Books {
    pub(super) async fn reserve(&self, message: &Message) -> Result<Response<pb::ReservePointsResponse>, Status> {
        let request = message.read::<pb::ReservePointsRequest>()?;
        let asked = request.get_ref();
        let (customer, amount) = (id_of(&asked.customer), asked.amount);
        let op = self.operation(&request, customer, &asked.saga)?;
        let (saga, echo, step) = (op.saga, asked.saga.clone(), message.plain_step());
        let unwilled = self.refuses(saga, &step);
        self.forward(op, Refusals::Kept, async move |tx| {
            let (balance, reserved): (i64, i64) = tx.fetch_one(ACCOUNT, args![customer]).await?;
            if unwilled {
                return Err(unwilling(&step));
            } else if balance - reserved < amount {
                return Err(Refusal::precondition("NOT_ENOUGH_POINTS", "the points do not reach").into());
            }
            shift(tx, customer, (0, amount)).await?;
            record(tx, saga, &step, (false, amount)).await?;
            done(pb::ReservePointsResponse { saga: echo, amount, ..Default::default() })
        })
        .await
    }

    pub(super) async fn release(&self, message: &Message) -> Result<Response<pb::ReleasePointsResponse>, Status> {
        let request = message.read::<pb::ReleasePointsRequest>()?;
        let asked = request.get_ref();
        let customer = id_of(&asked.customer);
        let op = self.operation(&request, customer, &asked.saga)?;
        let (saga, step) = (op.saga, message.plain_step());
        let echo = pb::ReleasePointsResponse { saga: asked.saga.clone(), ..Default::default() };
        let reply = echo.clone();
        self.compensate(op, echo, async move |tx| {
            let amount = recorded(tx, saga, &step).await?;
            shift(tx, customer, (0, -amount)).await?;
            record(tx, saga, &step, (true, amount)).await?;
            done(reply)
        })
        .await
    }

    pub(super) async fn capture_points(
        &self,
        message: &Message,
    ) -> Result<Response<pb::CapturePointsResponse>, Status> {
        let request = message.read::<pb::CapturePointsRequest>()?;
        let asked = request.get_ref();
        let customer = id_of(&asked.customer);
        let op = self.operation(&request, customer, &asked.saga)?;
        let (saga, echo, step) = (op.saga, asked.saga.clone(), message.plain_step());
        self.forward(op, Refusals::Forgotten, async move |tx| {
            let amount = recorded(tx, saga, "reserve-points").await?;
            shift(tx, customer, (-amount, -amount)).await?;
            record(tx, saga, &step, (false, amount)).await?;
            done(pb::CapturePointsResponse { saga: echo, amount, ..Default::default() })
        })
        .await
    }

    pub(super) async fn credit(&self, message: &Message) -> Result<Response<pb::CreditPointsResponse>, Status> {
        let request = message.read::<pb::CreditPointsRequest>()?;
        let asked = request.get_ref();
        let (customer, amount) = (id_of(&asked.customer), asked.amount);
        let op = self.operation(&request, customer, &asked.saga)?;
        let (saga, echo, step) = (op.saga, asked.saga.clone(), message.plain_step());
        self.forward(op, Refusals::Forgotten, async move |tx| {
            shift(tx, customer, (amount, 0)).await?;
            record(tx, saga, &step, (false, amount)).await?;
            let point_transaction = Some(pb::PointTransaction::default());
            done(pb::CreditPointsResponse { saga: echo, amount, point_transaction })
        })
        .await
    }
}
