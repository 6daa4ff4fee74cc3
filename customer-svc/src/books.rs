//! What must hold from entry to entry of a customer's chain. Pure: who reads the entries, and when, is told in `check.rs`
//! and `verify.rs`.

use crate::ledger::Transfer;

/// The end of a chain that was followed: where the next entry has to go on. An empty chain ends in nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) sequence: i64,
    pub(crate) balance: i64,
    pub(crate) hash: Option<Vec<u8>>,
}

impl Place {
    /// Where the chain ends with this entry, whatever is wrong with it: so one break is told once.
    pub(crate) fn of(entry: &Transfer) -> Self {
        Self { sequence: entry.sequence, balance: entry.balance_after, hash: entry.hash.clone() }
    }

    /// Whether the entry is the next one, and its balance follows.
    pub(crate) fn break_in_balance(&self, entry: &Transfer) -> Option<String> {
        let Transfer { sequence, balance_after, .. } = entry;
        if *sequence != self.sequence + 1 {
            return Some(format!("entry {sequence} follows entry {}", self.sequence));
        }
        let change = entry.signed_amount();
        (self.balance + change != *balance_after)
            .then(|| format!("entry {sequence} changes {} by {change} to {balance_after}", self.balance))
    }

    /// Whether the entry fits the hash of the one before. Entries from before there were chains have none; once there is
    /// one, all have.
    pub(crate) fn break_in_chain(&self, entry: &Transfer) -> Option<String> {
        let sequence = entry.sequence;
        match &entry.hash {
            Some(hash) if *hash == entry.chained_to(self.hash.as_deref()) => None,
            Some(_) => Some(format!("entry {sequence} does not fit its hash and the one before")),
            None => self.hash.is_some().then(|| format!("entry {sequence} has no hash, and the one before has")),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ledger::{Adjustment, Head};

    fn chain(amounts: &[i64]) -> Vec<Transfer> {
        let (mut balance, mut hash, mut chain) = (0, None, Vec::new());
        for (count, amount) in (1..).zip(amounts) {
            balance += amount;
            let (customer, request_id) = (Uuid::nil(), Uuid::from_u128(count as u128));
            let order = Adjustment { customer, amount: *amount, reason: "why".into(), request_id, balance_limit: 0 };
            let entry = order.posting().entries(Head { balance, count, hash }, 5).remove(0);
            hash = entry.hash.clone();
            chain.push(entry);
        }
        chain
    }

    /// What is wrong with the chain, in balance and in hash.
    fn breaks(chain: &[Transfer]) -> (Vec<String>, Vec<String>) {
        let mut place = Place::default();
        let (mut balance, mut hash) = (Vec::new(), Vec::new());
        for entry in chain {
            balance.extend(place.break_in_balance(entry));
            hash.extend(place.break_in_chain(entry));
            place = Place::of(entry);
        }
        (balance, hash)
    }

    #[test]
    fn a_chain_as_it_was_written_has_no_break() {
        assert_eq!(breaks(&chain(&[5, 7, -2])), (vec![], vec![]));
        assert_eq!(breaks(&[]), (vec![], vec![]));
    }

    #[test]
    fn a_changed_entry_is_told_of_once_by_its_hash() {
        let mut changed = chain(&[5, 7, -2]);
        changed[1].reason = "another".into();
        assert_eq!(breaks(&changed), (vec![], vec!["entry 2 does not fit its hash and the one before".to_owned()]));
        // Hashed anew it fits, and the next one does not.
        changed[1].hash = Some(changed[1].chained_to(changed[0].hash.as_deref()));
        assert_eq!(breaks(&changed).1, ["entry 3 does not fit its hash and the one before"]);
    }

    #[test]
    fn a_missing_entry_breaks_both() {
        let mut gap = chain(&[5, 7, -2]);
        gap.remove(1);
        let told =
            ("entry 3 follows entry 1".to_owned(), "entry 3 does not fit its hash and the one before".to_owned());
        assert_eq!(breaks(&gap), (vec![told.0], vec![told.1]));
        assert_eq!(breaks(&chain(&[5, 7])[1..]).0, ["entry 2 follows entry 0"]);
    }

    #[test]
    fn a_wrong_balance_is_told_with_its_sum() {
        let mut wrong = chain(&[5, 7]);
        wrong[1].balance_after = 13;
        assert_eq!(breaks(&wrong).0, ["entry 2 changes 5 by 7 to 13"]);
    }

    #[test]
    fn entries_may_lack_a_hash_until_one_has_it() {
        let mut old = chain(&[5, 7, -2]);
        (old[0].hash, old[1].hash) = (None, None);
        old[2].hash = Some(old[2].chained_to(None));
        assert_eq!(breaks(&old), (vec![], vec![]));
        let mut torn = chain(&[5, 7, -2]);
        torn[1].hash = None;
        assert_eq!(breaks(&torn).1.len(), 2, "the entry, and the next one, which fits it no more");
    }
}
