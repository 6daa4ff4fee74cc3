//! What becomes of a reservation that exists: it changes together with its seats and tickets, in statements that travel
//! together. What it may become is decided by the rules in `reservation.rs`; who asks is in `hold.rs` and `checkout.rs`.

use service_kit::db::{self, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::not_found;
use crate::record::{Cause, Record};
use crate::reservation::{self, Reservation};
use crate::state::ReservationState;
use crate::store::{self, Checkout};
use crate::ticket::{self, Ticket};

/// How often others may come first with a change. It takes two at the same moment.
const ROUNDS: usize = 5;

/// What becomes of all seats of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seats {
    /// Their clock is stopped.
    Lock,
    /// Their clock goes on, until then.
    HoldUntil(i64),
    /// They are sold, and a ticket is issued for each.
    Sell,
    /// They stay sold.
    Keep,
    /// They were held, and anybody may have them.
    Free,
    /// They were sold: anybody may have them, and their tickets are void.
    Return,
}

/// A change that was written.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) checkout: Checkout,
    /// The tickets that were issued.
    pub(crate) tickets: Vec<Ticket>,
}

/// Reads a reservation, has `decide` change it, and writes it with what that means for its seats; writes nothing when it
/// means nothing. When somebody else comes in between, it decides again on what he has left.
pub(crate) async fn change(
    tx: &mut Tx<'_>,
    id: Uuid,
    cause: &Cause,
    mut decide: impl FnMut(&mut Checkout) -> Result<Option<Seats>, Fault>,
) -> Result<Changed, Fault> {
    for _ in 0..ROUNDS {
        let found = store::checkout(tx, id).await?;
        let mut checkout = found.ok_or_else(|| not_found::reservation(id))?;
        let from = checkout.reservation.state;
        let Some(seats) = decide(&mut checkout)? else {
            return Ok(Changed { checkout, tickets: Vec::new() });
        };
        if let Some(tickets) = write(tx, &mut checkout, seats, (from, cause)).await? {
            return Ok(Changed { checkout, tickets });
        }
    }
    Err(in_the_way(id).into())
}

/// Frees all seats of holds that have just ended, and writes down that they have.
pub(crate) async fn free(tx: &mut Tx<'_>, ended: &[Reservation], cause: &Cause) -> Result<(), db::Error> {
    let record = |held| Record::new(tx, held, (Some(ReservationState::Held), held.version), cause);
    let records: Vec<_> = ended.iter().map(record).collect();
    let seats = ended.iter().flat_map(|reservation| store::change_seats(reservation, Seats::Free));
    let statements: Vec<_> = seats.chain(records.iter().flat_map(Record::statements)).collect();
    let mut freed = tx.execute_each(&statements).await?.into_iter();
    ended.iter().try_for_each(|reservation| expect_all(reservation, freed.by_ref().take(reservation.items.len()).sum()))
}

/// Writes the change and returns the tickets; nothing when the reservation is not as it was read any more.
async fn write(
    tx: &mut Tx<'_>,
    checkout: &mut Checkout,
    seats: Seats,
    (from, cause): (ReservationState, &Cause),
) -> Result<Option<Vec<Ticket>>, Fault> {
    let now_ms = tx.now_ms();
    let Checkout { sale, reservation } = checkout;
    let tickets = if seats == Seats::Sell { ticket::issue(reservation, sale, now_ms) } else { Vec::new() };
    let record = Record::new(tx, reservation, (Some(from), reservation.version + 1), cause);
    let mut statements = vec![store::save(reservation)];
    statements.extend(store::change_seats(reservation, seats));
    let issue = statements.len();
    statements.extend(match seats {
        Seats::Return => Some(store::void_tickets(reservation.id)),
        Seats::Lock | Seats::HoldUntil(_) | Seats::Sell | Seats::Keep | Seats::Free => {
            store::insert_tickets(reservation.id, &tickets)
        }
    });
    let records = statements.len();
    statements.extend(record.statements());
    let written = tx.execute_each(&statements).await?;
    let (saved, others) = (written[0] == 1, &written[1..]);
    if saved {
        if seats != Seats::Keep {
            expect_all(reservation, written[1..issue].iter().sum())?;
        }
        written[issue..records].iter().try_for_each(|tickets| expect_all(reservation, *tickets))?;
        reservation.version += 1;
        return Ok(Some(tickets));
    }
    // Nothing was written: so there is nothing in the way of another decision. (An event cannot know that it came late.)
    if others.iter().all(|count| *count == 0) { Ok(None) } else { Err(in_the_way(reservation.id).into()) }
}

/// A live reservation has all its seats: anything else is a broken invariant, and changes nothing.
fn expect_all(reservation: &Reservation, seats: u64) -> Result<(), db::Error> {
    if seats == reservation.items.len() as u64 {
        return Ok(());
    }
    Err(db::Error::Corrupt {
        column: "reservation_id".into(),
        problem: format!("{} has {seats} of its seats", reservation.name()),
    })
}

fn in_the_way(id: Uuid) -> db::Error {
    db::Error::Unavailable(format!("{} was changed by others meanwhile", reservation::name(id)))
}
