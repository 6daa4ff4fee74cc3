//! What a cancellation costs, by how long before the performance it comes. Days are whole ones of 24 hours, counted back
//! from the start; fees are whole KRW, rounded down, which is in the customer's favour.

use serde::{Deserialize, Serialize};

/// Terms of one table: more than anybody tells apart.
pub(crate) const MAX_TERMS: usize = 20;
/// Days before the performance of one term: ten years.
pub(crate) const MAX_DAYS: i64 = 3_650;

const DAY_MS: i64 = 86_400_000;

/// From so many days before the performance on, until the next term, so much is kept. Stored as `[days, percent]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(i64, i64)", into = "(i64, i64)")]
pub(crate) struct Term {
    pub(crate) days_before: i64,
    pub(crate) fee_percent: i64,
}

impl From<(i64, i64)> for Term {
    fn from((days_before, fee_percent): (i64, i64)) -> Self {
        Self { days_before, fee_percent }
    }
}

impl From<Term> for (i64, i64) {
    fn from(term: Term) -> Self {
        (term.days_before, term.fee_percent)
    }
}

impl Term {
    /// What is kept of a total.
    pub(crate) fn fee(self, total: i64) -> i64 {
        let fee = i128::from(total) * i128::from(self.fee_percent) / 100;
        i64::try_from(fee).unwrap_or(total)
    }
}

/// A table of terms, the earliest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Terms(Vec<Term>);

impl Default for Terms {
    fn default() -> Self {
        Self::new([(10, 0), (7, 10), (3, 20), (1, 30)].map(Term::from).to_vec())
    }
}

impl Terms {
    /// The table of these terms, in whatever order they come.
    pub(crate) fn new(mut terms: Vec<Term>) -> Self {
        terms.sort_by(|a, b| b.cmp(a));
        Self(terms)
    }

    /// The term that counts at that time; none when it is too late.
    pub(crate) fn at(&self, start_time: i64, now_ms: i64) -> Option<Term> {
        let days = start_time.saturating_sub(now_ms).div_euclid(DAY_MS);
        self.0.iter().copied().find(|term| term.days_before <= days)
    }

    /// The one that counts shortly before it is too late, and for whoever may cancel even then.
    pub(crate) fn last(&self) -> Option<Term> {
        self.0.last().copied()
    }

    /// The last moment that is not too late.
    pub(crate) fn close_time(&self, start_time: i64) -> i64 {
        let days = self.last().map_or(MAX_DAYS, |term| term.days_before);
        start_time.saturating_sub(days * DAY_MS)
    }

    /// All of them, the earliest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Term> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use service_kit::ids::Ids;

    use super::*;

    const START: i64 = 1_700_000_000_000;

    fn percent(terms: &Terms, before_ms: i64) -> Option<i64> {
        terms.at(START, START - before_ms).map(|term| term.fee_percent)
    }

    #[test]
    fn the_default_table_gets_dearer_at_ten_seven_three_days_and_closes_at_one() {
        let terms = Terms::default();
        let expected = [(10, Some(0), Some(10)), (7, Some(10), Some(20)), (3, Some(20), Some(30)), (1, Some(30), None)];
        for (days, until, after) in expected {
            assert_eq!(percent(&terms, days * DAY_MS), until, "{days} days");
            assert_eq!(percent(&terms, days * DAY_MS - 1), after, "{days} days less a millisecond");
        }
        assert_eq!(percent(&terms, -1), None);
        assert_eq!(terms.close_time(START), START - DAY_MS);
    }

    #[test]
    fn a_term_of_no_days_lasts_until_the_start_itself() {
        let terms = Terms::new(vec![Term::from((0, 50))]);
        assert_eq!((percent(&terms, 0), percent(&terms, -1)), (Some(50), None));
    }

    #[test]
    fn a_fee_is_rounded_down_to_whole_won() {
        let fee = |total, percent| Term::from((0, percent)).fee(total);
        assert_eq!([fee(999, 10), fee(9, 10), fee(1_000, 30), fee(1, 99), fee(7, 100)], [99, 0, 300, 0, 7]);
        assert_eq!(fee(i64::MAX, 100), i64::MAX);
    }

    /// Any table, by its definition rather than by its order.
    fn by_definition(terms: &[Term], days: i64) -> Option<Term> {
        terms.iter().filter(|term| term.days_before <= days).max_by_key(|term| term.days_before).copied()
    }

    #[test]
    fn whatever_the_table_the_greatest_term_that_still_lies_before_counts_and_customer_and_house_share_the_total() {
        for seed in 0..300 {
            let ids = Ids::seeded(seed);
            let below = |limit: u64| (ids.random() % limit) as i64;
            let mut table: Vec<Term> = Vec::new();
            for _ in 0..=below(MAX_TERMS as u64 - 1) {
                let term = Term::from((below(40), below(101)));
                if table.iter().all(|known| known.days_before != term.days_before) {
                    table.push(term);
                }
            }
            let terms = Terms::new(table.clone());
            for _ in 0..50 {
                let before_ms = below(45 * DAY_MS as u64) - DAY_MS;
                let expected = by_definition(&table, before_ms.div_euclid(DAY_MS));
                assert_eq!(terms.at(START, START - before_ms), expected, "seed {seed}, {before_ms} ms before");
                let is_open = START - before_ms <= terms.close_time(START);
                assert_eq!(expected.is_some(), is_open, "seed {seed}, {before_ms} ms before");
                let Some(term) = expected else { continue };
                let total = below(100_000_000);
                let fee = term.fee(total);
                assert!((0..=total).contains(&fee), "seed {seed}: {fee} of {total}");
                let exact = i128::from(total) * i128::from(term.fee_percent);
                assert!((0..100).contains(&(exact - i128::from(fee) * 100)), "seed {seed}: {fee} of {total}");
            }
        }
    }

    #[test]
    fn a_table_is_stored_and_read_back() {
        let terms = Terms::default();
        let stored = serde_json::to_string(&terms).unwrap();
        assert_eq!(stored, "[[10,0],[7,10],[3,20],[1,30]]");
        assert_eq!(serde_json::from_str::<Terms>(&stored).unwrap(), terms);
    }
}
