//! The statements over payments by card: how they stand while the processor is asked, and after it has answered. Callers
//! hold the payment's row.

use service_kit::args;
use service_kit::db::{self, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::{columns, record};
use crate::payment::{Cause, Payment, State};

/// Notes which step waits for the capture.
pub(crate) async fn set_capture_step(tx: &mut Tx<'_>, saga: Uuid, step: &str) -> Result<(), db::Error> {
    const UPDATE: &str = "update payment_payments set capture_step = $2 where saga_id = $1";
    tx.execute(UPDATE, args![saga, step]).await.map(drop)
}

/// Notes why the payment is about to be given up.
pub(crate) async fn set_cancel_reason(tx: &mut Tx<'_>, cause: &Cause) -> Result<(), db::Error> {
    const UPDATE: &str = "update payment_payments set cancel_reason = $2 where saga_id = $1";
    tx.execute(UPDATE, args![cause.saga, &cause.reason]).await.map(drop)
}

/// Notes why the processor takes nothing.
pub(crate) async fn set_failure_reason(tx: &mut Tx<'_>, saga: Uuid, code: &str) -> Result<(), db::Error> {
    const UPDATE: &str = "update payment_payments set failure_reason = $2 where saga_id = $1";
    tx.execute(UPDATE, args![saga, code]).await.map(drop)
}

/// The processor holds the money.
pub(crate) async fn held(tx: &mut Tx<'_>, before: &Payment, reference: &str) -> Result<Payment, Fault> {
    const UPDATE: &str = concat!(
        "update payment_payments set state = 2, authorize_time = $2, processor_reference = $3, processor_token = '', ",
        "version = version + 1 where saga_id = $1 returning ",
        columns!()
    );
    let payment: Payment = tx.fetch_one(UPDATE, args![before.saga, tx.now_ms(), reference]).await?;
    record(tx, &payment, before.state, &Cause::answer(payment.saga, String::new())).await?;
    Ok(payment)
}

/// The processor has taken the money.
pub(crate) async fn taken(tx: &mut Tx<'_>, before: &Payment) -> Result<Payment, Fault> {
    const UPDATE: &str = concat!(
        "update payment_payments set state = 3, captured_amount = authorized_amount, capture_time = $2, ",
        "cancel_reason = '', failure_reason = '', version = version + 1 where saga_id = $1 returning ",
        columns!()
    );
    let payment: Payment = tx.fetch_one(UPDATE, args![before.saga, tx.now_ms()]).await?;
    record(tx, &payment, before.state, &Cause::answer(payment.saga, String::new())).await?;
    Ok(payment)
}

/// The processor holds nothing, and never will: FAILED where it has declined, else CANCELLED.
pub(crate) async fn given_up(tx: &mut Tx<'_>, before: &Payment, code: &str) -> Result<Payment, Fault> {
    const UPDATE: &str = concat!(
        "update payment_payments set state = $2, cancel_time = $3, failure_reason = $4, processor_token = '', ",
        "version = version + 1 where saga_id = $1 returning ",
        columns!()
    );
    let state = if code.is_empty() { State::Cancelled } else { State::Failed };
    let args = args![before.saga, state as i64, tx.now_ms(), code];
    let payment: Payment = tx.fetch_one(UPDATE, args).await?;
    let reason = if code.is_empty() { payment.cancel_reason.clone() } else { code.to_owned() };
    record(tx, &payment, before.state, &Cause::answer(payment.saga, reason)).await?;
    Ok(payment)
}

/// The one-time token of the card, for the processor alone.
pub(crate) async fn token(tx: &mut Tx<'_>, saga: Uuid) -> Result<String, db::Error> {
    const SELECT: &str = "select processor_token from payment_payments where saga_id = $1";
    let found: Option<(String,)> = tx.fetch_optional(SELECT, args![saga]).await?;
    Ok(found.map(|(token,)| token).unwrap_or_default())
}
