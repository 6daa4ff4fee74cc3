//! The words of the ledger: what an entry is, and the orders that lead to one. Pure: writing it is the store's affair.

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
#[derive(Debug, Clone)]
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
}

impl Transfer {
    /// The amount as the customer sees it: what he is given is positive, what passes by his account is nothing.
    pub(crate) fn signed_amount(&self) -> i64 {
        let own = customers::name(self.customer);
        if self.credit_account == own {
            self.amount
        } else if self.debit_account == own {
            -self.amount
        } else {
            0
        }
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

/// An operator's correction: gives when positive, takes when negative.
#[derive(Debug, Clone)]
pub(crate) struct Adjustment {
    pub(crate) customer: Uuid,
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) request_id: Uuid,
    pub(crate) balance_limit: i64,
}
