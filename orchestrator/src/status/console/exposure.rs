//! What open sagas hold, and what keeps them: the counts of the journal as a table.

use service_kit::refusal::Fault;

use super::text;
use crate::desk::Desk;
use crate::faults;
use crate::journal::{Group, Statistics, Total};

/// What stands on the page.
#[derive(Debug)]
pub(super) struct Exposure {
    pub(super) open: i64,
    pub(super) suspended: i64,
    pub(super) amount: String,
    pub(super) seats: i64,
    pub(super) oldest: String,
    /// Names of states and how many are in each.
    pub(super) states: Vec<(String, i64)>,
    pub(super) lines: Vec<Line>,
}

/// Sagas that are kept at one place for one reason.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) kind: String,
    pub(super) state: String,
    /// The same, as the list of sagas asks for it.
    pub(super) filter: String,
    pub(super) step: String,
    pub(super) reason: String,
    pub(super) count: i64,
    pub(super) amount: String,
    pub(super) seats: i64,
    pub(super) oldest: String,
}

impl Exposure {
    pub(super) async fn fetch(desk: &Desk) -> Result<Self, Fault> {
        let statistics = desk.shards.statistics(i64::MIN).await.map_err(faults::of_journal)?;
        Ok(Self::new(statistics, desk.clock.now_ms()))
    }

    fn new(statistics: Statistics, now_ms: i64) -> Self {
        let total = statistics.total();
        let count = |state: &str| statistics.states.get(state).map_or(0, |total| total.count);
        Self {
            open: total.map_or(0, |total| total.count),
            suspended: count("suspended"),
            amount: text::amount(total.map_or(0, |total| total.held.amount)),
            seats: total.map_or(0, |total| total.held.seats),
            oldest: total.map(|total| age(&total, now_ms)).unwrap_or_default(),
            states: statistics.states.iter().map(|(state, total)| (state.clone(), total.count)).collect(),
            lines: statistics.groups.into_iter().map(|group| Line::new(group, now_ms)).collect(),
        }
    }
}

impl Line {
    fn new(group: Group, now_ms: i64) -> Self {
        let Group { kind, state, step, reason, total } = group;
        Self {
            kind,
            filter: state.to_uppercase(),
            state,
            step,
            reason,
            count: total.count,
            amount: text::amount(total.held.amount),
            seats: total.held.seats,
            oldest: age(&total, now_ms),
        }
    }
}

fn age(total: &Total, now_ms: i64) -> String {
    text::length(now_ms - total.oldest_ms)
}
