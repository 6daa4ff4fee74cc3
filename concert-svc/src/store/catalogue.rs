//! Statements about concerts and performances.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::CatalogueChange;
use super::history::insert_catalogue_transition;
use super::reservations::to_json;
use crate::concert::{BookingPolicy, Concert, PERFORMANCE_MS, Performance, Sale};
use crate::state::{ConcertState, PerformanceState, State as _};

macro_rules! concert_columns {
    () => {
        "k.concert_id, k.title, k.artist, k.booking_open_time, k.booking_close_time, k.state, k.waiting_room_id, \
         k.hold_ttl, k.max_hold_lifetime, k.retry_grace, k.max_seats_per_reservation, \
         k.max_live_reservations_per_customer, k.max_seats_per_customer, k.create_time, k.update_time, k.version, \
         k.cancellation_terms"
    };
}
/// How many columns that is.
const CONCERT_COLUMNS: usize = 17;

macro_rules! performance_columns {
    () => {
        "p.performance_id, p.concert_id, p.start_time, p.venue, p.state, p.seat_count, p.create_time, p.version"
    };
}

macro_rules! sale_columns {
    () => {
        concat!(concert_columns!(), ", ", performance_columns!())
    };
}
pub(super) use {concert_columns, performance_columns, sale_columns};

/// How many columns a sale has.
pub(super) const SALE_COLUMNS: usize = CONCERT_COLUMNS + 8;

impl FromRow for Concert {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let terms: String = row.get(16)?;
        Ok(Self {
            id: row.get(0)?,
            title: row.get(1)?,
            artist: row.get(2)?,
            booking_open_time: row.get(3)?,
            booking_close_time: row.get(4)?,
            state: ConcertState::read(row, 5)?,
            waiting_room: row.get(6)?,
            policy: BookingPolicy {
                hold_ttl_ms: row.get(7)?,
                max_hold_lifetime_ms: row.get(8)?,
                retry_grace_ms: row.get(9)?,
                max_seats_per_reservation: row.get(10)?,
                max_live_reservations_per_customer: row.get(11)?,
                max_seats_per_customer: row.get(12)?,
                cancellation_terms: serde_json::from_str(&terms).map_err(|error| row.corrupt(16, error.to_string()))?,
            },
            create_time: row.get(13)?,
            update_time: row.get(14)?,
            version: row.get(15)?,
        })
    }
}

fn performance_at(row: &Row<'_>, at: usize) -> Result<Performance, db::Error> {
    Ok(Performance {
        id: row.get(at)?,
        concert: row.get(at + 1)?,
        start_time: row.get(at + 2)?,
        venue: row.get(at + 3)?,
        state: PerformanceState::read(row, at + 4)?,
        seat_count: row.get(at + 5)?,
        create_time: row.get(at + 6)?,
        version: row.get(at + 7)?,
    })
}

impl FromRow for Performance {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        performance_at(row, 0)
    }
}

impl FromRow for Sale {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { concert: Concert::from_row(row)?, performance: performance_at(row, CONCERT_COLUMNS)? })
    }
}

/// Adds a concert; tells whether its id was free.
pub(crate) async fn insert_concert(tx: &mut Tx<'_>, concert: &Concert) -> Result<bool, db::Error> {
    let sql = "insert into concert_concerts (concert_id, title, artist, booking_open_time, booking_close_time, state, \
               waiting_room_id, hold_ttl, max_hold_lifetime, retry_grace, max_seats_per_reservation, \
               max_live_reservations_per_customer, max_seats_per_customer, create_time, update_time, version, \
               cancellation_terms, waiting_room_time) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
               on conflict do nothing";
    let policy = &concert.policy;
    let terms = to_json(&policy.cancellation_terms)?;
    let row = args![
        concert.id,
        &concert.title,
        &concert.artist,
        concert.booking_open_time,
        concert.booking_close_time,
        concert.state.column(),
        concert.waiting_room,
        policy.hold_ttl_ms,
        policy.max_hold_lifetime_ms,
        policy.retry_grace_ms,
        policy.max_seats_per_reservation,
        policy.max_live_reservations_per_customer,
        policy.max_seats_per_customer,
        concert.create_time,
        concert.update_time,
        concert.version,
        &terms,
        concert.waiting_room.map(|_| concert.create_time),
    ];
    Ok(tx.execute(sql, row).await? == 1)
}

/// Writes back a concert that was in another state or had other details `before`. The highest caps that it ever had are kept: whoever has more than
/// the caps now took it under those.
pub(crate) async fn save_concert(tx: &mut Tx<'_>, before: &Concert, concert: &Concert) -> Result<(), db::Error> {
    macro_rules! top {
        ($cap:literal) => {
            concat!(
                "top_",
                $cap,
                " = case when top_",
                $cap,
                " > max_",
                $cap,
                " then top_",
                $cap,
                " else max_",
                $cap,
                " end, "
            )
        };
    }
    let sql = concat!(
        "update concert_concerts set ",
        top!("live_reservations_per_customer"),
        top!("seats_per_customer"),
        "state = $2, update_time = $3, version = $4, title = $5, artist = $6, booking_open_time = $7, \
         booking_close_time = $8, waiting_room_id = $9, hold_ttl = $10, max_hold_lifetime = $11, retry_grace = $12, \
         max_seats_per_reservation = $13, max_live_reservations_per_customer = $14, max_seats_per_customer = $15, \
         cancellation_terms = $16, waiting_room_time = coalesce($17, waiting_room_time) where concert_id = $1"
    );
    let policy = &concert.policy;
    let terms = to_json(&policy.cancellation_terms)?;
    let row = args![
        concert.id,
        concert.state.column(),
        concert.update_time,
        concert.version,
        &concert.title,
        &concert.artist,
        concert.booking_open_time,
        concert.booking_close_time,
        concert.waiting_room,
        policy.hold_ttl_ms,
        policy.max_hold_lifetime_ms,
        policy.retry_grace_ms,
        policy.max_seats_per_reservation,
        policy.max_live_reservations_per_customer,
        policy.max_seats_per_customer,
        &terms,
        (before.waiting_room != concert.waiting_room).then_some(concert.update_time),
    ];
    let change = CatalogueChange {
        aggregate: concert.id,
        version: concert.version,
        states: (before.state.column(), concert.state.column()),
        request_id: None,
        reason: "",
    };
    tx.execute_each(&[(sql, row.to_vec()), insert_catalogue_transition(&change, concert.update_time)]).await.map(drop)
}

const CONCERT: &str = concat!("select ", concert_columns!(), " from concert_concerts k where k.concert_id = $1");

/// One concert.
pub(crate) async fn concert(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Concert>, db::Error> {
    tx.fetch_optional(CONCERT, args![id]).await
}

/// One concert, for a change that nobody else gets in the way of.
pub(crate) async fn concert_to_change(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Concert>, db::Error> {
    tx.lock_optional(CONCERT, args![id]).await
}

/// What concerts are listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConcertOrder {
    CreateTime,
    BookingOpenTime,
}

impl ConcertOrder {
    /// What the concert has its place by.
    pub(crate) fn time(self, concert: &Concert) -> i64 {
        match self {
            Self::CreateTime => concert.create_time,
            Self::BookingOpenTime => concert.booking_open_time,
        }
    }
}

/// Which concerts come on a page.
#[derive(Debug, Clone)]
pub(crate) struct ConcertsAfter {
    pub(crate) order: ConcertOrder,
    /// The latest first.
    pub(crate) is_descending: bool,
    pub(crate) after: (i64, Uuid),
    pub(crate) state: Option<ConcertState>,
    pub(crate) artist: Option<String>,
    pub(crate) limit: i64,
}

/// A page of concerts.
pub(crate) async fn concerts(tx: &mut Tx<'_>, page: &ConcertsAfter) -> Result<Vec<Concert>, db::Error> {
    macro_rules! ordered_by {
        ($time:literal, $beyond:literal, $direction:literal) => {
            concat!(
                "select ",
                concert_columns!(),
                " from concert_concerts k where (",
                $time,
                ", k.concert_id) ",
                $beyond,
                " ($1, $2) and (k.state = $3 or $3 is null) and (k.artist = $4 or $4 is null) order by ",
                $time,
                $direction,
                ", k.concert_id",
                $direction,
                " limit $5"
            )
        };
    }
    let sql = match (page.order, page.is_descending) {
        (ConcertOrder::CreateTime, false) => ordered_by!("k.create_time", ">", ""),
        (ConcertOrder::CreateTime, true) => ordered_by!("k.create_time", "<", " desc"),
        (ConcertOrder::BookingOpenTime, false) => ordered_by!("k.booking_open_time", ">", ""),
        (ConcertOrder::BookingOpenTime, true) => ordered_by!("k.booking_open_time", "<", " desc"),
    };
    let (time, id) = page.after;
    let state = page.state.map(ConcertState::column);
    tx.fetch_all(sql, args![time, id, state, page.artist.as_ref(), page.limit]).await
}

/// Adds a performance; tells whether its id was free.
pub(crate) async fn insert_performance(tx: &mut Tx<'_>, performance: &Performance) -> Result<bool, db::Error> {
    let sql = "insert into concert_performances (performance_id, concert_id, start_time, venue, state, seat_count, \
               create_time, version) values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing";
    let row = args![
        performance.id,
        performance.concert,
        performance.start_time,
        &performance.venue,
        performance.state.column(),
        performance.seat_count,
        performance.create_time,
        performance.version,
    ];
    Ok(tx.execute(sql, row).await? == 1)
}

/// Counts new seats of a performance.
pub(crate) async fn seats_added(tx: &mut Tx<'_>, performance: Uuid, count: i64) -> Result<(), db::Error> {
    let sql = "update concert_performances set seat_count = seat_count + $2, version = version + 1 \
               where performance_id = $1";
    tx.execute(sql, args![performance, count]).await.map(drop)
}

const PERFORMANCE: &str = concat!(
    "select ",
    performance_columns!(),
    " from concert_performances p where p.performance_id = $1 and p.concert_id = $2"
);

/// One performance of the concert.
pub(crate) async fn performance(
    tx: &mut Tx<'_>,
    concert: Uuid,
    performance: Uuid,
) -> Result<Option<Performance>, db::Error> {
    let found: Option<Performance> = tx.fetch_optional(PERFORMANCE, args![performance, concert]).await?;
    let now_ms = tx.now_ms();
    Ok(found.map(|performance| performance.at(now_ms)))
}

/// One performance of the concert, for a change of it or new seats: whoever is after the same has to wait.
pub(crate) async fn performance_to_change(
    tx: &mut Tx<'_>,
    concert: Uuid,
    performance: Uuid,
) -> Result<Option<Performance>, db::Error> {
    let found: Option<Performance> = tx.lock_optional(PERFORMANCE, args![performance, concert]).await?;
    let now_ms = tx.now_ms();
    Ok(found.map(|performance| performance.at(now_ms)))
}

/// Notes of up to `limit` performances that are over that they are, those first that were over first; tells how many.
/// Those that somebody else is about to change are passed over.
pub(crate) async fn close_performances(tx: &mut Tx<'_>, limit: i64) -> Result<usize, db::Error> {
    let sql = "select performance_id, version from concert_performances where state = 1 and start_time <= $1 \
               order by start_time limit $2";
    let now_ms = tx.now_ms();
    let started = now_ms - PERFORMANCE_MS;
    let over: Vec<(Uuid, i64)> = tx.claim_all(sql, args![started, limit]).await?;
    let sql =
        "update concert_performances set state = 3, version = version + 1 where performance_id = $1 and state = 1";
    let close = over.iter().flat_map(|(id, version)| {
        let states = (PerformanceState::Scheduled.column(), PerformanceState::Performed.column());
        let change = CatalogueChange { aggregate: *id, version: version + 1, states, request_id: None, reason: "" };
        [(sql, args![*id].to_vec()), insert_catalogue_transition(&change, now_ms)]
    });
    let close: Vec<_> = close.collect();
    tx.execute_each(&close).await?;
    Ok(over.len())
}

/// Which performances come on a page.
#[derive(Debug, Clone)]
pub(crate) struct PerformancesAfter {
    pub(crate) concert: Uuid,
    pub(crate) after: (i64, Uuid),
    pub(crate) state: Option<PerformanceState>,
    /// Of the start.
    pub(crate) start_from: i64,
    pub(crate) start_below: i64,
    pub(crate) limit: i64,
}

/// A page of a concert's performances by start time, as of now.
pub(crate) async fn performances(tx: &mut Tx<'_>, page: &PerformancesAfter) -> Result<Vec<Performance>, db::Error> {
    let sql = concat!(
        "select ",
        performance_columns!(),
        " from concert_performances p \
         where p.concert_id = $1 and (p.start_time, p.performance_id) > ($2, $3) \
         and p.start_time >= $5 and p.start_time < $6 \
         and (case when p.state = 1 and p.start_time <= $7 then 3 else p.state end = $4 or $4 is null) \
         order by p.start_time, p.performance_id limit $8"
    );
    let (time, id) = page.after;
    let state = page.state.map(PerformanceState::column);
    let now_ms = tx.now_ms();
    let (from, below, started) = (page.start_from, page.start_below, now_ms - PERFORMANCE_MS);
    let args = args![page.concert, time, id, state, from, below, started, page.limit];
    let page: Vec<Performance> = tx.fetch_all(sql, args).await?;
    Ok(page.into_iter().map(|performance| performance.at(now_ms)).collect())
}
