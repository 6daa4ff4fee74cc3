//! Counts over open sagas: how many there are in which state, what they hold, and what keeps them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Record;
use crate::exposure::{Exposure, Held};

/// Groups that are told apart, the largest ones: reasons are what participants say, and may be many.
pub(super) const GROUPS: usize = 200;

/// What some open sagas come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// How many.
    pub count: i64,
    /// What they hold together.
    pub held: Held,
    /// When the oldest was accepted.
    pub oldest_ms: i64,
}

/// Open sagas of one kind in one state that are kept at one step for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The plan.
    pub kind: String,
    /// By `State::name`.
    pub state: String,
    /// Id of the step; empty when it is not known.
    pub step: String,
    /// The last failure's reason; empty when nothing has failed.
    pub reason: String,
    /// What they come to.
    pub total: Total,
}

/// All open sagas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// By `State::name`; only states that some saga is in.
    pub states: BTreeMap<String, Total>,
    /// The largest groups, most sagas first.
    pub groups: Vec<Group>,
}

impl Total {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.held.amount += other.held.amount;
        self.held.seats += other.held.seats;
        self.oldest_ms = self.oldest_ms.min(other.oldest_ms);
    }
}

impl Group {
    /// The same order wherever they come from.
    fn rank(&self) -> (Reverse<i64>, [&str; 4]) {
        (Reverse(self.total.count), [&self.kind, &self.state, &self.step, &self.reason])
    }
}

impl Statistics {
    /// All together, if there are any.
    pub fn total(&self) -> Option<Total> {
        self.states.values().copied().reduce(|mut all, one| {
            all.add(&one);
            all
        })
    }

    /// These and those of another database.
    pub(crate) fn and(self, other: Self) -> Self {
        let mut states = self.states;
        for (state, total) in other.states {
            add(&mut states, state, &total);
        }
        let mut groups = BTreeMap::new();
        for Group { kind, state, step, reason, total } in self.groups.into_iter().chain(other.groups) {
            add(&mut groups, (kind, state, step, reason), &total);
        }
        Self::grouped(states, groups)
    }

    /// What these come to, of which the open ones count.
    pub(super) fn of<'a>(records: impl Iterator<Item = (&'a Record, Exposure)>) -> Self {
        let mut states = BTreeMap::new();
        let mut groups = BTreeMap::new();
        for (record, exposure) in records.filter(|(record, _)| record.saga.is_open()) {
            let Exposure { step, reason, held } = exposure;
            let total = Total { count: 1, held, oldest_ms: record.create_time };
            let state = record.saga.state().name();
            add(&mut states, state.to_owned(), &total);
            add(&mut groups, (record.kind.clone(), state.to_owned(), step.to_owned(), reason), &total);
        }
        Self::grouped(states, groups)
    }

    fn grouped(states: BTreeMap<String, Total>, groups: BTreeMap<(String, String, String, String), Total>) -> Self {
        let group = |((kind, state, step, reason), total)| Group { kind, state, step, reason, total };
        Self::new(states, groups.into_iter().map(group).collect())
    }

    /// Cuts the groups to the largest.
    pub(super) fn new(states: BTreeMap<String, Total>, mut groups: Vec<Group>) -> Self {
        groups.sort_by_key(|group| (Reverse(group.total.count), group.total.oldest_ms));
        groups.truncate(GROUPS);
        groups.sort_by(|one, other| one.rank().cmp(&other.rank()));
        Self { states, groups }
    }
}

fn add<K: Ord>(totals: &mut BTreeMap<K, Total>, key: K, total: &Total) {
    totals.entry(key).and_modify(|sum| sum.add(total)).or_insert(*total);
}
