//! Whether a run meant anything: what had to happen in it, and how often it did.
//!
//! A run in which nothing was compensated, or no reply was lost, keeps every rule and proves none. Whoever runs one declares
//! what it is to reach, counts what it reached, and the run fails for whatever stayed at zero.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// What had to happen, and how often it did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Coverage(BTreeMap<String, u64>);

impl Coverage {
    /// Nothing has to happen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The two that every run must reach: something completed and something was compensated.
    pub fn of_any_run() -> Self {
        let mut coverage = Self::new();
        coverage.expect("completed");
        coverage.expect("compensated");
        coverage
    }

    /// From now on `what` has to happen.
    pub fn expect(&mut self, what: impl Into<String>) {
        self.0.entry(what.into()).or_default();
    }

    /// From now on each of these steps has to fail in each direction.
    pub fn expect_steps<'a>(
        &mut self,
        forward: impl IntoIterator<Item = &'a str>,
        back: impl IntoIterator<Item = &'a str>,
    ) {
        forward.into_iter().for_each(|step| self.expect(format!("{step} failed")));
        back.into_iter().for_each(|step| self.expect(format!("compensating {step} failed")));
    }

    /// It happened so many more times; it counts also if nobody expected it.
    pub fn add(&mut self, what: impl Into<String>, times: u64) {
        let count = self.0.entry(what.into()).or_default();
        *count = count.saturating_add(times);
    }

    /// Takes in what another run, or a part of this one, expected and reached.
    pub fn merge(&mut self, other: Self) {
        other.0.into_iter().for_each(|(what, times)| self.add(what, times));
    }

    /// How often it happened.
    pub fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// What had to happen and did not.
    pub fn missing(&self) -> Vec<&str> {
        self.0.iter().filter(|(_, times)| **times == 0).map(|(what, _)| what.as_str()).collect()
    }

    /// Whether all that had to happen did.
    pub fn is_complete(&self) -> bool {
        self.missing().is_empty()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<_> = self.0.iter().map(|(what, times)| format!("{what} {times}")).collect();
        write!(f, "{}", counts.join(", "))?;
        let missing = self.missing();
        if missing.is_empty() { Ok(()) } else { write!(f, "; NEVER: {}", missing.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_which_something_never_happened_is_told_what() {
        let mut coverage = Coverage::of_any_run();
        coverage.expect_steps(["lock"], ["unlock"]);
        coverage.add("completed", 5);
        coverage.add("lock failed", 1);
        assert_eq!(coverage.missing(), ["compensated", "compensating unlock failed"]);
        assert!(coverage.to_string().ends_with("NEVER: compensated, compensating unlock failed"));
        let mut other = Coverage::new();
        other.add("compensated", 2);
        other.add("compensating unlock failed", 1);
        coverage.merge(other);
        assert!(coverage.is_complete() && coverage.count("compensated") == 2);
    }
}
