//! What a look at all books has found, for people and for programs.

use std::fmt;

use serde_json::{Value, json};

/// What was looked at and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// Checkouts that were looked at, and how many sagas of any kind are still open.
    pub checkouts: (usize, usize),
}

/// One rule and what breaks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its short name.
    pub id: &'static str,
    /// What must hold.
    pub text: &'static str,
    /// What breaks it: nothing, if all is well.
    pub findings: Vec<String>,
}

impl Report {
    /// Whether every rule holds.
    pub fn is_clean(&self) -> bool {
        self.rules.iter().all(|rule| rule.findings.is_empty())
    }

    /// The report for programs.
    pub fn json(&self) -> Value {
        let rule = |rule: &Rule| json!({ "id": rule.id, "rule": rule.text, "findings": rule.findings });
        let (checkouts, open) = self.checkouts;
        let rules: Vec<_> = self.rules.iter().map(rule).collect();
        json!({ "clean": self.is_clean(), "checkouts": checkouts, "open": open, "rules": rules })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = crate::view::table(&["rule", "what must hold", "broken"]);
        for rule in &self.rules {
            let broken = if rule.findings.is_empty() { "0".to_owned() } else { format!("{} ✗", rule.findings.len()) };
            table.add_row([rule.id, rule.text, &broken]);
        }
        writeln!(f, "{table}")?;
        for rule in self.rules.iter().filter(|rule| !rule.findings.is_empty()) {
            writeln!(f, "{} is broken: {}", rule.id, rule.text)?;
            rule.findings.iter().try_for_each(|finding| writeln!(f, "  {finding}"))?;
        }
        let (checkouts, open) = self.checkouts;
        let verdict = if self.is_clean() { "all hold" } else { "NOT all hold" };
        write!(f, "{} rules over {checkouts} checkouts ({open} sagas still open): {verdict}", self.rules.len())
    }
}
