//! Statements about performances that are cancelled, what is left to give back of them, and locks. Their conditions begin
//! as those of the partial indexes that serve them: SQLite looks for the very words.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::CatalogueChange;
use super::history::insert_catalogue_transition;
use super::reservations::reservation_columns;
use crate::concert::Performance;
use crate::reservation::{Reservation, SagaLock};
use crate::state::{ReservationState, State as _};

/// Writes back the state of a performance that is locked for it.
pub(crate) async fn save_performance(
    tx: &mut Tx<'_>,
    performance: &Performance,
    change: &CatalogueChange<'_>,
) -> Result<(), db::Error> {
    let sql = "update concert_performances set state = $2, version = $3 where performance_id = $1";
    let row = args![performance.id, performance.state.column(), performance.version];
    let now_ms = tx.now_ms();
    tx.execute_each(&[(sql, row.to_vec()), insert_catalogue_transition(change, now_ms)]).await.map(drop)
}

/// Ends some holds of the performance, whatever time they had, and returns them.
pub(crate) async fn end_holds(tx: &mut Tx<'_>, performance: Uuid, limit: i64) -> Result<Vec<Reservation>, db::Error> {
    let sql = concat!(
        "update concert_reservations set state = 6, \
         expire_time = case when expire_time < $3 then expire_time else $3 end, version = version + 1 \
         where state = 1 and reservation_id in (select reservation_id from concert_reservations \
         where state in (1, 2, 3) and state = 1 and performance_id = $1 order by reservation_id limit $2) returning ",
        reservation_columns!()
    );
    let now_ms = tx.now_ms();
    tx.fetch_all(sql, args![performance, limit, now_ms]).await
}

/// The next cancelled performance with something left to give back, in the order of their ids.
pub(crate) async fn next_cancelled_performance(tx: &mut Tx<'_>, after: Uuid) -> Result<Option<Uuid>, db::Error> {
    let sql = "select p.performance_id from concert_performances p where p.state = 2 and p.performance_id > $1 \
               and exists (select 1 from concert_reservations r where r.state in (1, 2, 3) and r.state > 1 \
               and r.performance_id = p.performance_id) order by p.performance_id limit 1";
    let next: Option<(Uuid,)> = tx.fetch_optional(sql, args![after]).await?;
    Ok(next.map(|(id,)| id))
}

/// Reservations of the performance that are CONFIRMING or CONFIRMED, after `after` in the order of their ids.
pub(crate) async fn sold_of(
    tx: &mut Tx<'_>,
    performance: Uuid,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Reservation>, db::Error> {
    let sql = concat!(
        "select ",
        reservation_columns!(),
        " from concert_reservations where state in (1, 2, 3) and state > 1 and performance_id = $1 \
         and reservation_id > $2 order by reservation_id limit $3"
    );
    tx.fetch_all(sql, args![performance, after, limit]).await
}

impl FromRow for SagaLock {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            reservation: row.get(0)?,
            saga: row.get(1)?,
            state: ReservationState::read(row, 2)?,
            lock_time: row.get(3)?,
        })
    }
}

/// Which locks come on a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocksAfter {
    pub(crate) after: (i64, Uuid),
    /// Only those that were taken earlier than this.
    pub(crate) locked_before: i64,
    pub(crate) limit: i64,
}

/// A page of locks, the oldest first.
pub(crate) async fn locks(tx: &mut Tx<'_>, page: &LocksAfter) -> Result<Vec<SagaLock>, db::Error> {
    let sql = "select reservation_id, lock_saga_id, state, coalesce(cancel_begin_time, lock_time) \
               from concert_reservations where lock_saga_id is not null \
               and (coalesce(cancel_begin_time, lock_time), reservation_id) > ($1, $2) \
               and coalesce(cancel_begin_time, lock_time) < $3 \
               order by coalesce(cancel_begin_time, lock_time), reservation_id limit $4";
    let (time, id) = page.after;
    tx.fetch_all(sql, args![time, id, page.locked_before, page.limit]).await
}
