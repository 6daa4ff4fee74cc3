//! The counts over open sagas as a message.

use std::collections::BTreeMap;

use pb::saga_statistics::Exposure;
use proto::orchestrator::v1 as pb;
use service_kit::refusal::Fault;
use service_kit::wire::{duration, duration_ms_of, timestamp};

use crate::desk::Desk;
use crate::faults;
use crate::journal::{Group, Statistics};

/// Longest window that means anything.
const LONGEST_MS: i64 = 10 * 365 * 24 * 60 * 60 * 1_000;

/// The counts of the sagas that were accepted within the window.
pub(super) async fn fetch(desk: &Desk, request: &pb::GetSagaStatisticsRequest) -> Result<pb::SagaStatistics, Fault> {
    let now_ms = desk.clock.now_ms();
    let since_ms = match request.window {
        None => i64::MIN,
        Some(window) => match duration_ms_of(window) {
            Some(ms) if (1..=LONGEST_MS).contains(&ms) => now_ms.saturating_sub(ms),
            _ => return Err(Fault::field("window", "must be from a millisecond to 10 years, or absent for all")),
        },
    };
    let statistics = desk.shards.statistics(since_ms).await.map_err(faults::of_journal)?;
    Ok(message(statistics, now_ms))
}

fn message(statistics: Statistics, now_ms: i64) -> pb::SagaStatistics {
    let total = statistics.total();
    let count_by_state: BTreeMap<_, _> =
        statistics.states.iter().map(|(state, total)| (state.to_uppercase(), total.count)).collect();
    let mut failure_count_by_reason = BTreeMap::new();
    for group in statistics.groups.iter().filter(|group| !group.reason.is_empty()) {
        *failure_count_by_reason.entry(group.reason.clone()).or_default() += group.total.count;
    }
    pb::SagaStatistics {
        failure_count_by_reason,
        oldest_open_age: total.map(|total| duration(now_ms.saturating_sub(total.oldest_ms).max(0))),
        suspended_count: count_by_state.get("SUSPENDED").copied().unwrap_or_default(),
        open_count: total.map_or(0, |total| total.count),
        held_amount: total.map_or(0, |total| total.held.amount),
        held_seat_count: total.map_or(0, |total| total.held.seats),
        exposures: statistics.groups.into_iter().map(exposure).collect(),
        count_by_state,
    }
}

fn exposure(group: Group) -> Exposure {
    let Group { kind, state, step, reason, total } = group;
    let state = pb::saga::State::from_str_name(&state.to_uppercase()).unwrap_or_default();
    Exposure {
        kind,
        state: state.into(),
        step_id: step,
        reason,
        saga_count: total.count,
        held_amount: total.held.amount,
        held_seat_count: total.held.seats,
        oldest_create_time: Some(timestamp(total.oldest_ms)),
    }
}
