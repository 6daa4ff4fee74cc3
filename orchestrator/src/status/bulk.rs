//! Bulk operations as messages: asked for, looked at, ended. They are carried out elsewhere.

use pb::bulk_operation::Verb as Named;
use pb::bulk_operation_result::State;
use prost::Message as _;
use proto::orchestrator::v1 as pb;
use saga::Verb;
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;
use service_kit::{ids, page};
use sha2::{Digest as _, Sha256};
use tonic_types::Status;
use uuid::Uuid;

use super::{listing, token, verbs};
use crate::bulk::{Created, Item, Job, New, Verdict};
use crate::desk::{Desk, Face};
use crate::faults;
use crate::journal::Query;

const OPERATIONS: Face = Face { collection: "bulkOperations", kind: None, missing: "BULK_OPERATION_NOT_FOUND" };
/// Sagas that are counted at a time.
const COUNTED: usize = 500;

pub(super) async fn start(desk: &Desk, request: pb::StartBulkOperationRequest) -> Result<pb::BulkOperation, Fault> {
    if request.filter.trim().is_empty() {
        return Err(Fault::field("filter", "is required; name a state, a kind, a customer or a reservation"));
    }
    let query = listing::open_sagas(&request.filter)?;
    let named = Named::try_from(request.verb).unwrap_or_default();
    let verb = verb(named)?;
    let reason = verbs::text("reason", request.reason)?;
    let request_id = ids::uuid("request_id", &request.request_id)?;
    if request.validate_only {
        let matched_count = count(desk, query).await?;
        let (filter, verb) = (request.filter, named.into());
        return Ok(pb::BulkOperation { filter, verb, reason, matched_count, ..Default::default() });
    }
    let id = ids::saga_id("bulk", verbs::OPERATOR, request_id);
    let request_hash = hash([&request.filter, named.as_str_name(), &reason]);
    let new = New { id, request_hash, filter: request.filter, verb, reason };
    match desk.bulk.create(new).await? {
        Created::Job(job) => Ok(message(job)),
        Created::Reused => Err(reused()),
    }
}

pub(super) async fn get(desk: &Desk, request: &pb::GetBulkOperationRequest) -> Result<pb::BulkOperation, Fault> {
    let id = OPERATIONS.id("name", &request.name)?;
    desk.bulk.load(id).await?.map(message).ok_or_else(|| OPERATIONS.not_found(id))
}

pub(super) async fn cancel(desk: &Desk, request: &pb::CancelBulkOperationRequest) -> Result<pb::BulkOperation, Fault> {
    let id = OPERATIONS.id("name", &request.name)?;
    desk.bulk.cancel(id).await?.map(message).ok_or_else(|| OPERATIONS.not_found(id))
}

pub(super) async fn list(
    desk: &Desk,
    request: &pb::ListBulkOperationsRequest,
) -> Result<pb::ListBulkOperationsResponse, Fault> {
    let size = page::size(request.page_size)?;
    let before = match request.page_token.as_str() {
        "" => (i64::MAX, Uuid::max()),
        token => listing::place(token)?,
    };
    let jobs = desk.bulk.newest(before, page::limit(size)).await?;
    let token_of = |last: &Job| token::write(&[token::unsigned(last.create_time), last.id.as_u128()]);
    let (jobs, next_page_token) = page::cut(jobs, size, token_of);
    Ok(pb::ListBulkOperationsResponse { bulk_operations: jobs.into_iter().map(message).collect(), next_page_token })
}

pub(super) async fn results(
    desk: &Desk,
    request: &pb::ListBulkOperationResultsRequest,
) -> Result<pb::ListBulkOperationResultsResponse, Fault> {
    let id = OPERATIONS.id("parent", &request.parent)?;
    let size = page::size(request.page_size)?;
    let after = match request.page_token.as_str() {
        "" => Uuid::nil(),
        token => token::read(token).map(|[after]| Uuid::from_u128(after))?,
    };
    if desk.bulk.load(id).await?.is_none() {
        return Err(OPERATIONS.not_found(id));
    }
    let items = desk.bulk.items(id, after, page::limit(size)).await?;
    let (items, next_page_token) = page::cut(items, size, |last: &Item| token::write(&[last.saga.as_u128()]));
    Ok(pb::ListBulkOperationResultsResponse { results: items.into_iter().map(result).collect(), next_page_token })
}

fn verb(named: Named) -> Result<Verb, Fault> {
    match named {
        Named::Retry => Ok(Verb::Retry),
        Named::Abort => Ok(Verb::Abort),
        Named::Suspend => Ok(Verb::Suspend),
        Named::Resume => Ok(Verb::Resume),
        Named::Unspecified => Err(Fault::field("verb", "is required: RETRY, ABORT, SUSPEND or RESUME")),
    }
}

/// Sagas that the filter finds now.
async fn count(desk: &Desk, mut query: Query) -> Result<i64, Fault> {
    query.limit = COUNTED;
    let mut count = 0;
    loop {
        let page = desk.shards.list(&query).await.map_err(faults::of_journal)?;
        count += i64::try_from(page.len()).unwrap_or(i64::MAX);
        match page.last() {
            Some(last) if page.len() == COUNTED => query.before = Some((last.create_time, last.id)),
            _ => return Ok(count),
        }
    }
}

fn hash(parts: [&str; 3]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

fn reused() -> Fault {
    Fault::Invalid {
        field: "request_id".into(),
        problem: "was used before for another bulk operation; take a new one".into(),
        reason: "REQUEST_ID_REUSED",
    }
}

fn message(job: Job) -> pb::BulkOperation {
    let verb = match job.verb {
        Verb::Retry => Named::Retry,
        Verb::Abort => Named::Abort,
        Verb::Suspend => Named::Suspend,
        Verb::Resume => Named::Resume,
        Verb::Cancel => Named::Unspecified,
    };
    pb::BulkOperation {
        name: job.name(),
        filter: job.filter,
        verb: verb.into(),
        reason: job.reason,
        matched_count: job.matched,
        applied_count: job.applied,
        refused_count: job.refused,
        create_time: Some(timestamp(job.create_time)),
        end_time: job.end_time.map(timestamp),
        cancel_time: job.cancel_time.map(timestamp),
    }
}

fn result(item: Item) -> pb::BulkOperationResult {
    let (state, status) = match item.verdict {
        None => (State::Pending, None),
        Some(Verdict::Applied) => (State::Applied, None),
        Some(Verdict::Refused(status)) => (State::Refused, Status::decode(status.as_slice()).ok()),
    };
    let saga = format!("sagas/{}", item.saga);
    pb::BulkOperationResult { saga, state: state.into(), status, update_time: Some(timestamp(item.update_time)) }
}
