//! The statements over points: every balance changes in one conditional update. What is posted is in `ledger.rs`.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::{audit, ledger, numbered, state};
use crate::audit::Resolution;
use crate::customers;
use crate::points::{self, Account, Capture, Key, Reservation, ReservationState, Reserve};

/// The columns of an account, in the order in which a row is read.
macro_rules! account_columns {
    () => {
        "customer_id, state, posted, reserved, points_time"
    };
}
pub(super) use account_columns;

const ACCOUNT: &str = concat!("select ", account_columns!(), " from customer_customers where customer_id = $1");

/// Reads a customer's points.
pub(crate) async fn account(tx: &mut Tx<'_>, customer: Uuid) -> Result<Account, Fault> {
    let found = tx.fetch_optional(ACCOUNT, args![customer]).await?;
    found.ok_or_else(|| customers::not_found(customer).into())
}

/// Sets points aside for a saga.
///
/// Like all who change both, this takes the reservation first and then the account, so that no two wait for each other.
pub(crate) async fn reserve(tx: &mut Tx<'_>, order: Reserve) -> Result<Reservation, Fault> {
    const INSERT: &str = "insert into customer_point_reservations (saga_id, customer_id, amount, state, create_time) \
        values ($1, $2, $3, 1, $4) on conflict do nothing";
    const RESERVE: &str = "update customer_customers set reserved = reserved + $2, points_time = $3 \
        where customer_id = $1 and state = 1 and posted - reserved >= $2";
    let Reserve { key, amount, request_id } = order;
    let (now_ms, state) = (tx.now_ms(), ReservationState::Pending);
    let note = args![key.saga, key.customer, amount, now_ms];
    let taking = args![key.customer, amount, now_ms];
    let kept = audit::resolution(Resolution { key, to: state, request_id }, now_ms);
    match tx.execute_each(&[(INSERT, note.to_vec()), (RESERVE, taking.to_vec()), kept]).await?.as_slice() {
        [0, ..] => return Err(points::already_reserved(key).into()),
        [_, 0, ..] => {
            // Others may have given points back since: the account that a refusal tells of is the one that it stands for.
            points::judge_taking(&locked(tx, key.customer).await?, amount)?;
            if tx.execute(RESERVE, taking).await? == 0 {
                return Err(at_odds(key.customer).into());
            }
        }
        _ => {}
    }
    Ok(Reservation { key, amount, state, create_time: now_ms, resolve_time: None })
}

/// Gives back what a saga has set aside.
pub(crate) async fn release(tx: &mut Tx<'_>, key: Key, request_id: Uuid) -> Result<Reservation, Fault> {
    const RELEASE: &str = "update customer_customers set reserved = reserved - $2, points_time = $3 \
        where customer_id = $1";
    let (now_ms, to) = (tx.now_ms(), ReservationState::Released);
    let reservation = resolve(tx, key, to).await?;
    let giving = args![key.customer, reservation.amount, now_ms].to_vec();
    let kept = audit::resolution(Resolution { key, to, request_id }, now_ms);
    tx.execute_each(&[(RELEASE, giving), kept]).await?;
    Ok(reservation)
}

/// Spends what a saga has set aside.
pub(crate) async fn capture(tx: &mut Tx<'_>, capture: Capture) -> Result<Reservation, Fault> {
    const CAPTURE: &str = concat!(
        "update customer_customers set posted = posted - $2, reserved = reserved - $2, \
         transfer_count = transfer_count + 1, points_time = $3 where customer_id = $1",
        ledger::returning!()
    );
    let (key, request_id, to) = (capture.key, capture.request_id, ReservationState::Captured);
    let reservation = resolve(tx, key, to).await?;
    let update = args![key.customer, reservation.amount, tx.now_ms()].to_vec();
    let head = ledger::moved(tx, key.customer, (CAPTURE, update)).await?;
    let head = head.ok_or_else(|| at_odds(key.customer))?;
    let kept = audit::resolution(Resolution { key, to, request_id }, tx.now_ms());
    ledger::post(tx, capture.posting(reservation.amount), head, Some(kept)).await?;
    Ok(reservation)
}

/// Reads what a saga has set aside.
pub(crate) async fn reservation(tx: &mut Tx<'_>, key: Key) -> Result<Reservation, Fault> {
    let found = find(tx, key).await?;
    found.ok_or_else(|| points::cannot_resolve(key, None).into())
}

/// Reads the reservations of all sagas after one, in their order.
pub(crate) async fn reservations(tx: &mut Tx<'_>, after: Uuid, limit: i64) -> Result<Vec<Reservation>, db::Error> {
    const SELECT: &str = "select customer_id, saga_id, amount, state, create_time, resolve_time \
        from customer_point_reservations where saga_id > $1 order by saga_id limit $2";
    tx.fetch_all(SELECT, args![after, limit]).await
}

async fn resolve(tx: &mut Tx<'_>, key: Key, to: ReservationState) -> Result<Reservation, Fault> {
    const RESOLVE: &str = "update customer_point_reservations set state = $3, resolve_time = $4 \
        where saga_id = $1 and customer_id = $2 and state = 1 \
        returning customer_id, saga_id, amount, state, create_time, resolve_time";
    let args = args![key.saga, key.customer, to as i64, tx.now_ms()];
    if let Some(resolved) = tx.fetch_optional(RESOLVE, args).await? {
        return Ok(resolved);
    }
    let found = find(tx, key).await?.map(|reservation| reservation.state);
    Err(points::cannot_resolve(key, found).into())
}

async fn find(tx: &mut Tx<'_>, key: Key) -> Result<Option<Reservation>, db::Error> {
    const SELECT: &str = "select customer_id, saga_id, amount, state, create_time, resolve_time \
        from customer_point_reservations where saga_id = $1 and customer_id = $2";
    tx.fetch_optional(SELECT, args![key.saga, key.customer]).await
}

/// Reads a customer's points, which then stay as they are.
pub(super) async fn locked(tx: &mut Tx<'_>, customer: Uuid) -> Result<Account, Fault> {
    let found = tx.lock_optional(ACCOUNT, args![customer]).await?;
    found.ok_or_else(|| customers::not_found(customer).into())
}

/// The statement says no to an account that the rule allows.
pub(super) fn at_odds(customer: Uuid) -> db::Error {
    db::Error::Bug(format!("rule and statement differ on the points of {}", customers::name(customer)))
}

impl FromRow for Account {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            customer: row.get(0)?,
            state: state(row, 1)?,
            posted: row.get(2)?,
            reserved: row.get(3)?,
            update_time: row.get(4)?,
        })
    }
}

impl FromRow for Reservation {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let key = Key { customer: row.get(0)?, saga: row.get(1)? };
        Ok(Self {
            key,
            amount: row.get(2)?,
            state: numbered(row, 3, &ReservationState::ALL, |state| *state as i64)?,
            create_time: row.get(4)?,
            resolve_time: row.get(5)?,
        })
    }
}
