//! Statements about seats. A command's seats are few and named: one statement reaches them all along the primary key, in
//! ascending order, so that commands which meet at the same seats meet in the same order.

use service_kit::args;
use service_kit::db::{self, Arg, FromRow, Row, Tx};
use uuid::Uuid;

use crate::concert::MAX_SEATS;
use crate::reservation::Reservation;
use crate::seat::{Mark, Occupancy, Seat};
use crate::state::{SeatState, State as _};

/// The seats that [`among`] names; further arguments start at $12.
macro_rules! among {
    () => {
        "performance_id = $1 and seat_id in ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    };
}

macro_rules! seat_columns {
    () => {
        "seat_id, section, row_name, number, grade, price, state, ordinal"
    };
}

impl FromRow for Seat {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            id: row.get(0)?,
            section: row.get(1)?,
            row: row.get(2)?,
            number: row.get(3)?,
            grade: row.get(4)?,
            price: row.get(5)?,
            state: SeatState::read(row, 6)?,
            ordinal: row.get(7)?,
        })
    }
}

impl FromRow for Occupancy {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            seat: row.get(0)?,
            state: SeatState::read(row, 1)?,
            reservation: row.get(2)?,
            hold_expire_time: row.get(3)?,
        })
    }
}

impl FromRow for Mark {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let ordinal = usize::try_from(row.get::<i64>(0)?);
        Ok(Self {
            ordinal: ordinal.map_err(|_| row.corrupt(0, "an ordinal is below 0"))?,
            state: SeatState::read(row, 1)?,
            version: row.get(2)?,
        })
    }
}

/// The arguments for `among!`: at most [`MAX_SEATS`] seats, the places left over match none.
fn among<'a>(performance: Uuid, seats: &[&'a str], further: &[Arg<'a>]) -> Vec<Arg<'a>> {
    debug_assert!(seats.len() <= MAX_SEATS);
    let mut args = Vec::with_capacity(1 + MAX_SEATS + further.len());
    args.push(Arg::Uuid(performance));
    args.extend(seats.iter().map(|seat| Arg::Text(seat)));
    args.resize(1 + MAX_SEATS, Arg::Null);
    args.extend_from_slice(further);
    args
}

/// Adds a seat; tells whether its id was free.
pub(crate) async fn insert_seat(tx: &mut Tx<'_>, performance: Uuid, seat: &Seat) -> Result<bool, db::Error> {
    let sql = "insert into concert_performance_seats (performance_id, seat_id, ordinal, section, row_name, number, \
               grade, price, state, reservation_id, hold_expire_time, version) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, null, null, 1) on conflict do nothing";
    let row = args![
        performance,
        &seat.id,
        seat.ordinal,
        &seat.section,
        &seat.row,
        &seat.number,
        &seat.grade,
        seat.price,
        seat.state.column(),
    ];
    Ok(tx.execute(sql, row).await? == 1)
}

/// Gives those of the seats that are available to the reservation, until that time, and returns them.
pub(crate) async fn take_available(
    tx: &mut Tx<'_>,
    performance: Uuid,
    seats: &[&str],
    (reservation, expire_time): (Uuid, i64),
) -> Result<Vec<Seat>, db::Error> {
    let sql = concat!(
        "update concert_performance_seats \
         set state = 2, reservation_id = $12, hold_expire_time = $13, version = version + 1 where ",
        among!(),
        " and state = 1 returning ",
        seat_columns!()
    );
    let holder = args![reservation, expire_time];
    tx.fetch_all(sql, &among(performance, seats, holder)).await
}

/// Who has those of the seats that exist.
pub(crate) async fn occupancies(
    tx: &mut Tx<'_>,
    performance: Uuid,
    seats: &[&str],
) -> Result<Vec<Occupancy>, db::Error> {
    let sql = concat!(
        "select seat_id, state, reservation_id, hold_expire_time from concert_performance_seats where ",
        among!()
    );
    tx.fetch_all(sql, &among(performance, seats, &[])).await
}

/// Sets when the reservation's hold of its seats lapses, or that it does not. Tells how many seats it still holds.
pub(crate) async fn hold_until(
    tx: &mut Tx<'_>,
    reservation: &Reservation,
    expire_time: Option<i64>,
) -> Result<u64, db::Error> {
    let sql = concat!(
        "update concert_performance_seats set hold_expire_time = $13 where ",
        among!(),
        " and reservation_id = $12 and state = 2"
    );
    let holder = args![reservation.id, expire_time];
    let seats = reservation.seats();
    tx.execute(sql, &among(reservation.performance, &seats, holder)).await
}

/// Sells the seats that the reservation holds; tells how many.
pub(crate) async fn sell(tx: &mut Tx<'_>, reservation: &Reservation) -> Result<u64, db::Error> {
    let sql = concat!(
        "update concert_performance_seats set state = 3, hold_expire_time = null, version = version + 1 where ",
        among!(),
        " and reservation_id = $12 and state = 2"
    );
    let seats = reservation.seats();
    tx.execute(sql, &among(reservation.performance, &seats, args![reservation.id])).await
}

/// Makes the reservation's seats available again; tells how many.
pub(crate) async fn free(tx: &mut Tx<'_>, reservation: &Reservation) -> Result<u64, db::Error> {
    let sql = concat!(
        "update concert_performance_seats \
         set state = 1, reservation_id = null, hold_expire_time = null, version = version + 1 where ",
        among!(),
        " and reservation_id = $12"
    );
    let seats = reservation.seats();
    tx.execute(sql, &among(reservation.performance, &seats, args![reservation.id])).await
}

/// Which seats come on a page.
#[derive(Debug, Clone)]
pub(crate) struct SeatsAfter {
    pub(crate) performance: Uuid,
    pub(crate) ordinal: i64,
    pub(crate) state: Option<SeatState>,
    pub(crate) grade: Option<String>,
    pub(crate) section: Option<String>,
    pub(crate) limit: i64,
}

/// A page of a performance's seats by ordinal.
pub(crate) async fn seats(tx: &mut Tx<'_>, page: &SeatsAfter) -> Result<Vec<Seat>, db::Error> {
    let sql = concat!(
        "select ",
        seat_columns!(),
        " from concert_performance_seats where performance_id = $1 and ordinal > $2 and (state = $3 or $3 is null) \
         and (grade = $4 or $4 is null) and (section = $5 or $5 is null) order by ordinal limit $6"
    );
    let state = page.state.map(SeatState::column);
    let args = args![page.performance, page.ordinal, state, page.grade.as_ref(), page.section.as_ref(), page.limit,];
    tx.fetch_all(sql, args).await
}

/// What the map shows of every seat of a performance; there are as many as the performance counts.
pub(crate) async fn marks(tx: &mut Tx<'_>, performance: Uuid) -> Result<Vec<Mark>, db::Error> {
    let sql = "select ordinal, state, version from concert_performance_seats where performance_id = $1";
    tx.fetch_all(sql, args![performance]).await
}
