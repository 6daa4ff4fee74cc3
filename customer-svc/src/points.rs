//! The rules of points: what an account allows, and what a saga may set aside. What is posted is `ledger.rs`. Pure: each rule stands here a second
//! time beside the store's conditional statement, to say why that one changed nothing.

use service_kit::refusal::Refusal;
use tonic::Code;
use uuid::Uuid;

use crate::customers::{self, State};
use crate::ledger::{Adjustment, Kind, Move, Posting};

/// A customer's points.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) customer: Uuid,
    pub(crate) state: State,
    pub(crate) posted: i64,
    pub(crate) reserved: i64,
    pub(crate) update_time: i64,
}

impl Account {
    pub(crate) fn available(&self) -> i64 {
        self.posted - self.reserved
    }
}

/// What became of points that were set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationState {
    /// Still set aside.
    Pending = 1,
    /// Spent.
    Captured = 2,
    /// Given back.
    Released = 3,
}

impl ReservationState {
    pub(crate) const ALL: [Self; 3] = [Self::Pending, Self::Captured, Self::Released];

    /// As the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Captured => "CAPTURED",
            Self::Released => "RELEASED",
        }
    }
}

/// Points that a saga has set aside; its id is the saga's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reservation {
    pub(crate) key: Key,
    pub(crate) amount: i64,
    pub(crate) state: ReservationState,
    pub(crate) create_time: i64,
    pub(crate) resolve_time: Option<i64>,
}

/// Which reservation: a saga sets points of one customer aside once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) customer: Uuid,
    pub(crate) saga: Uuid,
}

impl Key {
    pub(crate) fn name(self) -> String {
        format!("customers/{}/pointReservations/{}", self.customer, self.saga)
    }
}

/// The order to set points aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reserve {
    pub(crate) key: Key,
    pub(crate) amount: i64,
    pub(crate) request_id: Uuid,
}

/// The order to spend what a saga has set aside.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    pub(crate) key: Key,
    pub(crate) credit_account: String,
    pub(crate) request_id: Uuid,
}

impl Capture {
    pub(crate) fn posting(self, amount: i64) -> Posting {
        let Self { key: Key { customer, saga }, credit_account, request_id } = self;
        let debit_account = customers::name(customer);
        let spent = Move { kind: Kind::Use, amount, debit_account, credit_account };
        Posting { customer, saga: Some(saga), request_id, reason: String::new(), moves: vec![spent] }
    }
}

/// Whether `required` points can be taken from what is available.
pub(crate) fn judge_taking(account: &Account, required: i64) -> Result<(), Refusal> {
    if account.state != State::Active {
        return Err(customers::not_active(account.customer, account.state));
    }
    judge_available(account, required)
}

fn judge_available(account: &Account, required: i64) -> Result<(), Refusal> {
    let customer = customers::name(account.customer);
    let available = account.available();
    if required <= available {
        return Ok(());
    }
    let message = format!("{customer} has {available} points available, {required} are required");
    let refusal = Refusal::precondition("INSUFFICIENT_POINTS", message)
        .with("available", available)
        .with("required", required)
        .with("shortfall", required - available);
    Err(refusal)
}

/// Whether the correction can be made. What came to somebody who has left can be taken all the same.
pub(crate) fn judge_adjustment(account: &Account, adjustment: &Adjustment) -> Result<(), Refusal> {
    let Adjustment { amount, balance_limit, .. } = *adjustment;
    if account.state == State::Withdrawn && amount < 0 {
        judge_available(account, -amount)?;
    } else {
        judge_taking(account, -amount)?;
    }
    let posted = account.posted;
    if amount < 0 || posted + amount <= balance_limit {
        return Ok(());
    }
    let customer = customers::name(account.customer);
    let message = format!("{customer} has {posted} points; {amount} more would exceed {balance_limit}");
    Err(Refusal::precondition("POINT_BALANCE_LIMIT", message).with("limit", balance_limit))
}

/// Why a reservation cannot be resolved: there is none, or it was resolved the other way.
pub(crate) fn cannot_resolve(key: Key, found: Option<ReservationState>) -> Refusal {
    let name = key.name();
    match found {
        None => Refusal::not_found("POINT_RESERVATION_NOT_FOUND", name),
        Some(state) => {
            let message = format!("{name} is {}, not PENDING", state.name());
            Refusal::precondition("POINTS_NOT_RESERVED", message).with("state", state.name())
        }
    }
}

/// A saga sets points aside once, whichever of its steps asks.
pub(crate) fn already_reserved(key: Key) -> Refusal {
    let saga = format!("sagas/{}", key.saga);
    let message = format!("{saga} has set points aside already; a saga reserves once");
    Refusal::new(Code::AlreadyExists, "POINT_RESERVATION_EXISTS", message).with("saga", saga)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(state: State, posted: i64, reserved: i64) -> Account {
        let customer = Uuid::nil();
        Account { customer, state, posted, reserved, update_time: 0 }
    }

    fn give(amount: i64) -> Adjustment {
        let (customer, request_id) = (Uuid::nil(), Uuid::nil());
        Adjustment { customer, amount, reason: String::new(), request_id, balance_limit: 1_000 }
    }

    #[test]
    fn a_shortfall_counts_only_what_is_available() {
        let refusal = judge_taking(&account(State::Active, 100, 30), 71).unwrap_err();
        assert_eq!(refusal.reason, "INSUFFICIENT_POINTS");
        assert_eq!(judge_taking(&account(State::Active, 100, 30), 70), Ok(()));
        let facts = [("available", "70"), ("required", "71"), ("shortfall", "1")];
        assert_eq!(refusal.metadata, facts.map(|(key, value)| (key, value.to_owned())));
    }

    #[test]
    fn a_customer_who_may_not_buy_is_told_so_first() {
        assert_eq!(judge_taking(&account(State::Dormant, 0, 0), 1).unwrap_err().reason, "CUSTOMER_NOT_ACTIVE");
        let refusal = judge_adjustment(&account(State::Withdrawn, 0, 0), &give(1)).unwrap_err();
        assert_eq!(refusal.metadata, [("state", "WITHDRAWN".to_owned())]);
    }

    #[test]
    fn giving_stops_at_the_limit_and_taking_at_what_is_available() {
        let account = account(State::Active, 900, 100);
        let judge = |amount| judge_adjustment(&account, &give(amount)).map_err(|refusal| refusal.reason);
        assert_eq!((judge(100), judge(101)), (Ok(()), Err("POINT_BALANCE_LIMIT")));
        assert_eq!((judge(-800), judge(-801)), (Ok(()), Err("INSUFFICIENT_POINTS")));
    }

    #[test]
    fn a_resolved_reservation_says_how_it_was_resolved() {
        let key = Key { customer: Uuid::nil(), saga: Uuid::nil() };
        let refusal = cannot_resolve(key, Some(ReservationState::Captured));
        assert_eq!(refusal.metadata, [("state", "CAPTURED".to_owned())]);
        assert_eq!(cannot_resolve(key, None).reason, "POINT_RESERVATION_NOT_FOUND");
    }
}
