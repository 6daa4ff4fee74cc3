//! Payments and refunds. One by card is decided outside: the step is in progress until that has spoken.

use proto::payment::v1 as pb;
use service_kit::args;
use service_kit::barrier::{Operation, Progress, Refusals, Settlement};
use service_kit::db::{self, Tx};
use service_kit::refusal::{Fault, Refusal};
use tonic::{Response, Status};
use uuid::Uuid;

use super::repeat::done;
use super::{BARRIER, Books, Message, record, recorded, unwilling};
use crate::dice::{number, word};

const ASKED: i64 = 1;
const AUTHORIZED: i64 = 2;
const CAPTURED: i64 = 3;
const CANCELLED: i64 = 4;
const DECLINED: i64 = 5;

const PAYMENT: &str = "select state, amount, voided from sim_payment where saga_id = $1";
const PUT: &str = "insert into sim_payment (saga_id, state, amount, voided) values ($1, $2, $3, 0) \
     on conflict (saga_id) do update set state = $2";
const SET: &str = "update sim_payment set state = $2 where saga_id = $1";
const VOID: &str = "update sim_payment set voided = 1 where saga_id = $1";

type Payment = (i64, i64, i64);

async fn payment(tx: &mut Tx<'_>, saga: Uuid) -> Result<Option<Payment>, db::Error> {
    tx.fetch_optional(PAYMENT, args![saga]).await
}

fn no(reason: &'static str) -> Fault {
    Refusal::precondition(reason, "the payment does not allow it").into()
}

fn authorized(saga: Uuid, amount: i64) -> pb::AuthorizePaymentResponse {
    let payment = pb::Payment { name: format!("payments/{saga}"), ..Default::default() };
    pb::AuthorizePaymentResponse { saga: format!("sagas/{saga}"), amount, payment: Some(payment) }
}

impl Books {
    pub(super) async fn authorize(&self, message: &Message) -> Result<Response<pb::AuthorizePaymentResponse>, Status> {
        let request = message.read::<pb::AuthorizePaymentRequest>()?;
        let asked = request.get_ref();
        let (amount, is_card) = (asked.amount, asked.method() == pb::payment::Method::Card);
        let saga = super::id_of(&asked.saga);
        let op = self.operation(&request, saga, &asked.saga)?;
        let step = message.plain_step();
        let unwilled = self.refuses(saga, &step);
        let known = op.clone();
        let was_asked = is_card && self.is_asked(saga).await;
        let answer = self
            .forward(op, Refusals::Kept, async move |tx| {
                if is_card {
                    tx.execute(PUT, args![saga, ASKED, amount]).await?;
                    return Ok(Progress::Asked);
                } else if unwilled {
                    return Err(unwilling(&step));
                }
                tx.execute(PUT, args![saga, AUTHORIZED, amount]).await?;
                record(tx, saga, &step, (false, amount)).await?;
                done(authorized(saga, amount))
            })
            .await;
        if is_card && !was_asked && self.is_asked(saga).await {
            self.ask_outside(known, amount, unwilled);
        }
        answer
    }

    async fn is_asked(&self, saga: Uuid) -> bool {
        let state = self.db.read(async move |tx| payment(tx, saga).await).await;
        state.ok().flatten().is_some_and(|(state, ..)| state == ASKED)
    }

    /// Somebody outside decides, in his own time.
    fn ask_outside(&self, op: Operation, amount: i64, declines: bool) {
        let ms = self.world.number(&[word("processor"), number(op.saga)]) % 4_000;
        let (db, world) = (self.db.clone(), self.world.clone());
        self.world.later(u32::try_from(ms).unwrap_or_default(), async move {
            let saga = op.saga;
            let settled = db.write(async move |tx| settle(tx, &op, amount, declines).await).await;
            world.note(&[7, number(saga)], || format!("{:x} the processor has spoken", number(saga)));
            if let Err(error) = settled {
                world.violated(format!("saga {saga}: its payment cannot be settled: {error:?}"));
            }
        });
    }

    pub(super) async fn cancel(&self, message: &Message) -> Result<Response<pb::CancelPaymentResponse>, Status> {
        let request = message.read::<pb::CancelPaymentRequest>()?;
        let asked = request.get_ref();
        let saga = super::id_of(&asked.saga);
        let op = self.operation(&request, saga, &asked.saga)?;
        let step = message.plain_step();
        let echo = pb::CancelPaymentResponse { saga: asked.saga.clone(), ..Default::default() };
        let reply = echo.clone();
        self.compensate(op, echo, async move |tx| {
            match payment(tx, saga).await? {
                Some((ASKED, ..)) => {
                    tx.execute(VOID, args![saga]).await?;
                    return Ok(Progress::Asked);
                }
                Some((CAPTURED, ..)) => return Err(no("PAYMENT_CAPTURED")),
                Some((_, amount, _)) => {
                    tx.execute(SET, args![saga, CANCELLED]).await?;
                    record(tx, saga, &step, (true, amount)).await?;
                }
                None => {}
            }
            done(reply)
        })
        .await
    }

    pub(super) async fn capture(&self, message: &Message) -> Result<Response<pb::CapturePaymentResponse>, Status> {
        let request = message.read::<pb::CapturePaymentRequest>()?;
        let asked = request.get_ref();
        let saga = super::id_of(&asked.saga);
        let op = self.operation(&request, saga, &asked.saga)?;
        let (echo, step) = (asked.saga.clone(), message.plain_step());
        self.forward(op, Refusals::KeptIf(|refusal| refusal.reason == "PAYMENT_CANCELLED"), async move |tx| {
            let amount = match payment(tx, saga).await? {
                Some((AUTHORIZED | CAPTURED, amount, _)) => amount,
                _ => return Err(no("PAYMENT_CANCELLED")),
            };
            tx.execute(SET, args![saga, CAPTURED]).await?;
            record(tx, saga, &step, (false, amount)).await?;
            done(pb::CapturePaymentResponse { saga: echo, amount, ..Default::default() })
        })
        .await
    }

    pub(super) async fn create_refund(&self, message: &Message) -> Result<Response<pb::CreateRefundResponse>, Status> {
        let request = message.read::<pb::CreateRefundRequest>()?;
        let asked = request.get_ref();
        let (amount, parent) = (asked.amount, asked.parent.clone());
        let saga = super::id_of(&asked.saga);
        let op = self.operation(&request, saga, &asked.saga)?;
        let (echo, step) = (asked.saga.clone(), message.plain_step());
        let unwilled = self.refuses(saga, &step);
        self.forward(op, Refusals::Kept, async move |tx| {
            if unwilled {
                return Err(unwilling(&step));
            }
            record(tx, saga, &step, (false, amount)).await?;
            let refund = pb::Refund { name: format!("{parent}/refunds/{saga}"), ..Default::default() };
            done(pb::CreateRefundResponse { saga: echo, amount, refund: Some(refund) })
        })
        .await
    }

    pub(super) async fn cancel_refund(&self, message: &Message) -> Result<Response<pb::CancelRefundResponse>, Status> {
        let request = message.read::<pb::CancelRefundRequest>()?;
        let asked = request.get_ref();
        let saga = super::id_of(&asked.saga);
        let op = self.operation(&request, saga, &asked.saga)?;
        let step = message.plain_step();
        let echo = pb::CancelRefundResponse { saga: asked.saga.clone(), ..Default::default() };
        let reply = echo.clone();
        self.compensate(op, echo, async move |tx| {
            let amount = recorded(tx, saga, &step).await?;
            record(tx, saga, &step, (true, amount)).await?;
            done(reply)
        })
        .await
    }

    pub(super) async fn complete_refund(
        &self,
        message: &Message,
    ) -> Result<Response<pb::CompleteRefundResponse>, Status> {
        let request = message.read::<pb::CompleteRefundRequest>()?;
        let asked = request.get_ref();
        let saga = super::id_of(&asked.saga);
        let op = self.operation(&request, saga, &asked.saga)?;
        let (echo, step) = (asked.saga.clone(), message.plain_step());
        self.forward(op, Refusals::Forgotten, async move |tx| {
            let amount = recorded(tx, saga, "create-refund").await?;
            record(tx, saga, &step, (false, amount)).await?;
            done(pb::CompleteRefundResponse { saga: echo, amount, ..Default::default() })
        })
        .await
    }
}

/// Writes down what somebody outside has said: yes or no, or nothing any more if he was told to forget it.
async fn settle(tx: &mut Tx<'_>, op: &Operation, amount: i64, declines: bool) -> Result<(), Fault> {
    let saga = op.saga;
    BARRIER.hold(tx, op).await?;
    let Some((ASKED, _, voided)) = payment(tx, saga).await? else {
        return Ok(());
    };
    let reply = authorized(saga, amount);
    let (state, settlement) = match (voided, declines) {
        (0, false) => (AUTHORIZED, Settlement::Applied(&reply)),
        (0, true) => (DECLINED, Settlement::Refused(Refusal::precondition("DECLINED", "the card was declined"))),
        _ => (CANCELLED, Settlement::Compensated),
    };
    tx.execute(SET, args![saga, state]).await?;
    if state == AUTHORIZED {
        record(tx, saga, &op.step, (false, amount)).await?;
    }
    BARRIER.settle(tx, op, settlement).await.map(drop).map_err(Fault::from)
}
