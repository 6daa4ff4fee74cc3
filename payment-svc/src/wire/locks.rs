//! What sagas have locked, on the wire.

use proto::payment::v1 as pb;
use service_kit::page;
use service_kit::refusal::Fault;
use service_kit::wire::{millis_of, timestamp};
use uuid::Uuid;

use super::saga_name;
use crate::payment::{self, State};
use crate::refund::{self, RefundState};
use crate::store::locks::{Lock, Wanted};

/// The locks that are asked for, one more than fill the page.
pub(crate) fn wanted(request: &pb::ListSagaLocksRequest) -> Result<Wanted, Fault> {
    let before = match request.locked_before {
        Some(time) => millis_of(time).ok_or_else(|| Fault::field("locked_before", "must be a Timestamp"))?,
        None => i64::MAX,
    };
    let after = match request.page_token.as_str() {
        "" => (i64::MIN, Uuid::nil()),
        token => position(token).ok_or_else(page::foreign_token)?,
    };
    Ok(Wanted { after, before, limit: page::limit(page::size(request.page_size)?) })
}

pub(crate) fn locks(rows: Vec<Lock>, limit: i64) -> pb::ListSagaLocksResponse {
    let size = usize::try_from(limit - 1).unwrap_or_default();
    let (rows, next_page_token) = page::cut(rows, size, |lock| format!("{}.{}", lock.lock_time, lock.saga));
    pb::ListSagaLocksResponse { saga_locks: rows.iter().map(encode).collect(), next_page_token }
}

fn position(token: &str) -> Option<(i64, Uuid)> {
    let (time, saga) = token.split_once('.')?;
    Some((time.parse().ok()?, Uuid::try_parse(saga).ok()?))
}

fn encode(lock: &Lock) -> pb::SagaLock {
    let (name, state) = if lock.is_refund {
        (refund::name(lock.payment, lock.saga), RefundState::Pending.name())
    } else {
        (payment::name(lock.payment), if lock.is_authorized { State::Authorized } else { State::Pending }.name())
    };
    let lock_time = Some(timestamp(lock.lock_time));
    pb::SagaLock { name, saga: saga_name(lock.saga), state: state.to_owned(), lock_time }
}
