//! What came of a run, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::crowd::Counts;
use crate::nemesis::Fired;
use crate::network::Carrier;
use crate::supervisor::Ended;
use crate::takeover::Takeover;

/// How many there are of each kind and state.
pub type Sagas = BTreeMap<String, u64>;

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What brings it back.
    pub seed: u64,
    /// What processes reached each other by.
    pub carrier: Carrier,
    /// From the first fault to the last saga.
    pub seconds: f64,
    /// How often each kind of fault was noticed.
    pub faults: Fired,
    /// What customers were told.
    pub calls: Counts,
    /// Customers who did not come as far as the checkout.
    pub unlucky: u64,
    /// What became of the sagas.
    pub sagas: Sagas,
    /// Those that have not ended.
    pub open: u64,
    /// How long sagas waited for another owner.
    pub takeovers: Vec<Takeover>,
    /// How often processes ended by themselves.
    pub ended: Ended,
    /// What `skald verify` says.
    pub verdict: Verdict,
    /// What stood in logs and must not, and whoever did not end well.
    pub problems: Vec<String>,
    /// Where logs are, if they were kept.
    pub logs: Option<PathBuf>,
}

/// What `skald verify` says of the tables, and of what customers saw.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// Whether every rule holds.
    pub clean: bool,
    /// Checkouts that were looked at.
    pub checkouts: u64,
    /// Each rule.
    pub rules: Vec<Rule>,
}

/// A rule and what breaks it.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// Its short name.
    pub id: String,
    /// What must hold.
    pub rule: String,
    /// What breaks it.
    pub findings: Vec<String>,
}

impl Report {
    /// What is wrong, or was not tried.
    pub fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for rule in self.verdict.rules.iter().filter(|rule| !rule.findings.is_empty()) {
            findings.extend(rule.findings.iter().map(|finding| format!("{}: {finding}", rule.id)));
        }
        if !self.verdict.clean && findings.is_empty() {
            findings.push("not every rule holds".to_owned());
        }
        findings.extend(self.calls.violations.clone());
        findings.extend(self.problems.clone());
        if self.open > 0 {
            findings.push(format!("{} sagas did not end", self.open));
        }
        for state in ["COMPLETED", "COMPENSATED"] {
            if self.sagas_in(state) == 0 {
                findings.push(format!("vacuous: no saga is {state}"));
            }
        }
        let silent = self.faults.iter().filter(|(_, times)| **times == 0);
        findings.extend(silent.map(|(kind, _)| format!("vacuous: {} never fired", kind.name())));
        findings
    }

    /// Whether nothing is wrong, and everything was tried.
    pub fn is_clean(&self) -> bool {
        self.findings().is_empty()
    }

    /// Sagas of any kind in that state.
    pub fn sagas_in(&self, state: &str) -> u64 {
        let is_in = |name: &str| name.rsplit(' ').next().is_some_and(|found| found.eq_ignore_ascii_case(state));
        self.sagas.iter().filter(|(name, _)| is_in(name)).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: u64 = self.faults.values().sum();
        let carrier = match self.carrier {
            Carrier::Namespaces => "network namespaces",
            Carrier::Loopback => "loopback",
        };
        writeln!(f, "seed {}, {carrier}: {:.0} s, {faults} faults noticed", self.seed, self.seconds)?;
        let fired = self.faults.iter().map(|(kind, times)| format!("{} {times}", kind.name()));
        writeln!(f, "  faults: {}", fired.collect::<Vec<_>>().join(", "))?;
        let Counts { ok, fail, info, .. } = &self.calls;
        let all = ok + fail + info;
        writeln!(
            f,
            "  calls: {all}: {ok} ok, {fail} refused, {info} without an answer; {} customers gave up earlier",
            self.unlucky
        )?;
        let sagas = self.sagas.iter().map(|(name, count)| format!("{name} {count}"));
        writeln!(f, "  sagas: {}; {} open", sagas.collect::<Vec<_>>().join(", "), self.open)?;
        let mut seconds: Vec<_> = self.takeovers.iter().map(|takeover| takeover.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        if let (Some(last), median) = (seconds.last(), seconds.get(seconds.len() / 2)) {
            writeln!(
                f,
                "  taken over {} times: median {:.1} s, longest {last:.1} s",
                seconds.len(),
                median.unwrap_or(last)
            )?;
        }
        if !self.ended.is_empty() {
            let ended = self.ended.iter().map(|(who, times)| format!("{who} {times}"));
            writeln!(f, "  ended by themselves, and were started again: {}", ended.collect::<Vec<_>>().join(", "))?;
        }
        let rules = self.verdict.rules.len();
        writeln!(
            f,
            "  verify: {rules} rules over {} checkouts: {}",
            self.verdict.checkouts,
            if self.verdict.clean { "all hold" } else { "NOT all hold" }
        )?;
        for finding in self.findings() {
            writeln!(f, "  ✗ {finding}")?;
        }
        if let Some(logs) = &self.logs {
            writeln!(f, "  logs: {}", logs.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Kind;

    fn good() -> Report {
        Report {
            seed: 7,
            carrier: Carrier::Loopback,
            seconds: 60.0,
            faults: Fired::from([(Kind::Cut, 2)]),
            calls: Counts { ok: 10, ..Counts::default() },
            unlucky: 0,
            sagas: Sagas::from([("checkout 1 COMPLETED".into(), 5), ("checkout 1 COMPENSATED".into(), 1)]),
            open: 0,
            takeovers: Vec::new(),
            ended: Ended::new(),
            verdict: Verdict { clean: true, checkouts: 6, rules: Vec::new() },
            problems: Vec::new(),
            logs: None,
        }
    }

    #[test]
    fn a_run_is_clean_if_nothing_is_wrong_and_everything_was_tried() {
        assert_eq!(good().findings(), [""; 0]);
        assert!(good().to_string().contains("faults: cut 2"));
    }

    #[test]
    fn a_run_that_proves_nothing_is_not() {
        let silent = Report { faults: Fired::from([(Kind::Cut, 0)]), ..good() };
        assert_eq!(silent.findings(), ["vacuous: cut never fired"]);
        let easy = Report { sagas: Sagas::from([("checkout 1 COMPLETED".into(), 5)]), ..good() };
        assert_eq!(easy.findings(), ["vacuous: no saga is COMPENSATED"]);
    }

    #[test]
    fn a_run_in_which_anything_is_wrong_is_not() {
        let rule = Rule { id: "I5".into(), rule: "…".into(), findings: vec!["customers/1: -5".into()] };
        let broken = Report { verdict: Verdict { clean: false, rules: vec![rule], ..good().verdict }, ..good() };
        assert_eq!(broken.findings(), ["I5: customers/1: -5"]);
        assert_eq!(Report { open: 3, ..good() }.findings(), ["3 sagas did not end"]);
        let told = Counts { violations: vec!["one request is a and b".into()], ..good().calls };
        assert!(!Report { calls: told, ..good() }.is_clean());
        assert!(!Report { problems: vec!["token: panicked at x".into()], ..good() }.is_clean());
    }
}
