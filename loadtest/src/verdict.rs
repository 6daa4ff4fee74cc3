//! What `skald verify` has found, rule by rule.

use serde::{Deserialize, Serialize};

use crate::paper::{Section, Table};

/// All rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether every rule holds.
    pub clean: bool,
    /// Checkouts that were looked at.
    pub checkouts: u64,
    /// Sagas that are still open.
    pub open: u64,
    /// In order.
    pub rules: Vec<Rule>,
}

/// One rule and what breaks it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its short name.
    pub id: String,
    /// What must hold.
    pub rule: String,
    /// What breaks it.
    pub findings: Vec<String>,
}

/// Findings of a rule that are shown.
const SHOWN: usize = 10;

impl Verdict {
    /// Each rule with its count, and what breaks any.
    pub fn section(&self) -> Section {
        let mut table = Table::new(&["what must hold", "broken"]);
        let mut section = Section::new("Correctness").say(format!(
            "{} rules were checked over {} checkouts once everything had come to rest; {} are broken.",
            self.rules.len(),
            self.checkouts,
            self.rules.iter().filter(|rule| !rule.findings.is_empty()).count()
        ));
        for rule in &self.rules {
            table.row(format!("{} {}", rule.id, rule.rule), [rule.findings.len()]);
            let shown = rule.findings.iter().take(SHOWN);
            section.words.extend(shown.map(|finding| format!("{} is broken: {finding}", rule.id)));
        }
        section.table(table)
    }
}
