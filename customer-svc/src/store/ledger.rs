//! The statements over the ledger: every posting changes a balance in one update and leaves its entries in the chain of the
//! customer whom it is about.

use service_kit::db::{self, FromRow, Row, Tx};
use service_kit::refusal::Fault;
use service_kit::{args, ids};
use uuid::Uuid;

use super::numbered;
use super::points::{at_odds, locked};
use crate::ledger::{Adjustment, Credit, Kind, Transfer};
use crate::points::Key;
use crate::{customers, points};

/// Where corrections come from and go to.
const ADJUSTMENTS: &str = "adjustments";

/// Gives a customer points and keeps a fee. Whoever he is and whatever he owns: what was paid for must be given.
pub(crate) async fn credit(tx: &mut Tx<'_>, credit: Credit) -> Result<Option<Transfer>, Fault> {
    const CREDIT: &str = "update customer_customers set posted = posted + $2, transfer_count = transfer_count + $3, \
        points_time = $4 where customer_id = $1 returning posted, transfer_count";
    let Key { customer, saga } = credit.key;
    let count = i64::from(credit.amount > 0) + i64::from(credit.fee.is_some());
    let credited = tx.fetch_optional(CREDIT, args![customer, credit.amount, count, tx.now_ms()]).await?;
    let (balance_after, last): (i64, i64) = credited.ok_or_else(|| customers::not_found(customer))?;
    let given = Transfer {
        customer,
        sequence: last - count + 1,
        id: ids::derived(credit.request_id, "transfer"),
        kind: credit.kind,
        amount: credit.amount,
        debit_account: credit.debit_account,
        credit_account: customers::name(customer),
        balance_after,
        saga: Some(saga),
        request_id: credit.request_id,
        reason: String::new(),
        create_time: tx.now_ms(),
    };
    if credit.amount > 0 {
        post(tx, &given).await?;
    }
    if let Some((amount, credit_account)) = credit.fee {
        let (id, kind) = (ids::derived(credit.request_id, "fee"), Kind::CancellationFee);
        post(tx, &Transfer { sequence: last, id, kind, amount, credit_account, ..given.clone() }).await?;
    }
    Ok((credit.amount > 0).then_some(given))
}

/// Corrects a balance on an operator's word.
pub(crate) async fn adjust(tx: &mut Tx<'_>, adjustment: Adjustment) -> Result<Transfer, Fault> {
    const ADJUST: &str = "update customer_customers set posted = posted + $2, transfer_count = transfer_count + 1, \
        points_time = $4 where customer_id = $1 and state = 1 and posted - reserved + $2 >= 0 \
        and ($2 < 0 or posted + $2 <= $3) returning posted, transfer_count";
    let Adjustment { customer, amount, balance_limit, request_id, .. } = adjustment;
    let args = args![customer, amount, balance_limit, tx.now_ms()];
    let mut adjusted: Option<(i64, i64)> = tx.fetch_optional(ADJUST, args).await?;
    if adjusted.is_none() {
        points::judge_adjustment(&locked(tx, customer).await?, &adjustment)?;
        adjusted = tx.fetch_optional(ADJUST, args).await?;
    }
    let (balance_after, sequence) = adjusted.ok_or_else(|| at_odds(customer))?;
    let (own, other) = (customers::name(customer), ADJUSTMENTS.to_owned());
    let (debit_account, credit_account) = if amount < 0 { (own, other) } else { (other, own) };
    let transfer = Transfer {
        customer,
        sequence,
        id: ids::derived(request_id, "transfer"),
        kind: Kind::Adjustment,
        amount: amount.abs(),
        debit_account,
        credit_account,
        balance_after,
        saga: None,
        request_id,
        reason: adjustment.reason,
        create_time: tx.now_ms(),
    };
    post(tx, &transfer).await?;
    Ok(transfer)
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
    const SELECT: &str = "select customer_id, sequence, transfer_id, kind, amount, debit_account, credit_account, \
        balance_after, saga_id, request_id, reason, create_time from customer_transfers \
        where customer_id = $1 and sequence <= $2 and (kind = $3 or $3 is null) and (saga_id = $4 or $4 is null) \
        order by sequence desc limit $5";
    let Entries { customer, from, kind, saga, limit } = which;
    tx.fetch_all(SELECT, args![customer, from, kind, saga, limit]).await
}

/// Writes an entry.
pub(super) async fn post(tx: &mut Tx<'_>, transfer: &Transfer) -> Result<(), db::Error> {
    const INSERT: &str = "insert into customer_transfers (customer_id, sequence, transfer_id, kind, amount, \
        debit_account, credit_account, balance_after, saga_id, request_id, reason, create_time) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let args = args![
        transfer.customer,
        transfer.sequence,
        transfer.id,
        transfer.kind as i64,
        transfer.amount,
        &transfer.debit_account,
        &transfer.credit_account,
        transfer.balance_after,
        transfer.saga,
        transfer.request_id,
        &transfer.reason,
        transfer.create_time
    ];
    tx.execute(INSERT, args).await.map(drop)
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
        })
    }
}
