//! The statements over refunds. What a refund takes up stands in its payment's row, whose update decides whether there is
//! enough.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::history::{self, Change};
use super::{columns, one_of};
use crate::payment::{Cause, Payment};
use crate::refund::{self, Order, Refund, RefundState};

/// The columns of a refund, in the order in which a row is read.
macro_rules! refund_columns {
    () => {
        "saga_id, payment_id, amount, reason, state, create_time, complete_time, complete_step"
    };
}

const SELECT: &str = concat!("select ", refund_columns!(), " from payment_refunds where saga_id = $1");

/// Takes up what the order asks for and creates the refund of it.
pub(crate) async fn create(tx: &mut Tx<'_>, order: &Order, cause: &Cause) -> Result<Refund, Fault> {
    const TAKE: &str = concat!(
        "update payment_payments set refunding_amount = refunding_amount + $2, version = version + 1 ",
        "where saga_id = $1 and state = 3 and captured_amount - refunded_amount - refunding_amount >= $2 returning ",
        columns!()
    );
    const INSERT: &str = concat!(
        "insert into payment_refunds (saga_id, payment_id, amount, reason, state, create_time) ",
        "values ($1, $2, $3, $4, 1, $5) on conflict do nothing returning ",
        refund_columns!()
    );
    let Some(payment) = tx.fetch_optional(TAKE, args![order.payment, order.amount]).await? else {
        let payment = super::payment(tx, order.payment).await?;
        return Err(refund::exceeds(&payment, order.amount).into());
    };
    let row = args![cause.saga, order.payment, order.amount, &cause.reason, tx.now_ms()];
    let Some(refund) = tx.fetch_optional(INSERT, row).await? else {
        return Err(refund::exists(&of_saga(tx, cause.saga).await?).into());
    };
    record(tx, (&payment, &refund), "", cause).await?;
    Ok(refund)
}

/// Gives the refund of a saga up: what it took up is refundable again.
pub(crate) async fn cancel(tx: &mut Tx<'_>, cause: &Cause) -> Result<Refund, Fault> {
    const CANCEL: &str =
        concat!("update payment_refunds set state = 3 where saga_id = $1 and state = 1 returning ", refund_columns!());
    const LET_GO: &str = concat!(
        "update payment_payments set refunding_amount = refunding_amount - $2, version = version + 1 ",
        "where saga_id = $1 returning ",
        columns!()
    );
    let Some(refund) = tx.fetch_optional::<Refund>(CANCEL, args![cause.saga]).await? else {
        return Err(refund::not_pending(&of_saga(tx, cause.saga).await?).into());
    };
    let payment: Payment = tx.fetch_one(LET_GO, args![refund.payment, refund.amount]).await?;
    record(tx, (&payment, &refund), RefundState::Pending.name(), cause).await?;
    Ok(refund)
}

/// Notes that the refund of a saga is given back.
pub(crate) async fn complete(tx: &mut Tx<'_>, cause: &Cause) -> Result<Refund, Fault> {
    const COMPLETE: &str = concat!(
        "update payment_refunds set state = 2, complete_time = $2 where saga_id = $1 and state = 1 returning ",
        refund_columns!()
    );
    const GIVE: &str = concat!(
        "update payment_payments set refunding_amount = refunding_amount - $2, ",
        "refunded_amount = refunded_amount + $2, version = version + 1 where saga_id = $1 returning ",
        columns!()
    );
    let Some(refund) = tx.fetch_optional::<Refund>(COMPLETE, args![cause.saga, tx.now_ms()]).await? else {
        return Err(refund::not_pending(&of_saga(tx, cause.saga).await?).into());
    };
    let payment: Payment = tx.fetch_one(GIVE, args![refund.payment, refund.amount]).await?;
    record(tx, (&payment, &refund), RefundState::Pending.name(), cause).await?;
    Ok(refund)
}

/// Notes which step waits for the processor to give the refund of a saga back.
pub(crate) async fn set_complete_step(tx: &mut Tx<'_>, saga: Uuid, step: &str) -> Result<(), db::Error> {
    const UPDATE: &str = "update payment_refunds set complete_step = $2 where saga_id = $1";
    tx.execute(UPDATE, args![saga, step]).await.map(drop)
}

/// Reads the refund of a saga, and keeps it from changing.
pub(crate) async fn locked(tx: &mut Tx<'_>, saga: Uuid) -> Result<Refund, Fault> {
    let found = tx.lock_optional(SELECT, args![saga]).await?;
    found.ok_or_else(|| refund::not_found(format!("payments/-/refunds/{saga}")).into())
}

/// Reads the refund of a saga.
pub(crate) async fn of_saga(tx: &mut Tx<'_>, saga: Uuid) -> Result<Refund, Fault> {
    let found = tx.fetch_optional(SELECT, args![saga]).await?;
    found.ok_or_else(|| refund::not_found(format!("payments/-/refunds/{saga}")).into())
}

/// Reads a refund of a payment.
pub(crate) async fn refund(tx: &mut Tx<'_>, payment: Uuid, saga: Uuid) -> Result<Refund, Fault> {
    const SELECT: &str =
        concat!("select ", refund_columns!(), " from payment_refunds where payment_id = $1 and saga_id = $2");
    let found = tx.fetch_optional(SELECT, args![payment, saga]).await?;
    found.ok_or_else(|| refund::not_found(refund::name(payment, saga)).into())
}

/// Reads the refunds of a payment, newest first, from one on.
pub(crate) async fn refunds(
    tx: &mut Tx<'_>,
    payment: Uuid,
    newest: Uuid,
    limit: i64,
) -> Result<Vec<Refund>, db::Error> {
    const SELECT: &str = concat!(
        "select ",
        refund_columns!(),
        " from payment_refunds where payment_id = $1 and saga_id <= $2 order by saga_id desc limit $3"
    );
    tx.fetch_all(SELECT, args![payment, newest, limit]).await
}

/// Reads the refunds of all sagas after one, in their order.
pub(crate) async fn refunds_after(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Refund>, db::Error> {
    const SELECT: &str =
        concat!("select ", refund_columns!(), " from payment_refunds where saga_id > $1 order by saga_id limit $2");
    tx.fetch_all(SELECT, args![after, limit]).await
}

async fn record(
    tx: &mut Tx<'_>,
    (payment, refund): (&Payment, &Refund),
    from: &'static str,
    cause: &Cause,
) -> Result<(), db::Error> {
    let event = (refund.state == RefundState::Succeeded).then(|| history::refunded(refund));
    let states = (from, refund.state.name());
    history::record(tx, Change { payment, refund: Some(refund.saga), states, cause, event }).await
}

impl FromRow for Refund {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            saga: row.get(0)?,
            payment: row.get(1)?,
            amount: row.get(2)?,
            reason: row.get(3)?,
            state: one_of(row, 4, RefundState::ALL, |state| state as i64)?,
            create_time: row.get(5)?,
            complete_time: row.get(6)?,
            complete_step: row.get(7)?,
        })
    }
}
