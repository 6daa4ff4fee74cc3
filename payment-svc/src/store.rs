//! The statements over payments: every state changes in one conditional update of the payment's row.

use service_kit::args;
use service_kit::db::{self, Arg, FromRow, Row, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::payment::{self, Cause, Method, Order, Payment, Purpose, State};

pub(crate) mod cards;
pub(crate) mod errands;
mod history;
pub(crate) mod locks;
pub(crate) mod refunds;

use history::Change;

/// The columns of a payment, in the order in which a row is read.
macro_rules! columns {
    () => {
        "saga_id, customer_id, purpose, reference, method, state, version, authorized_amount, captured_amount, \
         refunded_amount, refunding_amount, create_time, authorize_time, capture_time, cancel_time, cancel_reason, \
         card_last_four, processor_reference, failure_reason, authorize_step, capture_step"
    };
}
use columns;

const SELECT: &str = concat!("select ", columns!(), " from payment_payments where saga_id = $1");

/// How often a payment is tried whose rival is gone when it is looked for.
const LOOKS: usize = 3;

/// Creates the payment that the order asks for: with points it is authorised at once, by card it is PENDING.
pub(crate) async fn authorize(tx: &mut Tx<'_>, order: &Order, cause: &Cause) -> Result<Payment, Fault> {
    const INSERT: &str = concat!(
        "insert into payment_payments (saga_id, customer_id, purpose, reference, method, state, authorized_amount, ",
        "captured_amount, create_time, authorize_time, cancel_reason, card_last_four, processor_token, authorize_step) ",
        "values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, '', $10, $11, $12) on conflict do nothing returning ",
        columns!()
    );
    const RIVAL: &str = concat!(
        "select ",
        columns!(),
        " from payment_payments where saga_id = $1 or (reference = $2 and state in (1, 2, 3)) ",
        "order by case when saga_id = $1 then 0 else 1 end limit 1"
    );
    for _ in 0..LOOKS {
        if let Some(payment) = tx.fetch_optional(INSERT, &row(order, tx.now_ms())).await? {
            record_new(tx, &payment, cause).await?;
            return Ok(payment);
        }
        if let Some(rival) = tx.fetch_optional(RIVAL, args![order.saga, &order.reference]).await? {
            return Err(payment::cannot_authorize(order, &rival).into());
        }
        // The rival was cancelled between the two statements, so there is room now.
    }
    let problem = format!("payments for {} come and go; nothing was written", order.reference);
    Err(db::Error::Unavailable(problem).into())
}

/// The arguments of a new payment.
fn row(order: &Order, now_ms: i64) -> Vec<Arg<'_>> {
    let (state, authorize_time) = match order.card {
        None => (State::Authorized, Some(now_ms)),
        Some(_) => (State::Pending, None),
    };
    let (last_four, token, step) = match &order.card {
        None => ("", "", ""),
        Some(card) => (card.last_four.as_str(), card.token.as_str(), order.step.as_str()),
    };
    let mut row =
        args![order.saga, order.customer, order.purpose as i64, &order.reference, order.method as i64].to_vec();
    row.extend_from_slice(args![state as i64, order.amount, now_ms, authorize_time, last_four, token, step]);
    row
}

/// Gives up the payment of a saga with points, if it is live and not captured.
pub(crate) async fn cancel_points(tx: &mut Tx<'_>, cause: &Cause) -> Result<Option<Payment>, db::Error> {
    const CANCEL: &str = concat!(
        "update payment_payments set state = 4, cancel_time = $2, cancel_reason = $3, version = version + 1 ",
        "where saga_id = $1 and state in (1, 2) and method = 1 returning ",
        columns!()
    );
    let payment = tx.fetch_optional(CANCEL, args![cause.saga, tx.now_ms(), &cause.reason]).await?;
    if let Some(payment) = &payment {
        record(tx, payment, State::Authorized, cause).await?;
    }
    Ok(payment)
}

/// Takes what the payment of a saga with points has authorised.
pub(crate) async fn capture_points(tx: &mut Tx<'_>, cause: &Cause) -> Result<Option<Payment>, db::Error> {
    const CAPTURE: &str = concat!(
        "update payment_payments set state = 3, captured_amount = authorized_amount, capture_time = $2, ",
        "version = version + 1 where saga_id = $1 and state = 2 and method = 1 returning ",
        columns!()
    );
    let payment = tx.fetch_optional(CAPTURE, args![cause.saga, tx.now_ms()]).await?;
    if let Some(payment) = &payment {
        record(tx, payment, State::Authorized, cause).await?;
    }
    Ok(payment)
}

/// Tells history, and the world of what it is to know.
async fn record(tx: &mut Tx<'_>, payment: &Payment, from: State, cause: &Cause) -> Result<(), db::Error> {
    let event = match payment.state {
        State::Pending => None,
        State::Authorized => Some(history::authorized(payment)),
        State::Captured => Some(history::captured(payment)),
        State::Cancelled => Some(history::cancelled(payment, &cause.reason)),
        // The world knows of it only if it was authorised before.
        State::Failed => (from == State::Authorized).then(|| history::cancelled(payment, &cause.reason)),
    };
    let states = (from.name(), payment.state.name());
    history::record(tx, Change { payment, refund: None, states, cause, event }).await
}

/// The same of a payment that is new.
async fn record_new(tx: &mut Tx<'_>, payment: &Payment, cause: &Cause) -> Result<(), db::Error> {
    let event = (payment.state == State::Authorized).then(|| history::authorized(payment));
    history::record(tx, Change { payment, refund: None, states: ("", payment.state.name()), cause, event }).await
}

/// Reads the payment of a saga, and keeps it from changing.
pub(crate) async fn locked(tx: &mut Tx<'_>, saga: Uuid) -> Result<Payment, Fault> {
    let found = tx.lock_optional(SELECT, args![saga]).await?;
    found.ok_or_else(|| payment::not_found(saga).into())
}

/// Reads the payment of a saga.
pub(crate) async fn payment(tx: &mut Tx<'_>, saga: Uuid) -> Result<Payment, Fault> {
    let found = tx.fetch_optional(SELECT, args![saga]).await?;
    found.ok_or_else(|| payment::not_found(saga).into())
}

/// Which payments are asked for; every condition that is set must hold.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The sagas between these two, both included.
    pub(crate) sagas: (Uuid, Uuid),
    pub(crate) customer: Option<Uuid>,
    pub(crate) reference: Option<String>,
    pub(crate) state: Option<i64>,
    pub(crate) method: Option<i64>,
    pub(crate) limit: i64,
}

/// Reads payments, newest first.
pub(crate) async fn payments(tx: &mut Tx<'_>, wanted: &Wanted) -> Result<Vec<Payment>, db::Error> {
    const SELECT: &str = concat!(
        "select ",
        columns!(),
        " from payment_payments where saga_id >= $1 and saga_id <= $2 and (customer_id = $3 or $3 is null) ",
        "and (reference = $4 or $4 is null) and (state = $5 or $5 is null) and (method = $6 or $6 is null) ",
        "order by saga_id desc limit $7"
    );
    let args = args![
        wanted.sagas.0,
        wanted.sagas.1,
        wanted.customer,
        wanted.reference.as_deref(),
        wanted.state,
        wanted.method,
        wanted.limit
    ];
    tx.fetch_all(SELECT, args).await
}

/// Reads the payments of all sagas after one, in their order.
pub(crate) async fn payments_after(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Payment>, db::Error> {
    const SELECT: &str =
        concat!("select ", columns!(), " from payment_payments where saga_id > $1 order by saga_id limit $2");
    tx.fetch_all(SELECT, args![after, limit]).await
}

impl FromRow for Payment {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            saga: row.get(0)?,
            customer: row.get(1)?,
            purpose: one_of(row, 2, Purpose::ALL, |purpose| purpose as i64)?,
            reference: row.get(3)?,
            method: one_of(row, 4, Method::ALL, |method| method as i64)?,
            state: one_of(row, 5, State::ALL, |state| state as i64)?,
            version: row.get(6)?,
            authorized_amount: row.get(7)?,
            captured_amount: row.get(8)?,
            refunded_amount: row.get(9)?,
            refunding_amount: row.get(10)?,
            create_time: row.get(11)?,
            authorize_time: row.get(12)?,
            capture_time: row.get(13)?,
            cancel_time: row.get(14)?,
            cancel_reason: row.get(15)?,
            card_last_four: row.get(16)?,
            processor_reference: row.get(17)?,
            failure_reason: row.get(18)?,
            authorize_step: row.get(19)?,
            capture_step: row.get(20)?,
        })
    }
}

/// Reads a column that holds the number of one of `all`.
fn one_of<T: Copy, const N: usize>(
    row: &Row<'_>,
    index: usize,
    all: [T; N],
    number_of: impl Fn(T) -> i64,
) -> Result<T, db::Error> {
    let number: i64 = row.get(index)?;
    let found = all.into_iter().find(|one| number_of(*one) == number);
    found.ok_or_else(|| row.corrupt(index, format!("nothing has the number {number}")))
}
