//! The statements over customers. What their points need is in `store/points.rs`, what is
//! posted in `store/ledger.rs`. Rules are not here: a statement only
//! carries the condition under which it may change a row, and the rules say why it did not.

use service_kit::args;
use service_kit::db::{self, Arg, FromRow, Row, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::audit::{Cause, Transition};
use crate::customers::{self, Change, Customer, Registration, State, Update};

mod audit;
pub(crate) mod check;
pub(crate) mod jobs;
pub(crate) mod ledger;
pub(crate) mod points;
pub(crate) mod reports;

/// A statement with its arguments.
type Statement<'a> = (&'static str, Vec<Arg<'a>>);

/// The columns of a customer, in the order in which a row is read.
macro_rules! columns {
    () => {
        "customer_id, state, display_name, phone_number, notification_consent, version, create_time, update_time, \
         withdraw_time"
    };
}

/// Writes a new customer with an empty point account.
pub(crate) async fn register(tx: &mut Tx<'_>, new: &Registration) -> Result<Customer, Fault> {
    const INSERT: &str = concat!(
        "insert into customer_customers (",
        columns!(),
        ", posted, reserved, transfer_count, points_time) \
         values ($1, $2, $3, $4, $5, 1, $6, $6, null, 0, 0, 0, $6) on conflict do nothing returning ",
        columns!()
    );
    let args = args![
        new.customer,
        State::Active as i64,
        &new.display_name,
        &new.phone_number,
        new.notification_consent,
        tx.now_ms()
    ];
    let registered: Option<Customer> = tx.fetch_optional(INSERT, args).await?;
    let registered = registered.ok_or_else(|| customers::already_exists(new.customer))?;
    audit::keep(tx, &transition(None, &registered, new.cause.clone())).await?;
    Ok(registered)
}

const CUSTOMER: &str = concat!("select ", columns!(), " from customer_customers where customer_id = $1");

/// Reads a customer.
pub(crate) async fn customer(tx: &mut Tx<'_>, id: Uuid) -> Result<Customer, Fault> {
    let found = tx.fetch_optional(CUSTOMER, args![id]).await?;
    found.ok_or_else(|| customers::not_found(id).into())
}

/// Reads customers by id from `from` on, of one state or of all.
pub(crate) async fn customers(
    tx: &mut Tx<'_>,
    from: Uuid,
    state: Option<i64>,
    limit: i64,
) -> Result<Vec<Customer>, db::Error> {
    const ALL: &str = concat!(
        "select ",
        columns!(),
        " from customer_customers where customer_id >= $1 order by customer_id limit $2"
    );
    const OF_STATE: &str = concat!(
        "select ",
        columns!(),
        " from customer_customers where state = $3 and customer_id >= $1 order by customer_id limit $2"
    );
    match state {
        None => tx.fetch_all(ALL, args![from, limit]).await,
        Some(state) => tx.fetch_all(OF_STATE, args![from, limit, state]).await,
    }
}

/// Moves a customer to another state, unless the rules say no.
pub(crate) async fn change_state(tx: &mut Tx<'_>, change: Change) -> Result<Customer, Fault> {
    const UPDATE: &str = concat!(
        "update customer_customers set state = $2, version = version + 1, update_time = $3 where customer_id = $1 \
         returning ",
        columns!()
    );
    const ERASE: &str = concat!(
        "update customer_customers set state = $2, display_name = '', phone_number = '', notification_consent = 0, \
         version = version + 1, update_time = $3, withdraw_time = $3 where customer_id = $1 returning ",
        columns!()
    );
    let before = locked(tx, change.customer).await?;
    customers::judge(&before, &change)?;
    if before.state == change.to {
        return Ok(before);
    }
    let update = match change.to {
        State::Active | State::Dormant => UPDATE,
        State::Withdrawn => {
            customers::judge_leaving(&points::account(tx, change.customer).await?)?;
            ERASE
        }
    };
    let after = tx.fetch_one(update, args![change.customer, change.to as i64, tx.now_ms()]).await?;
    audit::keep(tx, &transition(Some(before.state), &after, change.cause)).await?;
    Ok(after)
}

/// Changes what a customer is called and where he is reached, unless the rules say no.
pub(crate) async fn update(tx: &mut Tx<'_>, update: Update) -> Result<Customer, Fault> {
    const UPDATE: &str = concat!(
        "update customer_customers set display_name = $2, phone_number = $3, notification_consent = $4, \
         version = version + 1, update_time = $5 where customer_id = $1 returning ",
        columns!()
    );
    let before = locked(tx, update.customer).await?;
    customers::judge_update(&before, &update)?;
    let display_name = update.display_name.unwrap_or(before.display_name);
    let phone_number = update.phone_number.unwrap_or(before.phone_number);
    let consent = update.notification_consent.unwrap_or(before.notification_consent);
    let args = args![update.customer, &display_name, &phone_number, consent, tx.now_ms()];
    Ok(tx.fetch_one(UPDATE, args).await?)
}

/// Reads a customer, who then stays as he is, and so do his points.
async fn locked(tx: &mut Tx<'_>, id: Uuid) -> Result<Customer, Fault> {
    let found = tx.lock_optional(CUSTOMER, args![id]).await?;
    found.ok_or_else(|| customers::not_found(id).into())
}

fn transition(from: Option<State>, after: &Customer, cause: Cause) -> Transition {
    Transition { customer: after.id, version: after.version, from, to: after.state, cause }
}

impl FromRow for Customer {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            id: row.get(0)?,
            state: state(row, 1)?,
            display_name: row.get(2)?,
            phone_number: row.get(3)?,
            notification_consent: row.get(4)?,
            version: row.get(5)?,
            create_time: row.get(6)?,
            update_time: row.get(7)?,
            withdraw_time: row.get(8)?,
        })
    }
}

fn state(row: &Row<'_>, index: usize) -> Result<State, db::Error> {
    numbered(row, index, &State::ALL, |state| *state as i64)
}

/// The value that the stored number stands for.
fn numbered<T: Copy>(row: &Row<'_>, index: usize, all: &[T], number: fn(&T) -> i64) -> Result<T, db::Error> {
    let stored: i64 = row.get(index)?;
    let found = all.iter().find(|value| number(value) == stored);
    found.copied().ok_or_else(|| row.corrupt(index, format!("nothing has the number {stored}")))
}
