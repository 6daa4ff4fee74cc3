//! The three things that a cancellation saga does to a reservation, each within the transaction of its barrier row: begin,
//! abort, commit. Begin and abort are one step and its compensation; commit is the pivot, and the reservation's row is the
//! one arbiter between commit and abort.

use service_kit::db::{self, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::change::{Seats, change};
use crate::record::Cause;
use crate::reservation::{Begin, Reservation};
use crate::store::Checkout;

/// CONFIRMED to CANCELLING: from here on the fee is fixed and no ticket opens the door.
pub(crate) async fn begin(tx: &mut Tx<'_>, id: Uuid, begin: &Begin, cause: &Cause) -> Result<Reservation, Fault> {
    let now_ms = tx.now_ms();
    let decide = |Checkout { sale, reservation }: &mut Checkout| {
        reservation.begin_cancellation(begin, &sale.performance, now_ms)?;
        Ok(Some(Seats::Keep))
    };
    Ok(change(tx, id, cause, decide).await?.checkout.reservation)
}

/// CANCELLING to CONFIRMED; returns also what will not be refunded. Refuses when the saga has cancelled.
pub(crate) async fn abort(tx: &mut Tx<'_>, id: Uuid, saga: Uuid, cause: &Cause) -> Result<(Reservation, i64), Fault> {
    let mut kept = 0;
    let decide = |Checkout { reservation, .. }: &mut Checkout| {
        if !reservation.is_being_cancelled_by(saga) && reservation.cancellation.saga != Some(saga) {
            let problem = format!("{} is neither being cancelled nor was cancelled by {saga}", reservation.name());
            return Err(db::Error::Corrupt { column: "lock_saga_id".into(), problem }.into());
        }
        kept = reservation.refund();
        reservation.abort_cancellation(saga)?;
        Ok(Some(Seats::Keep))
    };
    Ok((change(tx, id, cause, decide).await?.checkout.reservation, kept))
}

/// CANCELLING to CANCELLED: the tickets are void, and the seats are anybody's.
pub(crate) async fn commit(tx: &mut Tx<'_>, id: Uuid, saga: Uuid, cause: &Cause) -> Result<Reservation, Fault> {
    let now_ms = tx.now_ms();
    let decide = |Checkout { reservation, .. }: &mut Checkout| {
        reservation.commit_cancellation(saga, now_ms)?;
        Ok(Some(Seats::Return))
    };
    Ok(change(tx, id, cause, decide).await?.checkout.reservation)
}
