//! `skald verify`: every invariant, over all services at once, reading only. Rules within a service are its own
//! statements; rules between services are judged in `across.rs` from the facts that each hands out.
//!
//! All services share one file here, so one snapshot holds them all and an open saga is the only excuse.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};
use service_kit::clock::SystemClock;
use service_kit::db::{self, Db, Tx};

mod across;
mod facts;

use facts::Facts;

/// What was looked at and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// Checkouts that were looked at, and how many of them are still open.
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

/// Checks the data in a directory, whether or not it is in use.
///
/// # Errors
/// When there is no database, or it cannot be read.
pub async fn data_dir(directory: &Path) -> Result<Report> {
    let db = Db::open_read_only(directory, Arc::new(SystemClock))?;
    Ok(check(&db).await?)
}

/// Checks a database.
///
/// # Errors
/// When it cannot be read.
pub async fn check(db: &Db) -> Result<Report, db::Error> {
    db.read(async |tx| {
        let mut rules = within_services(tx).await?;
        let facts = Facts::read(tx).await?;
        rules.extend(across::rules(&facts));
        Ok(Report { rules, checkouts: (facts.checkouts.len(), facts.open()) })
    })
    .await
}

async fn within_services(tx: &mut Tx<'_>) -> Result<Vec<Rule>, db::Error> {
    let all = [
        concert_svc::verify::CHECKS,
        customer_svc::verify::CHECKS,
        payment_svc::verify::CHECKS,
        token_svc::verify::CHECKS,
        orchestrator::verify::CHECKS,
    ];
    let mut rules = Vec::new();
    for check in all.into_iter().flatten() {
        let findings = check.findings(tx).await?.into_iter().map(|finding| match finding.row {
            Some(row) => format!("{row}: {}", finding.problem),
            None => finding.problem,
        });
        rules.push(Rule { id: check.id, text: check.rule, findings: findings.collect() });
    }
    Ok(rules)
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
        write!(f, "{} rules over {checkouts} checkouts ({open} still open): {verdict}", self.rules.len())
    }
}
