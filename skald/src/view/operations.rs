//! Bulk operations and the counts over open sagas, as people and programs read them.

use comfy_table::Table;
use proto::orchestrator::v1 as pb;
use serde_json::{Value, json};
use service_kit::wire;

use super::{failure, failure_json, table, time};

/// Operations, a line each.
pub fn operation_table(operations: &[pb::BulkOperation]) -> Table {
    let mut table =
        table(&["operation", "verb", "state", "found", "applied", "refused", "started", "filter", "reason"]);
    for operation in operations {
        let counts = [operation.matched_count, operation.applied_count, operation.refused_count].map(|n| n.to_string());
        let [matched, applied, refused] = &counts;
        let (verb, state) = (lower(operation.verb().as_str_name()), state(operation).to_owned());
        let started = operation.create_time.map(time).unwrap_or_default();
        let (filter, reason) = (&operation.filter, &operation.reason);
        table.add_row([&operation.name, &verb, &state, matched, applied, refused, &started, filter, reason]);
    }
    table
}

/// One operation in a few lines.
pub fn operation_text(operation: &pb::BulkOperation) -> String {
    let (verb, state) = (lower(operation.verb().as_str_name()), state(operation));
    format!(
        "{}  {verb}, {state}\n  filter   {}\n  reason   {}\n  found {}, applied {}, refused {}",
        operation.name,
        operation.filter,
        operation.reason,
        operation.matched_count,
        operation.applied_count,
        operation.refused_count,
    )
}

/// What became of each saga.
pub fn result_table(results: &[pb::BulkOperationResult]) -> Table {
    let mut table = table(&["saga", "result", "why"]);
    for result in results {
        let why = result.status.as_ref().map(failure).unwrap_or_default();
        table.add_row([&result.saga, &lower(result.state().as_str_name()), &why]);
    }
    table
}

/// An operation as JSON.
pub fn operation_json(operation: &pb::BulkOperation) -> Value {
    json!({
        "name": operation.name,
        "verb": operation.verb().as_str_name(),
        "filter": operation.filter,
        "reason": operation.reason,
        "matchedCount": operation.matched_count,
        "appliedCount": operation.applied_count,
        "refusedCount": operation.refused_count,
        "createTime": operation.create_time.map(time),
        "cancelTime": operation.cancel_time.map(time),
        "endTime": operation.end_time.map(time),
    })
}

/// A result as JSON.
pub fn result_json(result: &pb::BulkOperationResult) -> Value {
    json!({
        "saga": result.saga,
        "state": result.state().as_str_name(),
        "status": result.status.as_ref().map(failure_json),
        "updateTime": result.update_time.map(time),
    })
}

/// The counts, and a line for each place where open sagas are kept.
pub fn statistics_text(statistics: &pb::SagaStatistics) -> String {
    let oldest = statistics.oldest_open_age.map(|age| format!(", the oldest for {} s", wire::duration_ms(age) / 1_000));
    let mut text = format!(
        "{} open{}, {} suspended; {} points set aside, {} seats locked",
        statistics.open_count,
        oldest.unwrap_or_default(),
        statistics.suspended_count,
        statistics.held_amount,
        statistics.held_seat_count,
    );
    if statistics.exposures.is_empty() {
        return text;
    }
    let mut lines = table(&["state", "kind", "step", "last error", "sagas", "points", "seats", "oldest accepted"]);
    for group in &statistics.exposures {
        let counts = [group.saga_count, group.held_amount, group.held_seat_count].map(|count| count.to_string());
        let [sagas, points, seats] = &counts;
        let state = lower(group.state().as_str_name());
        let oldest = group.oldest_create_time.map(time).unwrap_or_default();
        lines.add_row([&state, &group.kind, &group.step_id, &group.reason, sagas, points, seats, &oldest]);
    }
    text += &format!("\n{lines}");
    text
}

/// The counts as JSON.
pub fn statistics_json(statistics: &pb::SagaStatistics) -> Value {
    let exposure = |group: &pb::saga_statistics::Exposure| {
        json!({
            "kind": group.kind,
            "state": group.state().as_str_name(),
            "step": group.step_id,
            "reason": group.reason,
            "sagaCount": group.saga_count,
            "heldAmount": group.held_amount,
            "heldSeatCount": group.held_seat_count,
            "oldestCreateTime": group.oldest_create_time.map(time),
        })
    };
    json!({
        "openCount": statistics.open_count,
        "suspendedCount": statistics.suspended_count,
        "countByState": statistics.count_by_state,
        "failureCountByReason": statistics.failure_count_by_reason,
        "oldestOpenAgeMs": statistics.oldest_open_age.map(wire::duration_ms),
        "heldAmount": statistics.held_amount,
        "heldSeatCount": statistics.held_seat_count,
        "exposures": statistics.exposures.iter().map(exposure).collect::<Vec<_>>(),
    })
}

fn state(operation: &pb::BulkOperation) -> &'static str {
    match (operation.end_time, operation.cancel_time) {
        (None, None) => "under way",
        (None, Some(_)) => "to be cancelled",
        (Some(_), None) => "done",
        (Some(_), Some(_)) => "cancelled",
    }
}

fn lower(name: &str) -> String {
    name.to_lowercase()
}
