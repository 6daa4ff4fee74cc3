//! Holds: from free seats to a reservation, and back when it lapses or is given up. A reservation and its seats change in
//! one transaction; what a checkout does with them is in `checkout.rs`.

use service_kit::db::{self, Tx};
use service_kit::pass::{Claims, Rejected};
use service_kit::refusal::{Fault, Refusal};
use tonic::Code;
use uuid::Uuid;

use crate::best::{self, Best};
use crate::change::{Seats, change, free};
use crate::concert::Concert;
use crate::record::{Cause, Record};
use crate::reservation::{Cancellation, Reservation};
use crate::seat::{self, Seat};
use crate::state::ReservationState;
use crate::store::{Checkout, Offer};
use crate::terms::Terms;
use crate::{not_found, store};

/// A hold that a customer asks for.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Id of the reservation to be.
    pub(crate) id: Uuid,
    pub(crate) customer: Uuid,
    pub(crate) concert: Uuid,
    pub(crate) performance: Uuid,
    pub(crate) wanted: Wanted,
    /// The admission pass that came with it.
    pub(crate) pass: Option<Result<Claims, Rejected>>,
    pub(crate) cause: Cause,
}

/// Which seats a customer wants.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// Ids, each once, ascending.
    Named(Vec<String>),
    /// Whichever fit.
    Best(Best),
}

impl Wanted {
    fn count(&self) -> i64 {
        match self {
            Self::Named(seats) => seats.len() as i64,
            Self::Best(best) => best.count as i64,
        }
    }
}

/// Holds all the seats, or none.
pub(crate) async fn hold(tx: &mut Tx<'_>, order: &Order) -> Result<Reservation, Fault> {
    let now_ms = tx.now_ms();
    let Offer { sale, holdings, .. } = offer(tx, order).await?;
    sale.expect_open(now_ms)?;
    expect_admitted(&sale.concert, order)?;
    let policy = &sale.concert.policy;
    policy.expect_within_caps(order.wanted.count(), holdings)?;

    let expire_time = now_ms + policy.hold_ttl_ms;
    let seats = match &order.wanted {
        Wanted::Named(seats) => take(tx, order, seats, expire_time).await?,
        Wanted::Best(best) => {
            let chosen = best::choose(tx, order.performance, best, order.cause.announces_holds).await?;
            take(tx, order, &chosen, expire_time).await?
        }
    };
    let reservation = held(order, seats, policy.cancellation_terms.clone(), (now_ms, expire_time));
    let queue_token = sale.concert.waiting_room.map_or("", |_| &order.cause.queue_token);
    place(tx, &reservation, queue_token, &order.cause).await?;
    Ok(reservation)
}

/// Adds a reservation whose seats have just been taken, with the place in the waiting room that it was held from, if its
/// concert has one, and writes down that it has come about.
async fn place(tx: &mut Tx<'_>, held: &Reservation, queue_token: &str, cause: &Cause) -> Result<(), db::Error> {
    let record = Record::new(tx, held, (None, held.version), cause);
    store::insert_reservation(tx, &record, queue_token).await
}

/// Gives up a hold, for its customer.
pub(crate) async fn release(tx: &mut Tx<'_>, id: Uuid, customer: Uuid, cause: &Cause) -> Result<Reservation, Fault> {
    let decide =
        |Checkout { reservation, .. }: &mut Checkout| Ok(reservation.release(customer)?.then_some(Seats::Free));
    Ok(change(tx, id, cause, decide).await?.checkout.reservation)
}

/// Ends a hold whose time is over; tells whether there was one.
pub(crate) async fn lapse(tx: &mut Tx<'_>, id: Uuid, cause: &Cause) -> Result<bool, db::Error> {
    match store::expire_if_lapsed(tx, id).await? {
        Some(reservation) => free(tx, &[reservation], cause).await.map(|()| true),
        None => Ok(false),
    }
}

/// Ends up to so many holds whose time is over; tells how many. Those that somebody else is about to change are left to him.
pub(crate) async fn lapse_some(tx: &mut Tx<'_>, limit: i64, cause: &Cause) -> Result<usize, db::Error> {
    let ended = store::expire_lapsed(tx, None, limit).await?;
    free(tx, &ended, cause).await?;
    Ok(ended.len())
}

/// The same within one performance.
pub(crate) async fn lapse_some_of(
    tx: &mut Tx<'_>,
    performance: Uuid,
    limit: i64,
    cause: &Cause,
) -> Result<usize, db::Error> {
    let ended = store::expire_lapsed(tx, Some(performance), limit).await?;
    free(tx, &ended, cause).await?;
    Ok(ended.len())
}

/// What the customer decides on. His holds that have lapsed are ended first: as they do not count against him, they must
/// not come back to life either, by a lock that was taken in time and commits only now.
async fn offer(tx: &mut Tx<'_>, order: &Order) -> Result<Offer, Fault> {
    let Order { customer, concert, performance, .. } = *order;
    store::take_turn(tx, concert, customer).await?;
    loop {
        let offer = store::offer(tx, (concert, performance), customer).await?;
        let offer = offer.ok_or_else(|| not_found::performance(concert, performance))?;
        if offer.lapsed == 0 {
            return Ok(offer);
        }
        for lapsed in store::lapsed_of(tx, concert, customer).await? {
            lapse(tx, lapsed, &Cause::time(order.cause.announces_holds)).await?;
        }
    }
}

/// Refuses whoever came round the waiting room of the concert.
fn expect_admitted(concert: &Concert, order: &Order) -> Result<(), Refusal> {
    let Some(room) = concert.waiting_room else {
        return Ok(());
    };
    let room = format!("waitingRooms/{room}");
    let (reason, problem) = match &order.pass {
        None => ("ADMISSION_PASS_MISSING", "an admission pass is required".to_owned()),
        Some(Err(Rejected::NoKeys)) => {
            let message = "the waiting room cannot be reached, so the pass cannot be judged; try again";
            return Err(Refusal::new(Code::Unavailable, "WAITING_ROOM_UNREACHABLE", message));
        }
        Some(Err(Rejected::Expired)) => ("ADMISSION_PASS_EXPIRED", Rejected::Expired.to_string()),
        Some(Err(rejected)) => ("ADMISSION_PASS_INVALID", rejected.to_string()),
        Some(Ok(claims)) if claims.room != room => {
            ("ADMISSION_PASS_INVALID", "the pass is for another waiting room".to_owned())
        }
        Some(Ok(claims)) if claims.customer != format!("customers/{}", order.customer) => {
            ("ADMISSION_PASS_INVALID", "the pass is of another customer".to_owned())
        }
        Some(Ok(_)) => return Ok(()),
    };
    let message = format!("{problem}; take a place in {room}");
    Err(Refusal::new(Code::Unauthenticated, reason, message).with("waiting_room", room))
}

/// Takes the seats that are free, and those whose holder's time is over.
async fn take(tx: &mut Tx<'_>, order: &Order, wanted: &[String], expire_time: i64) -> Result<Vec<Seat>, Fault> {
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let holder = (order.id, expire_time);
    let mut taken = store::take_available(tx, order.performance, &wanted, holder).await?;
    if taken.len() < wanted.len() {
        let rest: Vec<&str> = wanted.into_iter().filter(|seat| taken.iter().all(|taken| taken.id != *seat)).collect();
        for lapsed in lapsed_holders(tx, (order.concert, order.performance), &rest).await? {
            lapse(tx, lapsed, &Cause::time(order.cause.announces_holds)).await?;
        }
        let more = store::take_available(tx, order.performance, &rest, holder).await?;
        if more.len() < rest.len() {
            return Err(seat::taken(&names((order.concert, order.performance), rest)).into());
        }
        taken.extend(more);
    }
    taken.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(taken)
}

/// The reservations that only seem to hold the seats. Refuses when a seat does not exist or is really somebody else's.
pub(crate) async fn lapsed_holders(
    tx: &mut Tx<'_>,
    (concert, performance): (Uuid, Uuid),
    seats: &[&str],
) -> Result<Vec<Uuid>, Fault> {
    let now_ms = tx.now_ms();
    let occupancies = store::occupancies(tx, performance, seats).await?;
    let unknown = |seat: &&&str| occupancies.iter().all(|known| known.seat != **seat);
    if let Some(seat) = seats.iter().find(unknown) {
        let name = seat::name(concert, performance, seat);
        return Err(Refusal::not_found("SEAT_NOT_FOUND", name).into());
    }
    let taken = occupancies.iter().filter(|known| known.lapsed(now_ms).is_none());
    let taken = names((concert, performance), taken.map(|known| known.seat.as_str()));
    if !taken.is_empty() {
        return Err(seat::taken(&taken).into());
    }
    let mut holders: Vec<Uuid> = occupancies.iter().filter_map(|known| known.lapsed(now_ms)).collect();
    holders.sort();
    holders.dedup();
    Ok(holders)
}

/// The full names of seats.
pub(crate) fn names<'a>((concert, performance): (Uuid, Uuid), seats: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    seats.into_iter().map(|seat| seat::name(concert, performance, seat)).collect()
}

fn held(order: &Order, seats: Vec<Seat>, terms: Terms, (now_ms, expire_time): (i64, i64)) -> Reservation {
    Reservation {
        id: order.id,
        customer: order.customer,
        concert: order.concert,
        performance: order.performance,
        state: ReservationState::Held,
        total_amount: seats.iter().map(|seat| seat.price).sum(),
        items: seats.into_iter().map(Seat::into_item).collect(),
        expire_time,
        lock_saga: None,
        lock_time: None,
        confirm_saga: None,
        confirm_time: None,
        payment: None,
        terms,
        cancellation: Cancellation::default(),
        checked_in: 0,
        create_time: now_ms,
        version: 1,
    }
}
