//! The statements over what operators and the orchestrator look at.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use crate::points::Reservation;

/// Which locks are asked for: from one on, of before a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Locks {
    pub(crate) from: (i64, Uuid),
    pub(crate) before: i64,
    pub(crate) limit: i64,
}

/// Reads what sagas have set aside and neither spent nor given back, the oldest first.
pub(crate) async fn locks(tx: &mut Tx<'_>, which: Locks) -> Result<Vec<Reservation>, db::Error> {
    const SELECT: &str = "select customer_id, saga_id, amount, state, create_time, resolve_time \
        from customer_point_reservations where state = 1 and (create_time, saga_id) >= ($1, $2) and create_time < $3 \
        order by create_time, saga_id limit $4";
    let Locks { from: (time, saga), before, limit } = which;
    tx.fetch_all(SELECT, args![time, saga, before, limit]).await
}

/// Which finding.
#[derive(Debug, Clone, Default)]
pub(crate) struct FindingKey {
    pub(crate) customer: Uuid,
    pub(crate) rule: String,
    pub(crate) sequence: i64,
}

/// Something that breaks a rule of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) key: FindingKey,
    pub(crate) problem: String,
    pub(crate) find_time: i64,
}

/// Reads findings from one on, and how many there are in all.
pub(crate) async fn findings(tx: &mut Tx<'_>, from: FindingKey, limit: i64) -> Result<(Vec<Finding>, i64), db::Error> {
    const SELECT: &str = "select customer_id, rule, sequence, problem, find_time from customer_ledger_findings \
        where (customer_id, rule, sequence) >= ($1, $2, $3) order by customer_id, rule, sequence limit $4";
    let rows = tx.fetch_all(SELECT, args![from.customer, &from.rule, from.sequence, limit]).await?;
    let (count,): (i64,) = tx.fetch_one("select count(*) from customer_ledger_findings", args![]).await?;
    Ok((rows, count))
}

/// What went out of and into an account.
#[derive(Debug, Clone)]
pub(crate) struct Total {
    pub(crate) account: String,
    pub(crate) debited: i64,
    pub(crate) credited: i64,
    pub(crate) update_time: i64,
}

/// Reads sums of accounts from one on.
pub(crate) async fn totals(tx: &mut Tx<'_>, from: String, limit: i64) -> Result<Vec<Total>, db::Error> {
    const SELECT: &str = "select account, debited, credited, update_time from customer_account_totals \
        where account >= $1 order by account limit $2";
    tx.fetch_all(SELECT, args![&from, limit]).await
}

impl FromRow for Finding {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let key = FindingKey { customer: row.get(0)?, rule: row.get(1)?, sequence: row.get(2)? };
        Ok(Self { key, problem: row.get(3)?, find_time: row.get(4)? })
    }
}

impl FromRow for Total {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { account: row.get(0)?, debited: row.get(1)?, credited: row.get(2)?, update_time: row.get(3)? })
    }
}
