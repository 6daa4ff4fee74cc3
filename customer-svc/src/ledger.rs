//! The words of the ledger: what an entry is, how each is chained to the one before it, and the orders that lead to one.
//! Pure: writing it is the store's affair.
//!
//! Every customer has a chain of his own, so that no two customers wait for each other; what is posted between two other
//! accounts on his behalf, such as a fee, is an entry of his chain too. No entry belongs to nobody.

use service_kit::ids;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::customers;
use crate::points::Key;

/// Why points moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bought with an outside payment.
    Charge = 1,
    /// Spent on a checkout.
    Use = 2,
    /// Given back for a cancelled reservation.
    Refund = 3,
    /// Kept of a cancelled reservation.
    CancellationFee = 4,
    /// An operator's correction.
    Adjustment = 5,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Charge, Self::Use, Self::Refund, Self::CancellationFee, Self::Adjustment];
}

/// One entry of the ledger, in the chain of the customer whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) customer: Uuid,
    pub(crate) sequence: i64,
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) amount: i64,
    pub(crate) debit_account: String,
    pub(crate) credit_account: String,
    pub(crate) balance_after: i64,
    pub(crate) saga: Option<Uuid>,
    pub(crate) request_id: Uuid,
    pub(crate) reason: String,
    pub(crate) create_time: i64,
    /// Absent in an entry from before there were chains.
    pub(crate) hash: Option<Vec<u8>>,
}

impl Transfer {
    /// The amount as the customer sees it: what he is given is positive, what passes by his account is nothing.
    pub(crate) fn signed_amount(&self) -> i64 {
        signed(self.customer, &self.debit_account, &self.credit_account, self.amount)
    }

    /// The hash of all that the entry says and of the hash before it: SHA-256 over each field, its length first. What a
    /// row says that was changed later does not fit its hash, and a row that was hashed anew does not fit the next one.
    pub(crate) fn chained_to(&self, before: Option<&[u8]>) -> Vec<u8> {
        let number = |number: i64| number.to_be_bytes();
        let saga = self.saga.map(Uuid::into_bytes);
        let fields: [&[u8]; 13] = [
            before.unwrap_or_default(),
            self.customer.as_bytes(),
            &number(self.sequence),
            self.id.as_bytes(),
            &number(self.kind as i64),
            &number(self.amount),
            self.debit_account.as_bytes(),
            self.credit_account.as_bytes(),
            &number(self.balance_after),
            saga.as_ref().map_or(&[], <[u8; 16]>::as_slice),
            self.request_id.as_bytes(),
            self.reason.as_bytes(),
            &number(self.create_time),
        ];
        let mut hash = Sha256::new();
        for field in fields {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.finalize().to_vec()
    }
}

fn signed(customer: Uuid, debit_account: &str, credit_account: &str, amount: i64) -> i64 {
    let own = customers::name(customer);
    if credit_account == own {
        amount
    } else if debit_account == own {
        -amount
    } else {
        0
    }
}

/// Entries that are posted together, all about one customer.
#[derive(Debug, Clone)]
pub(crate) struct Posting {
    pub(crate) customer: Uuid,
    pub(crate) saga: Option<Uuid>,
    pub(crate) request_id: Uuid,
    pub(crate) reason: String,
    pub(crate) moves: Vec<Move>,
}

/// What one entry moves.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub(crate) kind: Kind,
    pub(crate) amount: i64,
    pub(crate) debit_account: String,
    pub(crate) credit_account: String,
}

/// A customer's account once a posting has changed it, and the end of the chain that the posting's entries are added to.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) balance: i64,
    /// Entries with those of the posting.
    pub(crate) count: i64,
    /// Of the last entry before the posting.
    pub(crate) hash: Option<Vec<u8>>,
}

impl Posting {
    /// The entries, each chained to the one before it.
    pub(crate) fn entries(self, head: Head, now_ms: i64) -> Vec<Transfer> {
        let Self { customer, saga, request_id, reason, moves } = self;
        let change = |it: &Move| signed(customer, &it.debit_account, &it.credit_account, it.amount);
        let mut balance_after = head.balance - moves.iter().map(change).sum::<i64>();
        let mut before = head.hash;
        let first = head.count - moves.len() as i64 + 1;
        let chained = (first..).zip(moves).map(|(sequence, it)| {
            balance_after += change(&it);
            let Move { kind, amount, debit_account, credit_account } = it;
            let id = ids::derived(request_id, if kind == Kind::CancellationFee { "fee" } else { "transfer" });
            let reason = reason.clone();
            let entry = Transfer {
                customer,
                sequence,
                id,
                kind,
                amount,
                debit_account,
                credit_account,
                balance_after,
                saga,
                request_id,
                reason,
                create_time: now_ms,
                hash: None,
            };
            before = Some(entry.chained_to(before.as_deref()));
            Transfer { hash: before.clone(), ..entry }
        });
        chained.collect()
    }
}

/// The order to give a customer points and to keep a fee, both from one account.
#[derive(Debug, Clone)]
pub(crate) struct Credit {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
    pub(crate) debit_account: String,
    /// What the customer gets; may be nothing when there is a fee.
    pub(crate) amount: i64,
    /// What is kept, and where it goes.
    pub(crate) fee: Option<(i64, String)>,
    pub(crate) request_id: Uuid,
}

impl Credit {
    pub(crate) fn posting(self) -> Posting {
        let Self { key: Key { customer, saga }, kind, debit_account, amount, fee, request_id } = self;
        let (given, kept) = (customers::name(customer), debit_account.clone());
        let gift = Move { kind, amount, debit_account, credit_account: given };
        let fee = fee.map(|(amount, credit_account)| Move {
            kind: Kind::CancellationFee,
            amount,
            debit_account: kept,
            credit_account,
        });
        let moves = Some(gift).filter(|gift| gift.amount > 0).into_iter().chain(fee).collect();
        Posting { customer, saga: Some(saga), request_id, reason: String::new(), moves }
    }
}

/// Where corrections come from and go to.
const ADJUSTMENTS: &str = "adjustments";

/// An operator's correction: gives when positive, takes when negative.
#[derive(Debug, Clone)]
pub(crate) struct Adjustment {
    pub(crate) customer: Uuid,
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) request_id: Uuid,
    pub(crate) balance_limit: i64,
}

impl Adjustment {
    pub(crate) fn posting(self) -> Posting {
        let Self { customer, amount, reason, request_id, .. } = self;
        let (own, other) = (customers::name(customer), ADJUSTMENTS.to_owned());
        let (debit_account, credit_account) = if amount < 0 { (own, other) } else { (other, own) };
        let adjusted = Move { kind: Kind::Adjustment, amount: amount.abs(), debit_account, credit_account };
        Posting { customer, saga: None, request_id, reason, moves: vec![adjusted] }
    }
}

#[cfg(test)]
mod tests;
