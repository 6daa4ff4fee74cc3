//! Statements about seats. A command's seats are few and named: each is reached by its whole primary key, in ascending order,
//! so that commands which meet at the same seats meet in the same order, and all of them travel together. One statement
//! with a list would cost more where it counts: of a performance that its statistics do not know yet, PostgreSQL expects
//! one seat, and reads all of them to find the few.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use service_kit::args;
use service_kit::db::{self, Arg, FromRow, Row, Tx};
use uuid::Uuid;

use super::{Statement, insert_rows, of_rows};
use crate::change::Seats;
use crate::reservation::Reservation;
use crate::seat::{Occupancy, Seat};
use crate::state::{SeatState, State as _};

/// One seat; further arguments start at $3.
macro_rules! one {
    () => {
        "performance_id = $1 and seat_id = $2"
    };
}

macro_rules! seat_columns {
    () => {
        "seat_id, section, row_name, number, grade, price, state, ordinal"
    };
}
pub(super) use {one, seat_columns};

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

/// The statement on [`one!`] seat for each of the seats.
pub(super) fn each<'a>(
    sql: &'static str,
    performance: Uuid,
    seats: &[&'a str],
    further: &[Arg<'a>],
) -> Vec<Statement<'a>> {
    let mut seats = seats.to_vec();
    seats.sort_unstable();
    let args = |seat| [&[Arg::Uuid(performance), Arg::Text(seat)], further].concat();
    seats.into_iter().map(|seat| (sql, args(seat))).collect()
}

/// Seats that one statement adds: few enough statements for a thousand, and few enough arguments in each.
const CHUNK: usize = 32;

/// The statements that add 1, 2, … available seats; they return the ids that were free.
static INSERT_SEATS: LazyLock<[String; CHUNK]> = LazyLock::new(|| {
    of_rows(|rows| {
        let into = "concert_performance_seats (performance_id, state, version, ordinal, seat_id, section, row_name, \
                    number, grade, price)";
        insert_rows(into, (3, 7), rows) + " on conflict do nothing returning seat_id"
    })
});

/// Adds available seats; returns the ids of those that were new.
pub(crate) async fn insert_seats(
    tx: &mut Tx<'_>,
    performance: Uuid,
    seats: &[Seat],
) -> Result<BTreeSet<String>, db::Error> {
    let mut new = BTreeSet::new();
    for chunk in seats.chunks(CHUNK) {
        let mut rows = args![performance, SeatState::Available.column(), 1].to_vec();
        for Seat { id, section, row, number, grade, price, ordinal, .. } in chunk {
            rows.extend_from_slice(args![*ordinal, id, section, row, number, grade, *price]);
        }
        let added: Vec<(String,)> = tx.fetch_all(&INSERT_SEATS[chunk.len() - 1], &rows).await?;
        new.extend(added.into_iter().map(|(id,)| id));
    }
    Ok(new)
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
         set state = 2, reservation_id = $3, hold_expire_time = $4, held_price = price, version = version + 1 where ",
        one!(),
        " and state = 1 returning ",
        seat_columns!()
    );
    let holder = args![reservation, expire_time];
    tx.fetch_each(&each(sql, performance, seats, holder)).await
}

/// Who has those of the seats that exist.
pub(crate) async fn occupancies(
    tx: &mut Tx<'_>,
    performance: Uuid,
    seats: &[&str],
) -> Result<Vec<Occupancy>, db::Error> {
    let sql = concat!(
        "select seat_id, state, reservation_id, hold_expire_time from concert_performance_seats where ",
        one!()
    );
    tx.fetch_each(&each(sql, performance, seats, &[])).await
}

/// The changes of the seats of the reservation, one each, if they are as they are before such a change.
pub(crate) fn change_seats(reservation: &Reservation, change: Seats) -> Vec<Statement<'_>> {
    macro_rules! of_state {
        ($state:literal, $set:literal, $and:literal) => {
            concat!(
                "update concert_performance_seats set ",
                $set,
                " where ",
                one!(),
                " and reservation_id = $3 and state = ",
                $state,
                $and
            )
        };
    }
    macro_rules! held {
        ($set:literal, $and:literal) => {
            of_state!("2", $set, $and)
        };
    }
    let id = Arg::Uuid(reservation.id);
    let (sql, further) = match change {
        Seats::Lock => (held!("hold_expire_time = null", " and hold_expire_time is not null"), vec![id]),
        Seats::HoldUntil(time) => {
            (held!("hold_expire_time = $4", " and hold_expire_time is null"), vec![id, Arg::Int(time)])
        }
        Seats::Sell => (held!("state = 3, version = version + 1", " and hold_expire_time is null"), vec![id]),
        Seats::Keep => return Vec::new(),
        Seats::Free => {
            let free = held!(
                "state = 1, reservation_id = null, hold_expire_time = null, held_price = null, version = version + 1",
                ""
            );
            (free, vec![id])
        }
        Seats::Return => (of_state!("3", "state = 1, reservation_id = null, version = version + 1", ""), vec![id]),
    };
    each(sql, reservation.performance, &reservation.seats(), &further)
}
