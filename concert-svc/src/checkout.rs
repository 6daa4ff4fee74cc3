//! The three things that a checkout saga does to a reservation, each within the transaction of its barrier row: lock,
//! unlock, confirm. Lock and unlock are one step and its compensation; confirm is the pivot, and the reservation's row
//! is the one arbiter between confirm and unlock.

use service_kit::db::{self, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::hold::{self, expect_all};
use crate::reservation::Lock;
use crate::state::ReservationState;
use crate::store::Checkout;
use crate::ticket::{self, Ticket};
use crate::{not_found, store};

/// HELD to CONFIRMING: from here on no clock runs out.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: Uuid, lock: &Lock) -> Result<Checkout, Fault> {
    let mut checkout = find(tx, id).await?;
    let reservation = &mut checkout.reservation;
    reservation.lock(lock, &checkout.sale.performance, tx.now_ms())?;
    store::save(tx, reservation).await?;
    if store::hold_until(tx, reservation, None).await? < reservation.items.len() as u64 {
        return Err(reservation.hold_expired().into());
    }
    Ok(checkout)
}

/// CONFIRMING to HELD, or to EXPIRED when the hold has used up its lifetime. Refuses when the saga has confirmed.
pub(crate) async fn unlock(tx: &mut Tx<'_>, id: Uuid, saga: Uuid) -> Result<Checkout, Fault> {
    let mut checkout = find(tx, id).await?;
    let reservation = &mut checkout.reservation;
    if !reservation.locked_by(saga) && reservation.confirm_saga != Some(saga) {
        let problem = format!("{} is neither locked nor confirmed by {saga}", reservation.name());
        return Err(db::Error::Corrupt { column: "lock_saga_id".into(), problem }.into());
    }
    reservation.unlock(saga, &checkout.sale.concert.policy, tx.now_ms())?;
    store::save(tx, reservation).await?;
    if reservation.state == ReservationState::Expired {
        hold::free(tx, reservation).await?;
    } else {
        let held = store::hold_until(tx, reservation, Some(reservation.expire_time)).await?;
        expect_all(reservation, held)?;
    }
    Ok(checkout)
}

/// CONFIRMING to CONFIRMED: the seats are sold, the tickets issued.
pub(crate) async fn confirm(
    tx: &mut Tx<'_>,
    id: Uuid,
    (saga, payment): (Uuid, Option<Uuid>),
) -> Result<(Checkout, Vec<Ticket>), Fault> {
    let now_ms = tx.now_ms();
    let mut checkout = find(tx, id).await?;
    let reservation = &mut checkout.reservation;
    reservation.confirm(saga, payment, now_ms)?;
    checkout.sale.performance.expect_not_cancelled()?;
    if payment.is_none() && reservation.total_amount > 0 {
        return Err(Fault::field("payment", "is required unless the reservation is free"));
    }
    store::save(tx, reservation).await?;
    let sold = store::sell(tx, reservation).await?;
    expect_all(reservation, sold)?;
    let tickets = ticket::issue(reservation, &checkout.sale, now_ms);
    for ticket in &tickets {
        store::insert_ticket(tx, id, ticket).await?;
    }
    Ok((checkout, tickets))
}

async fn find(tx: &mut Tx<'_>, id: Uuid) -> Result<Checkout, Fault> {
    Ok(store::checkout(tx, id).await?.ok_or_else(|| not_found::reservation(id))?)
}
