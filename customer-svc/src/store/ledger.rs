//! The statements over the ledger: every posting changes a balance in one update and adds its entries, their events with
//! them, to the chain of the customer whom it is about.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::points::{at_odds, locked};
use super::{Statement, numbered};
use crate::events::{self, OUTBOX};
use crate::ledger::{Adjustment, Credit, Head, Kind, Posting, Transfer};
use crate::{customers, points};

/// What an update of a balance returns, as [`moved`] reads it.
macro_rules! returning {
    () => {
        " returning cast(1 as bigint), posted, transfer_count, cast(null as bytea)"
    };
}
pub(super) use returning;

/// The columns of an entry, in the order in which a row is read.
macro_rules! columns {
    () => {
        "customer_id, sequence, transfer_id, kind, amount, debit_account, credit_account, balance_after, saga_id, \
         request_id, reason, create_time, hash"
    };
}

/// Gives a customer points and keeps a fee. Whoever he is and whatever he owns: what was paid for must be given. Returns
/// the entry that gives, if there is one.
pub(crate) async fn credit(tx: &mut Tx<'_>, credit: Credit) -> Result<Option<Transfer>, Fault> {
    const CREDIT: &str = concat!(
        "update customer_customers set posted = posted + $2, transfer_count = transfer_count + $3, \
         points_time = $4 where customer_id = $1",
        returning!()
    );
    let (customer, amount) = (credit.key.customer, credit.amount);
    let posting = credit.posting();
    let update = args![customer, amount, posting.moves.len() as i64, tx.now_ms()].to_vec();
    let head = moved(tx, customer, (CREDIT, update)).await?;
    let head = head.ok_or_else(|| customers::not_found(customer))?;
    let entries = post(tx, posting, head, None).await?;
    Ok(entries.into_iter().find(|entry| entry.signed_amount() != 0))
}

/// Corrects a balance on an operator's word.
pub(crate) async fn adjust(tx: &mut Tx<'_>, adjustment: Adjustment) -> Result<Transfer, Fault> {
    const ADJUST: &str = concat!(
        "update customer_customers set posted = posted + $2, transfer_count = transfer_count + 1, points_time = $4 \
         where customer_id = $1 and (state = 1 or (state = 3 and $2 < 0)) and posted - reserved + $2 >= 0 \
         and ($2 < 0 or posted + $2 <= $3)",
        returning!()
    );
    let Adjustment { customer, amount, balance_limit, .. } = adjustment;
    let update = args![customer, amount, balance_limit, tx.now_ms()].to_vec();
    let mut head = moved(tx, customer, (ADJUST, update.clone())).await?;
    if head.is_none() {
        points::judge_adjustment(&locked(tx, customer).await?, &adjustment)?;
        head = moved(tx, customer, (ADJUST, update)).await?;
    }
    let head = head.ok_or_else(|| at_odds(customer))?;
    let entries = post(tx, adjustment.posting(), head, None).await?;
    entries.into_iter().next().ok_or_else(|| at_odds(customer).into())
}

/// Which entries of a customer's ledger are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entries {
    pub(crate) customer: Uuid,
    pub(crate) from: i64,
    pub(crate) kind: Option<i64>,
    pub(crate) saga: Option<Uuid>,
    pub(crate) limit: i64,
}

/// Reads entries of the ledger, newest first.
pub(crate) async fn transfers(tx: &mut Tx<'_>, which: Entries) -> Result<Vec<Transfer>, db::Error> {
    const SELECT: &str = concat!(
        "select ",
        columns!(),
        " from customer_transfers where customer_id = $1 and sequence <= $2 and (kind = $3 or $3 is null) \
         and (saga_id = $4 or $4 is null) order by sequence desc limit $5"
    );
    let Entries { customer, from, kind, saga, limit } = which;
    tx.fetch_all(SELECT, args![customer, from, kind, saga, limit]).await
}

/// Reads entries of all customers, chain by chain, after one of them.
pub(crate) async fn entries_after(
    tx: &mut Tx<'_>,
    (customer, sequence): (Uuid, i64),
    limit: i64,
) -> Result<Vec<Transfer>, db::Error> {
    const SELECT: &str = concat!(
        "select ",
        columns!(),
        " from customer_transfers where (customer_id, sequence) > ($1, $2) order by customer_id, sequence limit $3"
    );
    tx.fetch_all(SELECT, args![customer, sequence, limit]).await
}

/// Reads entries of some chains, each after one of its own and so many at most.
pub(super) async fn chains_after(
    tx: &mut Tx<'_>,
    starts: &[(Uuid, i64)],
    limit: i64,
) -> Result<Vec<Transfer>, db::Error> {
    const SELECT: &str = concat!(
        "select ",
        columns!(),
        " from customer_transfers where customer_id = $1 and sequence > $2 order by sequence limit $3"
    );
    let each = |(customer, sequence): &(Uuid, i64)| (SELECT, args![*customer, *sequence, limit].to_vec());
    tx.fetch_each(&starts.iter().map(each).collect::<Vec<_>>()).await
}

/// Changes a customer's balance by a statement that ends in `returning!()`, and finds the end of his chain, which stays
/// so for this transaction; nothing when the statement says no. The two travel together: the second sees what the first
/// has waited for.
pub(super) async fn moved(tx: &mut Tx<'_>, customer: Uuid, update: Statement<'_>) -> Result<Option<Head>, db::Error> {
    const LAST: &str = "select cast(0 as bigint), balance_after, sequence, hash from customer_transfers \
        where customer_id = $1 order by sequence desc limit 1";
    let seen: Vec<Seen> = tx.fetch_each(&[update, (LAST, args![customer].to_vec())]).await?;
    let hash = seen.iter().find(|seen| !seen.is_account).and_then(|last| last.hash.clone());
    let account = seen.into_iter().find(|seen| seen.is_account);
    Ok(account.map(|account| Head { balance: account.balance, count: account.count, hash }))
}

/// Adds the entries of a posting and their events, together with a statement more.
pub(super) async fn post(
    tx: &mut Tx<'_>,
    posting: Posting,
    head: Head,
    beside: Option<Statement<'_>>,
) -> Result<Vec<Transfer>, db::Error> {
    let entries = posting.entries(head, tx.now_ms());
    let told = entries.iter().filter_map(events::posted);
    let told: Vec<_> = told.map(|draft| OUTBOX.event(tx, draft)).collect();
    let mut statements: Vec<Statement<'_>> = entries.iter().map(insertion).collect();
    statements.extend(told.iter().map(|event| OUTBOX.insertion(event.bucket, event)));
    statements.extend(beside);
    tx.execute_each(&statements).await?;
    Ok(entries)
}

fn insertion(entry: &Transfer) -> Statement<'_> {
    const INSERT: &str = concat!(
        "insert into customer_transfers (",
        columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    );
    let args = args![
        entry.customer,
        entry.sequence,
        entry.id,
        entry.kind as i64,
        entry.amount,
        &entry.debit_account,
        &entry.credit_account,
        entry.balance_after,
        entry.saga,
        entry.request_id,
        &entry.reason,
        entry.create_time,
        entry.hash.as_ref()
    ];
    (INSERT, args.to_vec())
}

/// A customer's account after a change, or the last entry of his chain.
struct Seen {
    is_account: bool,
    balance: i64,
    count: i64,
    hash: Option<Vec<u8>>,
}

impl FromRow for Seen {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { is_account: row.get(0)?, balance: row.get(1)?, count: row.get(2)?, hash: row.get(3)? })
    }
}

impl FromRow for Transfer {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self {
            customer: row.get(0)?,
            sequence: row.get(1)?,
            id: row.get(2)?,
            kind: numbered(row, 3, &Kind::ALL, |kind| *kind as i64)?,
            amount: row.get(4)?,
            debit_account: row.get(5)?,
            credit_account: row.get(6)?,
            balance_after: row.get(7)?,
            saga: row.get(8)?,
            request_id: row.get(9)?,
            reason: row.get(10)?,
            create_time: row.get(11)?,
            hash: row.get(12)?,
        })
    }
}
