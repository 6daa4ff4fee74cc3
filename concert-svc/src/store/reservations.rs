//! Statements about reservations and tickets.

use serde::Serialize;
use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::Statement;
use super::catalogue::{SALE_COLUMNS, concert_columns, performance_columns, sale_columns};
use crate::concert::{Holdings, Sale};
use crate::record::Record;
use crate::reservation::{Cancellation, Reservation};
use crate::state::{ReservationState, State as _};

macro_rules! reservation_columns {
    () => {
        "reservation_id, customer_id, concert_id, performance_id, state, items, total_amount, expire_time, \
         lock_saga_id, lock_time, confirm_saga_id, confirm_time, payment_id, create_time, version, cancellation_terms, \
         cancel_saga_id, cancel_begin_time, cancel_time, cancellation_fee, checked_in_count"
    };
}

pub(super) use reservation_columns;

fn reservation_at(row: &Row<'_>, at: usize) -> Result<Reservation, db::Error> {
    let (items, terms): (String, String) = (row.get(at + 5)?, row.get(at + 15)?);
    Ok(Reservation {
        id: row.get(at)?,
        customer: row.get(at + 1)?,
        concert: row.get(at + 2)?,
        performance: row.get(at + 3)?,
        state: ReservationState::read(row, at + 4)?,
        items: serde_json::from_str(&items).map_err(|error| row.corrupt(at + 5, error.to_string()))?,
        total_amount: row.get(at + 6)?,
        expire_time: row.get(at + 7)?,
        lock_saga: row.get(at + 8)?,
        lock_time: row.get(at + 9)?,
        confirm_saga: row.get(at + 10)?,
        confirm_time: row.get(at + 11)?,
        payment: row.get(at + 12)?,
        create_time: row.get(at + 13)?,
        version: row.get(at + 14)?,
        terms: serde_json::from_str(&terms).map_err(|error| row.corrupt(at + 15, error.to_string()))?,
        cancellation: Cancellation {
            saga: row.get(at + 16)?,
            begin_time: row.get(at + 17)?,
            time: row.get(at + 18)?,
            fee: row.get(at + 19)?,
        },
        checked_in: row.get(at + 20)?,
    })
}

impl FromRow for Reservation {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        reservation_at(row, 0)
    }
}

/// A reservation with what it is for: all that a step of a checkout decides on, in one read.
#[derive(Debug)]
pub(crate) struct Checkout {
    pub(crate) sale: Sale,
    pub(crate) reservation: Reservation,
}

impl FromRow for Checkout {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { sale: Sale::from_row(row)?, reservation: reservation_at(row, SALE_COLUMNS)? })
    }
}

/// What somebody who asks for seats decides on: what is for sale, and what he has of it already.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) sale: Sale,
    pub(crate) holdings: Holdings,
    /// Holds of his in the concert that have lapsed and nobody has noted it. They do not count as holdings.
    pub(crate) lapsed: i64,
}

impl FromRow for Offer {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            sale: Sale::from_row(row)?,
            holdings: Holdings { live_reservations: row.get(SALE_COLUMNS)?, seats: row.get(SALE_COLUMNS + 1)? },
            lapsed: row.get(SALE_COLUMNS + 2)?,
        })
    }
}

/// Has the customer's orders in the concert wait for each other, from here to the end of the transaction: each counts
/// what those before it have taken.
pub(crate) async fn take_turn(tx: &mut Tx<'_>, concert: Uuid, customer: Uuid) -> Result<(), db::Error> {
    let sql = "insert into concert_buyers (concert_id, customer_id, order_count) values ($1, $2, 1) \
               on conflict (concert_id, customer_id) do update set order_count = concert_buyers.order_count + 1";
    tx.execute(sql, args![concert, customer]).await.map(drop)
}

/// What there is for the customer in a performance of the concert.
pub(crate) async fn offer(
    tx: &mut Tx<'_>,
    (concert, performance): (Uuid, Uuid),
    customer: Uuid,
) -> Result<Option<Offer>, db::Error> {
    let sql = concat!(
        "select ",
        sale_columns!(),
        ", h.live, h.seats, h.lapsed from concert_performances p \
         join concert_concerts k on k.concert_id = p.concert_id cross join (select \
         cast(coalesce(sum(case when performance_id = $2 and (state = 2 or (state = 1 and expire_time > $4)) \
         then 1 else 0 end), 0) as bigint) as live, \
         cast(coalesce(sum(case when state = 1 and expire_time <= $4 then 0 else seat_count end), 0) as bigint) as seats, \
         cast(coalesce(sum(case when state = 1 and expire_time <= $4 then 1 else 0 end), 0) as bigint) as lapsed \
         from concert_reservations where customer_id = $3 and concert_id = $1 and state in (1, 2, 3, 4)) h \
         where p.performance_id = $2 and p.concert_id = $1"
    );
    let now_ms = tx.now_ms();
    tx.fetch_optional(sql, args![concert, performance, customer, now_ms]).await
}

/// Adds a reservation, together with what is written down of it. Its `queue_token` is empty where no pass was asked for.
pub(crate) async fn insert_reservation(
    tx: &mut Tx<'_>,
    record: &Record<'_>,
    queue_token: &str,
) -> Result<(), db::Error> {
    let sql = "insert into concert_reservations (reservation_id, customer_id, concert_id, performance_id, state, items, \
               seat_count, total_amount, expire_time, create_time, version, cancellation_terms, queue_token) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let reservation = record.reservation;
    let (items, terms) = (to_json(&reservation.items)?, to_json(&reservation.terms)?);
    let row = args![
        reservation.id,
        reservation.customer,
        reservation.concert,
        reservation.performance,
        reservation.state.column(),
        &items,
        reservation.items.len() as i64,
        reservation.total_amount,
        reservation.expire_time,
        reservation.create_time,
        reservation.version,
        &terms,
        queue_token,
    ];
    let mut statements = vec![(sql, row.to_vec())];
    statements.extend(record.statements());
    tx.execute_each(&statements).await.map(drop)
}

pub(super) fn to_json(value: &impl Serialize) -> Result<String, db::Error> {
    serde_json::to_string(value).map_err(|error| db::Error::Bug(error.to_string()))
}

/// Writes back what changes in a reservation's life, if it is still as it was when read.
pub(crate) fn save(reservation: &Reservation) -> Statement<'_> {
    let sql = "update concert_reservations set state = $3, expire_time = $4, lock_saga_id = $5, lock_time = $6, \
               confirm_saga_id = $7, confirm_time = $8, payment_id = $9, cancel_saga_id = $10, cancel_begin_time = $11, \
               cancel_time = $12, cancellation_fee = $13, checked_in_count = $14, version = version + 1 \
               where reservation_id = $1 and version = $2";
    let cancellation = &reservation.cancellation;
    let row = args![
        reservation.id,
        reservation.version,
        reservation.state.column(),
        reservation.expire_time,
        reservation.lock_saga,
        reservation.lock_time,
        reservation.confirm_saga,
        reservation.confirm_time,
        reservation.payment,
        cancellation.saga,
        cancellation.begin_time,
        cancellation.time,
        cancellation.fee,
        reservation.checked_in,
    ];
    (sql, row.to_vec())
}

/// A reservation with what it is for, as of now.
pub(crate) async fn checkout(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Checkout>, db::Error> {
    let sql = concat!(
        "select ",
        sale_columns!(),
        ", r.* from (select ",
        reservation_columns!(),
        " from concert_reservations where reservation_id = $1) r \
         join concert_performances p on p.performance_id = r.performance_id \
         join concert_concerts k on k.concert_id = r.concert_id"
    );
    let found: Option<Checkout> = tx.fetch_optional(sql, args![id]).await?;
    let now_ms = tx.now_ms();
    Ok(found.map(|Checkout { sale, reservation }| Checkout { sale, reservation: reservation.at(now_ms) }))
}

/// One reservation, as of now.
pub(crate) async fn reservation(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Reservation>, db::Error> {
    let sql = concat!("select ", reservation_columns!(), " from concert_reservations where reservation_id = $1");
    let found: Option<Reservation> = tx.fetch_optional(sql, args![id]).await?;
    let now_ms = tx.now_ms();
    Ok(found.map(|reservation| reservation.at(now_ms)))
}

/// Notes that a hold has lapsed, and returns it; nothing when it has not, or no longer.
pub(crate) async fn expire_if_lapsed(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Reservation>, db::Error> {
    let sql = concat!(
        "update concert_reservations set state = 6, version = version + 1 \
         where reservation_id = $1 and state = 1 and expire_time <= $2 returning ",
        reservation_columns!()
    );
    let now_ms = tx.now_ms();
    tx.fetch_optional(sql, args![id, now_ms]).await
}

/// The customer's holds in the concert that have lapsed and nobody has noted it, in the order of their ids.
pub(crate) async fn lapsed_of(tx: &mut Tx<'_>, concert: Uuid, customer: Uuid) -> Result<Vec<Uuid>, db::Error> {
    let sql = "select reservation_id from concert_reservations where customer_id = $2 and concert_id = $1 \
               and state = 1 and expire_time <= $3 order by reservation_id";
    let now_ms = tx.now_ms();
    let ids: Vec<(Uuid,)> = tx.fetch_all(sql, args![concert, customer, now_ms]).await?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

/// Which reservations come on a page.
#[derive(Debug, Clone)]
pub(crate) struct ReservationsBefore {
    pub(crate) before: Uuid,
    pub(crate) customer: Option<Uuid>,
    pub(crate) performance: Option<Uuid>,
    pub(crate) state: Option<ReservationState>,
    pub(crate) limit: i64,
}

/// A page of reservations, newest first, as of now.
pub(crate) async fn reservations(tx: &mut Tx<'_>, page: &ReservationsBefore) -> Result<Vec<Reservation>, db::Error> {
    macro_rules! of {
        ($whose:literal) => {
            concat!(
                "select ",
                reservation_columns!(),
                " from concert_reservations where ",
                $whose,
                "reservation_id < $2 and (performance_id = $3 or $3 is null) \
                 and (case when state = 1 and expire_time <= $5 then 6 else state end = $4 or $4 is null) \
                 order by reservation_id desc limit $6"
            )
        };
    }
    // An equality that an index serves, rather than one that may be null.
    let sql = match page.customer {
        Some(_) => of!("customer_id = $1 and "),
        None => of!("cast($1 as uuid) is null and "),
    };
    let now_ms = tx.now_ms();
    let state = page.state.map(ReservationState::column);
    let args = args![page.customer, page.before, page.performance, state, now_ms, page.limit];
    let page: Vec<Reservation> = tx.fetch_all(sql, args).await?;
    Ok(page.into_iter().map(|reservation| reservation.at(now_ms)).collect())
}
