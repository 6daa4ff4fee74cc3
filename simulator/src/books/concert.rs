//! Seats: one for each reservation, sold to one checkout at a time.

use proto::concert::v1 as pb;
use service_kit::args;
use service_kit::barrier::Refusals;
use service_kit::db::{self, Tx};
use service_kit::refusal::{Fault, Refusal};
use tonic::{Response, Status};
use uuid::Uuid;

use super::repeat::done;
use super::{Books, Message, id_of, record, unwilling};

/// What every seat costs.
pub(crate) const PRICE: i64 = 50;
/// What is kept of it when it is given back.
pub(crate) const FEE: i64 = 5;
/// What is given back of it.
const REFUND: i64 = PRICE - FEE;

const FREE: i64 = 0;
const LOCKED: i64 = 1;
const SOLD: i64 = 2;
const GIVEN_BACK: i64 = 3;

const SEAT: &str = "select state, locked_by, sold_by from sim_seat where reservation = $1";
const SET: &str = "update sim_seat set state = $2, locked_by = $3, sold_by = $4 where reservation = $1";

/// State, who holds it for the moment, and who bought it.
type Seat = (i64, Option<Uuid>, Option<Uuid>);

async fn seat(tx: &mut Tx<'_>, reservation: Uuid) -> Result<Seat, db::Error> {
    tx.fetch_one(SEAT, args![reservation]).await
}

async fn set(tx: &mut Tx<'_>, reservation: Uuid, (state, locked_by, sold_by): Seat) -> Result<(), db::Error> {
    tx.execute(SET, args![reservation, state, locked_by, sold_by]).await.map(drop)
}

fn no(reason: &'static str) -> Fault {
    Refusal::precondition(reason, "the seat does not allow it").into()
}

fn reserved(name: String, payment: Option<Uuid>) -> pb::Reservation {
    let payment = payment.map(|payment| format!("payments/{payment}")).unwrap_or_default();
    pb::Reservation {
        name,
        payment,
        customer: "customers/somebody".into(),
        total_amount: PRICE,
        cancellation_fee: FEE,
        ..Default::default()
    }
}

impl Books {
    pub(super) async fn lock(&self, message: &Message) -> Result<Response<pb::LockReservationResponse>, Status> {
        let request = message.read::<pb::LockReservationRequest>()?;
        let asked = request.get_ref();
        let reservation = id_of(&asked.name);
        let op = self.operation(&request, reservation, &asked.saga)?;
        let (saga, echo, step) = (op.saga, asked.saga.clone(), message.plain_step());
        let unwilled = self.refuses(saga, &step);
        self.forward(op, Refusals::Kept, async move |tx| {
            let (state, locked_by, _) = seat(tx, reservation).await?;
            let is_mine = state == LOCKED && locked_by == Some(saga);
            if unwilled {
                return Err(unwilling(&step));
            } else if state != FREE && !is_mine {
                return Err(no("SEAT_TAKEN"));
            }
            set(tx, reservation, (LOCKED, Some(saga), None)).await?;
            record(tx, saga, &step, (false, PRICE)).await?;
            done(pb::LockReservationResponse { saga: echo, amount: PRICE, ..Default::default() })
        })
        .await
    }

    pub(super) async fn unlock(&self, message: &Message) -> Result<Response<pb::UnlockReservationResponse>, Status> {
        let request = message.read::<pb::UnlockReservationRequest>()?;
        let asked = request.get_ref();
        let reservation = id_of(&asked.name);
        let op = self.operation(&request, reservation, &asked.saga)?;
        let (saga, step) = (op.saga, message.plain_step());
        let echo = pb::UnlockReservationResponse { saga: asked.saga.clone(), ..Default::default() };
        let reply = echo.clone();
        self.compensate(op, echo, async move |tx| {
            let (state, locked_by, sold_by) = seat(tx, reservation).await?;
            if matches!(state, SOLD | GIVEN_BACK) && sold_by == Some(saga) {
                return Err(no("RESERVATION_CONFIRMED"));
            }
            if state == LOCKED && locked_by == Some(saga) {
                set(tx, reservation, (FREE, None, None)).await?;
            }
            record(tx, saga, &step, (true, PRICE)).await?;
            done(reply)
        })
        .await
    }

    pub(super) async fn confirm(&self, message: &Message) -> Result<Response<pb::ConfirmReservationResponse>, Status> {
        let request = message.read::<pb::ConfirmReservationRequest>()?;
        let asked = request.get_ref();
        let reservation = id_of(&asked.name);
        let op = self.operation(&request, reservation, &asked.saga)?;
        let (saga, echo, step) = (op.saga, asked.saga.clone(), message.plain_step());
        let unwilled = self.refuses(saga, &step);
        self.forward(op, Refusals::Kept, async move |tx| {
            let (state, locked_by, sold_by) = seat(tx, reservation).await?;
            let is_mine = state == SOLD && sold_by == Some(saga);
            if unwilled {
                return Err(unwilling(&step));
            } else if !(is_mine || (state == LOCKED && locked_by == Some(saga))) {
                return Err(no("LOCK_LOST"));
            }
            set(tx, reservation, (SOLD, None, Some(saga))).await?;
            record(tx, saga, &step, (false, PRICE)).await?;
            done(pb::ConfirmReservationResponse { saga: echo, amount: PRICE, ..Default::default() })
        })
        .await
    }

    pub(super) async fn begin(
        &self,
        message: &Message,
    ) -> Result<Response<pb::BeginReservationCancellationResponse>, Status> {
        let request = message.read::<pb::BeginReservationCancellationRequest>()?;
        let asked = request.get_ref();
        let reservation = id_of(&asked.name);
        let op = self.operation(&request, reservation, &asked.saga)?;
        let (saga, name, customer) = (op.saga, asked.name.clone(), asked.customer.clone());
        let (echo, step) = (asked.saga.clone(), message.plain_step());
        let unwilled = self.refuses(saga, &step);
        self.forward(op, Refusals::Kept, async move |tx| {
            let (state, locked_by, sold_by) = seat(tx, reservation).await?;
            let is_mine = state == GIVEN_BACK && locked_by == Some(saga);
            if unwilled {
                return Err(unwilling(&step));
            } else if state != SOLD && !is_mine {
                return Err(no("NOT_SOLD"));
            }
            set(tx, reservation, (GIVEN_BACK, Some(saga), sold_by)).await?;
            record(tx, saga, &step, (false, REFUND)).await?;
            let reservation = pb::Reservation { customer, ..reserved(name, sold_by) };
            done(pb::BeginReservationCancellationResponse {
                saga: echo,
                amount: REFUND,
                reservation: Some(reservation),
                ..Default::default()
            })
        })
        .await
    }

    pub(super) async fn abort(
        &self,
        message: &Message,
    ) -> Result<Response<pb::AbortReservationCancellationResponse>, Status> {
        let request = message.read::<pb::AbortReservationCancellationRequest>()?;
        let asked = request.get_ref();
        let reservation = id_of(&asked.name);
        let op = self.operation(&request, reservation, &asked.saga)?;
        let (saga, step) = (op.saga, message.plain_step());
        let echo = pb::AbortReservationCancellationResponse { saga: asked.saga.clone(), ..Default::default() };
        let reply = echo.clone();
        self.compensate(op, echo, async move |tx| {
            let (state, locked_by, sold_by) = seat(tx, reservation).await?;
            if state == GIVEN_BACK && locked_by == Some(saga) {
                set(tx, reservation, (SOLD, None, sold_by)).await?;
            } else if super::recorded(tx, saga, "commit-cancellation").await? > 0 {
                return Err(no("CANCELLATION_COMMITTED"));
            }
            record(tx, saga, &step, (true, REFUND)).await?;
            done(reply)
        })
        .await
    }

    pub(super) async fn commit(
        &self,
        message: &Message,
    ) -> Result<Response<pb::CommitReservationCancellationResponse>, Status> {
        let request = message.read::<pb::CommitReservationCancellationRequest>()?;
        let asked = request.get_ref();
        let reservation = id_of(&asked.name);
        let op = self.operation(&request, reservation, &asked.saga)?;
        let (saga, echo, step) = (op.saga, asked.saga.clone(), message.plain_step());
        let unwilled = self.refuses(saga, &step);
        self.forward(op, Refusals::Kept, async move |tx| {
            let (state, locked_by, _) = seat(tx, reservation).await?;
            if unwilled {
                return Err(unwilling(&step));
            } else if !(state == GIVEN_BACK && locked_by == Some(saga)) {
                return Err(no("LOCK_LOST"));
            }
            set(tx, reservation, (FREE, None, None)).await?;
            record(tx, saga, &step, (false, REFUND)).await?;
            done(pb::CommitReservationCancellationResponse { saga: echo, amount: REFUND, ..Default::default() })
        })
        .await
    }
}
