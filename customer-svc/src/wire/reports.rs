//! What operators and the orchestrator look at, on the wire and within: locks, findings, sums of accounts.

use proto::customer::v1 as pb;
use service_kit::refusal::Fault;
use service_kit::wire::{millis_of, timestamp};
use service_kit::{ids, page};
use uuid::Uuid;

use super::saga_name;
use crate::customers;
use crate::points::Reservation;
use crate::store::reports::{Finding, FindingKey, Locks, Total};

/// The locks that are asked for, one more than fill the page.
pub(crate) fn locks(request: &pb::ListSagaLocksRequest) -> Result<Locks, Fault> {
    let from = match request.page_token.as_str() {
        "" => (i64::MIN, Uuid::nil()),
        token => moment(token).ok_or_else(page::foreign_token)?,
    };
    let before = match request.locked_before {
        None => i64::MAX,
        Some(time) => millis_of(time).ok_or_else(|| Fault::field("locked_before", "must be a Timestamp"))?,
    };
    Ok(Locks { from, before, limit: page::limit(page::size(request.page_size)?) })
}

pub(crate) fn saga_locks(rows: &[Reservation], limit: i64) -> pb::ListSagaLocksResponse {
    let token = |lock: &Reservation| format!("{}@{}", lock.create_time, lock.key.saga);
    let lock = |lock: &Reservation| pb::SagaLock {
        name: lock.key.name(),
        saga: saga_name(lock.key.saga),
        state: lock.state.name().to_owned(),
        lock_time: Some(timestamp(lock.create_time)),
    };
    let (saga_locks, next_page_token) = page::split(rows, limit, token, lock);
    pb::ListSagaLocksResponse { saga_locks, next_page_token }
}

fn moment(token: &str) -> Option<(i64, Uuid)> {
    let (time, saga) = token.split_once('@')?;
    Some((time.parse().ok()?, ids::uuid("page_token", saga).ok()?))
}

/// The finding that a page starts with, and the number of rows: one more than fill the page.
pub(crate) fn findings(request: &pb::ListLedgerFindingsRequest) -> Result<(FindingKey, i64), Fault> {
    let from = match request.page_token.as_str() {
        "" => FindingKey::default(),
        token => finding_key(token).ok_or_else(page::foreign_token)?,
    };
    Ok((from, page::limit(page::size(request.page_size)?)))
}

pub(crate) fn ledger_findings(rows: &[Finding], limit: i64, total_size: i64) -> pb::ListLedgerFindingsResponse {
    let token = |it: &Finding| format!("{}@{}@{}", it.key.customer, it.key.rule, it.key.sequence);
    let finding = |it: &Finding| pb::LedgerFinding {
        customer: customers::name(it.key.customer),
        rule: it.key.rule.clone(),
        sequence: it.key.sequence,
        problem: it.problem.clone(),
        find_time: Some(timestamp(it.find_time)),
    };
    let (ledger_findings, next_page_token) = page::split(rows, limit, token, finding);
    pb::ListLedgerFindingsResponse { ledger_findings, next_page_token, total_size }
}

fn finding_key(token: &str) -> Option<FindingKey> {
    let mut parts = token.split('@');
    let customer = ids::uuid("page_token", parts.next()?).ok()?;
    let rule = parts.next().filter(|rule| rule.len() == 2)?.to_owned();
    let sequence = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(FindingKey { customer, rule, sequence })
}

/// The account that a page starts with, and the number of rows: one more than fill the page.
pub(crate) fn totals(request: &pb::ListAccountTotalsRequest) -> Result<(String, i64), Fault> {
    let is_account = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    if request.page_token.len() > 100 || !request.page_token.bytes().all(is_account) {
        return Err(page::foreign_token());
    }
    Ok((request.page_token.clone(), page::limit(page::size(request.page_size)?)))
}

pub(crate) fn account_totals(rows: &[Total], limit: i64) -> pb::ListAccountTotalsResponse {
    let total = |it: &Total| pb::AccountTotal {
        account: it.account.clone(),
        debited_amount: it.debited,
        credited_amount: it.credited,
        update_time: Some(timestamp(it.update_time)),
    };
    let (account_totals, next_page_token) = page::split(rows, limit, |it| it.account.clone(), total);
    pb::ListAccountTotalsResponse { account_totals, next_page_token }
}
