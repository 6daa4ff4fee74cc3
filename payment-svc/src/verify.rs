//! What must hold over this service's tables, and the facts that others compare theirs with. For verification only: it
//! reads, on a snapshot, and nothing of the service depends on it.

use service_kit::args;
use service_kit::db::{self, Tx};
use service_kit::verify::Check;
use uuid::Uuid;

pub use crate::payment::State;
pub use crate::refund::RefundState;
use crate::store;

/// The rules of payments.
pub const CHECKS: &[Check] = &[
    Check {
        id: "Y1",
        rule: "0 <= refunded <= captured <= authorised; captured is all exactly when the payment is CAPTURED, else nothing",
        sql: "select saga_id, 'state ' || state || ', authorised ' || authorized_amount || ', captured ' \
            || captured_amount || ', refunded ' || refunded_amount || ', being refunded ' || refunding_amount \
            from payment_payments where authorized_amount <= 0 \
            or captured_amount <> case when state = 3 then authorized_amount else 0 end \
            or refunded_amount < 0 or refunding_amount < 0 or refunded_amount + refunding_amount > captured_amount \
            limit 20",
    },
    Check {
        id: "Y1b",
        rule: "what a payment has refunded is the sum of its SUCCEEDED refunds, and what it is refunding that of its PENDING ones",
        sql: "select p.saga_id, 'refunded ' || p.refunded_amount || ', being refunded ' || p.refunding_amount \
            || '; its refunds say otherwise' from payment_payments p left join (select payment_id, \
            sum(case when state = 2 then amount else 0 end) as done, sum(case when state = 1 then amount else 0 end) as due \
            from payment_refunds group by payment_id) r on r.payment_id = p.saga_id \
            where p.refunded_amount <> coalesce(r.done, 0) or p.refunding_amount <> coalesce(r.due, 0) \
            union all select r.saga_id, 'it is of no payment' from payment_refunds r \
            where not exists (select 1 from payment_payments p where p.saga_id = r.payment_id) limit 20",
    },
    Check {
        id: "Y2",
        rule: "a reference has at most one live payment",
        sql: "select cast(null as uuid), reference || ' has ' || count(*) || ' live payments' from payment_payments \
            where state in (1, 2, 3) group by reference having count(*) > 1 limit 20",
    },
    Check {
        id: "Y6",
        rule: "whatever waits for the processor is asked of it, and nothing else is: steps in progress and PENDING payments",
        sql: "select o.saga_id, o.step || ' is in progress and asked of nobody' from payment_saga_op o where o.state = 5 \
            and not exists (select 1 from payment_errands e where e.id = o.aggregate_id) \
            union all select p.saga_id, 'it is PENDING and asked of nobody' from payment_payments p where p.state = 1 \
            and not exists (select 1 from payment_errands e where e.payment_id = p.saga_id and e.id = p.saga_id) \
            union all select e.id, 'the processor is asked for nothing' from payment_errands e \
            where not exists (select 1 from payment_payments p where p.saga_id = e.id and p.method = 2 and p.state in (1, 2)) \
            and not exists (select 1 from payment_refunds r where r.saga_id = e.id and r.payment_id = e.payment_id \
            and r.state = 1) limit 20",
    },
    Check {
        id: "Y7",
        rule: "every payment that is captured and every refund that has succeeded is told of once, and no other is",
        // Events are forgotten a week after they were published.
        sql: "select p.saga_id, 'in state ' || p.state || ' it is told of as captured ' || coalesce(o.events, 0) \
            || ' times' from payment_payments p left join (select saga_id, count(*) as events from payment_outbox \
            where type = 'ticketing.payment.captured.v1' group by saga_id) o on o.saga_id = p.saga_id \
            where coalesce(o.events, 0) <> case when p.state = 3 then 1 else 0 end and coalesce(p.capture_time, p.create_time) \
            > (select coalesce(max(create_time), 0) from payment_outbox) - 518400000 \
            union all select r.saga_id, 'in state ' || r.state || ' it is told of as given back ' \
            || coalesce(o.events, 0) || ' times' from payment_refunds r left join (select saga_id, count(*) as events \
            from payment_outbox where type = 'ticketing.refund.succeeded.v1' group by saga_id) o \
            on o.saga_id = r.saga_id where coalesce(o.events, 0) <> case when r.state = 2 then 1 else 0 end \
            and coalesce(r.complete_time, r.create_time) \
            > (select coalesce(max(create_time), 0) from payment_outbox) - 518400000 limit 20",
    },
];

/// What a saga has paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The saga.
    pub saga: Uuid,
    /// What it paid for: `reservations/{uuid}`.
    pub reference: String,
    /// What was authorised.
    pub authorized_amount: i64,
    /// What was taken of it.
    pub captured_amount: i64,
    /// What was given back of that.
    pub refunded_amount: i64,
    /// Where it stands.
    pub state: State,
}

/// Reads at most `limit` payments of the sagas after `after`, in the order of the sagas.
///
/// # Errors
/// Of the store.
pub async fn payments(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Payment>, db::Error> {
    let found = store::payments_after(tx, after, limit).await?;
    let fact = |payment: crate::payment::Payment| Payment {
        saga: payment.saga,
        reference: payment.reference,
        authorized_amount: payment.authorized_amount,
        captured_amount: payment.captured_amount,
        refunded_amount: payment.refunded_amount,
        state: payment.state,
    };
    Ok(found.into_iter().map(fact).collect())
}

/// Sums what was captured of payments with points.
///
/// # Errors
/// Of the store.
pub async fn points_captured(tx: &mut Tx<'_>) -> Result<i64, db::Error> {
    const SELECT: &str =
        "select cast(coalesce(sum(captured_amount), 0) as bigint) from payment_payments where method = 1";
    let (total,) = tx.fetch_one(SELECT, args![]).await?;
    Ok(total)
}

/// What a saga gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The saga.
    pub saga: Uuid,
    /// The payment, which is its own saga's.
    pub payment: Uuid,
    /// How much.
    pub amount: i64,
    /// Where it stands.
    pub state: RefundState,
}

/// Reads at most `limit` refunds of the sagas after `after`, in the order of the sagas.
///
/// # Errors
/// Of the store.
pub async fn refunds(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Refund>, db::Error> {
    let found = store::refunds::refunds_after(tx, after, limit).await?;
    let fact = |refund: crate::refund::Refund| Refund {
        saga: refund.saga,
        payment: refund.payment,
        amount: refund.amount,
        state: refund.state,
    };
    Ok(found.into_iter().map(fact).collect())
}

/// Sums what was given back of payments with points.
///
/// # Errors
/// Of the store.
pub async fn points_refunded(tx: &mut Tx<'_>) -> Result<i64, db::Error> {
    const SELECT: &str =
        "select cast(coalesce(sum(refunded_amount), 0) as bigint) from payment_payments where method = 1";
    let (total,) = tx.fetch_one(SELECT, args![]).await?;
    Ok(total)
}
