//! What must hold over this service's tables, and the facts that others compare theirs with. For verification only: it
//! reads, on a snapshot, and nothing of the service depends on it.

use service_kit::args;
use service_kit::db::{self, Tx};
use service_kit::verify::Check;
use uuid::Uuid;

pub use crate::payment::State;
use crate::store;

/// The rules of payments.
pub const CHECKS: &[Check] = &[
    Check {
        id: "Y1",
        rule: "what is captured is all that was authorised or nothing, and it is all exactly when the payment is CAPTURED",
        sql: "select saga_id, 'state ' || state || ', authorised ' || authorized_amount || ', captured ' \
            || captured_amount from payment_payments where authorized_amount <= 0 \
            or captured_amount <> case when state = 3 then authorized_amount else 0 end limit 20",
    },
    Check {
        id: "Y2",
        rule: "a reference has at most one live payment",
        sql: "select cast(null as uuid), reference || ' has ' || count(*) || ' live payments' from payment_payments \
            where state in (1, 2, 3) group by reference having count(*) > 1 limit 20",
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
