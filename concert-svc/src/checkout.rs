//! The three things that a checkout saga does to a reservation, each within the transaction of its barrier row: lock,
//! unlock, confirm. Lock and unlock are one step and its compensation; confirm is the pivot, and the reservation's row
//! is the one arbiter between confirm and unlock.

use service_kit::db::{self, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::change::{Changed, Seats, change};
use crate::record::Cause;
use crate::reservation::Lock;
use crate::state::ReservationState;
use crate::store::Checkout;
use crate::ticket::Ticket;

/// HELD to CONFIRMING: from here on no clock runs out.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: Uuid, lock: &Lock, cause: &Cause) -> Result<Checkout, Fault> {
    let now_ms = tx.now_ms();
    let decide = |Checkout { sale, reservation }: &mut Checkout| {
        reservation.lock(lock, &sale.performance, now_ms)?;
        Ok(Some(Seats::Lock))
    };
    Ok(change(tx, id, cause, decide).await?.checkout)
}

/// CONFIRMING to HELD, or to EXPIRED when the hold has used up its lifetime. Refuses when the saga has confirmed.
pub(crate) async fn unlock(tx: &mut Tx<'_>, id: Uuid, saga: Uuid, cause: &Cause) -> Result<Checkout, Fault> {
    let now_ms = tx.now_ms();
    let decide = |Checkout { sale, reservation }: &mut Checkout| {
        if !reservation.locked_by(saga) && reservation.confirm_saga != Some(saga) {
            let problem = format!("{} is neither locked nor confirmed by {saga}", reservation.name());
            return Err(db::Error::Corrupt { column: "lock_saga_id".into(), problem }.into());
        }
        reservation.unlock(saga, &sale.concert.policy, now_ms)?;
        let is_over = reservation.state == ReservationState::Expired;
        Ok(Some(if is_over { Seats::Free } else { Seats::HoldUntil(reservation.expire_time) }))
    };
    Ok(change(tx, id, cause, decide).await?.checkout)
}

/// CONFIRMING to CONFIRMED: the seats are sold, the tickets issued.
pub(crate) async fn confirm(
    tx: &mut Tx<'_>,
    id: Uuid,
    (saga, payment): (Uuid, Option<Uuid>),
    cause: &Cause,
) -> Result<(Checkout, Vec<Ticket>), Fault> {
    let now_ms = tx.now_ms();
    let decide = |Checkout { sale, reservation }: &mut Checkout| {
        reservation.confirm(saga, payment, now_ms)?;
        sale.performance.expect_not_cancelled()?;
        if payment.is_none() && reservation.total_amount > 0 {
            return Err(Fault::field("payment", "is required unless the reservation is free"));
        }
        Ok(Some(Seats::Sell))
    };
    let Changed { checkout, tickets } = change(tx, id, cause, decide).await?;
    Ok((checkout, tickets))
}
