//! The statements by which the books are followed, and what is kept of that.

use std::collections::HashMap;

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::{Statement, ledger, points};
use crate::books::{Books, Broken, Followed, Place, Totals};
use crate::points::Account;

/// Whose chains have grown after one moment and before another, as (time, customer); the same one may come again.
pub(crate) async fn grown(
    tx: &mut Tx<'_>,
    (after, customer): (i64, Uuid),
    before: i64,
    limit: i64,
) -> Result<Vec<(i64, Uuid)>, db::Error> {
    const SELECT: &str = "select create_time, customer_id from customer_transfers \
        where (create_time, customer_id) > ($1, $2) and create_time < $3 order by create_time, customer_id limit $4";
    tx.fetch_all(SELECT, args![after, customer, before, limit]).await
}

/// The books of customers, with so many entries of each at most.
pub(crate) async fn books(tx: &mut Tx<'_>, customers: &[Uuid], limit: i64) -> Result<Vec<Books>, db::Error> {
    const ACCOUNT: &str = concat!(
        "select ",
        points::account_columns!(),
        ", transfer_count from customer_customers where customer_id = $1"
    );
    const PLACE: &str = "select customer_id, sequence, balance, hash from customer_chain_checks where customer_id = $1";
    const PENDING: &str = "select customer_id, cast(sum(amount) as bigint) from customer_point_reservations \
        where state = 1 group by customer_id";
    let accounts: Vec<Counted> = tx.fetch_each(&of_each(ACCOUNT, customers)).await?;
    let places: Vec<Placed> = tx.fetch_each(&of_each(PLACE, customers)).await?;
    let mut places: HashMap<Uuid, Place> =
        places.into_iter().map(|Placed(customer, place)| (customer, place)).collect();
    let start = |customer: &Uuid| (*customer, places.get(customer).map_or(0, |place| place.sequence));
    let starts: Vec<(Uuid, i64)> = customers.iter().map(start).collect();
    let mut entries: HashMap<Uuid, Vec<_>> = HashMap::new();
    for entry in ledger::chains_after(tx, &starts, limit).await? {
        entries.entry(entry.customer).or_default().push(entry);
    }
    let pending: Vec<(Uuid, i64)> = tx.fetch_all(PENDING, args![]).await?;
    let pending: HashMap<Uuid, i64> = pending.into_iter().collect();
    let books = accounts.into_iter().map(|Counted(account, written)| {
        let customer = account.customer;
        let entries = entries.remove(&customer).unwrap_or_default();
        let is_whole = (entries.len() as i64) < limit;
        let pending = pending.get(&customer).copied().unwrap_or_default();
        let place = places.remove(&customer).unwrap_or_default();
        Books { account, written, pending, place, entries, is_whole }
    });
    Ok(books.collect())
}

fn of_each<'a>(sql: &'static str, customers: &[Uuid]) -> Vec<Statement<'a>> {
    customers.iter().map(|customer| (sql, args![*customer].to_vec())).collect()
}

/// Keeps how far chains have been followed and adds to the totals what was found on the way; returns the breaks that were
/// not known.
///
/// # Errors
/// When somebody else has followed one of the chains meanwhile, and then nothing is kept.
pub(crate) async fn keep(tx: &mut Tx<'_>, followed: &[Followed]) -> Result<Vec<Broken>, db::Error> {
    let now_ms = tx.now_ms();
    let moved = followed.iter().filter(|it| it.from != it.to);
    let places: Vec<Statement<'_>> = moved.map(|it| place(it, now_ms)).collect();
    if tx.execute_each(&places).await?.contains(&0) {
        return Err(db::Error::Unavailable("another process follows the same chains".into()));
    }
    let mut totals = Totals::new();
    for (account, (debited, credited)) in followed.iter().flat_map(|it| &it.totals) {
        let total = totals.entry(account.clone()).or_default();
        *total = (total.0 + debited, total.1 + credited);
    }
    // In the order of the accounts, so that no two processes wait for each other.
    let totals: Vec<Statement<'_>> = totals.iter().map(|(account, sums)| total(account, *sums, now_ms)).collect();
    tx.execute_each(&totals).await?;
    let broken: Vec<&Broken> = followed.iter().flat_map(|it| &it.broken).collect();
    let findings: Vec<Statement<'_>> = broken.iter().map(|it| finding(it, now_ms)).collect();
    let counts = tx.execute_each(&findings).await?;
    Ok(broken.into_iter().zip(counts).filter(|(_, count)| *count > 0).map(|(it, _)| it.clone()).collect())
}

fn place(it: &Followed, now_ms: i64) -> Statement<'_> {
    const PLACE: &str = "insert into customer_chain_checks as it (customer_id, sequence, balance, hash, check_time) \
        values ($1, $2, $3, $4, $5) on conflict (customer_id) do update set sequence = excluded.sequence, \
        balance = excluded.balance, hash = excluded.hash, check_time = excluded.check_time where it.sequence = $6";
    let Followed { customer, from, to, .. } = it;
    (PLACE, args![*customer, to.sequence, to.balance, to.hash.as_ref(), now_ms, from.sequence].to_vec())
}

fn total(account: &str, (debited, credited): (i64, i64), now_ms: i64) -> Statement<'_> {
    const TOTAL: &str = "insert into customer_account_totals as it (account, debited, credited, update_time) \
        values ($1, $2, $3, $4) on conflict (account) do update set debited = it.debited + excluded.debited, \
        credited = it.credited + excluded.credited, update_time = excluded.update_time";
    (TOTAL, args![account, debited, credited, now_ms].to_vec())
}

fn finding(it: &Broken, now_ms: i64) -> Statement<'_> {
    const FINDING: &str = "insert into customer_ledger_findings (customer_id, rule, sequence, problem, find_time) \
        values ($1, $2, $3, $4, $5) on conflict do nothing";
    (FINDING, args![it.customer, it.rule, it.sequence, &it.problem, now_ms].to_vec())
}

/// An account, and how many entries its chain should have.
struct Counted(Account, i64);

impl FromRow for Counted {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self(Account::from_row(row)?, row.get(5)?))
    }
}

/// A customer, and how far his chain was followed.
struct Placed(Uuid, Place);

impl FromRow for Placed {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self(row.get(0)?, Place { sequence: row.get(1)?, balance: row.get(2)?, hash: row.get(3)? }))
    }
}
