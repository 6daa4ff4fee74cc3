//! Tickets at the door. A ticket changes only together with its reservation's version: so a check-in and a cancellation
//! that meet are decided by that one row, and whoever comes second decides again.

use service_kit::db::{self, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::change::{ROUNDS, in_the_way};
use crate::not_found;
use crate::record::{Cause, Record};
use crate::reservation::Reservation;
use crate::store::{self, Checkout};
use crate::ticket::Ticket;

/// ISSUED to CHECKED_IN.
pub(crate) async fn check_in(
    tx: &mut Tx<'_>,
    (reservation, id): (Uuid, Uuid),
    cause: &Cause,
) -> Result<(Reservation, Ticket), Fault> {
    let now_ms = tx.now_ms();
    for _ in 0..ROUNDS {
        let found = store::checkout(tx, reservation).await?;
        let Checkout { sale, mut reservation } = found.ok_or_else(|| not_found::ticket(reservation, id))?;
        let found = store::ticket(tx, reservation.id, id).await?;
        let mut ticket = found.ok_or_else(|| not_found::ticket(reservation.id, id))?;
        ticket.check_in(&mut reservation, &sale.performance, now_ms)?;
        if write(tx, &mut reservation, &ticket, cause).await? {
            return Ok((reservation, ticket));
        }
    }
    Err(in_the_way(reservation).into())
}

/// Tells whether the reservation was still as it was read; writes nothing if not.
async fn write(
    tx: &mut Tx<'_>,
    reservation: &mut Reservation,
    ticket: &Ticket,
    cause: &Cause,
) -> Result<bool, db::Error> {
    let (sql, row) = store::save(reservation);
    if tx.execute(sql, &row).await? == 0 {
        return Ok(false);
    }
    reservation.version += 1;
    let record = Record::new(tx, reservation, (Some(reservation.state), reservation.version), cause);
    let mut statements = vec![store::save_ticket(reservation.id, ticket)];
    statements.extend(record.statements());
    tx.execute_each(&statements).await?;
    Ok(true)
}
