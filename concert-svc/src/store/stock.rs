//! Statements about seats as goods: what operators do to them, lists, and the map.

use service_kit::args;
use service_kit::db::{self, Arg, FromRow, Row, Tx};
use uuid::Uuid;

use super::seats::{each, one};
use crate::seat::Seat;
use crate::seat_map::Mark;
use crate::state::{SeatState, State as _};

macro_rules! is_lapsed {
    ($now:literal) => {
        concat!("state = 2 and hold_expire_time <= ", $now)
    };
}

macro_rules! shown_state {
    ($now:literal) => {
        concat!("case when ", is_lapsed!($now), " then 1 else state end")
    };
}

/// Grows with every change of [`shown_state!`]: a lapse lies between a hold and what follows it.
macro_rules! shown_version {
    ($now:literal) => {
        concat!("2 * version + case when ", is_lapsed!($now), " then 1 else 0 end")
    };
}

/// A seat as of $3: one of a lapsed hold can be had.
macro_rules! shown_columns {
    () => {
        concat!("seat_id, section, row_name, number, grade, price, ", shown_state!("$3"), ", ordinal")
    };
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

/// Those of the seats that exist, as of now.
pub(crate) async fn named_seats(tx: &mut Tx<'_>, performance: Uuid, seats: &[&str]) -> Result<Vec<Seat>, db::Error> {
    let sql = concat!("select ", shown_columns!(), " from concert_performance_seats where ", one!());
    let now_ms = tx.now_ms();
    tx.fetch_each(&each(sql, performance, seats, args![now_ms])).await
}

/// Takes those of the seats off sale that are available; tells how many were.
pub(crate) async fn block(tx: &mut Tx<'_>, performance: Uuid, seats: &[&str]) -> Result<u64, db::Error> {
    let sql = concat!(
        "update concert_performance_seats set state = 4, version = version + 1 where ",
        one!(),
        " and state = 1"
    );
    Ok(tx.execute_each(&each(sql, performance, seats, &[])).await?.iter().sum())
}

/// Puts those of the seats back on sale that are blocked.
pub(crate) async fn unblock(tx: &mut Tx<'_>, performance: Uuid, seats: &[&str]) -> Result<(), db::Error> {
    let sql = concat!(
        "update concert_performance_seats set state = 1, version = version + 1 where ",
        one!(),
        " and state = 4"
    );
    tx.execute_each(&each(sql, performance, seats, &[])).await.map(drop)
}

/// Changes what the seats cost whoever takes them from here on.
pub(crate) async fn set_price(tx: &mut Tx<'_>, performance: Uuid, seats: &[&str], price: i64) -> Result<(), db::Error> {
    let sql = concat!("update concert_performance_seats set price = $3 where ", one!());
    tx.execute_each(&each(sql, performance, seats, &[Arg::Int(price)])).await.map(drop)
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

/// A page of a performance's seats by ordinal, as of now.
pub(crate) async fn seats(tx: &mut Tx<'_>, page: &SeatsAfter) -> Result<Vec<Seat>, db::Error> {
    let sql = concat!(
        "select ",
        shown_columns!(),
        " from concert_performance_seats where performance_id = $1 and ordinal > $2 and (",
        shown_state!("$3"),
        " = $4 or $4 is null) and (grade = $5 or $5 is null) and (section = $6 or $6 is null) order by ordinal limit $7"
    );
    let (state, now_ms) = (page.state.map(SeatState::column), tx.now_ms());
    let (grade, section) = (page.grade.as_ref(), page.section.as_ref());
    tx.fetch_all(sql, args![page.performance, page.ordinal, now_ms, state, grade, section, page.limit]).await
}

/// What the map shows of every seat of a performance, as of now; there are as many as the performance counts.
pub(crate) async fn marks(tx: &mut Tx<'_>, performance: Uuid) -> Result<Vec<Mark>, db::Error> {
    let sql = concat!(
        "select ordinal, ",
        shown_state!("$2"),
        ", ",
        shown_version!("$2"),
        " from concert_performance_seats where performance_id = $1"
    );
    let now_ms = tx.now_ms();
    tx.fetch_all(sql, args![performance, now_ms]).await
}

/// The sum of the versions in [`marks`].
pub(crate) async fn map_version(tx: &mut Tx<'_>, performance: Uuid) -> Result<i64, db::Error> {
    let sql = concat!(
        "select cast(coalesce(sum(",
        shown_version!("$2"),
        "), 0) as bigint) from concert_performance_seats where performance_id = $1"
    );
    let now_ms = tx.now_ms();
    let (version,): (i64,) = tx.fetch_one(sql, args![performance, now_ms]).await?;
    Ok(version)
}
