//! What operators do to seats: take them off sale, put them back, change what they cost. Nothing of it touches what
//! anybody holds or has bought.

use std::collections::BTreeSet;

use service_kit::db::Tx;
use service_kit::refusal::{Fault, Refusal};
use uuid::Uuid;

use crate::record::Cause;
use crate::seat::{self, Seat};
use crate::state::SeatState;
use crate::{hold, not_found, store};

/// Seats that a refusal names: a status travels as a header, which has no room for a thousand names.
const NAMED: usize = 10;

/// What is to become of seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Not for sale.
    Block,
    /// For sale again.
    Unblock,
    /// At this price from here on.
    Price(i64),
}

/// Changes all the seats of the concert's performance, or none, and returns them by ordinal. The ids come each once.
pub(crate) async fn change(
    tx: &mut Tx<'_>,
    performance: (Uuid, Uuid),
    (seats, change): (&[String], Change),
    announces_holds: bool,
) -> Result<Vec<Seat>, Fault> {
    let (concert, id) = performance;
    let found = store::performance(tx, concert, id).await?;
    found.ok_or_else(|| not_found::performance(concert, id))?.expect_not_cancelled()?;
    let ids: Vec<&str> = seats.iter().map(String::as_str).collect();
    match change {
        Change::Block => block(tx, performance, &ids, &Cause::time(announces_holds)).await?,
        Change::Unblock => store::unblock(tx, id, &ids).await?,
        Change::Price(price) => store::set_price(tx, id, &ids, price).await?,
    }
    let mut changed = store::named_seats(tx, id, &ids).await?;
    expect_all(performance, &ids, &changed)?;
    changed.sort_by_key(|seat| seat.ordinal);
    Ok(changed)
}

async fn block(tx: &mut Tx<'_>, performance: (Uuid, Uuid), ids: &[&str], lapse: &Cause) -> Result<(), Fault> {
    store::block(tx, performance.1, ids).await?;
    let after = store::named_seats(tx, performance.1, ids).await?;
    expect_all(performance, ids, &after)?;
    let rest: Vec<&str> =
        after.iter().filter(|seat| seat.state != SeatState::Blocked).map(|seat| seat.id.as_str()).collect();
    if rest.is_empty() {
        return Ok(());
    }
    let named = &rest[..rest.len().min(NAMED)];
    let taken = after.iter().filter(|seat| matches!(seat.state, SeatState::Held | SeatState::Sold));
    let taken: Vec<&str> = taken.map(|seat| seat.id.as_str()).take(NAMED).collect();
    if !taken.is_empty() {
        return Err(seat::taken(&hold::names(performance, taken)).into());
    }
    // Only lapsed holds are in the way.
    for lapsed in hold::lapsed_holders(tx, performance, &rest).await? {
        hold::lapse(tx, lapsed, lapse).await?;
    }
    match store::block(tx, performance.1, &rest).await? {
        blocked if blocked == rest.len() as u64 => Ok(()),
        _ => Err(seat::taken(&hold::names(performance, named.iter().copied())).into()),
    }
}

fn expect_all((concert, performance): (Uuid, Uuid), ids: &[&str], found: &[Seat]) -> Result<(), Refusal> {
    let found: BTreeSet<&str> = found.iter().map(|seat| seat.id.as_str()).collect();
    let unknown = ids.iter().find(|id| !found.contains(*id));
    unknown.map_or(Ok(()), |id| Err(Refusal::not_found("SEAT_NOT_FOUND", seat::name(concert, performance, id))))
}
