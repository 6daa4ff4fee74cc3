//! What clients saw, held against the sagas as they stand.

use oracle::history::{History, Journal, RULES, Row, State, judge};
use service_kit::ids;
use uuid::Uuid;

use super::Rule;
use super::facts::Facts;

impl Journal for Facts {
    fn row(&self, saga: Uuid) -> Option<Row> {
        let saga = self.sagas.get(&saga)?;
        // Every state of the core has its name there; one that had none would be missed, and so be found.
        State::parse(saga.state).map(|state| Row { state, version: saga.version })
    }

    fn may_be_forgotten(&self, saga: Uuid) -> bool {
        Facts::may_be_forgotten(self, saga)
    }

    fn id_of(&self, kind: &str, subject: &str, key: Uuid) -> Option<Uuid> {
        Some(ids::saga_id(kind, subject, key))
    }
}

/// Judges it.
pub(super) fn rules(facts: &Facts, history: &History, rest: Option<u64>) -> Vec<Rule> {
    let broken = judge(history, facts, rest);
    let findings = |id| broken.iter().filter(|broken| broken.rule == id).map(|broken| broken.what.clone()).collect();
    RULES.iter().map(|(id, text)| Rule { id, text, findings: findings(*id) }).collect()
}
