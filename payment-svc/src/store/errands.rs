//! The statements over what the processor is to be asked. Whoever attends to an errand takes it first, by moving its due
//! time away: so several processes share them, and one that dies leaves it to the others.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::one_of;
use crate::errand::{Errand, Kind, Problem};

/// Where an errand is found: its payment's id, and its own.
pub(crate) type Place = (Uuid, Uuid);

/// Adds an errand that is due at once. Tells whether there was none.
pub(crate) async fn put(tx: &mut Tx<'_>, (payment, id): Place, kind: Kind) -> Result<bool, db::Error> {
    const INSERT: &str = "insert into payment_errands (payment_id, id, kind, due_time, attempts, problem, create_time) \
        values ($1, $2, $3, $4, 0, '', $4) on conflict do nothing";
    Ok(tx.execute(INSERT, args![payment, id, kind as i64, tx.now_ms()]).await? == 1)
}

/// Adds the order to void a payment, in the place of whatever else it was to be asked; an order that is there stays.
pub(crate) async fn void(tx: &mut Tx<'_>, payment: Uuid) -> Result<(), db::Error> {
    const UPSERT: &str = "insert into payment_errands as e (payment_id, id, kind, due_time, attempts, problem, create_time) \
        values ($1, $1, 3, $2, 0, '', $2) on conflict (payment_id, id) do update \
        set kind = 3, due_time = $2, attempts = 0, problem = '' where e.kind <> 3";
    tx.execute(UPSERT, args![payment, tx.now_ms()]).await.map(drop)
}

/// Takes an errand for a while, if it is due.
pub(crate) async fn take(tx: &mut Tx<'_>, (payment, id): Place, lease_ms: i64) -> Result<Option<Errand>, db::Error> {
    const TAKE: &str = "update payment_errands set due_time = $3 + $4, attempts = attempts + 1 \
        where payment_id = $1 and id = $2 and due_time <= $3 returning payment_id, id, kind, attempts";
    tx.fetch_optional(TAKE, args![payment, id, tx.now_ms(), lease_ms]).await
}

/// Ends an errand, unless it has become another one since. Tells whether it was there.
pub(crate) async fn end(tx: &mut Tx<'_>, errand: &Errand) -> Result<bool, db::Error> {
    const DELETE: &str = "delete from payment_errands where payment_id = $1 and id = $2 and kind = $3";
    Ok(tx.execute(DELETE, args![errand.payment, errand.id, errand.kind as i64]).await? == 1)
}

/// Puts an errand off until `wait_ms` from now, unless it has become another one since.
pub(crate) async fn put_off(tx: &mut Tx<'_>, errand: &Errand, problem: Problem, wait_ms: i64) -> Result<(), db::Error> {
    const UPDATE: &str = "update payment_errands set due_time = $4, problem = $5 \
        where payment_id = $1 and id = $2 and kind = $3";
    let due_time = tx.now_ms() + wait_ms;
    let args = args![errand.payment, errand.id, errand.kind as i64, due_time, problem.reason()];
    tx.execute(UPDATE, args).await.map(drop)
}

/// Makes all errands of a payment due. Tells which there are.
pub(crate) async fn wake(tx: &mut Tx<'_>, payment: Uuid) -> Result<Vec<Place>, db::Error> {
    const WAKE: &str = "update payment_errands set due_time = $2 where payment_id = $1 returning payment_id, id";
    tx.fetch_all(WAKE, args![payment, tx.now_ms()]).await
}

/// Why an errand is not settled yet, where that is known.
pub(crate) async fn problem(tx: &mut Tx<'_>, (payment, id): Place) -> Result<Option<Problem>, db::Error> {
    const SELECT: &str = "select problem from payment_errands where payment_id = $1 and id = $2";
    let found: Option<(String,)> = tx.fetch_optional(SELECT, args![payment, id]).await?;
    Ok(found.and_then(|(reason,)| Problem::named(&reason)))
}

/// The errands that are due, the longest first.
pub(crate) async fn due(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Place>, db::Error> {
    const SELECT: &str = "select payment_id, id from payment_errands where due_time <= $1 \
        order by due_time, payment_id, id limit $2";
    tx.fetch_all(SELECT, args![tx.now_ms(), limit]).await
}

impl FromRow for Errand {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            payment: row.get(0)?,
            id: row.get(1)?,
            kind: one_of(row, 2, Kind::ALL, |kind| kind as i64)?,
            attempts: row.get(3)?,
        })
    }
}
