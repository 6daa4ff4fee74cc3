//! What a customer is and which states he goes through. Pure: reading and writing him is the store's affair.

use service_kit::refusal::Refusal;
use tonic::Code;
use uuid::Uuid;

/// Where a customer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// May buy.
    Active = 1,
    /// Asleep: keeps the balance, may not buy.
    Dormant = 2,
    /// Gone for good.
    Withdrawn = 3,
}

impl State {
    pub(crate) const ALL: [Self; 3] = [Self::Active, Self::Dormant, Self::Withdrawn];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Dormant => "DORMANT",
            Self::Withdrawn => "WITHDRAWN",
        }
    }
}

/// What is to be registered.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) customer: Uuid,
    pub(crate) display_name: String,
    pub(crate) phone_number: String,
    pub(crate) notification_consent: bool,
}

/// A registered customer.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) id: Uuid,
    pub(crate) state: State,
    pub(crate) display_name: String,
    pub(crate) phone_number: String,
    pub(crate) notification_consent: bool,
    pub(crate) version: i64,
    pub(crate) create_time: i64,
    pub(crate) update_time: i64,
}

/// Which state a customer is to take, and which version of him was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) customer: Uuid,
    pub(crate) to: State,
    pub(crate) seen: Option<i64>,
}

pub(crate) fn name(customer: Uuid) -> String {
    format!("customers/{customer}")
}

/// Whether the customer may take the state. Falling asleep is for the active; waking up is for all but the withdrawn.
pub(crate) fn judge(customer: &Customer, change: Change) -> Result<(), Refusal> {
    if change.seen.is_some_and(|version| version != customer.version) {
        let message = format!("{} has changed; read it again", name(customer.id));
        return Err(Refusal::new(Code::Aborted, "ETAG_MISMATCH", message));
    }
    match (customer.state, change.to) {
        (State::Active, _) | (State::Dormant, State::Active) => Ok(()),
        (State::Dormant, State::Dormant | State::Withdrawn) | (State::Withdrawn, _) => {
            Err(not_active(customer.id, customer.state))
        }
    }
}

pub(crate) fn not_found(customer: Uuid) -> Refusal {
    Refusal::not_found("CUSTOMER_NOT_FOUND", name(customer))
}

pub(crate) fn already_exists(customer: Uuid) -> Refusal {
    let name = name(customer);
    let message = format!("{name} exists already; choose another customer_id");
    Refusal::new(Code::AlreadyExists, "CUSTOMER_ALREADY_EXISTS", message).with("name", name)
}

pub(crate) fn not_active(customer: Uuid, state: State) -> Refusal {
    let message = format!("{} is {}, not ACTIVE", name(customer), state.name());
    Refusal::precondition("CUSTOMER_NOT_ACTIVE", message).with("state", state.name())
}
