//! The statements over payments: every state changes in one conditional update of the payment's row.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::payment::{self, Cause, Order, Payment, State};

mod history;
pub(crate) mod locks;
pub(crate) mod refunds;

use history::Change;

/// The columns of a payment, in the order in which a row is read.
macro_rules! columns {
    () => {
        "saga_id, customer_id, reference, state, version, authorized_amount, captured_amount, refunded_amount, \
         refunding_amount, create_time, authorize_time, capture_time, cancel_time"
    };
}
use columns;

/// How often a payment is tried whose rival is gone when it is looked for.
const LOOKS: usize = 3;

/// Creates the payment with points that the order asks for, authorised at once.
pub(crate) async fn authorize(tx: &mut Tx<'_>, order: &Order, cause: &Cause) -> Result<Payment, Fault> {
    const INSERT: &str = concat!(
        "insert into payment_payments (saga_id, customer_id, purpose, reference, method, state, authorized_amount, ",
        "captured_amount, create_time, authorize_time, cancel_reason) values ($1, $2, 1, $3, 1, 2, $4, 0, $5, $5, '') ",
        "on conflict do nothing returning ",
        columns!()
    );
    const RIVAL: &str = concat!(
        "select ",
        columns!(),
        " from payment_payments where saga_id = $1 or (reference = $2 and state in (1, 2, 3)) ",
        "order by case when saga_id = $1 then 0 else 1 end limit 1"
    );
    for _ in 0..LOOKS {
        let args = args![order.saga, order.customer, &order.reference, order.amount, tx.now_ms()];
        if let Some(payment) = tx.fetch_optional(INSERT, args).await? {
            record(tx, &payment, "", cause).await?;
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

/// Gives the payment of a saga up, unless it was captured. One that holds nothing stays as it is.
pub(crate) async fn cancel(tx: &mut Tx<'_>, cause: &Cause) -> Result<Payment, Fault> {
    const CANCEL: &str = concat!(
        "update payment_payments set state = 4, cancel_time = $2, cancel_reason = $3, version = version + 1 ",
        "where saga_id = $1 and state in (1, 2) returning ",
        columns!()
    );
    match tx.fetch_optional(CANCEL, args![cause.saga, tx.now_ms(), &cause.reason]).await? {
        Some(payment) => {
            record(tx, &payment, State::Authorized.name(), cause).await?;
            Ok(payment)
        }
        None => Err(payment::cannot_cancel(&payment(tx, cause.saga).await?).into()),
    }
}

/// Takes what the payment of a saga has authorised.
pub(crate) async fn capture(tx: &mut Tx<'_>, cause: &Cause) -> Result<Payment, Fault> {
    const CAPTURE: &str = concat!(
        "update payment_payments set state = 3, captured_amount = authorized_amount, capture_time = $2, ",
        "version = version + 1 where saga_id = $1 and state = 2 returning ",
        columns!()
    );
    match tx.fetch_optional(CAPTURE, args![cause.saga, tx.now_ms()]).await? {
        Some(payment) => {
            record(tx, &payment, State::Authorized.name(), cause).await?;
            Ok(payment)
        }
        None => Err(payment::not_authorized(&payment(tx, cause.saga).await?).into()),
    }
}

/// Tells history, and the world of what it is to know.
async fn record(tx: &mut Tx<'_>, payment: &Payment, from: &'static str, cause: &Cause) -> Result<(), db::Error> {
    let event = match payment.state {
        State::Authorized => Some(history::authorized(payment)),
        State::Captured => Some(history::captured(payment)),
        State::Cancelled => Some(history::cancelled(payment, &cause.reason)),
        State::Pending | State::Failed => None,
    };
    history::record(tx, Change { payment, refund: None, states: (from, payment.state.name()), cause, event }).await
}

/// Reads the payment of a saga.
pub(crate) async fn payment(tx: &mut Tx<'_>, saga: Uuid) -> Result<Payment, Fault> {
    const SELECT: &str = concat!("select ", columns!(), " from payment_payments where saga_id = $1");
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
            reference: row.get(2)?,
            state: state(row, 3)?,
            version: row.get(4)?,
            authorized_amount: row.get(5)?,
            captured_amount: row.get(6)?,
            refunded_amount: row.get(7)?,
            refunding_amount: row.get(8)?,
            create_time: row.get(9)?,
            authorize_time: row.get(10)?,
            capture_time: row.get(11)?,
            cancel_time: row.get(12)?,
        })
    }
}

fn state(row: &Row<'_>, index: usize) -> Result<State, db::Error> {
    let number: i64 = row.get(index)?;
    let found = State::ALL.into_iter().find(|state| *state as i64 == number);
    found.ok_or_else(|| row.corrupt(index, format!("no state has the number {number}")))
}
