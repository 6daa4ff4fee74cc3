//! What sagas have locked and not let go: payments that are PENDING or AUTHORIZED, and PENDING refunds.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use crate::payment::State;

/// One lock.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    pub(crate) lock_time: i64,
    pub(crate) saga: Uuid,
    pub(crate) payment: Uuid,
    /// Of a refund, which is PENDING, else of the payment.
    pub(crate) is_refund: bool,
    /// Of a payment that is not PENDING.
    pub(crate) is_authorized: bool,
}

/// Which locks are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The last one that was seen.
    pub(crate) after: (i64, Uuid),
    /// Only those from before this time.
    pub(crate) before: i64,
    pub(crate) limit: i64,
}

/// Reads locks, the oldest first. Each kind walks its own index; no saga has both.
pub(crate) async fn locks(tx: &mut Tx<'_>, wanted: &Wanted) -> Result<Vec<Lock>, db::Error> {
    const PAYMENTS: &str = "select create_time, saga_id, saga_id, state, 0 from payment_payments \
        where state in (1, 2) and (create_time, saga_id) > ($1, $2) and create_time < $3 \
        order by create_time, saga_id limit $4";
    const REFUNDS: &str = "select create_time, saga_id, payment_id, state, 1 from payment_refunds \
        where state = 1 and (create_time, saga_id) > ($1, $2) and create_time < $3 \
        order by create_time, saga_id limit $4";
    let Wanted { after: (time, saga), before, limit } = *wanted;
    let args = args![time, saga, before, limit].to_vec();
    let mut locks: Vec<Lock> = tx.fetch_each(&[(PAYMENTS, args.clone()), (REFUNDS, args)]).await?;
    locks.sort_by_key(|lock| (lock.lock_time, lock.saga));
    locks.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(locks)
}

impl FromRow for Lock {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            lock_time: row.get(0)?,
            saga: row.get(1)?,
            payment: row.get(2)?,
            is_authorized: row.get::<i64>(3)? == State::Authorized as i64,
            is_refund: row.get(4)?,
        })
    }
}
