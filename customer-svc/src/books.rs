//! What must hold of a customer's books: from entry to entry of his chain, and between its end and his account. Pure: who
//! reads them, and when, is told in `check.rs` and `verify.rs`.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::customers;
use crate::ledger::Transfer;
use crate::points::Account;

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

/// One customer's books, as they were at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Books {
    pub(crate) account: Account,
    /// Entries that were ever written.
    pub(crate) written: i64,
    /// The sum of his pending reservations.
    pub(crate) pending: i64,
    /// How far his chain was followed before.
    pub(crate) place: Place,
    /// Entries after that, in order.
    pub(crate) entries: Vec<Transfer>,
    /// Whether there are no more than those.
    pub(crate) is_whole: bool,
}

/// Something that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) customer: Uuid,
    pub(crate) rule: &'static str,
    pub(crate) sequence: i64,
    pub(crate) problem: String,
}

/// What came of looking at a customer's books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) customer: Uuid,
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) broken: Vec<Broken>,
    /// What the entries took out of and put into accounts that are not the customer's.
    pub(crate) totals: Totals,
}

/// Per account: what went out and what came in.
pub(crate) type Totals = BTreeMap<String, (i64, i64)>;

impl Books {
    /// Follows the chain from where it was left, and compares its end with the account once there is nothing more.
    pub(crate) fn follow(self) -> Followed {
        let customer = self.account.customer;
        let (mut place, mut broken, mut totals) = (self.place.clone(), Vec::new(), Totals::new());
        for entry in &self.entries {
            let sequence = entry.sequence;
            let breaks = [("P7", place.break_in_balance(entry)), ("P8", place.break_in_chain(entry))];
            let breaks = breaks.into_iter().filter_map(|(rule, problem)| Some((rule, problem?)));
            broken.extend(breaks.map(|(rule, problem)| Broken { customer, rule, sequence, problem }));
            let own = customers::name(customer);
            for (account, out, into) in
                [(&entry.debit_account, entry.amount, 0), (&entry.credit_account, 0, entry.amount)]
            {
                if *account != own {
                    let total = totals.entry(account.clone()).or_default();
                    *total = (total.0 + out, total.1 + into);
                }
            }
            place = Place::of(entry);
        }
        if self.is_whole {
            let at_end = self.at_end(&place).into_iter();
            broken.extend(at_end.map(|(rule, problem)| Broken { customer, rule, sequence: place.sequence, problem }));
        }
        Followed { customer, from: self.place, to: place, broken, totals }
    }

    fn at_end(&self, end: &Place) -> Vec<(&'static str, String)> {
        let Account { posted, reserved, .. } = self.account;
        let (written, pending) = (self.written, self.pending);
        let rules = [
            ("P7", written != end.sequence, format!("{written} entries written, the last is {}", end.sequence)),
            (
                "P3",
                posted != end.balance || reserved != pending,
                format!("posted {posted}, entries {}; reserved {reserved}, pending {pending}", end.balance),
            ),
            ("P4", reserved < 0 || posted < reserved, format!("posted {posted}, reserved {reserved}")),
        ];
        let broken = rules.into_iter().filter(|(_, is_broken, _)| *is_broken);
        broken.map(|(rule, _, problem)| (rule, problem)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customers::State;
    use crate::ledger::{Adjustment, Head};

    fn books(entries: Vec<Transfer>) -> Books {
        let end = entries.last().map(Place::of).unwrap_or_default();
        let (customer, state) = (Uuid::nil(), State::Active);
        let account = Account { customer, state, posted: end.balance, reserved: 0, update_time: 0 };
        Books { account, written: end.sequence, pending: 0, place: Place::default(), entries, is_whole: true }
    }

    #[test]
    fn books_are_followed_from_where_they_were_left() {
        let entries = chain(&[5, 7, -2]);
        let first = Books { is_whole: false, ..books(entries[..2].to_vec()) }.follow();
        assert_eq!((first.to.sequence, first.to.balance, first.broken.len()), (2, 12, 0));
        let rest = Books { place: first.to.clone(), ..books(entries[2..].to_vec()) }.follow();
        assert_eq!((rest.from, rest.to.balance, rest.broken.len()), (first.to, 10, 0));
        assert_eq!(first.totals, Totals::from([("adjustments".to_owned(), (12, 0))]));
        assert_eq!(rest.totals, Totals::from([("adjustments".to_owned(), (0, 2))]));
    }

    #[test]
    fn an_account_must_be_what_its_chain_ends_in() {
        let rules = |change: fn(&mut Books)| {
            let mut books = books(chain(&[5, 7]));
            change(&mut books);
            books.follow().broken.into_iter().map(|broken| broken.rule).collect::<Vec<_>>()
        };
        assert_eq!(rules(|_| {}), Vec::<&str>::new());
        assert_eq!(rules(|books| books.account.posted += 1), ["P3"]);
        assert_eq!(rules(|books| books.pending = 3), ["P3"]);
        assert_eq!(rules(|books| books.account.reserved = 13), ["P3", "P4"]);
        assert_eq!(rules(|books| books.written = 3), ["P7"]);
        assert_eq!(rules(|books| (books.written, books.is_whole) = (3, false)), Vec::<&str>::new());
        assert_eq!(rules(|books| drop(books.entries.remove(0))), ["P7", "P8"]);
    }

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
