//! Who moved what from which state to which, and why: a row beside each aggregate, in the transaction of the change. Pure:
//! `store/audit.rs` writes them.

use uuid::Uuid;

use crate::customers::State;
use crate::points::{Key, ReservationState};

/// At whose word something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// The customer himself.
    Customer,
    /// Somebody of the staff.
    Operator,
    /// This service, unasked.
    Job,
    /// A saga of the orchestrator.
    Saga,
}

impl Actor {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Operator => "operator",
            Self::Job => "job",
            Self::Saga => "saga",
        }
    }
}

/// At whose word a customer changes, and what is said for it.
#[derive(Debug, Clone)]
pub(crate) struct Cause {
    pub(crate) actor: Actor,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) reason: String,
}

/// A customer's change of state.
#[derive(Debug, Clone)]
pub(crate) struct Transition {
    pub(crate) customer: Uuid,
    /// Of the customer, after the change.
    pub(crate) version: i64,
    /// None when he has just been registered.
    pub(crate) from: Option<State>,
    pub(crate) to: State,
    pub(crate) cause: Cause,
}

/// What became of points that a saga has set aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolution {
    pub(crate) key: Key,
    pub(crate) to: ReservationState,
    pub(crate) request_id: Uuid,
}
